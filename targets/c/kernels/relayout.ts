import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { denseStrides } from '../../../compiler/graph/type.ts'
import type { Domain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { turnFunction } from '../prelude/turn.ts'
import type { Pointers } from '../steps.ts'
import { sharedNest } from '../team.ts'
import { type Lines, sum } from '../text.ts'

/** Tiles side by side that one turn of the outermost loops takes: enough for a call, few enough to divide among threads. */
const tilesOfChunk = 16

/**
 * The body of a kernel that does nothing but change the places of two dimensions, and of others that are looped over: between blocks of
 * channels and plain images, NCHW and NHWC, and transposes of matrices. Square tiles of vectors are turned in registers: in the cache of a
 * Zen 4 45 to 65 GB/s, half of what a copy has, and 2.5 to 16 times what moving element by element has. Undefined for other programs and for elements of other than four bytes.
 */
export function turnedBody({ extents, steps, resultStrides }: Domain, pointers: Pointers, level: Level): Lines | undefined {
  const [step] = steps
  if (steps.length !== 1 || step?.kind !== 'load' || dtypeFacts[step.dtype].bytes !== 4) return undefined
  const { offset, strides } = step.access
  const stored = resultStrides ?? denseStrides(extents)
  const last = extents.length - 1
  const turned = strides.findIndex((stride, axis) => stride === 1 && axis < last)
  const lanes = lanesOf(level)
  if (turned < 0 || stored[last] !== 1 || strides[last]! < 1 || stored[turned]! < 1) return undefined
  if (extents[last]! < lanes || extents[turned]! < lanes) return undefined
  const rows = extents[last]!
  const chunk = tilesOfChunk * lanes
  const chunks = Math.ceil(rows / chunk)
  const around = [...extents.keys()].filter((axis) => axis !== last && axis !== turned)
  const place = (list: readonly number[], from: number) =>
    sum([...around.map((axis) => [`i${axis}`, list[axis]!] as const), ['chunk', chunk * list[last]!]], from)
  const count =
    chunks === 1 ? String(rows) : rows % chunk === 0 ? String(chunk) : `gp_least(${chunk}, ${rows} - ${chunk} * chunk)`
  const to = `(f32 *)${pointers.results[0]!.pointer} + ${place(stored, 0)}`
  const from = `(const f32 *)${pointers.inputs[step.input]} + ${place(strides, offset)}`
  const loops = [...around.map((axis) => [`i${axis}`, extents[axis]!] as const), ['chunk', chunks] as const]
  return sharedNest(level, loops, [
    `${turnFunction(lanes)}(${to}, ${stored[turned]}, ${from}, ${strides[last]}, ${count}, ${extents[turned]});`,
  ])
}

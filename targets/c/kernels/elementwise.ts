import type { Step } from '../../../compiler/fuse/kernel.ts'
import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { collapse, type Domain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import {
  evaluateScalar,
  evaluateVector,
  isVectorProgram,
  type Pointers,
  resultIndex,
  storeScalars,
  storeVectors,
} from '../steps.ts'
import { onePart, sharedLoop, sharedNest, sharedPlaces } from '../team.ts'
import { type Lines, loop, sum } from '../text.ts'
import { turnedBody } from './relayout.ts'
import { shortRows } from './shortRows.ts'

/** Rows from which on they are divided among threads; of fewer, each row is. */
const manyRows = 16

/** A program without an anchor: for each position of the domain, all loads, then the stores. */
export function elementwiseBody(given: Domain, pointers: Pointers, level: Level): Lines {
  const domain = collapse(given)
  const turned = turnedBody(domain, pointers, level)
  if (turned) return turned
  const placed = inPlaces(domain, pointers, level)
  if (placed) return placed
  const short = shortRows(domain, pointers, level)
  const variables = domain.extents.map((_, axis) => `i${axis}`)
  const width = domain.extents.at(-1) ?? 1
  if (short) {
    const left = loop('i0', short.end, domain.extents[0]!, 1, innerLoop(domain, variables, width, pointers, level, false))
    return [...short.lines, ...onePart(level, left)]
  }
  const outer = domain.extents.slice(0, -1).map((extent, axis) => [`i${axis}`, extent] as const)
  const rows = outer.reduce((product, [, extent]) => product * extent, 1)
  if (rows >= manyRows) return sharedNest(level, outer, innerLoop(domain, variables, width, pointers, level, false))
  const inner = innerLoop(domain, variables, width, pointers, level, level.teams === true)
  return outer.reduceRight<Lines>((body, [variable, extent]) => loop(variable, 0, extent, 1, body), inner)
}

/** Pixels of an image that are worth a share each. */
const leastPixels = 16

/**
 * An image in blocks of channels with something for each channel, divided among threads by pixels as those who write and read it are
 * (`sharedPlaces`). Undefined for others.
 */
function inPlaces(domain: Domain, pointers: Pointers, level: Level): Lines | undefined {
  const [blocks, pixels, lanes] = domain.extents
  if (!level.teams || domain.extents.length !== 3 || lanes !== lanesOf(level) || pixels! < leastPixels) return undefined
  if (!isVectorProgram(domain.steps)) return undefined
  const position = ['i0', 'i1', '0']
  const { invariant, lines, values } = evaluateVector(domain.steps, position, pointers.inputs, lanes, level)
  const stores = storeVectors(pointers, resultIndex(domain, position), values, lanes, level)
  return sharedPlaces(level, [['i0', blocks!]], [['i1', pixels!]], [...invariant, ...lines, ...stores])
}

/** One row; `divided`: the share of it that a thread has. */
function innerLoop(
  domain: Domain,
  variables: readonly string[],
  width: number,
  pointers: Pointers,
  level: Level,
  divided: boolean,
): Lines {
  const last = variables.at(-1)
  const along = (from: number, to: number, step: number, body: Lines) =>
    divided ? sharedLoop(level, last!, from, to, step, body) : loop(last!, from, to, step, body)
  const byOne = (lines: Lines) => (divided ? onePart(level, lines) : lines)
  const copied = copiedRun(domain)
  if (copied) {
    const bytes = width * dtypeFacts[copied.dtype].bytes
    const row = [...variables.slice(0, -1), '0']
    const from = sum(
      row.map((variable, axis) => [variable, copied.access.strides[axis]!] as const),
      copied.access.offset,
    )
    const places = [`${pointers.results[0]!.pointer} + ${resultIndex(domain, row)}`, `${pointers.inputs[copied.input]} + ${from}`]
    return divided
      ? [`gp_copy_shared((char *)(${places[0]}), (const char *)(${places[1]}), ${bytes}, team);`]
      : [`gp_copy(${places.join(', ')}, ${bytes});`]
  }
  if (!isVectorProgram(domain.steps)) return scalarLoop(domain, variables, width, pointers, along, byOne)
  const lanes = lanesOf(level)
  const rest = width % lanes
  const at = (position: readonly string[], count: number) => {
    const { invariant, lines, values } = evaluateVector(domain.steps, position, pointers.inputs, count, level)
    return { invariant, body: [...lines, ...storeVectors(pointers, resultIndex(domain, position), values, count, level)] }
  }
  if (last === undefined) {
    const { invariant, body } = at(variables, 1)
    return byOne([...invariant, ...body])
  }
  const whole = at(variables, lanes)
  // The tail's statements stand in their own block; what does not move along the row is shared.
  const tail = rest > 0 ? byOne(loop(last, width - rest, width, rest, at(variables, rest).body)) : []
  return [...whole.invariant, ...along(0, width - rest, lanes, whole.body), ...tail]
}

/** Programs of one load, contiguous along the last dimension, are copies of bytes. Not for bool, whose bytes may be other than 0 and 1. */
function copiedRun(domain: Domain): Extract<Step, { kind: 'load' }> | undefined {
  const step = domain.steps[0]!
  if (domain.steps.length > 1 || step.kind !== 'load' || step.dtype === 'bool' || domain.extents.length === 0) return undefined
  return step.access.strides.at(-1) === 1 && domain.extents.at(-1)! * dtypeFacts[step.dtype].bytes >= 64 ? step : undefined
}

function scalarLoop(
  domain: Domain,
  variables: readonly string[],
  width: number,
  pointers: Pointers,
  along: (from: number, to: number, step: number, body: Lines) => Lines,
  byOne: (lines: Lines) => Lines,
): Lines {
  const index = resultIndex(domain, variables)
  const step = domain.steps[0]!
  const last = variables.at(-1)
  if (domain.steps.length === 1 && step.kind === 'load' && step.dtype !== 'bool') {
    const from = sum(
      variables.map((variable, axis) => [variable, step.access.strides[axis]!] as const),
      step.access.offset,
    )
    const move = [`${pointers.results[0]!.pointer}[${index}] = ${pointers.inputs[step.input]}[${from}];`]
    return last === undefined ? byOne(move) : along(0, width, 1, move)
  }
  const { invariant, lines, values } = evaluateScalar(domain.steps, variables, pointers.inputs)
  const body = [...lines, ...storeScalars(pointers, index, values)]
  return last === undefined ? byOne([...invariant, ...body]) : [...invariant, ...along(0, width, 1, body)]
}

// Random convolutions and pools over blocks of channels, for every level: each with one of the ways that its template offers.
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { elementCount, type Shape, type TensorType } from '../../compiler/graph/index.ts'
import { candidatesOf } from '../../targets/c/kernels/blocked/index.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { type Level, lanesOf } from '../../targets/c/level.ts'
import { anchorOf, checkAnchored, withSteps } from './anchoredCases.ts'
import { bytesOf } from './compare.ts'
import type { Case, KernelSuite } from './kernelProgram.ts'

const small = (low: number, high: number) => fc.integer({ min: low, max: high })
const repeat = (count: number, low: number, high: number) => fc.array(small(low, high), { minLength: count, maxLength: count })
const f32 = (shape: Shape): TensorType => ({ dtype: 'f32', shape })

interface Drawn {
  readonly kind: 'dense' | 'plain' | 'groups' | 'small groups' | 'depthwise' | 'maxPool' | 'avgPool'
  readonly batch: number
  readonly groups: number
  readonly inputs: number
  readonly outputs: number
  readonly bias: boolean
  readonly constant: boolean
  readonly countPadding: boolean
  readonly pick: number
  readonly after: 'plain' | 'relu' | 'residual' | 'channel' | 'odd' | 'compare' | 'long'
  readonly size: readonly number[]
  readonly window: readonly number[]
  readonly stride: readonly number[]
  readonly dilation: readonly number[]
  readonly before: readonly number[]
  readonly padding: readonly number[]
}

const drawn: fc.Arbitrary<Drawn> = fc
  .record({
    kind: fc.constantFrom<Drawn['kind']>(
      'dense',
      'dense',
      'dense',
      'plain',
      'groups',
      'small groups',
      'depthwise',
      'maxPool',
      'avgPool',
    ),
    axes: fc.constantFrom(1, 2, 2, 2, 3),
    single: fc.constantFrom(false, false, true),
    batch: fc.constantFrom(1, 1, 2),
    groups: small(1, 5),
    inputs: fc.constantFrom(1, 3, 4, 8, 16, 17, 24, 33),
    outputs: fc.constantFrom(1, 4, 8, 12, 16, 20, 40, 64, 81),
    bias: fc.boolean(),
    constant: fc.constantFrom(true, true, true, true, true, true, true, false),
    countPadding: fc.boolean(),
    pick: small(0, 30),
    after: fc.constantFrom<Drawn['after']>('plain', 'plain', 'relu', 'residual', 'channel', 'odd', 'compare', 'long'),
  })
  .chain(({ axes, single, ...given }) =>
    fc
      .record({
        size: repeat(axes, 1, axes === 3 ? 6 : axes === 2 ? 15 : 60),
        window: single ? fc.constant(Array.from({ length: axes }, () => 1)) : repeat(axes, 1, axes === 3 ? 3 : 5),
        stride: repeat(axes, 1, 2),
        dilation: fc.oneof(
          { arbitrary: fc.constant(Array.from({ length: axes }, () => 1)), weight: 3 },
          { arbitrary: repeat(axes, 1, 3), weight: 1 },
        ),
        before: single ? repeat(axes, 0, 0) : repeat(axes, 0, 2),
        padding: single ? repeat(axes, 0, 0) : repeat(axes, 0, 2),
      })
      .map((window) => ({ ...given, ...window })),
  )

/** Deterministic multiples of 1/64 below 2. */
function valuesOf(count: number, seed: number): number[] {
  let state = seed * 2654435761 + 1
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 8) % 257) / 64 - 2
  })
}

/** The input `[batch, ceil(channels / block), …size, block]`, with NaN where a lane has no channel: nothing may come of it. */
function blockedValues(type: TensorType, channels: number, seed: number): number[] {
  const block = type.shape.at(-1)!
  const blocks = type.shape[1]!
  const volume = elementCount(type.shape.slice(2, -1))
  return valuesOf(elementCount(type.shape), seed).map((value, i) => {
    const channel = (Math.floor(i / (volume * block)) % blocks) * block + (i % block)
    return channel < channels ? value : Number.NaN
  })
}

function kernelOf(given: Drawn, block: number): { readonly kernel: Kernel; readonly channels: number } | undefined {
  const { kind, batch, size, window, stride, dilation, before, padding } = given
  const pool = kind === 'maxPool' || kind === 'avgPool'
  const groups =
    kind === 'dense' || kind === 'plain'
      ? 1
      : kind === 'depthwise'
        ? given.inputs
        : given.groups * (kind === 'small groups' ? 3 : 1)
  const inputs = kind === 'depthwise' ? 1 : kind === 'small groups' ? (given.inputs % 2 ? 4 : 2) : given.inputs
  const outputs = kind === 'depthwise' ? 1 : kind === 'small groups' ? inputs : given.outputs
  const channels = inputs * groups
  const blocked = f32([batch, Math.ceil(channels / block), ...size, block])
  const one = (list: readonly number[], last: number) => [...list, last]
  const operands = pool
    ? [blocked]
    : [
        kind === 'plain' ? f32([batch, channels, ...size]) : blocked,
        f32([outputs * groups, inputs, ...window]),
        ...(given.bias ? [f32([outputs * groups])] : []),
      ]
  const anchor = pool
    ? anchorOf(kind, operands, {
        window: one(window, 1),
        stride: one(stride, 1),
        dilation: one(dilation, 1),
        before: one(before, 0),
        after: one(padding, 0),
        ...(kind === 'avgPool' ? { countPadding: given.countPadding } : {}),
      })
    : anchorOf('blockedConv', operands, { stride, dilation, before, after: padding, groups, block })
  if (!anchor || elementCount(anchor.type.shape) * inputs * elementCount(window) > 4e6) return undefined
  const typed = operands.map((type, i) => ({ type, constant: given.constant && i > 0 }))
  return { kernel: withSteps(anchor, typed, given.after), channels }
}

/** Drawn cases with one of their candidates chosen each; the level of the suite knows which. */
export function blockedSuite(
  given: Level,
  seed: number,
  count: number,
  teams = false,
): { readonly suite: KernelSuite; readonly level: Level } {
  // A slow machine divides even small kernels.
  const level: Level = { ...given, exact: true, teams, ...(teams ? { multiplyAddsPerNanosecond: 0.01 } : {}) }
  const lanes = lanesOf(level)
  const chosen = new Map<string, string>()
  const taken: string[] = []
  const cases = fc.sample(drawn, { numRuns: count, seed }).flatMap((given, k): Case[] => {
    const found = kernelOf(given, lanes)
    if (!found) return []
    const { kernel, channels } = found
    if (kernel.anchor!.op === 'blockedConv') {
      const candidates = candidatesOf(kernel as AnchoredKernel, level)
      const { name } = candidates[given.pick % candidates.length]!
      chosen.set(kernelSignature(kernel), name)
      taken.push(name)
    }
    const inputs = kernel.inputs.map(({ type }, i) => {
      const blocked = i === 0 && given.kind !== 'plain' && kernel.anchor!.op === 'blockedConv'
      return bytesOf(type, blocked ? blockedValues(type, channels, k) : valuesOf(elementCount(type.shape), k + i))
    })
    return [{ kernel, inputs }]
  })
  assert.ok(cases.length > count / 2, `only ${cases.length} cases are valid`)
  assert.ok(new Set(taken).size > 5, `only ${[...new Set(taken)]} are tried`)
  return {
    suite: { name: 'convolutions and pools over blocks of channels', cases, check: (outputs) => checkAnchored(cases, outputs) },
    level: { ...level, chosen },
  }
}

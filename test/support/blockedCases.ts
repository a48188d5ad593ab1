// Random convolutions and pools over blocks of channels, for every level: each with one of the ways that its template offers.
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel, StoredFloat } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { elementCount, type Shape, type TensorType } from '../../compiler/graph/index.ts'
import { elementsOf, scalarBytes } from '../../compiler/graph/scalar.ts'
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

/** `still` is how many of the last dimensions, but for the first, have one element, over which no window moves. */
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
    still: fc.constantFrom(0, 0, 0, 1, 2),
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
  .chain(({ axes, single, still, ...given }) =>
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
      .map(({ size, window, before, padding, ...steps }) => {
        const moving = Math.max(1, axes - still)
        const column = (list: readonly number[], fill: number) => list.map((value, axis) => (axis < moving ? value : fill))
        return {
          ...given,
          ...steps,
          size: column(size, 1),
          window: column(window, 1),
          before: column(before, 0),
          padding: column(padding, 0),
        }
      }),
  )

/** Deterministic multiples of 1/64, or a smaller fraction, not beyond 2. */
function valuesOf(count: number, seed: number, fraction = 64): number[] {
  let state = seed * 2654435761 + 1
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 8) % (4 * fraction + 1)) / fraction - 2
  })
}

/** Of these, bf16 has no more than every other one near 2, and some lie in the middle between two that it has. */
const roundedFraction = 512

const asBf16 = (values: readonly number[]): number[] =>
  values.map((value) => (Number.isNaN(value) ? value : elementsOf('bf16', scalarBytes('bf16', value)).get(0)))

/** The input `[batch, ceil(channels / block), …size, block]`, with NaN where a lane has no channel: nothing may come of it. */
function blockedValues(type: TensorType, channels: number, seed: number, fraction?: number): number[] {
  const block = type.shape.at(-1)!
  const blocks = type.shape[1]!
  const volume = elementCount(type.shape.slice(2, -1))
  return valuesOf(elementCount(type.shape), seed, fraction).map((value, i) => {
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

/** What is multiplied: f32, both operands rounded to bf16, or f32 with weights that are stored in 16 bits. */
export type BlockedOperands = 'f32' | 'rounded' | StoredFloat

/** The kernel with its weights stored as asked, if it has a way to read them so. */
function storedKernel(kernel: Kernel, as: BlockedOperands, level: Level): Kernel {
  if (as === 'f32' || as === 'rounded' || kernel.anchor!.op !== 'blockedConv' || !kernel.inputs[1]!.constant) return kernel
  const stored = { ...kernel, inputs: kernel.inputs.map((input, i) => (i === 1 ? { ...input, stored: as } : input)) }
  return candidatesOf(stored as AnchoredKernel, level).length > 0 ? stored : kernel
}

/** Drawn cases with one of their candidates chosen each; the level of the suite knows which. */
export function blockedSuite(
  given: Level,
  seed: number,
  count: number,
  teams = false,
  operands: BlockedOperands = 'f32',
): { readonly suite: KernelSuite; readonly level: Level } {
  const level: Level = {
    ...given,
    exact: true,
    teams,
    // A slow machine divides even small kernels.
    ...(teams ? { multiplyAddsPerNanosecond: 0.01 } : {}),
    ...(operands === 'rounded' ? { precision: 'bf16' } : {}),
  }
  const lanes = lanesOf(level)
  const chosen = new Map<string, string>()
  const taken: string[] = []
  const expected: Case[] = []
  const cases = fc.sample(drawn, { numRuns: count, seed }).flatMap((given, k): Case[] => {
    const found = kernelOf(given, lanes)
    if (!found) return []
    const { channels } = found
    const kernel = storedKernel(found.kernel, operands, level)
    let rounds = false
    if (kernel.anchor!.op === 'blockedConv') {
      const all = candidatesOf(kernel as AnchoredKernel, level)
      const rounding = all.filter(({ name }) => name.includes(' bf16'))
      rounds = rounding.length > 0
      const candidates = rounds ? rounding : all
      const { name } = candidates[given.pick % candidates.length]!
      chosen.set(kernelSignature(kernel), name)
      taken.push(name)
    }
    const values = kernel.inputs.map(({ type }, i) => {
      const blocked = i === 0 && given.kind !== 'plain' && kernel.anchor!.op === 'blockedConv'
      const fraction = rounds && i < 2 ? roundedFraction : undefined
      return blocked ? blockedValues(type, channels, k, fraction) : valuesOf(elementCount(type.shape), k + i, fraction)
    })
    const bytes = (of: readonly (readonly number[])[]) => of.map((list, i) => bytesOf(kernel.inputs[i]!.type, list))
    expected.push({ kernel, inputs: bytes(values.map((list, i) => (rounds && i < 2 ? asBf16(list) : list))) })
    return [{ kernel, inputs: bytes(values) }]
  })
  assert.ok(cases.length > count / 2, `only ${cases.length} cases are valid`)
  assert.ok(new Set(taken).size > 5, `only ${[...new Set(taken)]} are tried`)
  const ways = {
    f32: /^direct \d/,
    rounded: /^direct bf16/,
    bf16: /^direct (widened|expanded)/,
    f16: /^direct (widened|expanded)/,
  }
  const tried = taken.filter((name) => ways[operands].test(name)).length
  assert.ok(tried > count / 4, `${operands} is tried in ${tried} of ${count} cases`)
  return {
    suite: {
      name: `convolutions and pools over blocks of channels${operands === 'f32' ? '' : `, ${operands}`}`,
      cases,
      check: (outputs) => checkAnchored(expected, outputs),
    },
    level: { ...level, chosen },
  }
}

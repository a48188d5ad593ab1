// Random convolutions that Winograd's algorithm takes, for every level, each with one of the tile sizes.
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { elementCount, type Shape, type TensorType } from '../../compiler/graph/index.ts'
import { blockedConvolutionOf } from '../../targets/c/kernels/blocked/sizes.ts'
import { winogradCandidates } from '../../targets/c/kernels/blocked/winograd.ts'
import { type TileSize, winogradMatrices } from '../../targets/c/kernels/blocked/winogradMatrices.ts'
import { planeOf, planOf } from '../../targets/c/kernels/blocked/winogradPlan.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { type Level, lanesOf } from '../../targets/c/level.ts'
import { anchorOf, withSteps } from './anchoredCases.ts'
import { assertClose, bytesOf } from './compare.ts'
import { type Case, expectedOf, type KernelSuite } from './kernelProgram.ts'

/** A convolution with a window of 3×3, or 1×3×3 where there is a depth. */
export interface WinogradShape {
  readonly batch: number
  readonly depth?: number
  readonly groups: number
  readonly inputs: number
  readonly outputs: number
  readonly size: readonly [height: number, width: number]
  readonly before: readonly [number, number]
  readonly after: readonly [number, number]
  /** Default: 1. */
  readonly dilation?: readonly [number, number]
  readonly bias: boolean
}

type Afterwards = 'plain' | 'relu' | 'residual' | 'channel' | 'odd' | 'long'

const small = (low: number, high: number) => fc.integer({ min: low, max: high })
const pair = (low: number, high: number) => fc.tuple(small(low, high), small(low, high))
const f32 = (shape: Shape): TensorType => ({ dtype: 'f32', shape })

const drawn = fc.record({
  batch: fc.constantFrom(1, 1, 1, 2, 3),
  depth: fc.constantFrom(0, 0, 0, 2),
  groups: fc.constantFrom(1, 1, 1, 2, 3, 5),
  inputs: fc.constantFrom(1, 3, 8, 12, 16, 17, 20, 56),
  outputs: fc.constantFrom(1, 4, 8, 12, 16, 20, 33, 56, 81, 300),
  size: fc.oneof({ arbitrary: pair(1, 15), weight: 4 }, { arbitrary: pair(20, 30), weight: 1 }),
  before: pair(0, 2),
  after: pair(0, 2),
  dilation: fc.oneof({ arbitrary: fc.constant<[number, number]>([1, 1]), weight: 3 }, { arbitrary: pair(1, 5), weight: 1 }),
  bias: fc.boolean(),
  tile: fc.constantFrom<TileSize>(2, 4, 4),
  steps: fc.constantFrom<Afterwards>('plain', 'plain', 'relu', 'residual', 'channel', 'odd', 'long'),
})

export function winogradKernel(shape: WinogradShape, block: number, steps: Afterwards = 'plain'): AnchoredKernel | undefined {
  const { batch, depth, groups, inputs, outputs, size, dilation = [1, 1], bias } = shape
  const outer = depth ? [depth] : []
  const operands = [
    f32([batch, Math.ceil((inputs * groups) / block), ...outer, ...size, block]),
    f32([outputs * groups, inputs, ...outer.map(() => 1), 3, 3]),
    ...(bias ? [f32([outputs * groups])] : []),
  ]
  const every = (value: number) => [...outer, ...size].map(() => value)
  const padding = (list: readonly number[]) => [...outer.map(() => 0), ...list]
  const attributes = {
    stride: every(1),
    dilation: [...outer.map(() => 1), ...dilation],
    before: padding(shape.before),
    after: padding(shape.after),
    groups,
    block,
  }
  const anchor = anchorOf('blockedConv', operands, attributes)
  if (!anchor) return undefined
  return withSteps(
    anchor,
    operands.map((type, i) => ({ type, constant: i > 0 })),
    steps,
  ) as AnchoredKernel
}

/** Deterministic values around 0 with all bits of an f32. */
export function randomValues(count: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 1) | 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return (state >>> 8) / 2 ** 23 - 1
  })
}

/** Inputs of a kernel; lanes of the image without a channel are NaN: nothing may come of them. */
export function winogradInputs(kernel: AnchoredKernel, channels: number, seed: number): Uint8Array[] {
  return kernel.inputs.map(({ type }, i) => {
    const values = randomValues(elementCount(type.shape), seed + 31 * i)
    if (i > 0) return bytesOf(type, values)
    const [, blocks, ...rest] = type.shape as [number, number, ...number[]]
    const [block, volume] = [rest.at(-1)!, elementCount(rest.slice(0, -1))]
    const channel = (at: number) => (Math.floor(at / (volume * block)) % blocks) * block + (at % block)
    return bytesOf(
      type,
      values.map((value, at) => (channel(at) < channels ? value : Number.NaN)),
    )
  })
}

/**
 * How far an output may be from the exact one, where inputs, weights and bias are at most 1. Any of it is a sum of products along paths with
 * at most n roundings, so that its error is at most n u / (1 - n u) times the same sum of magnitudes, u = 2⁻²⁴ (N. Higham, "Accuracy and
 * Stability of Numerical Algorithms", 3.1). That sum is at most |Aᵀ| |G| |Bᵀ| as sums of rows' magnitudes for each axis. Roundings: 1 of a
 * weight, 2 an axis of inputs, those of the sum over channels, which may be kept in four parts, 3 an axis of outputs, 1 of the bias.
 */
export function errorBound(tile: TileSize, inputs: number): number {
  const { weights, input, output } = winogradMatrices[tile]
  const n = 1 + 2 * 2 + (inputs + 4) + 2 * 3 + 1
  const axis = output.map((row) =>
    row.reduce((sum, factor, point) => {
      const [g, b] = [weights[point]!, input[point]!].map((list) => list.reduce((total, value) => total + Math.abs(value), 0))
      return sum + Math.abs(factor) * g! * b!
    }, 0),
  )
  const sum = Math.max(...axis) ** 2
  const unit = n * 2 ** -24
  return (unit / (1 - unit)) * (inputs * sum + 1)
}

/** Drawn cases, each with a tile size of its own; the level of the suite says which, and `ways` what their plans have. */
export function winogradSuite(
  level: Level,
  seed: number,
  count: number,
): { readonly suite: KernelSuite; readonly level: Level; readonly ways: ReadonlySet<string> } {
  const chosen = new Map<string, string>()
  const ways = new Set<string>()
  const taken: { readonly kernel: Case; readonly bound: number }[] = []
  for (const [k, { tile, steps, ...given }] of fc.sample(drawn, { numRuns: count, seed }).entries()) {
    const fits = (step: number, axis: 0 | 1) => 2 * step < given.size[axis] + given.before[axis] + given.after[axis]
    const [down, across] = given.dilation
    const shape: WinogradShape = { ...given, dilation: [fits(down, 0) ? down : 1, fits(across, 1) ? across : 1] }
    const kernel = winogradKernel(shape, lanesOf(level), steps)
    const multiplyAdds = kernel ? elementCount(kernel.domain) * shape.inputs * 9 : 0
    if (!kernel || multiplyAdds > 3e6) continue
    const convolution = blockedConvolutionOf(kernel, level)
    const names = winogradCandidates(convolution, kernel, level).map(({ name }) => name)
    assert.ok(names.includes(`winograd${tile}`), `${JSON.stringify(shape)} has ${names}`)
    chosen.set(kernelSignature(kernel), `winograd${tile}`)
    const { shares, sections, rest, tiles, chunk, unitGroups } = planOf(planeOf(convolution, kernel, level)!, tile, level)
    for (const way of [
      shares,
      sections,
      rest ? 'rest' : '',
      chunk < tiles ? 'chunks' : '',
      Math.max(...shape.dilation!) > 1 ? 'phases' : '',
      shape.groups % unitGroups ? 'groups left' : '',
    ])
      ways.add(way)
    const inputs = winogradInputs(kernel, shape.inputs * shape.groups, k)
    taken.push({ kernel: { kernel, inputs }, bound: errorBound(tile, shape.inputs) })
  }
  assert.ok(taken.length > count / 2, `only ${taken.length} cases are valid`)
  const cases = taken.map(({ kernel }) => kernel)
  return {
    suite: {
      name: 'convolutions by the algorithm of Winograd',
      cases,
      check(outputs) {
        for (const [i, { kernel: given, bound }] of taken.entries()) {
          const { type } = given.kernel.results[0]!
          // No step here makes an error larger than twice what it was.
          assertClose(outputs[i]!, expectedOf(given)[0]!, type, { atol: 2 * bound, rtol: 2 ** -22 }, `case ${i}`)
        }
      },
    },
    level: { ...level, chosen },
    ways,
  }
}

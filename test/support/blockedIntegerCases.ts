// Blocked convolutions of integers, for levels whose vectors have as many lanes as blocks have channels.
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import type { DType, Shape, TensorType } from '../../compiler/graph/index.ts'
import { blockedShape } from '../../compiler/graph/ops/index.ts'
import { anchorOf } from './anchoredCases.ts'
import { bytesOf } from './compare.ts'
import { type Afterwards, afterwards, checkEqual, factors, valuesOf, weightZeros, withSteps, zeroOf } from './integerCases.ts'
import type { Case, KernelSuite } from './kernelProgram.ts'

const small = (low: number, high: number) => fc.integer({ min: low, max: high })
const repeat = (count: number, low: number, high: number) => fc.array(small(low, high), { minLength: count, maxLength: count })

interface Layer {
  readonly dtypes: readonly [input: DType, weight: DType]
  /** The input without blocks. */
  readonly input: Shape
  readonly plain: boolean
  readonly weight: Shape
  readonly bias: boolean
  readonly attributes: Record<string, unknown>
  readonly after: Afterwards
}

function caseOf({ dtypes, input, plain, weight, bias, attributes, after }: Layer, block: number, seed: number): Case | undefined {
  const operands: TensorType[] = [
    { dtype: dtypes[0], shape: plain ? input : blockedShape(input, block) },
    { dtype: dtypes[1], shape: weight },
    ...(bias ? [{ dtype: 'i32', shape: [weight[0]!] } as const] : []),
  ]
  const anchor = anchorOf('blockedConvInteger', operands, { ...attributes, block })
  if (!anchor) return undefined
  const channel = anchor.type.shape.map((_, d, { length }) => (d === 1 ? block : d === length - 1 ? 1 : 0))
  const depth = weight.slice(1).reduce((product, extent) => product * extent, 1)
  const kernel = withSteps(anchor, [1, 2], after, channel, 0.01 / Math.sqrt(depth))
  return { kernel, inputs: kernel.inputs.map(({ type }, i) => bytesOf(type, valuesOf(type, 89 * seed + i))) }
}

const layers = (block: number): fc.Arbitrary<Layer> =>
  fc
    .record({
      axes: fc.constantFrom(1, 2, 2, 2, 2, 3),
      dtypes: factors,
      batch: fc.constantFrom(1, 1, 2),
      shape: fc.constantFrom('depthwise', 'groups', 'single', 'single', 'window', 'window', 'plain'),
      groups: fc.constantFrom(2, 3, 4, 9),
      inputs: fc.constantFrom(1, 2, 3, block, block + 3, 2 * block, 3 * block - 1),
      outputs: fc.constantFrom(1, 4, block - 1, block, block + 5, 2 * block, 4 * block, 5 * block + 2),
      bias: fc.boolean(),
      zeros: repeat(2, 0, 1000),
      perChannel: fc.boolean(),
      symmetric: fc.constantFrom(true, true, false),
      still: fc.constantFrom(false, false, false, true),
      after: fc.constantFrom(...afterwards),
    })
    .chain(({ axes, shape, groups, inputs, outputs, batch, zeros, perChannel, symmetric, still, ...given }) =>
      fc
        .record({
          size: repeat(axes, 1, axes === 3 ? 5 : 12),
          wide: small(1, 33),
          window: repeat(axes, 1, axes === 1 ? 7 : 4),
          stride: repeat(axes, 1, 3),
          dilation: repeat(axes, 1, 2),
          before: repeat(axes, 0, 2),
          after: repeat(axes, 0, 2),
        })
        .map(({ size: extents, wide, window: taps, ...offsets }): Layer => {
          // Images of one column, over which no window moves, are sequences.
          const column = (list: readonly number[], fill: number) => (still && axes > 1 ? [...list.slice(0, -1), fill] : list)
          const [size, window] = [column([...extents.slice(0, -1), axes === 3 ? extents.at(-1)! : wide], 1), column(taps, 1)]
          const sizes = { ...offsets, before: column(offsets.before, 0), after: column(offsets.after, 0) }
          const single = shape === 'single'
          const ones = window.map(() => 1)
          const count = shape === 'depthwise' ? inputs * groups : shape === 'groups' ? groups : 1
          const [i, o] =
            shape === 'depthwise' ? [1, 1] : shape === 'groups' ? [Math.min(inputs, 9), Math.min(outputs, 20)] : [inputs, outputs]
          const [zero, other] = zeros as [number, number]
          return {
            ...given,
            input: [batch, i * count, ...size],
            plain: shape === 'plain',
            weight: [o * count, i, ...(single ? ones : window)],
            attributes: {
              ...(single ? { dilation: ones, before: ones.map(() => 0), after: ones.map(() => 0) } : sizes),
              stride: single && zero % 3 > 0 ? ones : sizes.stride,
              groups: count,
              inputZeroPoint: zeroOf(given.dtypes[0], zero),
              weightZeroPoint: weightZeros(given.dtypes[1], symmetric, perChannel ? o * count : 1, other),
            },
          }
        }),
    )

/** What Winograd's algorithm takes, mostly, in sizes for which it need not pay: windows of 3×3 over bytes. */
const windows = (block: number): fc.Arbitrary<Layer> =>
  fc
    .record({
      dtypes: fc.constantFrom<readonly [DType, DType]>(['u8', 'i8'], ['u8', 'u8'], ['i8', 'i8']),
      batch: fc.constantFrom(1, 1, 2),
      depth: fc.constantFrom(0, 0, 2),
      inputs: fc.constantFrom(1, 3, block, block + 3, 2 * block, 5 * block - 1, 200, 230),
      outputs: fc.constantFrom(1, block - 1, block, block + 5, 2 * block, 4 * block, 5 * block + 2),
      size: fc.oneof(repeat(2, 1, 13), fc.constantFrom([8, 12], [16, 4])),
      before: repeat(2, 0, 2),
      after: repeat(2, 0, 2),
      zeros: repeat(2, 0, 1000),
      perChannel: fc.boolean(),
      bias: fc.boolean(),
      steps: fc.constantFrom(...afterwards),
    })
    .map(({ dtypes, batch, depth, inputs, outputs, size, before, after, zeros: [zero, other], perChannel, bias, steps }) => {
      const outer = depth ? [depth] : []
      const every = (value: number) => [...outer, ...size].map(() => value)
      return {
        ...{ dtypes, bias, plain: false, after: steps },
        input: [batch, inputs, ...outer, ...size],
        weight: [outputs, inputs, ...outer.map(() => 1), 3, 3],
        attributes: {
          ...{ stride: every(1), dilation: every(1), groups: 1 },
          before: [...outer.map(() => 0), ...before],
          after: [...outer.map(() => 0), ...after],
          inputZeroPoint: zeroOf(dtypes[0], zero!),
          weightZeroPoint: weightZeros(dtypes[1], true, perChannel ? outputs : 1, other!),
        },
      }
    })

/** Windows of 3×3, `count` of them but for those that do not fit their image or are large. */
export function windowSuite(seed: number, block: number, count: number): KernelSuite {
  const drawn = fc.sample(windows(block), { numRuns: count, seed })
  const small = drawn.filter(({ input, weight }) => [...input.slice(2), ...weight].reduce((a, b) => a * b, input[0]!) < 2e6)
  const cases = small.flatMap((layer, i) => caseOf(layer, block, i) ?? [])
  assert.ok(cases.length > drawn.length / 4, `only ${cases.length} cases are valid`)
  return { name: 'blocked windows of integers', cases, check: (outputs) => checkEqual(cases, outputs) }
}

/** Whether kernels over blocks take them: of 16 bits without zero points. */
const isTaken = ({ dtypes, attributes }: Layer): boolean => {
  const zeros = [[attributes.inputZeroPoint], attributes.weightZeroPoint] as number[][]
  return dtypes.every((dtype, i) => dtype !== 'i16' || zeros[i]!.every((zero) => zero === 0))
}

/** Largest bytes under windows that leave the lanes alone. */
function pools(block: number): Case[] {
  const sizes: [Shape, number[], number[], number[], number[]][] = [
    [
      [1, 2, 9, 11],
      [3, 3],
      [2, 2],
      [1, 1],
      [1, 1],
    ],
    [
      [2, 1, 6, 33],
      [2, 5],
      [1, 3],
      [0, 2],
      [1, 0],
    ],
    [
      [1, 1, 4, 4],
      [4, 1],
      [1, 1],
      [0, 0],
      [0, 0],
    ],
    [
      [1, 3, 5, 40],
      [1, 12],
      [1, 2],
      [0, 6],
      [0, 6],
    ],
  ]
  return sizes.flatMap(([shape, window, stride, before, after], k) =>
    (['u8', 'i8', 'i16', 'u16'] as const).map((dtype): Case => {
      const attributes = {
        window: [...window, 1],
        stride: [...stride, 1],
        before: [...before, 0],
        after: [...after, 0],
        dilation: [1, 1, 1],
      }
      const anchor = anchorOf('maxPool', [{ dtype, shape: [...shape, block] }], attributes)!
      const kernel: Kernel = {
        anchor,
        inputs: anchor.operands.map((type) => ({ type, constant: false })),
        domain: anchor.type.shape,
        steps: [{ kind: 'anchor', dtype }],
        results: [{ step: 0, type: anchor.type }],
      }
      return { kernel, inputs: kernel.inputs.map(({ type }) => bytesOf(type, valuesOf(type, k))) }
    }),
  )
}

/** Layers drawn from a seed, `share` of the usual number, and pools. */
export function blockedIntegerSuite(seed: number, block: number, share = 1): KernelSuite {
  const drawn = fc.sample(layers(block).filter(isTaken), { numRuns: Math.ceil(100 * share), seed })
  const valid = drawn.flatMap((layer, i) => caseOf(layer, block, i) ?? [])
  assert.ok(valid.length > drawn.length / 4, `only ${valid.length} cases are valid`)
  const cases = [...valid, ...pools(block)]
  return { name: 'blocked layers of integers', cases, check: (outputs) => checkEqual(cases, outputs) }
}

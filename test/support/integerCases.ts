import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Access, Anchor, Kernel, Step } from '../../compiler/fuse/kernel.ts'
import { type DType, denseStrides, dtypeFacts, elementCount, type Shape, type TensorType } from '../../compiler/graph/index.ts'
import { anchorOf } from './anchoredCases.ts'
import { assertClose, bytesOf } from './compare.ts'
import { type Case, expectedOf, type KernelSuite } from './kernelProgram.ts'
import { lastOf, resultType } from './kernels.ts'
import { mulberry } from './randomGraph.ts'

const small = (low: number, high: number) => fc.integer({ min: low, max: high })
const repeat = (count: number, low: number, high: number) => fc.array(small(low, high), { minLength: count, maxLength: count })

/** Any numbers that the dtype holds, its ends among them; floats between -2 and 2, of all their bits. */
export function valuesOf({ dtype, shape }: TensorType, seed: number): number[] {
  const random = mulberry(seed)
  const { bytes, kind } = dtypeFacts[dtype]
  const span = 2 ** (8 * Math.min(bytes, 2))
  const low = kind === 'signed' ? -span / 2 : 0
  return Array.from({ length: elementCount(shape) }, () => {
    const next = random()
    if (kind === 'float') return Math.fround(4 * next - 2)
    return next < 0.05 ? low : next > 0.95 ? low + span - 1 : low + Math.floor(next * span)
  })
}

/**
 * What stands behind sums in i32: nothing; integers of 8 bits by one scale or one of each channel; a residual on numbers; several floats. The last
 * three end as passes leave them, without bounds that conversions have anyhow: bytes by scales, with a residual, and of numbers that are no bytes.
 */
export const afterwards = [
  'plain',
  'requantize',
  'channels',
  'residual',
  'numbers',
  'bytes',
  'rounded',
  'joined',
  'extreme',
] as const
export type Afterwards = (typeof afterwards)[number]

/** A kernel of an anchor that gives i32 and steps behind it; `channel` are the strides of what each channel has for itself. Scales are such that most results are within the range of 8 bits. */
export function withSteps(
  anchor: Anchor,
  constants: readonly number[],
  after: Afterwards,
  channel: readonly number[],
  scale: number,
): Kernel {
  const { shape } = anchor.type
  const steps: Step[] = [{ kind: 'anchor', dtype: 'i32' }]
  const inputs = anchor.operands.map((type, i) => ({ type, constant: constants.includes(i) }))
  const load = (dtype: DType, access: Access): number => {
    const reach = access.strides.reduce((total, stride, d) => total + stride * (shape[d]! - 1), 1)
    inputs.push({ type: { dtype, shape: [reach] }, constant: false })
    return steps.push({ kind: 'load', input: inputs.length - 1, access, dtype }) - 1
  }
  const apply = (op: string, args: number[], to: DType, attributes = {}) =>
    steps.push({ kind: 'apply', op, arguments: args, attributes, dtype: to }) - 1
  const literal = (value: number, dtype: DType = 'f32') => steps.push({ kind: 'literal', value: Math.fround(value), dtype }) - 1
  const cast = (x: number, to: DType) => apply('cast', [x], to, { dtype: to })
  const dense = { offset: 0, strides: denseStrides(shape) }
  const byChannel = { offset: 0, strides: channel }
  const narrow = (x: number, to: DType, zero: number) => {
    const shifted = apply('add', [apply('round', [x], 'f32'), literal(zero)], 'f32')
    const [low, high] = to === 'u8' ? [0, 255] : [-128, 127]
    return cast(apply('minimum', [apply('maximum', [shifted, literal(low!)], 'f32'), literal(high!)], 'f32'), to)
  }
  if (after === 'requantize') narrow(apply('mul', [cast(0, 'f32'), literal(scale)], 'f32'), 'u8', 117)
  if (after === 'channels') {
    const scales = apply('mul', [load('f32', byChannel), literal(scale)], 'f32')
    narrow(apply('mul', [cast(0, 'f32'), scales], 'f32'), 'i8', -3)
  }
  if (after === 'residual') {
    const zero = literal(129, 'i32')
    const other = apply('mul', [cast(apply('sub', [cast(load('u8', dense), 'i32'), zero], 'i32'), 'f32'), literal(0.37)], 'f32')
    const own = apply('mul', [cast(0, 'f32'), literal(0.731 * scale)], 'f32')
    narrow(apply('div', [apply('add', [own, other], 'f32'), literal(1.113)], 'f32'), 'u8', 12)
  }
  if (after === 'numbers')
    apply('add', [apply('mul', [cast(0, 'f32'), load('f32', byChannel)], 'f32'), load('f32', dense)], 'f32')
  const rounded = (x: number, zero: number) => {
    const whole = apply('round', [x], 'f32')
    cast(zero === 0 ? whole : apply('add', [literal(zero), whole], 'f32'), 'u8')
  }
  const scaled = () => apply('mul', [cast(0, 'f32'), apply('mul', [load('f32', byChannel), literal(scale)], 'f32')], 'f32')
  if (after === 'rounded') rounded(scaled(), shape.length % 2 === 0 ? 0 : 131)
  if (after === 'joined') {
    const whole = apply('round', [scaled()], 'f32')
    const own = apply('minimum', [apply('maximum', [whole, literal(-93)], 'f32'), literal(162)], 'f32')
    const other = apply('mul', [cast(load('u8', dense), 'f32'), literal(0.37)], 'f32')
    rounded(apply('add', [apply('mul', [own, literal(1.31)], 'f32'), other], 'f32'), shape.length % 2 === 0 ? 7 : 0)
  }
  // Infinities, and of 0 no number, which becomes 0.
  if (after === 'extreme') rounded(apply('mul', [cast(0, 'f32'), literal(Number.POSITIVE_INFINITY)], 'f32'), 17)
  if (after === 'bytes') cast(apply('bitwiseXor', [0, cast(load('i8', dense), 'i32')], 'i32'), 'u8')
  return { anchor, inputs, domain: shape, steps, results: lastOf(steps, { dtype: steps.at(-1)!.dtype, shape }) }
}

interface Drawn {
  readonly op: string
  readonly operands: readonly TensorType[]
  readonly attributes: Record<string, unknown>
  readonly constants: readonly number[]
  /** Dimension that has a scale of its own for each index. */
  readonly axis: number
  /** Products that are summed. */
  readonly depth: number
}

export const factors = fc.constantFrom<readonly [DType, DType]>(
  ['u8', 'u8'],
  ['u8', 'i8'],
  ['u8', 'i8'],
  ['i8', 'i8'],
  ['i8', 'u8'],
  ['u8', 'i16'],
  ['i16', 'i8'],
)

/** Zero points of operands; of 16 bits mostly 0, as differences are. */
export const zeroOf = (dtype: DType, part: number): number =>
  dtype === 'u8' ? part % 256 : dtype === 'i8' ? (part % 256) - 128 : part % 4 ? 0 : part - 500

/** Zero points of weights: where `symmetric`, those by which they are bytes with a sign, as most networks have them. */
export const weightZeros = (dtype: DType, symmetric: boolean, count: number, part: number): number[] =>
  Array.from({ length: count }, (_, i) => (symmetric ? (dtype === 'u8' ? 128 : 0) : zeroOf(dtype, part + 4 * i)))

const convolutions: fc.Arbitrary<Drawn> = fc
  .record({
    axes: fc.constantFrom(1, 2, 2, 2, 2, 3),
    dtypes: factors,
    batch: small(1, 2),
    groups: fc.constantFrom(1, 1, 1, 2, 3, 6),
    inputs: small(1, 7),
    outputs: fc.constantFrom(1, 2, 3, 4, 7, 8, 9, 17, 35),
    bias: fc.boolean(),
    constant: fc.boolean(),
    shape: fc.constantFrom('depthwise', 'single', 'window', 'window'),
    zeros: repeat(2, 0, 1000),
    perChannel: fc.boolean(),
    symmetric: fc.boolean(),
  })
  .chain((given) =>
    fc
      .record({
        size: repeat(given.axes, 1, given.axes === 3 ? 6 : 20),
        wide: small(1, 70),
        window: repeat(given.axes, 1, given.axes === 1 ? 7 : 4),
        stride: repeat(given.axes, 1, 3),
        dilation: repeat(given.axes, 1, 2),
        before: repeat(given.axes, 0, 2),
        after: repeat(given.axes, 0, 2),
      })
      .map(({ size, wide, ...sizes }): Drawn => {
        const { dtypes, groups, batch, bias, constant, perChannel, symmetric } = given
        const single = given.shape === 'single'
        const ones = sizes.window.map(() => 1)
        const none = sizes.window.map(() => 0)
        const { window, ...attributes } = single
          ? { window: ones, stride: ones, dilation: ones, before: none, after: none }
          : sizes
        const [inputs, outputs] = given.shape === 'depthwise' ? [1, Math.min(2, given.outputs)] : [given.inputs, given.outputs]
        const input = [batch, inputs * groups, ...size.slice(0, -1), given.axes === 3 ? size.at(-1)! : wide]
        const [zero, other] = given.zeros as [number, number]
        return {
          op: 'convInteger',
          operands: [
            { dtype: dtypes[0], shape: input },
            { dtype: dtypes[1], shape: [outputs * groups, inputs, ...window] },
            ...(bias ? [{ dtype: 'i32', shape: [outputs * groups] } as const] : []),
          ],
          attributes: {
            ...attributes,
            groups,
            inputZeroPoint: zeroOf(dtypes[0], zero),
            weightZeroPoint: weightZeros(dtypes[1], symmetric, perChannel ? outputs * groups : 1, other),
          },
          constants: constant ? [1, 2] : [],
          axis: 1,
          depth: inputs * elementCount(window),
        }
      }),
  )

const products: fc.Arbitrary<Drawn> = fc
  .record({
    dtypes: factors,
    batch: fc.constantFrom([], [2], [3, 2]),
    rows: fc.constantFrom(1, 1, 2, 5, 9, 17),
    depth: fc.constantFrom(0, 1, 2, 3, 8, 19, 64, 131),
    columns: fc.constantFrom(1, 2, 7, 16, 21, 33, 70),
    shared: fc.constantFrom('same', 'none', 'ones'),
    constant: fc.boolean(),
    zeros: repeat(2, 0, 1000),
    perColumn: fc.boolean(),
    symmetric: fc.boolean(),
  })
  .map(({ dtypes, batch, rows, depth, columns, shared, constant, zeros, perColumn, symmetric }): Drawn => {
    const right = shared === 'same' ? batch : shared === 'none' ? [] : batch.map(() => 1)
    return {
      op: 'matmulInteger',
      operands: [
        { dtype: dtypes[0], shape: [...batch, rows, depth] },
        { dtype: dtypes[1], shape: [...right, depth, columns] },
      ],
      attributes: {
        leftZeroPoint: zeroOf(dtypes[0], zeros[0]!),
        rightZeroPoint: weightZeros(dtypes[1], symmetric, perColumn ? columns : 1, zeros[1]!),
      },
      constants: constant ? [1] : [],
      axis: batch.length + 1,
      depth,
    }
  })

function draw(arbitrary: fc.Arbitrary<Drawn>, count: number, seed: number): Case[] {
  const drawn = fc.sample(fc.record({ given: arbitrary, after: fc.constantFrom(...afterwards) }), { numRuns: count, seed })
  return drawn.flatMap(({ given, after }, k): Case[] => {
    const anchor = anchorOf(given.op, given.operands, given.attributes)
    if (!anchor) return []
    const scale = 0.01 / Math.sqrt(Math.max(1, given.depth))
    const channel = anchor.type.shape.map((_, d) => (d === given.axis ? 1 : 0))
    const kernel = withSteps(anchor, given.constants, after, channel, scale)
    return [{ kernel, inputs: kernel.inputs.map(({ type }, i) => bytesOf(type, valuesOf(type, 97 * k + i))) }]
  })
}

/** Tables by byte, with and without work behind them, over shapes with tails. */
function lookups(): Case[] {
  const operands = (['u8', 'i8'] as const).flatMap((dtype) =>
    (['u8', 'i8', 'f32', 'f16', 'bool', 'i64'] as const).map((of) => [dtype, of] as const),
  )
  return operands.flatMap(([dtype, of], k) => {
    const shape = k % 2 ? [3, 5, 17] : [77]
    const anchor = anchorOf(
      'lookup',
      [
        { dtype, shape },
        { dtype: of, shape: [256] },
      ],
      {},
    )!
    const plain: Kernel = {
      anchor,
      inputs: anchor.operands.map((type, i) => ({ type, constant: i === 1 })),
      domain: shape,
      steps: [{ kind: 'anchor', dtype: of }],
      results: [{ step: 0, type: anchor.type }],
    }
    const inputs = plain.inputs.map(({ type }, i) => bytesOf(type, valuesOf(type, k + i)))
    if (of === 'bool' || of === 'i64') return [{ kernel: plain, inputs }]
    const steps: Step[] = [...plain.steps, { kind: 'apply', op: 'maximum', arguments: [0, 1], attributes: {}, dtype: of }]
    steps.splice(1, 0, { kind: 'literal', value: 1, dtype: of })
    return [
      { kernel: plain, inputs },
      { kernel: { ...plain, steps, results: lastOf(steps, anchor.type) }, inputs: [...inputs] },
    ]
  })
}

/**
 * Quantised numbers added, multiplied and quantised again: two products whose sum a compiler would gladly round once instead of twice.
 * Lengths leave tails; the loads of one go against the grain.
 */
function elementwise(): Case[] {
  return [1000, 37, 4096].flatMap((count, k): Case[] =>
    (['u8', 'i8', 'f32'] as const).map((result) => {
      const type = (dtype: DType): TensorType => ({ dtype, shape: [count] })
      const access = { offset: 0, strides: [1] }
      const against = { offset: count - 1, strides: [-1] }
      const steps: Step[] = [
        { kind: 'load', input: 0, access, dtype: 'u8' },
        { kind: 'load', input: 1, access: k === 1 ? against : access, dtype: 'i8' },
      ]
      const apply = (op: string, args: number[], dtype: DType = 'f32') =>
        steps.push({ kind: 'apply', op, arguments: args, attributes: op === 'cast' ? { dtype } : {}, dtype }) - 1
      const literal = (value: number) => steps.push({ kind: 'literal', value: Math.fround(value), dtype: 'f32' }) - 1
      const number = (x: number, zero: number, scale: number) =>
        apply('mul', [apply('sub', [apply('cast', [x]), literal(zero)]), literal(scale)])
      const total = apply('add', [number(0, 131, 0.0235284772), number(1, -7, 0.0313725509)])
      const activated = apply('add', [apply('mul', [total, total]), total])
      if (result !== 'f32') {
        const rounded = apply('round', [apply('div', [activated, literal(0.130832836)])])
        apply('cast', [apply('add', [rounded, literal(result === 'u8' ? 96 : -5)])], result)
      }
      return {
        kernel: {
          inputs: [type('u8'), type('i8')].map((of) => ({ type: of, constant: false })),
          domain: [count],
          steps,
          results: lastOf(steps, type(result)),
        },
        inputs: [bytesOf(type('u8'), valuesOf(type('u8'), k)), bytesOf(type('i8'), valuesOf(type('i8'), k + 50))],
      }
    }),
  )
}

/** Every bit is the interpreter's. */
export function checkEqual(cases: readonly Case[], outputs: readonly Uint8Array[]): void {
  const failures: string[] = []
  for (const [i, { kernel, inputs }] of cases.entries()) {
    try {
      assertClose(outputs[i]!, expectedOf({ kernel, inputs })[0]!, resultType(kernel), {}, `case ${i}`)
    } catch (error) {
      failures.push(
        `${(error as Error).message}\n  ${JSON.stringify({ ...kernel.anchor, inputs: kernel.inputs, steps: kernel.steps })}`,
      )
    }
  }
  assert.is(failures.length, 0, `${failures.length} of ${cases.length}\n${failures.slice(0, 8).join('\n')}`)
}

/** Layers as networks have them, larger than those that are drawn: whole tiles, several blocks of columns, one pixel. */
function layers(): Case[] {
  const of = (input: Shape, weight: Shape, groups: number, sizes: Record<string, number>, after: Afterwards): Case => {
    const { stride = 1, before = 0, after: behind = before } = sizes
    const anchor = anchorOf(
      'convInteger',
      [
        { dtype: 'u8', shape: input },
        { dtype: 'i8', shape: weight },
        { dtype: 'i32', shape: [weight[0]!] },
      ],
      {
        groups,
        stride: [stride, stride],
        before: [before, before],
        after: [behind, behind],
        dilation: [1, 1],
        inputZeroPoint: 131,
        weightZeroPoint: [-5],
      },
    )!
    const kernel = withSteps(anchor, [1, 2], after, [0, 1, 0, 0], 0.001)
    return { kernel, inputs: kernel.inputs.map(({ type }, i) => bytesOf(type, valuesOf(type, i + input.length))) }
  }
  return [
    of([1, 3, 33, 35], [19, 3, 3, 3], 1, { stride: 2, after: 1 }, 'channels'),
    of([1, 5, 17, 33], [5, 1, 3, 3], 5, { before: 1 }, 'requantize'),
    of([1, 5, 18, 34], [5, 1, 3, 3], 5, { stride: 2, after: 1 }, 'requantize'),
    of([1, 64, 40, 41], [9, 64, 1, 1], 1, {}, 'channels'),
    of([1, 131, 9, 7], [50, 131, 1, 1], 1, {}, 'residual'),
    of([2, 70, 1, 1], [101, 70, 1, 1], 1, {}, 'channels'),
    of([1, 70, 1, 3], [102, 35, 1, 1], 2, {}, 'residual'),
    of([1, 40, 7, 7], [33, 40, 3, 3], 1, { before: 1 }, 'requantize'),
  ]
}

/** Cases of integer products, tables and quantised elementwise work, drawn from this seed; `share` of the usual number of each. */
export function integerSuites(seed: number, share = 1): KernelSuite[] {
  const suite = (name: string, cases: readonly Case[]): KernelSuite => ({
    name,
    cases,
    check: (outputs) => checkEqual(cases, outputs),
  })
  const drawn = (name: string, arbitrary: fc.Arbitrary<Drawn>, usual: number) => {
    const count = Math.ceil(usual * share)
    const cases = draw(arbitrary, count, seed)
    assert.ok(cases.length > count / 4, `only ${cases.length} cases are valid`)
    return suite(name, cases)
  }
  return [
    drawn('convolutions of integers', convolutions, 100),
    drawn('matrix products of integers', products, 60),
    suite('layers of quantised networks', layers()),
    suite('tables by byte', lookups()),
    suite('quantised elementwise work', elementwise()),
  ]
}

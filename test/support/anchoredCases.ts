import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Access, Anchor, Kernel, KernelInput, Step, StoredFloat } from '../../compiler/fuse/kernel.ts'
import {
  createBuilder,
  type DType,
  definitionOf,
  denseStrides,
  elementCount,
  elementsOf,
  inferType,
  isFloat,
  ModelProblem,
  recurrentActivations,
  recurrentCells,
  type Shape,
  type TensorType,
} from '../../compiler/graph/index.ts'
import { type RowFormat, rowFormatNames, rowFormats } from '../../compiler/graph/ops/rowFormat.ts'
import { assertClose, bytesOf } from './compare.ts'
import { type Case, expectedOf, type KernelSuite } from './kernelProgram.ts'
import { lastOf } from './kernels.ts'

const dtypesOf = fc.constantFrom<DType>('f32', 'f32', 'f32', 'f32', 'f32', 'f32', 'f64', 'f16', 'bf16')
const small = (low: number, high: number) => fc.integer({ min: low, max: high })

/** Deterministic values around 0, few enough bits to keep sums of many products well inside every float's precision. */
function valuesOf(type: TensorType, seed: number): number[] {
  let state = seed * 2654435761 + 1
  return Array.from({ length: elementCount(type.shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return isFloat(type.dtype) ? ((state >>> 8) % 257) / 64 - 2 : (state >>> 8) % 11
  })
}

/** Steps behind an anchor: nothing, an activation, a residual, a scale per channel, a scale against the grain, another result type. */
const afterwards = ['plain', 'relu', 'residual', 'channel', 'odd', 'compare', 'shrink', 'long'] as const
type Afterwards = (typeof afterwards)[number]

/** A kernel of an anchor and steps behind it, the last of which is stored, and that numbered `also`; operands that the steps read come after those of the anchor. */
export function withSteps(
  anchor: Anchor,
  operands: readonly KernelInput[],
  after: Afterwards,
  prologue?: readonly Step[],
  also?: number,
): Kernel {
  const { dtype, shape } = anchor.type
  const steps: Step[] = [{ kind: 'anchor', dtype }]
  const inputs = [...operands]
  const load = (access: Access): number => {
    const reach =
      1 + access.offset + access.strides.reduce((total, stride, axis) => total + Math.max(0, stride) * (shape[axis]! - 1), 0)
    inputs.push({ type: { dtype, shape: [Math.max(1, reach)] }, constant: false })
    return steps.push({ kind: 'load', input: inputs.length - 1, access, dtype }) - 1
  }
  const apply = (op: string, args: number[], to: DType = dtype, attributes = {}) =>
    steps.push({ kind: 'apply', op, arguments: args, attributes, dtype: to }) - 1
  const literal = (value: number) => steps.push({ kind: 'literal', value, dtype }) - 1
  if (after === 'relu') apply('maximum', [0, literal(0)])
  if (after === 'residual') apply('add', [0, load({ offset: 0, strides: denseStrides(shape) })])
  if (after === 'channel')
    apply('mul', [0, load({ offset: 0, strides: shape.map((_, axis) => (axis === Math.min(1, shape.length - 1) ? 1 : 0)) })])
  if (after === 'odd')
    apply('sub', [
      load({ offset: 1, strides: shape.map((_, axis) => (axis === shape.length - 1 ? 0 : axis === shape.length - 2 ? 2 : 1)) }),
      0,
    ])
  if (after === 'compare') apply('less', [0, literal(0.25)], 'bool')
  if (after === 'shrink') apply('cast', [0], 'i16', { dtype: 'i16' })
  if (after === 'long') for (let i = 0, x = 0; i < 12; i++) x = apply(i % 2 ? 'mul' : 'add', [x, literal(i % 2 ? 0.5 : 1)])
  const last = steps.at(-1)!
  return {
    anchor,
    inputs,
    domain: shape,
    ...(prologue ? { prologue } : {}),
    steps,
    results: [
      ...lastOf(steps, { dtype: last.dtype, shape }),
      ...(also === undefined ? [] : [{ step: also, type: { dtype: steps[also]!.dtype, shape } }]),
    ],
  }
}

/** An anchor of this op, or nothing where the op does not take such operands. */
export function anchorOf(op: string, operands: readonly TensorType[], attributes: Record<string, unknown>): Anchor | undefined {
  const builder = createBuilder()
  try {
    const nodes = operands.map((type, i) => builder.input(`x${i}`, type))
    const type = inferType(op, nodes, attributes as never)
    return { op, attributes: attributes as never, operands, type }
  } catch (error) {
    if (error instanceof ModelProblem) return undefined
    throw error
  }
}

interface Drawn {
  readonly op: string
  readonly operands: readonly TensorType[]
  readonly attributes: Record<string, unknown>
  /** Operands known at build. */
  readonly constants: readonly number[]
  /** Of these, those that are stored in 16 bits. */
  readonly stored?: Readonly<Record<number, StoredFloat | undefined>>
}

const repeat = (count: number, low: number, high: number) => fc.array(small(low, high), { minLength: count, maxLength: count })

const convolutions: fc.Arbitrary<Drawn> = fc
  .record({
    axes: small(1, 3),
    dtype: dtypesOf,
    batch: small(1, 2),
    groups: fc.constantFrom(1, 1, 1, 2, 3, 6),
    inputs: small(1, 5),
    outputs: fc.constantFrom(1, 2, 3, 4, 7, 8, 9, 12, 17),
    bias: fc.boolean(),
    constant: fc.boolean(),
    depthwise: fc.boolean(),
  })
  .chain((given) =>
    fc
      .record({
        size: repeat(given.axes, 1, given.axes === 3 ? 6 : 13),
        window: repeat(given.axes, 1, given.axes === 1 ? 7 : 4),
        stride: repeat(given.axes, 1, 3),
        dilation: repeat(given.axes, 1, 2),
        before: repeat(given.axes, 0, 2),
        after: repeat(given.axes, 0, 2),
      })
      .map(({ size, window, ...attributes }): Drawn => {
        const { dtype, groups, batch, bias, constant } = given
        const inputs = given.depthwise ? 1 : given.inputs
        const outputs = given.depthwise ? Math.min(2, given.outputs) : given.outputs
        const type = (shape: Shape): TensorType => ({ dtype, shape })
        return {
          op: 'conv',
          operands: [
            type([batch, inputs * groups, ...size]),
            type([outputs * groups, inputs, ...window]),
            ...(bias ? [type([outputs * groups])] : []),
          ],
          attributes: { ...attributes, groups },
          constants: constant ? [1, 2] : [],
        }
      }),
  )

const pools: fc.Arbitrary<Drawn> = fc
  .record({
    axes: small(1, 3),
    dtype: fc.constantFrom<DType>('f32', 'f32', 'f32', 'f16', 'i32', 'u8'),
    average: fc.boolean(),
    countPadding: fc.boolean(),
    channels: small(1, 3),
  })
  .chain((given) =>
    fc
      .record({
        size: repeat(given.axes, 1, given.axes === 3 ? 6 : 14),
        window: repeat(given.axes, 1, 6),
        stride: repeat(given.axes, 1, 3),
        dilation: repeat(given.axes, 1, 2),
        before: repeat(given.axes, 0, 1),
        after: repeat(given.axes, 0, 1),
      })
      .map(({ size, ...attributes }): Drawn => {
        const average = given.average && isFloat(given.dtype)
        return {
          op: average ? 'avgPool' : 'maxPool',
          operands: [{ dtype: given.dtype, shape: [1, given.channels, ...size] }],
          attributes: { ...attributes, ...(average ? { countPadding: given.countPadding } : {}) },
          constants: [],
        }
      }),
  )

const products: fc.Arbitrary<Drawn> = fc
  .record({
    dtype: fc.oneof(
      { arbitrary: dtypesOf, weight: 5 },
      { arbitrary: fc.constantFrom<DType>('i32', 'u32', 'i64', 'u64'), weight: 1 },
    ),
    linear: fc.boolean(),
    batch: fc.constantFrom([], [2], [3, 2]),
    rows: small(1, 9),
    depth: small(0, 19),
    columns: small(1, 21),
    shared: fc.constantFrom('same', 'none', 'ones'),
    bias: fc.boolean(),
    constant: fc.boolean(),
  })
  .map(({ dtype, linear, batch, rows, depth, columns, shared, bias, constant }): Drawn => {
    const type = (shape: Shape): TensorType => ({ dtype, shape })
    if (linear)
      return {
        op: 'linear',
        operands: [type([...batch, rows, depth]), type([columns, depth]), ...(bias ? [type([columns])] : [])],
        attributes: {},
        constants: constant ? [1, 2] : [],
      }
    const right = shared === 'same' ? batch : shared === 'none' ? [] : batch.map(() => 1)
    return {
      op: 'matmul',
      operands: [type([...batch, rows, depth]), type([...right, depth, columns])],
      attributes: {},
      constants: constant ? [1] : [],
    }
  })

const shapes = fc
  .array(fc.constantFrom(1, 2, 3, 4, 5, 7, 18), { minLength: 1, maxLength: 4 })
  .filter((shape) => elementCount(shape) < 3000)

const reductions: fc.Arbitrary<Drawn> = fc
  .record({
    op: fc.constantFrom('reduceSum', 'reduceProd', 'reduceMax', 'reduceMin'),
    dtype: fc.constantFrom<DType>('f32', 'f32', 'f32', 'f32', 'f64', 'f16', 'i32', 'u8', 'i64'),
    shape: shapes,
    mask: small(0, 15),
    keepDims: fc.boolean(),
  })
  .map(({ op, dtype, shape, mask, keepDims }) => ({
    op,
    operands: [{ dtype, shape }],
    attributes: { axes: [...shape.keys()].filter((axis) => mask & (1 << axis)), keepDims },
    constants: [],
  }))

const rows: fc.Arbitrary<Drawn> = fc
  .record({
    op: fc.constantFrom('softmax', 'logSoftmax', 'layerNorm', 'rmsNorm'),
    dtype: dtypesOf,
    shape: shapes,
    axis: small(0, 3),
    parameters: small(0, 2),
    // Rows of two classes, where not 0.
    pairs: fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, { arbitrary: small(1, 70), weight: 1 }),
  })
  .map(({ op, dtype, shape: any, axis, parameters, pairs }): Drawn => {
    const type = (of: Shape): TensorType => ({ dtype, shape: of })
    const shape = pairs > 0 ? [pairs, 2] : any
    const at = pairs > 0 ? 1 : axis % shape.length
    if (op === 'softmax' || op === 'logSoftmax') return { op, operands: [type(shape)], attributes: { axis: at }, constants: [] }
    const normalised = shape.slice(at)
    const extra = Array.from({ length: Math.min(parameters, op === 'layerNorm' ? 2 : 1) }, () => type(normalised))
    return { op, operands: [type(shape), ...extra], attributes: { dims: normalised.length, epsilon: 1e-3 }, constants: [] }
  })

const movements: fc.Arbitrary<Drawn> = fc
  .record({
    pad: fc.boolean(),
    dtype: fc.constantFrom<DType>('f32', 'f32', 'i8', 'f16', 'bool', 'i64'),
    index: fc.constantFrom<DType>('i32', 'i64', 'u8'),
    shape: shapes,
    around: fc.array(small(0, 3), { minLength: 8, maxLength: 8 }),
    axis: small(0, 3),
    picks: fc.array(small(1, 3), { maxLength: 2 }),
    value: fc.constantFrom(0, 1, -2.5, Number.NEGATIVE_INFINITY),
  })
  .map(
    ({ pad, dtype, index, shape, around, axis, picks, value }): Drawn =>
      pad
        ? {
            op: 'pad',
            operands: [{ dtype, shape }],
            attributes: { before: shape.map((_, i) => around[i]!), after: shape.map((_, i) => around[4 + i]!), value },
            constants: [],
          }
        : {
            op: 'gather',
            operands: [
              { dtype, shape },
              { dtype: index, shape: picks },
            ],
            attributes: { axis: axis % shape.length },
            constants: [],
          },
  )

const orders: fc.Arbitrary<Drawn> = fc
  .record({
    op: fc.constantFrom('argMax', 'argMin', 'topKIndices', 'cumSum', 'cumProd'),
    dtype: fc.constantFrom<DType>('f32', 'f32', 'f32', 'f64', 'f16', 'bf16', 'i8', 'u8', 'i32', 'u32', 'i64', 'u64'),
    shape: shapes,
    axis: small(0, 3),
    flags: fc.tuple(fc.boolean(), fc.boolean()),
    part: small(0, 4),
  })
  .map(({ op, dtype, shape, axis: drawn, flags: [one, two], part }): Drawn => {
    const axis = drawn % shape.length
    const attributes =
      op === 'topKIndices'
        ? { axis, k: Math.ceil((shape[axis]! * part) / 4), largest: one }
        : op === 'cumSum' || op === 'cumProd'
          ? { axis, exclusive: one, reverse: two }
          : { axis, keepDims: one, last: two }
    return { op, operands: [{ dtype, shape }], attributes, constants: [] }
  })

const scatters: fc.Arbitrary<Drawn> = fc
  .record({
    dtype: fc.constantFrom<DType>('f32', 'f32', 'i8', 'f16', 'bool', 'i64', 'u64', 'f64'),
    index: fc.constantFrom<DType>('i32', 'i64', 'u8'),
    shape: shapes,
    depth: small(1, 4),
    lead: fc.array(small(1, 4), { maxLength: 2 }),
    reduction: fc.constantFrom('none', 'none', 'add', 'mul', 'max', 'min'),
  })
  .map(({ dtype, index, shape, depth: drawn, lead, reduction }): Drawn => {
    const depth = 1 + (drawn % shape.length)
    return {
      op: 'scatterNd',
      operands: [
        { dtype, shape },
        { dtype: index, shape: [...lead, depth] },
        { dtype, shape: [...lead, ...shape.slice(depth)] },
      ],
      attributes: { reduction },
      constants: [],
    }
  })

const attentions: fc.Arbitrary<Drawn> = fc
  .record({
    dtype: dtypesOf,
    batch: small(1, 2),
    groups: small(1, 2),
    shared: small(1, 3),
    length: fc.constantFrom(1, 3, 8, 17, 32),
    keys: fc.constantFrom(1, 5, 16, 32, 33, 64),
    size: fc.constantFrom(1, 8, 16, 19, 32),
    out: fc.constantFrom(1, 8, 16, 21),
    mask: fc.constantFrom('none', 'bool', 'bool', 'added', 'added'),
    over: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    rank: small(1, 4),
    scale: fc.constantFrom(1, 0.25, 0.3),
    causal: fc.boolean(),
    past: fc.constantFrom(0, 0, 2),
    softcap: fc.constantFrom(0, 0, 3),
    hidden: fc.constantFrom(Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, -1e9),
    blind: fc.constantFrom('zero', 'nan'),
  })
  .map(({ dtype, batch, groups, shared, length, keys, size, out, mask, over, rank, ...attributes }): Drawn => {
    const type = (shape: Shape): TensorType => ({ dtype, shape })
    const scores = [batch, groups * shared, length, keys]
    const masked = scores.map((extent, axis) => (over[axis] ? extent : 1)).slice(4 - rank)
    return {
      op: 'attention',
      operands: [
        type([batch, groups * shared, length, size]),
        type([batch, groups, keys, size]),
        type([batch, groups, keys, out]),
        ...(mask === 'none' ? [] : [{ dtype: mask === 'bool' ? ('bool' as const) : dtype, shape: masked }]),
      ],
      attributes,
      constants: [],
    }
  })

const rotations: fc.Arbitrary<Drawn> = fc
  .record({
    dtype: dtypesOf,
    lead: fc.array(small(1, 4), { maxLength: 3 }),
    over: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    rank: small(0, 3),
    pairs: fc.constantFrom(1, 2, 3, 4, 5, 8, 12, 16, 17, 32),
    rest: fc.constantFrom(0, 0, 1, 4, 19),
    interleaved: fc.boolean(),
  })
  .map(({ dtype, lead, over, rank, pairs, rest, interleaved }): Drawn => {
    const table = lead.map((extent, axis) => (over[axis] ? extent : 1)).slice(Math.min(rank, lead.length))
    const type = (shape: Shape): TensorType => ({ dtype, shape })
    return {
      op: 'rotaryEmbedding',
      operands: [type([...lead, 2 * pairs + rest]), type([...table, pairs]), type([...table, pairs])],
      attributes: { interleaved },
      constants: [],
    }
  })

/** Tables that bags are looked up in: numbers, or rows in a format. */
const tables = fc.constantFrom<DType | RowFormat>('f32', 'f32', 'f32', 'f16', 'bf16', 'f64', ...rowFormatNames)

function tableOf(kind: DType | RowFormat, rows: number, width: number) {
  const format = rowFormatNames.find((name) => name === kind)
  if (!format) return { table: { dtype: kind as DType, shape: [rows, width] }, factor: kind as DType, attributes: {} }
  const { bits, header } = rowFormats[format]
  const shape = [rows, Math.ceil((width * bits) / 8) + header]
  return { table: { dtype: 'u8' as const, shape }, factor: 'f32' as const, attributes: { rows: format } }
}

const bags: fc.Arbitrary<Drawn> = fc
  .record({
    kind: tables,
    dtype: fc.constantFrom<DType>('i64', 'i64', 'i32', 'u8'),
    rows: small(1, 40),
    width: fc.constantFrom(1, 3, 4, 7, 16, 24, 33, 64, 100, 256, 300),
    lead: fc.array(small(1, 4), { maxLength: 2 }),
    lookups: fc.constantFrom(0, 1, 2, 5, 32),
    mean: fc.boolean(),
    scaled: fc.boolean(),
  })
  .map(({ kind, dtype, rows, width, lead, lookups, mean, scaled }): Drawn => {
    const shape = [...lead, mean ? Math.max(1, lookups) : lookups]
    const { table, factor, attributes } = tableOf(kind, rows, width)
    return {
      op: 'embeddingBag',
      operands: [{ dtype, shape }, table, ...(scaled ? [{ dtype: factor, shape }] : [])],
      attributes: { mean, ...attributes },
      constants: [],
    }
  })

const selections: fc.Arbitrary<Drawn> = fc
  .record({
    boxes: fc.boolean(),
    batch: small(1, 2),
    classes: small(1, 3),
    count: fc.constantFrom(1, 2, 5, 17, 40),
    part: small(0, 4),
    scored: fc.boolean(),
    center: fc.boolean(),
  })
  .map(({ boxes, batch, classes, count, part, scored, center }): Drawn => {
    if (!boxes)
      return {
        op: 'truePositions',
        operands: [{ dtype: 'bool', shape: [batch, classes, count] }],
        attributes: { limit: batch * classes * count + part },
        constants: [],
      }
    const one: TensorType = { dtype: 'f32', shape: [] }
    const operands: TensorType[] = [
      { dtype: 'f32', shape: [batch, count, 4] },
      { dtype: 'f32', shape: [batch, classes, count] },
      one,
      ...(scored ? [one] : []),
    ]
    return { op: 'suppressedBoxes', operands, attributes: { most: Math.ceil((count * part) / 4), center }, constants: [] }
  })

const raggedBags: fc.Arbitrary<Drawn> = fc
  .record({
    kind: tables,
    dtype: fc.constantFrom<DType>('i64', 'i64', 'i32', 'u8'),
    rows: small(1, 40),
    width: fc.constantFrom(1, 3, 4, 7, 16, 24, 33, 64, 100, 256, 300),
    bags: fc.constantFrom(0, 1, 2, 5, 33),
    count: fc.constantFrom(0, 1, 7, 40, 150),
    mean: fc.boolean(),
    scaled: fc.boolean(),
  })
  .map(({ kind, dtype, rows, width, bags, count, mean, scaled }): Drawn => {
    const { table, factor, attributes } = tableOf(kind, rows, width)
    const factors = scaled ? [{ dtype: factor, shape: [count] }] : []
    const operands: TensorType[] = [{ dtype, shape: [count] }, table]
    return {
      op: 'raggedEmbeddingBag',
      operands: [...operands, { dtype: 'i32', shape: [bags + 1] }, ...factors],
      attributes: { mean, ...attributes },
      constants: [],
    }
  })

const blocks: fc.Arbitrary<Drawn> = fc
  .record({
    op: fc.constantFrom('blockLinear' as const, 'blockLinear' as const, 'dequantizeBlocks' as const),
    dtype: fc.constantFrom<DType>('f32', 'f32', 'f32', 'f32', 'f16', 'bf16'),
    bits: fc.constantFrom(4, 4, 4, 2, 8),
    blockSize: fc.constantFrom(16, 32, 32, 64, 12),
    count: small(1, 4),
    rest: fc.constantFrom(0, 0, 0, 5, 11),
    lead: fc.constantFrom<readonly number[]>([], [1], [1], [2], [3], [2, 3], [9], [17]),
    out: fc.constantFrom(1, 5, 8, 16, 24, 31, 33, 64, 100),
    zeros: fc.constantFrom<'none' | DType | 'same'>('none', 'none', 'u8', 'i8', 'same'),
    signed: fc.boolean(),
    zero: fc.constantFrom(0, 1, 2 ** 20),
  })
  .map(({ op, dtype, bits, blockSize, count, rest, lead, out, zeros, signed, zero }): Drawn => {
    const size = blockSize * count - (rest < blockSize ? rest : 0)
    const linear = op === 'blockLinear'
    const rows = linear ? [out] : [...lead]
    const entries = [...rows, Math.ceil(size / blockSize)]
    const packed = { dtype: 'u8' as const, shape: [...rows, Math.ceil((size * bits) / 8)] }
    const operands: TensorType[] = [
      ...(linear ? [{ dtype, shape: [...lead, size] }] : []),
      packed,
      { dtype, shape: entries },
      ...(zeros === 'none' ? [] : [{ dtype: zeros === 'same' ? dtype : zeros, shape: entries }]),
    ]
    const middle = signed ? 0 : 2 ** (bits - 1)
    const attributes = { bits, blockSize, signed, zero: zero === 2 ** 20 ? middle : zero }
    return {
      op,
      operands,
      attributes: linear ? attributes : { ...attributes, size },
      constants: linear ? operands.map((_, i) => i).slice(1) : [],
    }
  })
  // What is left to simpler kernels.
  .filter(
    ({ op, operands, attributes }) =>
      op !== 'blockLinear' ||
      (operands[0]!.dtype === 'f32' && (attributes.blockSize as number) % (32 / (attributes.bits as number)) === 0),
  )

const bagEnds: fc.Arbitrary<Drawn> = fc
  .record({
    dtype: fc.constantFrom<DType>('i32', 'i64', 'u8', 'i16', 'u32'),
    count: small(0, 40),
    given: fc.constantFrom('lengths' as const, 'offsets' as const),
  })
  .map(
    ({ dtype, count, given }): Drawn => ({
      op: 'bagOffsets',
      operands: [{ dtype, shape: [given === 'offsets' ? count + 1 : count] }],
      attributes: { limit: 120, given },
      constants: [],
    }),
  )

const recurrences: fc.Arbitrary<Drawn> = fc
  .record({
    kind: fc.constantFrom('lstm' as const, 'lstm' as const, 'gru' as const, 'rnn' as const),
    dtype: dtypesOf,
    length: small(0, 4),
    batch: fc.constantFrom(1, 1, 2, 3, 5, 7, 13),
    hidden: fc.constantFrom(1, 3, 4, 7, 8, 12, 16, 17, 24, 32, 40, 50, 64, 70),
    reverse: fc.constantFrom([false], [true], [false, true], [true, true]),
    more: small(0, 2),
    options: fc.record({ coupled: fc.boolean(), linearBeforeReset: fc.boolean(), clip: fc.constantFrom(0, 0, 0.5) }),
    functions: fc.constantFrom('usual' as const, 'usual' as const, 'others' as const, 'apart' as const),
    first: small(0, 10),
    stored: fc.constantFrom<StoredFloat | undefined>(undefined, undefined, 'bf16', 'f16'),
    packed: fc.boolean(),
  })
  .map(({ kind, dtype, length, batch, hidden, reverse, more, options, functions, first, packed, stored }): Drawn => {
    const { gates, states, activations: count } = recurrentCells[kind]
    const directions = reverse.length
    const type = (shape: Shape): TensorType => ({ dtype, shape })
    const usual = kind === 'rnn' ? ['tanh'] : ['sigmoid', 'tanh', 'tanh'].slice(0, count)
    const names = Object.keys(recurrentActivations)
    const others = Array.from({ length: count }, (_, i) => names[(first + 3 * i) % names.length]!)
    const activations = reverse.flatMap((_, d) => (functions === 'usual' || (functions === 'apart' && d === 0) ? usual : others))
    const parameters = functions === 'others' ? activations.map((_, i) => [0.5, 0.75, 1][i % count]!) : []
    const linearBeforeReset = kind === 'gru' && options.linearBeforeReset
    const width = kind === 'lstm' ? 3 * hidden : linearBeforeReset ? hidden : 0
    return {
      op: 'recurrence',
      operands: [
        type([length, batch, directions * gates * hidden]),
        type([directions, gates * hidden, hidden]),
        type([states, directions, batch, hidden]),
        ...(more > 0 ? [{ dtype: 'i32' as const, shape: [batch] }] : []),
        ...(more > 1 && width > 0 ? [type([directions, width])] : []),
      ],
      // Functions without bounds would let states grow with every step.
      attributes: {
        ...{ ...options, clip: functions === 'usual' ? options.clip : 0.5 },
        ...{ linearBeforeReset, kind, reverse, activations, alpha: parameters, beta: parameters },
      },
      constants: packed ? [1] : [],
      // The weights have few enough bits for either.
      ...(packed && dtype === 'f32' && { stored: { 1: stored } }),
    }
  })

const grids: fc.Arbitrary<Drawn> = fc
  .record({
    lead: fc.tuple(small(1, 3), small(1, 4)),
    extents: fc.array(small(1, 6), { minLength: 1, maxLength: 3 }),
    places: fc.constantFrom<Shape>([5], [63], [2, 40], [3, 3, 9], [0]),
    mode: fc.constantFrom('nearest', 'linear', 'linear', 'cubic'),
    padding: fc.constantFrom('zeros', 'border', 'reflection'),
    coordinates: fc.constantFrom('edges', 'corners', 'elements'),
  })
  .map(
    ({ lead, extents, places, ...attributes }): Drawn => ({
      op: 'gridSample',
      operands: [
        { dtype: 'f32', shape: [...lead, ...extents] },
        { dtype: 'f32', shape: [lead[0], ...places, extents.length] },
      ],
      attributes,
      constants: [],
    }),
  )

const regionGrids: fc.Arbitrary<Drawn> = fc
  .record({
    dtype: dtypesOf,
    index: fc.constantFrom<DType>('i32', 'i64', 'u8'),
    shape: fc.tuple(small(1, 3), small(1, 5), small(1, 9), small(1, 9)),
    count: fc.constantFrom(0, 1, 3, 7),
    size: fc.tuple(small(1, 4), small(1, 4)),
    mode: fc.constantFrom('mean', 'mean', 'max', 'cells'),
    scale: fc.constantFrom(1, 0.5, 3),
    samples: fc.constantFrom(0, 0, 1, 2, 3),
    aligned: fc.boolean(),
  })
  .map(
    ({ dtype, index, shape, count, size, ...attributes }): Drawn => ({
      op: 'regionPool',
      operands: [
        { dtype, shape: [...shape] },
        { dtype, shape: [count, 4] },
        { dtype: index, shape: [count] },
      ],
      attributes: { ...attributes, size: [...size] },
      constants: [],
    }),
  )

/** Indices within the table, from both ends where they may be negative; NaN and equal elements among those that are ordered. */
function inputValues(anchor: Anchor, type: TensorType, i: number, seed: number): number[] {
  if (anchor.op.startsWith('arg') || anchor.op === 'topKIndices')
    return valuesOf(type, seed).map((value, k) => (isFloat(type.dtype) && k % 7 === 3 ? Number.NaN : Math.round(value * 2)))
  if (anchor.op === 'scatterNd' && i === 1) {
    const extents = anchor.operands[0]!.shape.slice(0, type.shape.at(-1))
    return valuesOf(type, seed).map((value, k) => {
      const extent = extents[k % extents.length]!
      return type.dtype !== 'u8' && k % 3 === 1 ? -(1 + (value % extent)) : value % extent
    })
  }
  // Masks hide a third, and some queries see nothing; half of them hide all that stands behind a place, as over a cache that is not full.
  if (anchor.op === 'attention' && i === 3) {
    const last = type.shape.at(-1) ?? 1
    const filled = seed % 2 === 0 ? last : 1 + ((seed >>> 1) % last)
    return valuesOf(type, seed).map((value, k) =>
      type.dtype === 'bool' ? Number(value % 3 !== 0 && k % last < filled) : k % 3 === 1 ? Number.NEGATIVE_INFINITY : value,
    )
  }
  // A hidden value counts 0 times, which is no number of an infinite one. Behind a causal block nothing is looked at.
  if (anchor.op === 'attention' && i === 2 && type.dtype === 'f32' && !anchor.attributes.causal && seed % 8 === 1)
    return valuesOf(type, seed + i).map((value, k, all) => (k === all.length - 1 ? Number.POSITIVE_INFINITY : value))
  // Steps of which the last sees the first clearly, and as many of them as may be, or more.
  if (anchor.op === 'recurrence' && i === 1) return valuesOf(type, seed + i).map((value) => value / 8)
  if (anchor.op === 'recurrence' && i === 3)
    return valuesOf(type, seed).map((value) => value % (anchor.operands[0]!.shape[0]! + 2))
  if (anchor.op === 'suppressedBoxes' && i >= 2) return [i === 2 ? 0.25 : -1]
  if (anchor.op === 'bagOffsets') {
    const lengths = valuesOf(type, seed).map((value) => Math.abs(value) % 4)
    if (anchor.attributes.given === 'lengths') return lengths
    return lengths.map((_, k) => lengths.slice(1, k + 1).reduce((sum, length) => sum + length, 0))
  }
  if (anchor.op === 'regionPool' && i === 1)
    return valuesOf(type, seed).map((value, k) => (value + 2) * (k % 4 < 2 ? 0.75 : 2.5) - (seed % 3) / 4)
  if (anchor.op === 'regionPool' && i === 2)
    return valuesOf(type, seed).map((value) => Math.abs(value) % anchor.operands[0]!.shape[0]!)
  const packed = anchor.op === 'blockLinear' ? 1 : anchor.op === 'dequantizeBlocks' ? 0 : undefined
  if (i === packed) return valuesOf(type, seed).map((value, k) => (value * 37 + k) % 256)
  if (i === 1 && anchor.attributes.rows) return rowValues(anchor.attributes.rows as RowFormat, type, seed)
  // Bags of which some are empty; what is behind the last is no index.
  const offsets = anchor.op === 'raggedEmbeddingBag' ? endsOf(anchor, seed) : []
  if (anchor.op === 'raggedEmbeddingBag' && i === 2) return offsets
  const picks = ['gather', 'embeddingBag', 'raggedEmbeddingBag']
  const [table, indices] = anchor.op === 'gather' ? [0, 1] : [1, 0]
  if (!picks.includes(anchor.op) || i !== indices) return valuesOf(type, seed + i)
  const extent = anchor.operands[table]!.shape[(anchor.attributes.axis as number | undefined) ?? 0]!
  const within = (value: number, k: number) => (type.dtype !== 'u8' && k % 3 === 1 ? -(1 + (value % extent)) : value % extent)
  return valuesOf(type, seed).map((value, k) => (k >= (offsets.at(-1) ?? Number.POSITIVE_INFINITY) ? 100 : within(value, k)))
}

/** Rows of bytes whose scales and offsets are small numbers of few bits. */
function rowValues(format: RowFormat, { shape }: TensorType, seed: number): number[] {
  const { header, parameter, first } = rowFormats[format]
  const [rows, bytes] = shape as [number, number]
  const half = header / 2
  const integers = valuesOf({ dtype: 'u8', shape: [rows, bytes - header] }, seed).map((value, k) => (value * 37 + k) % 256)
  return Array.from({ length: rows }, (_, row) => {
    const parameters = new Uint8Array(header)
    for (const k of [0, 1])
      elementsOf(parameter, parameters.subarray(k * half, (k + 1) * half)).set(
        0,
        [0.0625, -0.5, 0.125, -0.25][(row + 2 * k) % 4]!,
      )
    const own = integers.slice(row * (bytes - header), (row + 1) * (bytes - header))
    return first ? [...parameters, ...own] : [...own, ...parameters]
  }).flat()
}

/** Offsets of bags that use up some of the indices. */
function endsOf(anchor: Anchor, seed: number): number[] {
  const [count, bags] = [anchor.operands[0]!.shape[0]!, anchor.operands[2]!.shape[0]! - 1]
  const ends = valuesOf({ dtype: 'u8', shape: [bags] }, seed).map((value) => (value * 7 + seed) % (count + 1))
  return [0, ...ends.sort((a, b) => a - b)]
}

function draw(arbitrary: fc.Arbitrary<Drawn>, count: number, seed: number): Case[] {
  const drawn = fc.sample(fc.record({ given: arbitrary, after: fc.constantFrom(...afterwards), square: fc.boolean() }), {
    numRuns: count,
    seed,
  })
  return drawn.flatMap(({ given, after, square }, k): Case[] => {
    const anchor = anchorOf(given.op, given.operands, given.attributes)
    if (!anchor) return []
    const float = isFloat(anchor.type.dtype)
    // Nothing is fused behind a scatter: it stays alone, as targets ask of what checks its operands.
    const usable: Afterwards = (float && given.op !== 'scatterNd') || after === 'plain' ? after : 'plain'
    const operands = given.operands.map((type, i) => {
      const stored = given.stored?.[i]
      return { type, constant: given.constants.includes(i), ...(stored && { stored }) }
    })
    const prologue: Step[] | undefined =
      given.op.startsWith('reduce') && square
        ? [
            {
              kind: 'load',
              input: 0,
              access: { offset: 0, strides: denseStrides(given.operands[0]!.shape) },
              dtype: anchor.type.dtype,
            },
            { kind: 'apply', op: 'mul', arguments: [0, 0], attributes: {}, dtype: anchor.type.dtype },
          ]
        : undefined
    // A third stores what the anchor computed as well, or something in the middle.
    const also = usable === 'plain' || k % 3 > 0 ? undefined : usable === 'long' ? 4 : 0
    const kernel = withSteps(anchor, operands, usable, prologue, also)
    return [
      {
        kernel,
        inputs: kernel.inputs.map(({ type }, i) =>
          bytesOf(type, i < operands.length ? inputValues(anchor, type, i, k) : valuesOf(type, k + i)),
        ),
      },
    ]
  })
}

/**
 * Values are multiples of 1/64 below 2, so that sums of products in f32 are exact but for long ones; divisions and roots are not. The
 * interpreter rounds after each op that a composite is lowered to, hence wider bounds for those.
 */
const bounds: Partial<Record<DType, { rtol: number; atol: number }>> = {
  f32: { rtol: 1e-5, atol: 1e-5 },
  f64: { rtol: 1e-12, atol: 1e-12 },
  f16: { rtol: 2e-3, atol: 2e-3 },
  bf16: { rtol: 1.6e-2, atol: 1.6e-2 },
}

/** Fails where outputs of drawn cases are not what the interpreter makes of them. */
export function checkAnchored(cases: readonly Case[], outputs: readonly Uint8Array[]): void {
  const failures: string[] = []
  const results = cases.flatMap(({ kernel, inputs }) => {
    const expected = expectedOf({ kernel, inputs })
    return kernel.results.map(({ type }, i) => ({ kernel, type, expected: expected[i]! }))
  })
  for (const [i, { kernel, type, expected }] of results.entries()) {
    const wide = definitionOf(kernel.anchor!.op).kind === 'composite' ? 8 : 1
    const { rtol, atol } = bounds[type.dtype] ?? { rtol: 0, atol: 0 }
    try {
      // Conversions to integers and comparisons jump; one unit, or a few positions, may differ behind inexact ops.
      const jumps = type.dtype === 'i16'
      assertClose(outputs[i]!, expected, type, jumps ? { atol: 1 } : { rtol: wide * rtol, atol: wide * atol }, `case ${i}`)
    } catch (error) {
      const inexact =
        type.dtype === 'bool' && expected.filter((value, k) => value !== outputs[i]![k]).length <= expected.length / 50
      if (!inexact)
        failures.push(
          `${(error as Error).message}\n  ${JSON.stringify({ ...kernel.anchor, prologue: kernel.prologue?.length, steps: kernel.steps })}`,
        )
    }
  }
  assert.is(failures.length, 0, `${failures.length} of ${cases.length}\n${failures.slice(0, 8).join('\n')}`)
}

const families: readonly [string, fc.Arbitrary<Drawn>, number][] = [
  ['convolutions (any groups, stride, dilation, padding, dtype)', convolutions, 90],
  ['pools', pools, 100],
  ['matrix products with broadcast batches', products, 70],
  ['reductions over any axes, with and without a prologue', reductions, 70],
  ['softmax and normalisations', rows, 60],
  ['attention', attentions, 60],
  ['rotary embedding', rotations, 60],
  ['embedding bags', bags, 60],
  ['embedding bags of various lengths', raggedBags, 80],
  ['offsets of bags', bagEnds, 40],
  ['integers in blocks', blocks, 60],
  ['recurrent layers', recurrences, 50],
  ['gather and pad', movements, 60],
  ['positions of extremes, sorting and running sums', orders, 90],
  ['positions of what is true and boxes that are kept', selections, 60],
  ['scatter', scatters, 50],
  ['places of grids', grids, 60],
  ['grids over regions', regionGrids, 60],
]

/** Cases of every family, drawn from this seed; `share` of the usual number of each. */
export function anchoredSuites(seed: number, share = 1): KernelSuite[] {
  return families.map(([name, arbitrary, usual]) => {
    const count = Math.ceil(usual * share)
    const cases = draw(arbitrary, count, seed)
    assert.ok(cases.length > count / 6, `only ${cases.length} cases are valid`)
    return { name, cases, check: (outputs) => checkAnchored(cases, outputs) }
  })
}

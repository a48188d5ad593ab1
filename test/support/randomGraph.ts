// Random valid graphs for property tests: every op of the language, small shapes, shared subexpressions, several inputs and outputs.
import * as fc from 'fast-check'
import {
  type AttributesIn,
  type Builder,
  blockedShape,
  byteSize,
  type ControlName,
  createBuilder,
  type DType,
  dtypeFacts,
  elementCount,
  elementsOf,
  type Graph,
  inputName,
  isFloat,
  ModelProblem,
  type Node,
  type OperandsOf,
  type OpName,
  operandsOf,
  ops,
  printGraph,
  type Quantization,
  recurrentActivations,
  recurrentCells,
  reversals,
  type Shape,
  type StorageName,
  storages,
  type TensorType,
} from '../../compiler/graph/index.ts'
import { type RowFormat, rowFormatNames, rowFormats } from '../../compiler/graph/ops/rowFormat.ts'

/** Nodes with bodies are made by `controlGraph.ts`, of whole graphs. */
export type ComputedName = Exclude<OpName, StorageName | ControlName | 'resultOf'>

export interface RandomGraphOptions {
  /** Default: 12. */
  readonly maximumNodes?: number
  /** Ops that may occur. Default: all. */
  readonly ops?: readonly ComputedName[]
  /** Elements of one tensor; larger results are left out. Default: 600. */
  readonly maximumElements?: number
  /** Element types of fresh tensors, repeated by how often they should occur. Default: mostly f32. */
  readonly dtypes?: readonly DType[]
  /** Sizes of dimensions of fresh tensors, which then have as few dimensions as their op allows half of the time. Default: small ones, seldom 0. */
  readonly extents?: readonly number[]
  /** Nodes that may stay; others are left out. Default: all. */
  readonly accept?: (node: Node) => boolean
}

export const isComputed = (name: string): name is ComputedName =>
  !ops[name as OpName].traits.some((trait) => trait === 'storage' || trait === 'bits') && ops[name as OpName].kind !== 'control'
export const computedNames: readonly ComputedName[] = Object.keys(ops).filter(isComputed)
const usualDTypes: readonly DType[] = [
  ...new Array<DType>(12).fill('f32'),
  'f64',
  'f16',
  'bf16',
  'i32',
  'i32',
  'i64',
  'i8',
  'u8',
  'bool',
]

/** Ops among which fusion, views, joins and sharing have most to decide. */
export const entangledOps: readonly ComputedName[] = [
  'concat',
  'concat',
  'slice',
  'reshape',
  'transpose',
  'expand',
  'exp',
  'add',
  'mul',
  'add',
  'negate',
  'reduceSum',
  'matmul',
  'pad',
]

/**
 * Valid graphs; shrinks by leaving nodes out. Most graphs use a few ops only, drawn anew for each, so that the same ones meet often.
 */
export function arbitraryGraph(options: RandomGraphOptions = {}): fc.Arbitrary<Graph> {
  const names = options.ops ?? computedNames
  const number = (below: number) => fc.noBias(fc.nat(below))
  const step = fc.record({ op: number(10_000), choices: fc.array(number(1 << 20), { minLength: 4, maxLength: 24, size: 'max' }) })
  const steps = fc.array(step, { minLength: 1, maxLength: options.maximumNodes ?? 12, size: 'max' })
  return fc
    .record({ steps, outputs: fc.nat(3), vocabulary: number(1 << 20), words: fc.nat(9) })
    .map(({ steps, outputs, vocabulary, words }) => {
      const random = mulberry(vocabulary)
      const few = Array.from({ length: 3 + words }, () => names[Math.floor(random() * names.length)]!)
      return buildGraph(steps, 1 + outputs, { ...options, ops: words === 9 ? names : few })
    })
}

/** One graph made from a number, as `arbitraryGraph` makes them. */
export function randomGraph(seed: number, options: RandomGraphOptions = {}): Graph {
  const random = mulberry(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const names = options.ops ?? computedNames
  const words = below(10)
  const few = Array.from({ length: 3 + words }, () => names[below(names.length)]!)
  const steps = Array.from({ length: 1 + below(options.maximumNodes ?? 12) }, () => ({
    op: below(10_000),
    choices: Array.from({ length: 4 + below(21) }, () => below(1 << 20)),
  }))
  return buildGraph(steps, 1 + below(4), { ...options, ops: words === 9 ? names : few })
}

/** One graph with the given op, made from a number; undefined when the numbers chosen do not fit the op. */
export function graphWithOp(op: ComputedName, seed: number, options: RandomGraphOptions = {}): Graph | undefined {
  const random = mulberry(seed)
  const step = { op: 0, choices: Array.from({ length: 24 }, () => Math.floor(random() * (1 << 20))) }
  const graph = buildGraph([step], 1, { ...options, ops: [op] })
  return graph.nodes.some((node) => node.op === op) ? graph : undefined
}

/** Inputs that suit the graph: small numbers, indices within their tables. The same seed gives the same bytes. */
export function randomInputs(graph: Graph, seed: number): Record<string, Uint8Array> {
  const random = mulberry(seed)
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const bytes = new Uint8Array(byteSize(input.type))
      const elements = elementsOf(input.type.dtype, bytes)
      const extent = indexedExtent(graph, input)
      for (let i = 0; i < elements.length; i++)
        elements.set(i, extent === undefined ? value(input.type.dtype, random()) : Math.floor(random() * extent))
      return [inputName(input), bytes]
    }),
  )
}

/** Rows of the smallest table that the input indexes; undefined when it is used for something else. */
function indexedExtent(graph: Graph, input: Node): number | undefined {
  const extents = graph.nodes.flatMap((node) => {
    const { indices, input: from, table } = operandsOf(node) as { indices?: Node; input?: Node; table?: Node }
    if (indices !== input) return []
    if (['embedding', 'embeddingBag', 'raggedEmbeddingBag'].includes(node.op)) return [table!.type.shape[0]!]
    if (node.op === 'gatherNd' || node.op === 'scatterNd') {
      const from0 = (node.attributes.batchDims as number | undefined) ?? 0
      return from!.type.shape.slice(from0, from0 + input.type.shape.at(-1)!)
    }
    return from ? [from.type.shape.at(node.attributes.axis as number)!] : []
  })
  return extents.length > 0 ? Math.min(...extents) : undefined
}

const value = (dtype: DType, random: number): number => {
  if (isFloat(dtype)) return random * 4 - 2
  if (dtype === 'bool') return random < 0.5 ? 0 : 1
  return dtypeFacts[dtype].kind === 'unsigned' ? Math.floor(random * 12) : Math.floor(random * 21) - 10
}

/** Uniform in 0 … 1 (Tommy Ettinger's mulberry32). */
export function mulberry(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Step {
  readonly op: number
  readonly choices: readonly number[]
}

function buildGraph(steps: readonly Step[], outputCount: number, options: RandomGraphOptions): Graph {
  const builder = createBuilder()
  const inputs: Node[] = []
  const pool: Node[] = []
  const made: Node[] = []
  const names = options.ops ?? computedNames
  for (const { op, choices } of steps) {
    const name = names[op % names.length]!
    const source = createSource(builder, choices, pool, inputs, options)
    try {
      const recipe = recipes[name](source) as { operands: any; attributes: any } | undefined
      if (!recipe) continue
      const node = builder.add(name, recipe.operands, recipe.attributes)
      if (elementCount(node.type.shape) > (options.maximumElements ?? 600)) continue
      if (options.accept && !options.accept(node)) continue
      pool.push(node)
      made.push(node)
    } catch (error) {
      // The recipe's choices did not fit the op: a graph without this node is as good.
      if (!(error instanceof ModelProblem)) throw error
    }
  }
  if (made.length === 0) made.push(createSource(builder, [], pool, inputs, options).fresh({ dtype: 'f32', shape: [2, 3] }))
  const used = new Set(made.flatMap((node) => node.operands))
  const ends = made.filter((node) => !used.has(node))
  const values = [...new Set([...ends, ...made.slice(0, outputCount - 1)])]
  const graph = builder.finish(
    'random',
    inputs,
    values.map((node, i) => ({ name: `y${i}`, value: node })),
  )
  // What fast-check shows of a counterexample.
  return Object.defineProperty(graph, fc.toStringMethod, { value: () => `\n${printGraph(graph)}` })
}

/** Makes the choices of one node from a list of numbers, so that fast-check can shrink them. */
interface Source {
  nat(below: number): number
  pick<T>(list: readonly T[]): T
  chance(oneIn: number): boolean
  /** An existing value that fits, or a fresh one. */
  tensor(dtypes: readonly DType[], minimumRank?: number, maximumRank?: number): Node
  ofShape(dtype: DType, shape: Shape): Node
  /** Same dtype, and a shape that broadcasts with the node's; `within` keeps the result's shape the node's. */
  broadcasting(node: Node, within?: boolean): Node
  fresh(type: TensorType): Node
  constant(type: TensorType, element: (random: number) => number): Node
  /** A parameter of a layer: mostly a constant. */
  parameter(type: TensorType): Node
  axes(rank: number): number[]
}

const extents = [2, 3, 4, 1, 5, 2, 3, 1, 6, 4]

function createSource(
  builder: Builder,
  choices: readonly number[],
  pool: Node[],
  inputs: Node[],
  options: RandomGraphOptions,
): Source {
  let at = 0
  const nat = (below: number) => (choices.length === 0 || below < 1 ? 0 : (choices[at++ % choices.length]! + at) % below)
  const pick = <T>(list: readonly T[]): T => list[nat(list.length)]!
  const chance = (oneIn: number) => nat(oneIn) === oneIn - 1
  const constant: Source['constant'] = (type, element) => {
    const random = mulberry(nat(1 << 20))
    const bytes = new Uint8Array(byteSize(type))
    const elements = elementsOf(type.dtype, bytes)
    for (let i = 0; i < elements.length; i++) elements.set(i, element(random()))
    return builder.literal(type, bytes, 'random')
  }
  const fresh: Source['fresh'] = (type) => {
    const { dtype } = type
    let node: Node
    if (inputs.length > 0 && chance(2)) {
      // Every so often a uniform constant of 0, 1 or −1: what identities look for.
      const uniform = chance(3) ? pick([0, 1, -1]) : undefined
      node = constant(type, (random) => uniform ?? value(dtype, random))
    } else {
      node = builder.input(`x${inputs.length}`, type)
      inputs.push(node)
    }
    pool.push(node)
    return node
  }
  const find = (fits: (node: Node) => boolean): Node | undefined => {
    const found = pool.filter(fits)
    // Mostly the latest value: deep graphs with few uses of each, in which patterns arise.
    if (found.length === 0 || chance(6)) return undefined
    return chance(3) ? pick(found) : found.at(-1)
  }
  const shape = (low: number, high: number) => {
    const { extents: given } = options
    if (given) return Array.from({ length: chance(2) ? low : low + nat(high - low + 1) }, () => pick(given))
    return Array.from({ length: low + nat(high - low + 1) }, () => (chance(40) ? 0 : pick(extents)))
  }
  const source: Source = {
    nat,
    pick,
    chance,
    fresh,
    constant,
    parameter: (type) => (chance(6) ? fresh(type) : constant(type, (random) => value(type.dtype, random))),
    tensor: (dtypes, low = 0, high = 4) => {
      const allowed = (options.dtypes ?? usualDTypes).filter((dtype) => dtypes.includes(dtype))
      const found = find(({ type }) => dtypes.includes(type.dtype) && type.shape.length >= low && type.shape.length <= high)
      return found ?? fresh({ dtype: pick(allowed.length > 0 ? allowed : dtypes), shape: shape(low, high) })
    },
    ofShape: (dtype, wanted) =>
      find(
        ({ type }) =>
          type.dtype === dtype && type.shape.length === wanted.length && type.shape.every((extent, i) => extent === wanted[i]),
      ) ?? fresh({ dtype, shape: wanted }),
    broadcasting: (node, within = false) => {
      const own = node.type.shape
      const fits = (other: Shape) =>
        own.every((extent, i) => [1, extent].includes(other[other.length - own.length + i] ?? 1) || (!within && extent === 1))
      const found = find(({ type }) => type.dtype === node.type.dtype && type.shape.length <= own.length && fits(type.shape))
      if (found && !chance(3)) return found
      if (chance(3)) return fresh({ dtype: node.type.dtype, shape: [] })
      if (own.length > 0 && chance(2)) {
        const axis = nat(own.length)
        return fresh({ dtype: node.type.dtype, shape: own.map((extent, i) => (i === axis ? extent : 1)) })
      }
      const other = own.map((extent) => (chance(3) ? 1 : extent === 1 && !within && chance(2) ? pick(extents) : extent))
      return fresh({ dtype: node.type.dtype, shape: other.slice(nat(other.length + 1) && nat(other.length)) })
    },
    axes: (rank) =>
      Array.from({ length: rank }, (_, i) => i)
        .filter(() => chance(2))
        .map((axis) => (chance(4) ? axis - rank : axis)),
  }
  return source
}

type Recipe<K extends ComputedName> = (
  s: Source,
) => { readonly operands: OperandsOf<K>; readonly attributes?: AttributesIn<K> } | undefined

const floats: readonly DType[] = ['f32', 'f64', 'f16', 'bf16']
const integers: readonly DType[] = ['i32', 'i64', 'i8', 'u8']
const numbers = [...floats, ...integers]
const values: readonly DType[] = [...numbers, 'bool']

const listed = (s: Source, type: TensorType, given: readonly number[]): Node => {
  let at = 0
  return s.constant(type, () => given[at++]!)
}
const unary = (dtypes: readonly DType[]) => (s: Source) => ({ operands: { input: s.tensor(dtypes) } })
const binary = (dtypes: readonly DType[]) => (s: Source) => {
  const [one, two] = ((left: Node) => [left, s.broadcasting(left)] as const)(s.tensor(dtypes))
  return { operands: s.chance(2) ? { left: one, right: two } : { left: two, right: one } }
}
const reduction = (dtypes: readonly DType[]) => (s: Source) => {
  const input = s.tensor(dtypes)
  return { operands: { input }, attributes: { axes: s.axes(input.type.shape.length), keepDims: s.chance(2) } }
}
const axisOf = (s: Source, rank: number) => (s.chance(3) ? -1 - s.nat(rank) : s.nat(rank))
const alongAxis = (s: Source) => {
  const input = s.tensor(floats, 1)
  return { operands: { input }, attributes: { axis: axisOf(s, input.type.shape.length) } }
}
const image = (s: Source, dtypes: readonly DType[]): Node => {
  const input = s.tensor(dtypes, 3, 4)
  return input.type.shape.slice(2).every((extent) => extent > 1)
    ? input
    : s.fresh({ dtype: input.type.dtype, shape: [s.pick([1, 2]), s.pick([2, 4, 3]), 5, s.pick([4, 6])] })
}
/** Window attributes for extents; the window reaches over the padded extent at most. */
function windowOf(s: Source, shape: Shape, kernel: readonly number[], pooling: boolean) {
  const dilation = kernel.map((k, i) => (k > 1 && 2 * (k - 1) + 1 <= shape[i]! && s.chance(4) ? 2 : 1))
  const reach = kernel.map((k, i) => dilation[i]! * (k - 1) + 1)
  const padding = () => reach.map((r) => (s.chance(2) ? s.nat(pooling ? r : r + 1) : 0))
  return { stride: kernel.map(() => 1 + s.nat(2)), before: padding(), after: padding(), dilation }
}
const pooling = (dtypes: readonly DType[], extra: (s: Source) => object) => (s: Source) => {
  const input = image(s, dtypes)
  const spatial = input.type.shape.slice(2)
  const window = spatial.map((extent) => 1 + s.nat(Math.min(3, extent)))
  return { operands: { input }, attributes: { window, ...windowOf(s, spatial, window, true), ...extra(s) } as any }
}
const adaptive = (dtypes: readonly DType[]) => (s: Source) => {
  const input = image(s, dtypes)
  return { operands: { input }, attributes: { size: input.type.shape.slice(2).map(() => 1 + s.nat(4)) } }
}
const channels = (s: Source, input: Node) => s.parameter({ dtype: input.type.dtype, shape: [input.type.shape[1]!] })
const maybe = (s: Source, node: () => Node) => (s.chance(2) ? { value: node() } : { value: undefined })
const trailing = (s: Source) => {
  const input = s.tensor(floats, 1)
  const dims = 1 + s.nat(input.type.shape.length)
  const parameter = () => s.fresh({ dtype: input.type.dtype, shape: input.type.shape.slice(input.type.shape.length - dims) })
  return { input, dims, parameter }
}
const activation = unary(floats)
const running = (s: Source) => {
  const input = s.tensor(numbers, 1)
  return {
    operands: { input },
    attributes: { axis: axisOf(s, input.type.shape.length), exclusive: s.chance(2), reverse: s.chance(2) },
  }
}
const choosing = (s: Source) => {
  const input = s.tensor(numbers, 1)
  return {
    operands: { input },
    attributes: { axis: axisOf(s, input.type.shape.length), keepDims: s.chance(2), last: s.chance(2) },
  }
}
/** Indices from both ends of dimensions: rows of `extents.length` where that is a list. */
function indicesWithin(s: Source, shape: Shape, extents: number | readonly number[]): Node | undefined {
  const list = typeof extents === 'number' ? [extents] : extents
  if (list.includes(0)) return undefined
  const type: TensorType = { dtype: s.pick(['i32', 'i64', 'i8']), shape }
  if (s.chance(4)) {
    const fresh = s.fresh(type)
    return fresh.data && !withinExtents(fresh, list) ? undefined : fresh
  }
  let at = 0
  return s.constant(type, (random) => {
    const extent = list[at++ % list.length]!
    return Math.floor(random * 2 * extent) - extent
  })
}
const alongElements = (s: Source) => {
  const input = s.tensor(values, 1)
  const axis = axisOf(s, input.type.shape.length)
  const at = axis < 0 ? axis + input.type.shape.length : axis
  const shape = input.type.shape.map((extent, i) =>
    i === at ? s.pick([1, 2, 3, 5]) : Math.max(Math.min(1, extent), extent - s.nat(2)),
  )
  const indices = indicesWithin(s, shape, input.type.shape[at]!)
  return indices && { input, indices, axis }
}
const scatterReduction = (s: Source, dtype: DType) =>
  dtype === 'bool' ? ('none' as const) : s.pick(['none', 'add', 'mul', 'max', 'min'] as const)
function convolutionOf(s: Source, input: Node, dtype: DType, biasType: DType) {
  const [, inChannels, ...spatial] = input.type.shape as [number, number, ...number[]]
  const groups = s.pick([1, 1, 2, inChannels].filter((n) => n > 0 && inChannels % n === 0))
  const out = groups * s.pick([1, 2])
  const kernel = spatial.map((extent) => 1 + s.nat(Math.min(3, extent)))
  const bias = maybe(s, () => s.parameter({ dtype: biasType, shape: [out] }))
  return {
    operands: { input, weight: s.parameter({ dtype, shape: [out, inChannels / groups, ...kernel] }), bias: bias.value },
    attributes: { ...windowOf(s, spatial, kernel, false), groups },
  }
}

/** The same convolution over blocks of channels, or over the input as it is. */
function blockedOf<O extends { readonly input: Node }, A>(s: Source, { operands, attributes }: { operands: O; attributes: A }) {
  const block = s.pick([1, 2, 4, 8])
  const { dtype, shape } = operands.input.type
  const input = s.chance(3) ? operands.input : s.ofShape(dtype, blockedShape(shape, block))
  return { operands: { ...operands, input }, attributes: { ...attributes, block } }
}

const bytes: readonly DType[] = ['u8', 'i8']
/** None of their ratios makes halves, at which the last digit would decide, but for powers of two, which are exact. */
const scales = [0.5, 0.125, 0.1037, 0.0371, 1]
const zeroPointOf = (s: Source, dtype: DType): number =>
  s.pick(dtypeFacts[dtype].kind === 'unsigned' ? [0, 0, 5, 128, 255] : [0, 0, -3, 127, -128])
/** What integers stand for: one scale and zero point, or one for each index of an axis. */
function parametersOf(s: Source, dtype: DType, shape: Shape): { scale: number[]; zeroPoint: number[]; axis?: number } {
  const axis = shape.length > 0 && s.chance(4) ? s.nat(shape.length) : undefined
  const count = axis === undefined ? 1 : shape[axis]!
  const list = <T>(entry: () => T) => Array.from({ length: count }, entry)
  return {
    scale: list(() => s.pick(scales)),
    zeroPoint: list(() => zeroPointOf(s, dtype)),
    ...(axis === undefined || count === 0 ? {} : { axis }),
  }
}
const written = ({ scale, zeroPoint, axis }: Quantization) => ({
  scale: [...scale],
  zeroPoint: [...zeroPoint],
  ...(axis === undefined ? {} : { axis }),
})

/** A table of numbers, or of rows in a format whose scales and offsets are small numbers. */
function bagTable(s: Source, widths: readonly number[]): { table: Node; rows: { rows?: RowFormat }; dtype: DType } {
  const count = s.pick([3, 5])
  const width = s.pick(widths)
  if (!s.chance(3)) {
    const table = s.fresh({ dtype: s.pick(['f32', 'f32', 'f16', 'f64']), shape: [count, width] })
    return { table, rows: {}, dtype: table.type.dtype }
  }
  const format = s.pick(rowFormatNames)
  const { bits, header, parameter, first } = rowFormats[format]
  const bytes = Math.ceil((width * bits) / 8) + header
  const half = header / 2
  const rows = Array.from({ length: count }, () => {
    const parameters = new Uint8Array(header)
    for (const i of [0, 1])
      elementsOf(parameter, parameters.subarray(i * half, (i + 1) * half)).set(0, s.pick([0.5, -0.25, 1, 0.125]))
    const integers = Array.from({ length: bytes - header }, () => s.nat(256))
    return first ? [...parameters, ...integers] : [...integers, ...parameters]
  })
  return { table: listed(s, { dtype: 'u8', shape: [count, bytes] }, rows.flat()), rows: { rows: format }, dtype: 'f32' }
}

function blockSizes(s: Source) {
  const bits = s.pick([4, 4, 2, 8] as const)
  const blockSize = s.pick([4, 8, 3, 16])
  const size = s.chance(2) ? blockSize * s.pick([1, 2]) : s.pick([5, 7, 12])
  return { bits, blockSize, size, bytes: Math.ceil((size * bits) / 8), blocks: Math.ceil(size / blockSize) }
}

/** Scales of blocks, and what stands for 0 in each. */
function blockParameters(s: Source, shape: Shape): { scale: Node; zeroPoint: Node } {
  const scale = s.parameter({ dtype: s.pick(['f32', 'f32', 'f16', 'bf16']), shape })
  const zeroPoint = s.constant({ dtype: s.pick(['u8', 'u8', 'i8', scale.type.dtype]), shape }, (random) => Math.floor(random * 8))
  return { scale, zeroPoint }
}

/** How to choose operands and attributes, for each op: a new op does not compile until it stands here. */
const recipes: { readonly [K in ComputedName]: Recipe<K> } = {
  negate: unary(numbers),
  abs: unary(numbers),
  sign: unary(numbers),
  floor: activation,
  ceil: activation,
  round: activation,
  sqrt: activation,
  exp: activation,
  log: activation,
  sin: activation,
  cos: activation,
  tan: activation,
  asin: activation,
  acos: activation,
  atan: activation,
  sinh: activation,
  cosh: activation,
  asinh: activation,
  acosh: activation,
  atanh: activation,
  erf: activation,
  tanh: activation,
  sigmoid: activation,
  not: unary(['bool']),
  isNaN: activation,
  isInf: (s) => ({ ...activation(s), attributes: s.chance(2) ? {} : { positive: s.chance(2), negative: s.chance(2) } }),
  cast: (s) => ({ operands: { input: s.tensor(values) }, attributes: { dtype: s.pick([...values, 'f32', 'f32']) } }),
  add: binary(numbers),
  sub: binary(numbers),
  mul: binary(numbers),
  div: binary(numbers),
  pow: binary(numbers),
  mod: binary(numbers),
  fmod: binary(numbers),
  minimum: binary(numbers),
  maximum: binary(numbers),
  equal: binary(values),
  less: binary(numbers),
  lessOrEqual: binary(numbers),
  and: binary(['bool']),
  or: binary(['bool']),
  xor: binary(['bool']),
  bitwiseAnd: binary(integers),
  bitwiseOr: binary(integers),
  bitwiseXor: binary(integers),
  bitwiseNot: unary(integers),
  shiftLeft: binary(integers),
  shiftRight: binary(integers),
  where: (s) => {
    const whenTrue = s.tensor(values)
    const condition = s.ofShape('bool', whenTrue.type.shape.slice(s.nat(whenTrue.type.shape.length + 1)))
    return { operands: { condition, whenTrue, whenFalse: s.broadcasting(whenTrue) } }
  },
  relu: unary(numbers),
  elu: activation,
  selu: activation,
  softplus: activation,
  softsign: activation,
  silu: activation,
  mish: activation,
  hardSwish: activation,
  reciprocal: activation,
  rsqrt: activation,
  gelu: (s) => ({ ...activation(s), attributes: { approximate: s.pick(['none', 'tanh']) } }),
  celu: (s) => ({ ...activation(s), attributes: { alpha: s.pick([1, 0.5, 2]) } }),
  thresholdedRelu: (s) => ({ ...activation(s), attributes: { threshold: s.pick([1, 0.5, -0.5]) } }),
  shrink: (s) => ({ ...activation(s), attributes: { threshold: s.pick([0.5, 1]), bias: s.pick([0, 0.5, 1]) } }),
  leakyRelu: (s) => ({ ...activation(s), attributes: { slope: s.pick([0.01, 0.2, 0, 1]) } }),
  hardSigmoid: (s) => ({ ...activation(s), attributes: s.chance(2) ? {} : { slope: 0.2, offset: 0.5 } }),
  clamp: (s) => {
    const input = s.tensor(numbers)
    const low = isFloat(input.type.dtype) ? 0.5 : 1
    return {
      operands: { input },
      attributes: s.pick([{ minimum: 0, maximum: 6 }, { minimum: -1, maximum: 1 }, { minimum: low }, { maximum: 2 }, {}]),
    }
  },
  prelu: (s) => {
    const input = s.tensor(floats)
    return { operands: { input, slope: s.broadcasting(input, true) } }
  },
  notEqual: binary(values),
  greater: binary(numbers),
  greaterOrEqual: binary(numbers),
  softmax: alongAxis,
  logSoftmax: alongAxis,
  hardmax: alongAxis,
  argMax: choosing,
  argMin: choosing,
  topKIndices: (s) => {
    const input = s.tensor(numbers, 1)
    const axis = axisOf(s, input.type.shape.length)
    return { operands: { input }, attributes: { axis, k: s.nat(input.type.shape.at(axis)! + 1), largest: s.chance(2) } }
  },
  cumSum: running,
  cumProd: running,
  reshape: (s) => {
    const input = s.tensor(values)
    const count = elementCount(input.type.shape)
    const factor = [2, 3, 4, 5, 1].find((n) => count % n === 0)!
    return {
      operands: { input },
      attributes: {
        shape: s.pick([
          [count],
          [factor, count / factor],
          [count / factor, 1, factor],
          [-1, factor],
          [...input.type.shape, 1],
          [...input.type.shape],
        ]),
      },
    }
  },
  transpose: (s) => {
    const input = s.tensor(values, 1)
    const order = input.type.shape.map((_, i) => i)
    for (let i = order.length - 1; i > 0; i--) {
      const j = s.nat(i + 1)
      ;[order[i], order[j]] = [order[j]!, order[i]!]
    }
    return { operands: { input }, attributes: { order } }
  },
  slice: (s) => {
    const input = s.tensor(values, 1)
    const parts = input.type.shape.map((extent) => {
      if (extent === 0 || s.chance(3)) return { start: 0, size: extent, step: 1 }
      const start = s.nat(extent)
      const step = s.pick([1, 1, 1, 2, -1])
      return { start, step, size: 1 + s.nat(step < 0 ? start + 1 : Math.ceil((extent - start) / step)) }
    })
    return {
      operands: { input },
      attributes: { start: parts.map((p) => p.start), size: parts.map((p) => p.size), step: parts.map((p) => p.step) },
    }
  },
  concat: (s) => {
    const first = s.tensor(values, 1)
    const { dtype, shape } = first.type
    const axis = s.nat(shape.length)
    const others = Array.from({ length: s.nat(3) }, () =>
      s.ofShape(
        dtype,
        shape.map((extent, i) => (i === axis && s.chance(2) ? s.pick(extents) : extent)),
      ),
    )
    return { operands: { inputs: [first, ...others] }, attributes: { axis } }
  },
  pad: (s) => {
    const input = s.tensor(values)
    const amounts = () => input.type.shape.map(() => s.pick([0, 0, 1, 2]))
    return {
      operands: { input },
      attributes: { before: amounts(), after: amounts(), value: s.pick([0, 0, 1, Number.NEGATIVE_INFINITY]) },
    }
  },
  expand: (s) => {
    const input = s.tensor(values, 0, 3)
    const shape = input.type.shape.map((extent) => (extent === 1 ? s.pick(extents) : extent))
    return { operands: { input }, attributes: { shape: s.chance(2) ? [s.pick([1, 2, 3]), ...shape] : shape } }
  },
  gather: (s) => {
    const input = s.tensor(values, 1)
    const axis = s.nat(input.type.shape.length)
    const extent = input.type.shape[axis]!
    if (extent === 0) return undefined
    const type: TensorType = { dtype: s.pick(['i32', 'i64', 'i8']), shape: s.pick([[], [3], [2, 2], [1]]) }
    const indices = s.chance(4) ? s.fresh(type) : s.constant(type, (random) => Math.floor(random * 2 * extent) - extent)
    return indices.data && indices.type === type && !withinExtents(indices, [extent])
      ? undefined
      : { operands: { input, indices }, attributes: { axis } }
  },
  embedding: (s) => {
    const table = s.fresh({ dtype: s.pick(['f32', 'f16', 'i32']), shape: [s.pick([3, 5]), s.pick([2, 4, 1])] })
    return {
      operands: {
        table,
        indices: s.constant({ dtype: 'i32', shape: s.pick([[3], [2, 2]]) }, (random) =>
          Math.floor(random * table.type.shape[0]!),
        ),
      },
    }
  },
  embeddingBag: (s) => {
    const { table, rows, dtype } = bagTable(s, [2, 4, 1])
    const shape = s.pick([[3], [2, 2]])
    const indices = s.constant({ dtype: 'i32', shape }, (random) => Math.floor(random * table.type.shape[0]!))
    const operands = { indices, table, ...(s.chance(2) && { scale: s.ofShape(dtype, shape) }) }
    return { operands, attributes: { mean: s.chance(2), ...rows } }
  },
  truePositions: (s) => {
    const condition = s.tensor(['bool'])
    return { operands: { condition }, attributes: { limit: elementCount(condition.type.shape) + s.nat(2) } }
  },
  suppressedBoxes: (s) => {
    const [batch, classes, count] = [s.pick([1, 2]), s.pick([1, 3]), s.pick([1, 4, 7])]
    const one = (value: number) => listed(s, { dtype: 'f32', shape: [] }, [value])
    const boxes = s.fresh({ dtype: 'f32', shape: [batch, count, 4] })
    const scores = s.fresh({ dtype: 'f32', shape: [batch, classes, count] })
    const operands = {
      boxes,
      scores,
      iouThreshold: one(s.pick([0, 0.25, 0.5])),
      ...(s.chance(2) && { scoreThreshold: one(0.25) }),
    }
    return { operands, attributes: { most: s.nat(count + 1), center: s.chance(2) } }
  },
  bagOffsets: (s) => {
    const bags = s.pick([0, 1, 3])
    const given = s.pick(['lengths', 'offsets'] as const)
    const steps = Array.from({ length: given === 'lengths' ? bags : bags + 1 }, (_, i) =>
      given === 'offsets' && i === 0 ? 0 : s.nat(4),
    )
    const values = given === 'lengths' ? steps : steps.map((_, i) => steps.slice(0, i + 1).reduce((sum, step) => sum + step, 0))
    const lengths = listed(s, { dtype: s.pick(['i32', 'i64', 'u8']), shape: [values.length] }, values)
    return { operands: { lengths }, attributes: { limit: 9 + s.nat(3), given } }
  },
  raggedEmbeddingBag: (s) => {
    const { table, rows, dtype } = bagTable(s, [2, 4, 1, 19])
    const count = s.pick([0, 1, 4, 7])
    const indices = s.constant({ dtype: s.pick(['i32', 'i64']), shape: [count] }, (random) =>
      Math.floor(random * table.type.shape[0]!),
    )
    const ends = Array.from({ length: s.nat(4) }, () => s.nat(count + 1)).sort((a, b) => a - b)
    const offsets = listed(s, { dtype: 'i32', shape: [ends.length + 1] }, [0, ...ends])
    const operands = { indices, table, offsets, ...(s.chance(2) && { scale: s.ofShape(dtype, [count]) }) }
    return { operands, attributes: { mean: s.chance(2), ...(s.chance(3) && { averageLength: 1.5 }), ...rows } }
  },
  gatherElements: (s) => {
    const given = alongElements(s)
    return given && { operands: { input: given.input, indices: given.indices }, attributes: { axis: given.axis } }
  },
  gatherNd: (s) => {
    const input = s.tensor(values, 1)
    const { shape } = input.type
    const batchDims = s.chance(3) ? s.nat(shape.length) : 0
    const depth = 1 + s.nat(shape.length - batchDims)
    const own = [...shape.slice(0, batchDims), ...s.pick([[], [3], [2, 2]]), depth]
    const indices = indicesWithin(s, own, shape.slice(batchDims, batchDims + depth))
    return indices && { operands: { input, indices }, attributes: { batchDims } }
  },
  scatterElements: (s) => {
    const given = alongElements(s)
    if (!given) return undefined
    const { input, indices, axis } = given
    const updates = s.ofShape(input.type.dtype, indices.type.shape)
    return { operands: { input, indices, updates }, attributes: { axis, reduction: scatterReduction(s, input.type.dtype) } }
  },
  scatterNd: (s) => {
    const input = s.tensor(values, 1)
    const { shape, dtype } = input.type
    const depth = 1 + s.nat(shape.length)
    const lead = s.pick([[], [3], [2, 2]])
    const indices = indicesWithin(s, [...lead, depth], shape.slice(0, depth))
    if (!indices) return undefined
    const updates = s.ofShape(dtype, [...lead, ...shape.slice(depth)])
    return { operands: { input, indices, updates }, attributes: { reduction: scatterReduction(s, dtype) } }
  },
  oneHot: (s) => {
    const indices = s.tensor(['i32', 'i64', 'i8', 'u8'], 0, 3)
    return {
      operands: { indices },
      attributes: {
        depth: 1 + s.nat(6),
        axis: axisOf(s, indices.type.shape.length + 1),
        dtype: s.pick(['f32', 'f32', 'i64', 'bool']),
      },
    }
  },
  triu: (s) => ({ operands: { input: s.tensor(values, 2) }, attributes: { diagonal: s.nat(7) - 3 } }),
  tril: (s) => ({ operands: { input: s.tensor(values, 2) }, attributes: { diagonal: s.nat(7) - 3 } }),
  resize: (s) => {
    const input = s.tensor(floats, 2)
    const rank = input.type.shape.length
    const axes = s.chance(3) ? [s.nat(rank)] : undefined
    const resized = axes ? [input.type.shape[axes[0]!]!] : input.type.shape.slice(s.pick([-1, -2]))
    // Factors whose inverse is exact, so that no coordinate lies just beside a whole one.
    const scales = s.chance(3) ? resized.map(() => s.pick([0.5, 2, 0.25, 4])) : undefined
    const size = resized.map((extent, i) => (scales ? Math.floor(extent * scales[i]!) : s.pick([extent, extent * 2, 3, 5, 1, 7])))
    const region = s.chance(4) && {
      start: resized.map(() => s.pick([0, 0.25, -0.5])),
      end: resized.map(() => s.pick([1, 0.75, 1.5])),
    }
    return {
      operands: { input },
      attributes: {
        size,
        mode: s.pick(['nearest', 'linear', 'cubic']),
        coordinates: region
          ? ('tfCropAndResize' as const)
          : s.pick(['halfPixel', 'alignCorners', 'asymmetric', 'pytorchHalfPixel', 'halfPixelSymmetric']),
        rounding: s.pick(['floor', 'ceil', 'roundPreferFloor', 'roundPreferCeil']),
        ...(axes ? { axes } : {}),
        ...(scales ? { scales } : {}),
        ...(region ? { ...region, extrapolation: 3 } : {}),
        ...(s.chance(3) ? { antialias: true } : {}),
        ...(s.chance(3) ? { excludeOutside: true } : {}),
      },
    }
  },
  gridSample: (s) => {
    const mode = s.pick(['nearest', 'linear', 'linear', 'cubic'] as const)
    const given = mode === 'nearest' && s.chance(2) ? s.tensor(values, 3, 5) : s.tensor(floats, 3, 5)
    const [batch, , ...extents] = given.type.shape as [number, number, ...number[]]
    const places = s.pick([[3], [2, 3], []])
    // Multiples of a fraction that makes no place lie half-way between two elements.
    const grid = s.constant(
      { dtype: s.pick(['f32', 'f32', 'f64']), shape: [batch, ...places, extents.length] },
      (random) => Math.floor(random * 29 - 14) * 0.1171875 + 0.01171875,
    )
    return {
      operands: { input: given, grid },
      attributes: {
        mode,
        padding: s.pick(['zeros', 'border', 'reflection']),
        coordinates: s.pick(['edges', 'corners', 'elements']),
      },
    }
  },
  regionPool: (s) => {
    const input = s.tensor(floats, 4, 4)
    const [batch, , height, width] = input.type.shape as [number, number, number, number]
    if (batch === 0) return undefined
    const count = s.pick([0, 1, 3])
    const corners = Array.from({ length: count }, () => {
      const [left, top] = [s.nat(4 * width) / 4 - 0.6, s.nat(4 * height) / 4 - 0.6]
      return [left, top, left + s.nat(40) / 8 - 0.3, top + s.nat(40) / 8 - 0.3]
    }).flat()
    return {
      operands: {
        input,
        regions: listed(s, { dtype: input.type.dtype, shape: [count, 4] }, corners),
        images: s.constant({ dtype: s.pick(['i32', 'i64', 'u8']), shape: [count] }, (random) => Math.floor(random * batch)),
      },
      attributes: {
        size: [1 + s.nat(3), 1 + s.nat(3)],
        mode: s.pick(['mean', 'mean', 'max', 'cells']),
        scale: s.pick([1, 0.5, 1.25]),
        samples: s.pick([0, 0, 1, 2]),
        aligned: s.chance(2),
      },
    }
  },
  padWith: (s) => {
    const input = s.tensor(values, 1)
    const mode = s.pick(['reflect', 'edge', 'wrap'] as const)
    const amounts = () => input.type.shape.map((extent) => s.nat(Math.max(0, Math.min(3, extent))))
    return { operands: { input }, attributes: { before: amounts(), after: amounts(), mode } }
  },
  conv: (s) => {
    const input = image(s, floats)
    return convolutionOf(s, input, input.type.dtype, input.type.dtype)
  },
  convTranspose: (s) => {
    const input = image(s, floats)
    const [, inChannels, ...spatial] = input.type.shape as [number, number, ...number[]]
    const groups = s.pick([1, 1, 2, inChannels].filter((n) => n > 0 && inChannels % n === 0))
    const perGroup = s.pick([1, 2])
    const kernel = spatial.map(() => 1 + s.nat(4))
    const { dtype } = input.type
    const bias = maybe(s, () => s.parameter({ dtype, shape: [groups * perGroup] }))
    return {
      operands: { input, weight: s.parameter({ dtype, shape: [inChannels, perGroup, ...kernel] }), bias: bias.value },
      attributes: {
        stride: kernel.map(() => 1 + s.nat(3)),
        before: kernel.map(() => s.nat(2)),
        after: kernel.map(() => s.nat(2)),
        dilation: kernel.map(() => (s.chance(5) ? 2 : 1)),
        extra: kernel.map(() => (s.chance(3) ? s.nat(3) : 0)),
        groups,
      },
    }
  },
  lpPool: pooling(floats, (s) => ({ p: 1 + s.nat(3) })),
  maxPool: pooling(numbers, () => ({})),
  avgPool: pooling(floats, (s) => ({ countPadding: s.chance(2) })),
  adaptiveAvgPool: adaptive(floats),
  adaptiveMaxPool: adaptive(numbers),
  matmul: (s) => {
    const left = s.tensor([...floats, 'i32', 'i64'], 2)
    const batch = s.chance(2) ? [] : left.type.shape.slice(0, -2)
    return { operands: { left, right: s.ofShape(left.type.dtype, [...batch, left.type.shape.at(-1)!, s.pick(extents)]) } }
  },
  linear: (s) => {
    const input = s.tensor(floats, 1)
    const [out, dtype] = [s.pick(extents), input.type.dtype]
    const bias = maybe(s, () => s.parameter({ dtype, shape: [out] }))
    return { operands: { input, weight: s.parameter({ dtype, shape: [out, input.type.shape.at(-1)!] }), bias: bias.value } }
  },
  quantize: (s) => {
    const input = s.tensor(['f32'])
    const dtype = s.pick(storages)
    return { operands: { input }, attributes: { dtype, ...parametersOf(s, dtype, input.type.shape) } }
  },
  dequantize: (s) => {
    const input = s.tensor(storages)
    const { dtype, shape, quantization } = input.type
    return { operands: { input }, attributes: quantization ? written(quantization) : parametersOf(s, dtype, shape) }
  },
  requantize: (s) => {
    const input = s.tensor(['i32'])
    const { scale, axis } = parametersOf(s, 'i32', input.type.shape)
    const dtype = s.pick(storages)
    return {
      operands: { input },
      attributes: {
        dtype,
        inputScale: scale,
        scale: s.pick(scales),
        zeroPoint: zeroPointOf(s, dtype),
        ...(axis === undefined ? {} : { axis }),
      },
    }
  },
  storageCast: (s) => {
    const input = s.tensor(storages)
    const { dtype, shape } = input.type
    return { operands: { input }, attributes: s.chance(3) ? { scale: [], zeroPoint: [] } : parametersOf(s, dtype, shape) }
  },
  convInteger: (s) => {
    const input = image(s, bytes)
    const { operands, attributes } = convolutionOf(s, input, s.pick(bytes), 'i32')
    const out = operands.weight.type.shape[0]!
    const { dtype } = operands.weight.type
    const zeroPoints = Array.from({ length: s.chance(2) ? out : 1 }, () => zeroPointOf(s, dtype))
    return {
      operands,
      attributes: { ...attributes, inputZeroPoint: zeroPointOf(s, input.type.dtype), weightZeroPoint: zeroPoints },
    }
  },
  blockedConv: (s) => {
    const input = image(s, floats)
    return blockedOf(s, convolutionOf(s, input, input.type.dtype, input.type.dtype))
  },
  blockedConvInteger: (s) => {
    const input = image(s, bytes)
    const { operands, attributes } = convolutionOf(s, input, s.pick(bytes), 'i32')
    const inputZeroPoint = zeroPointOf(s, input.type.dtype)
    const weightZeroPoint = [zeroPointOf(s, operands.weight.type.dtype)]
    return blockedOf(s, { operands, attributes: { ...attributes, inputZeroPoint, weightZeroPoint } })
  },
  matmulInteger: (s) => {
    const left = s.tensor(bytes, 2)
    const batch = s.chance(2) ? [] : left.type.shape.slice(0, -2)
    const columns = s.pick(extents)
    const right = s.ofShape(s.pick(bytes), [...batch, left.type.shape.at(-1)!, columns])
    const count = s.chance(2) && columns > 0 ? columns : 1
    return {
      operands: { left, right },
      attributes: {
        leftZeroPoint: zeroPointOf(s, left.type.dtype),
        rightZeroPoint: Array.from({ length: count }, () => zeroPointOf(s, right.type.dtype)),
      },
    }
  },
  bitCast: (s) => {
    // Floats only from where every bit pattern that is drawn is a number; half of them of integers by their other sign, which ONNX can say.
    const signs = { u8: 'i8', i8: 'u8', i16: 'u16', u16: 'i16', i32: 'u32', u32: 'i32' } as const
    if (s.chance(2)) {
      const input = s.tensor(Object.keys(signs) as (keyof typeof signs)[])
      return { operands: { input }, attributes: { dtype: signs[input.type.dtype as keyof typeof signs] } }
    }
    const input = s.tensor(values.filter((dtype) => dtype !== 'bool'))
    const whole = dtypeFacts[input.type.dtype].kind !== 'float'
    const dtype = s.pick<Exclude<DType, 'bool'>>(
      whole ? ['u8', 'i8', 'i16', 'u16', 'i32', 'u32', 'f32', 'f16'] : ['u8', 'i8', 'u16', 'u32', 'i32'],
    )
    return { operands: { input }, attributes: { dtype } }
  },
  dequantizeBlocks: (s) => {
    const { bits, blockSize, size, bytes, blocks } = blockSizes(s)
    const lead = s.pick([[3], [2, 2], []])
    const { scale, zeroPoint } = blockParameters(s, [...lead, blocks])
    const packed = s.constant({ dtype: 'u8', shape: [...lead, bytes] }, (random) => Math.floor(random * 256))
    const operands = { packed, scale, ...(s.chance(2) && { zeroPoint }) }
    return { operands, attributes: { bits, blockSize, size, signed: s.chance(2), zero: s.nat(2) } }
  },
  blockLinear: (s) => {
    const { bits, blockSize, size, bytes, blocks } = blockSizes(s)
    const out = s.pick([3, 1, 5, 9])
    const { scale, zeroPoint } = blockParameters(s, [out, blocks])
    const weight = s.constant({ dtype: 'u8', shape: [out, bytes] }, (random) => Math.floor(random * 256))
    const input = s.ofShape(scale.type.dtype, [...s.pick([[2], [], [2, 3]]), size])
    const operands = { input, weight, scale, ...(s.chance(2) && { zeroPoint }) }
    return { operands, attributes: { bits, blockSize, signed: s.chance(2), zero: s.nat(2) } }
  },
  lookup: (s) => {
    const dtype = s.pick(values)
    return {
      operands: {
        input: s.tensor(['u8', 'i8']),
        table: s.constant({ dtype, shape: [256] }, (random) => value(dtype, random)),
      },
    }
  },
  reduceSum: reduction(numbers),
  reduceProd: reduction(numbers),
  reduceMax: reduction(numbers),
  reduceMin: reduction(numbers),
  reduceMean: reduction(numbers),
  reduceL1: reduction(numbers),
  reduceL2: reduction(floats),
  reduceSumSquare: reduction(numbers),
  reduceLogSumExp: reduction(floats),
  variance: (s) => {
    const { operands, attributes } = reduction(floats)(s)
    return { operands, attributes: { ...attributes, correction: s.nat(2) } }
  },
  batchNorm: (s) => {
    const input = s.tensor(floats, 2)
    const positive = s.constant({ dtype: input.type.dtype, shape: [input.type.shape[1]!] }, (random) => 0.1 + random)
    return {
      operands: { input, scale: channels(s, input), shift: channels(s, input), mean: channels(s, input), variance: positive },
    }
  },
  layerNorm: (s) => {
    const { input, dims, parameter } = trailing(s)
    const scale = maybe(s, parameter).value
    return { operands: { input, scale, shift: scale && s.chance(2) ? parameter() : undefined }, attributes: { dims } }
  },
  rmsNorm: (s) => {
    const { input, dims, parameter } = trailing(s)
    return { operands: { input, scale: maybe(s, parameter).value }, attributes: { dims } }
  },
  attention: (s) => {
    const query = s.tensor(floats, 4, 4)
    const { dtype, shape } = query.type
    const [batch, heads, length, size] = shape as [number, number, number, number]
    if (shape.includes(0)) return undefined
    const groups = s.pick([heads, heads, 1, 2].filter((n) => heads % n === 0))
    const [keys, out] = [s.pick([1, 3, 5, 8]), s.pick([size, size, 2])]
    const masks = [[length, keys], [keys], [batch, 1, 1, keys], [heads, length, 1]]
    const mask = maybe(s, () => s.fresh({ dtype: s.chance(2) ? 'bool' : dtype, shape: s.pick(masks) })).value
    return {
      operands: {
        query,
        key: s.ofShape(dtype, [batch, groups, keys, size]),
        value: s.ofShape(dtype, [batch, groups, keys, out]),
        mask,
      },
      attributes: {
        scale: s.pick([1, 0.5, 0.3]),
        causal: s.chance(3),
        past: s.nat(3),
        softcap: s.pick([0, 0, 2]),
        hidden: s.pick([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, -1e9, -3]),
        blind: s.pick(['zero', 'nan']),
      },
    }
  },
  rotaryEmbedding: (s) => {
    const input = s.tensor(floats, 1)
    const { dtype, shape } = input.type
    const pairs = Math.floor(shape.at(-1)! / 2) - (s.chance(3) ? 1 : 0)
    if (pairs < 1) return undefined
    const lead = shape.slice(0, -1).map((extent) => (s.chance(3) ? 1 : extent))
    const table = [...lead.slice(s.nat(lead.length + 1)), pairs]
    const operands = { input, cos: s.ofShape(dtype, table), sin: s.ofShape(dtype, table) }
    return { operands, attributes: { interleaved: s.chance(2) } }
  },
  lstm: (s) => {
    const { operands, attributes, directions, batch, hidden } = recurrentLayer(s, 4, 3)
    const dtype = operands.input.type.dtype
    const peephole = operands.lengths && s.chance(2) ? s.ofShape(dtype, [directions, 3 * hidden]) : undefined
    const cell = s.ofShape(dtype, [directions, batch, hidden])
    return { operands: { ...operands, cell, peephole }, attributes: { ...attributes, coupled: s.chance(3) } }
  },
  gru: (s) => {
    const { operands, attributes } = recurrentLayer(s, 3, 2)
    return { operands, attributes: { ...attributes, linearBeforeReset: s.chance(2) } }
  },
  rnn: (s) => recurrentLayer(s, 1, 1),
  recurrence: (s) => {
    const kind = s.pick(['lstm', 'gru', 'rnn'] as const)
    const { gates, states, activations } = recurrentCells[kind]
    const { operands, attributes, directions, length, batch, hidden } = recurrentLayer(s, gates, activations)
    const { input, recurrent, lengths } = operands
    const { direction, ...rest } = attributes
    const linearBeforeReset = kind === 'gru' && s.chance(2)
    const width = kind === 'lstm' ? 3 * hidden : linearBeforeReset ? hidden : 0
    const { dtype } = input.type
    return {
      operands: {
        projected: s.ofShape(dtype, [length, batch, directions * gates * hidden]),
        recurrent,
        states: s.ofShape(dtype, [states, directions, batch, hidden]),
        lengths,
        extra: lengths && width > 0 && s.chance(2) ? s.ofShape(dtype, [directions, width]) : undefined,
      },
      attributes: { ...rest, kind, reverse: [...reversals(direction)], coupled: s.chance(3), linearBeforeReset },
    }
  },
  groupNorm: (s) => {
    const input = s.tensor(floats, 2)
    const groups = s.pick([1, 2, 3].filter((n) => input.type.shape[1]! % n === 0))
    const scale = maybe(s, () => channels(s, input)).value
    return { operands: { input, scale, shift: scale && s.chance(2) ? channels(s, input) : undefined }, attributes: { groups } }
  },
}

/** Operands and attributes that layers of all kinds have, of few and small numbers. */
function recurrentLayer(s: Source, gates: number, functions: number) {
  const [length, batch, features] = [s.pick([1, 2, 3, 4]), s.pick([1, 2, 3]), s.pick([1, 2, 3])]
  const hidden = s.pick([1, 2, 3, 5])
  const direction = s.pick(['forward', 'reverse', 'bidirectional'] as const)
  const directions = reversals(direction).length
  const dtype = s.pick(['f32', 'f32', 'f32', 'f64', 'f16'] as const)
  const names = Object.keys(recurrentActivations) as (keyof typeof recurrentActivations)[]
  const usual = s.chance(2)
  const activations = Array.from({ length: functions * directions }, (_, i) =>
    usual ? (functions > 1 && i % functions === 0 ? 'sigmoid' : 'tanh') : s.pick(names),
  )
  const parameters = usual || s.chance(2) ? [] : activations.map(() => s.pick([0.5, 0.25, 1]))
  const lengths = s.chance(3)
    ? s.constant({ dtype: 'i32', shape: [batch] }, (random) => Math.floor(random * (length + 1)))
    : undefined
  return {
    ...{ directions, length, batch, hidden },
    operands: {
      input: s.ofShape(dtype, [length, batch, features]),
      weight: s.ofShape(dtype, [directions, gates * hidden, features]),
      recurrent: s.ofShape(dtype, [directions, gates * hidden, hidden]),
      bias: s.ofShape(dtype, [directions, 2 * gates * hidden]),
      hidden: s.ofShape(dtype, [directions, batch, hidden]),
      lengths,
    },
    // Functions without bounds would let states grow with every step.
    attributes: { direction, activations, alpha: parameters, beta: parameters, clip: usual ? s.pick([0, 0, 0.5]) : 0.5 },
  }
}

function withinExtents(indices: Node, extents: readonly number[]): boolean {
  const elements = elementsOf(indices.type.dtype, indices.data!.read())
  return Array.from({ length: elements.length }, (_, i) => elements.get(i)).every((index, i) => {
    const extent = extents[i % extents.length]!
    return index >= -extent && index < extent
  })
}

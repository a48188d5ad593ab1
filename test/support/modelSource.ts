// A graph as the model that an author would have written for it: what a failure is reported as.
import {
  type Attributes,
  type AttributeValue,
  definitionOf,
  dtypeFacts,
  elementCount,
  elementsOf,
  type Graph,
  hasTrait,
  inputName,
  type Node,
  type OpName,
  type Shape,
  type StorageName,
  type TensorType,
} from '../../compiler/graph/index.ts'
import { resolveAxis } from '../../compiler/graph/ops/shared.ts'
import { rebuildGraph } from '../../compiler/graph/rebuild.ts'
import { isElement } from '../../dsl/check.ts'

/** What the vocabulary has no words for. */
export class Unwritable extends Error {
  override readonly name = 'Unwritable'
}

/** A call of the vocabulary. */
interface Call {
  readonly written: string
  /** Arguments before the options, as text; undefined ones that nothing follows are left out. */
  readonly operands: readonly (string | undefined)[]
  readonly options?: Readonly<Record<string, unknown>>
  /** What is taken of the result. */
  readonly part?: string
}

/** What a row gets: names of the operands' values, in the order of the definition, the node, and what names other values. */
type Row = (names: readonly string[], node: Node, nameOf: (node: Node) => string) => Call

const withoutWords = new Set<Row>()
const wordless =
  (reason: string) =>
  (op: OpName): Row => {
    const row: Row = () => {
      throw new Unwritable(`${op}, ${reason}`)
    }
    withoutWords.add(row)
    return row
  }

/** The row of an op that no model can name. */
const compilerMade = wordless('which only the compiler makes')
/** The row of an op whose value is several results of a function. */
const apart = wordless('of which a model gets parts')

const text = (value: unknown): string => {
  // A name.
  if (typeof value === 'symbol') return value.description!
  if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`
  if (typeof value === 'string') return JSON.stringify(value).replaceAll("'", "\\'").replace(/^"|"$/g, "'").replaceAll('\\"', '"')
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
    return `{ ${entries.map(([key, entry]) => `${key}: ${text(entry)}`).join(', ')} }`
  }
  if (typeof value === 'number') return numberText(value)
  return String(value)
}

const numberText = (value: number): string => {
  if (Object.is(value, -0)) return '-0'
  return Number.isFinite(value)
    ? String(value).replace('e+', 'e')
    : Number.isNaN(value)
      ? 'Number.NaN'
      : value > 0
        ? 'Number.POSITIVE_INFINITY'
        : 'Number.NEGATIVE_INFINITY'
}

/** A function of the op's own name, whose options are the op's attributes. */
const plain: Row = (names, { op, attributes }) => ({ written: op, operands: names, options: attributes })
/** The same under another name. */
const named =
  (written: string): Row =>
  (names, { attributes }) => ({ written, operands: names, options: attributes })
/** The first of the attributes are arguments of their own. */
const positional =
  (...keys: readonly string[]): Row =>
  (names, { op, attributes }) => {
    const rest = Object.fromEntries(Object.entries(attributes).filter(([key]) => !keys.includes(key)))
    return { written: op, operands: [...names, ...keys.map((key) => text(attributes[key]))], options: rest }
  }
/** Operands that may be missing keep their places before options. */
const optionalOperands =
  (row: Row): Row =>
  (names, node, nameOf) => {
    const call = row(names, node, nameOf)
    const count = Object.keys(definitionOf(node.op).operands).length
    return { ...call, operands: Array.from({ length: count }, (_, i) => call.operands[i]) }
  }
const spatial = ({ operands }: Node): number => operands[0]!.type.shape.length - 2

const windowOptions = ({ stride, before, after, dilation, ...rest }: Attributes) => ({
  stride,
  padding: { before, after },
  dilation,
  ...rest,
})
const convolution =
  (nameFor: (axes: number) => string, optionsOf: (attributes: Attributes) => object): Row =>
  (names, node) => ({
    written: nameFor(spatial(node)),
    operands: [names[0], names[1], names[2]],
    options: optionsOf(node.attributes) as Call['options'] & {},
  })
const pool =
  (name: string): Row =>
  (names, node) => {
    const { window, ...attributes } = node.attributes
    return { written: `${name}${spatial(node)}d`, operands: [names[0], text(window)], options: windowOptions(attributes) }
  }
const grid =
  (name: string, axes: readonly number[]): Row =>
  (names, node) => {
    if (!axes.includes(spatial(node))) throw new Unwritable(`${name} over ${spatial(node)} axes`)
    return { written: `${name}${spatial(node)}d`, operands: [names[0], text(node.attributes.size)] }
  }

/** A new op does not compile until it stands here. */
const rows: { readonly [K in Exclude<OpName, StorageName>]: Row } = {
  negate: plain,
  abs: plain,
  sign: plain,
  floor: plain,
  ceil: plain,
  round: plain,
  sqrt: plain,
  exp: plain,
  log: plain,
  sin: plain,
  cos: plain,
  erf: plain,
  tanh: plain,
  sigmoid: plain,
  tan: plain,
  asin: plain,
  acos: plain,
  atan: plain,
  sinh: plain,
  cosh: plain,
  asinh: plain,
  acosh: plain,
  atanh: plain,
  not: plain,
  isNaN: plain,
  isInf: plain,
  cast: positional('dtype'),
  add: plain,
  sub: plain,
  mul: plain,
  div: plain,
  pow: plain,
  mod: plain,
  fmod: plain,
  minimum: plain,
  maximum: plain,
  equal: plain,
  notEqual: plain,
  less: plain,
  lessOrEqual: plain,
  greater: plain,
  greaterOrEqual: plain,
  and: plain,
  or: plain,
  xor: plain,
  bitwiseAnd: plain,
  bitwiseOr: plain,
  bitwiseXor: plain,
  bitwiseNot: plain,
  shiftLeft: plain,
  shiftRight: plain,
  where: plain,
  relu: plain,
  leakyRelu: plain,
  elu: plain,
  celu: plain,
  thresholdedRelu: plain,
  shrink: plain,
  selu: plain,
  softplus: plain,
  softsign: plain,
  silu: plain,
  mish: plain,
  hardSigmoid: plain,
  hardSwish: plain,
  gelu: plain,
  reciprocal: plain,
  rsqrt: plain,
  clamp: plain,
  prelu: plain,
  softmax: plain,
  logSoftmax: plain,
  hardmax: plain,
  argMax: plain,
  argMin: plain,
  topKIndices: (names, { attributes: { k, ...options } }) => ({
    written: 'topK',
    operands: [names[0], text(k)],
    options,
    part: 'indices',
  }),
  cumSum: plain,
  cumProd: plain,
  reshape: positional('shape'),
  transpose: positional('order'),
  expand: positional('shape'),
  slice: (names, { operands, attributes }) => {
    const { start, size, step } = attributes as { start: number[]; size: number[]; step: number[] }
    const ranges = operands[0]!.type.shape.flatMap((extent, axis) => {
      const [from, count, by] = [start[axis]!, size[axis]!, step[axis]!]
      if (from === 0 && count === extent && by === 1) return []
      if (count === 0) return [{ axis, start: 0, stop: 0 }]
      const stop = from + count * by
      // Before the first element, where a negative number would count from the end.
      const beyond = stop < 0 ? -extent - 1 : stop
      return [{ axis, start: from, stop: by > 0 ? Math.min(stop, extent) : beyond, ...(by === 1 ? {} : { step: by }) }]
    })
    return { written: 'slice', operands: [names[0], text(ranges)] }
  },
  concat: (names, { attributes }) => ({ written: 'concat', operands: [`[${names.join(', ')}]`], options: attributes }),
  pad: (names, node, nameOf) => {
    if (!isElement(node.type.dtype, node.attributes.value as number))
      throw new Unwritable(`padding of ${node.type.dtype} with ${node.attributes.value}`)
    return plain(names, node, nameOf)
  },
  padWith: named('pad'),
  gather: plain,
  embedding: plain,
  gatherElements: plain,
  gatherNd: plain,
  scatterElements: plain,
  scatterNd: plain,
  oneHot: positional('depth'),
  triu: plain,
  tril: plain,
  resize: (names, { attributes: { size, start, end, ...options } }) => ({
    written: 'resize',
    operands: [names[0], text(size)],
    options: { ...options, ...(start === undefined ? {} : { region: { start, end } }) },
  }),
  gridSample: plain,
  regionPool: ([input, regions, images], { attributes: { size, mode, ...options } }) => {
    const operands = [input, regions, images, text(size)]
    if (mode !== 'cells') return { written: 'roiAlign', operands, options: { ...options, mode } }
    if (options.samples !== 0 || options.aligned !== true)
      throw new Unwritable('regionPool of cells with what has no meaning for it')
    return { written: 'maxRoiPool', operands, options: { scale: options.scale } }
  },
  conv: convolution((axes) => `conv${axes}d`, windowOptions),
  convTranspose: convolution(
    (axes) => `convTranspose${axes}d`,
    ({ extra, ...attributes }) => ({ ...windowOptions(attributes), outputPadding: extra }),
  ),
  maxPool: pool('maxPool'),
  avgPool: pool('avgPool'),
  lpPool: pool('lpPool'),
  adaptiveAvgPool: grid('adaptiveAvgPool', [1, 2, 3]),
  adaptiveMaxPool: grid('adaptiveMaxPool', [1, 2, 3]),
  matmul: plain,
  linear: plain,
  quantize: plain,
  dequantize: plain,
  requantize: plain,
  storageCast: compilerMade('storageCast'),
  convInteger: convolution(() => 'convInteger', windowOptions),
  embeddingBag: compilerMade('embeddingBag'),
  // Functions make both at once.
  bagOffsets: apart('bagOffsets'),
  truePositions: apart('truePositions'),
  suppressedBoxes: apart('suppressedBoxes'),
  raggedEmbeddingBag: ([indices, table, , scale], { operands, attributes }, nameOf) => {
    const [list, , offsets] = operands as readonly [Node, Node, Node]
    const { mean, ...rest } = attributes
    const { given, limit } = offsets.attributes
    if (offsets.op !== 'bagOffsets' || limit !== list.type.shape[0])
      throw new Unwritable('raggedEmbeddingBag over offsets that nothing checks against its indices')
    const bounds = nameOf(offsets.operands[0]!)
    if (given === 'lengths' && mean) throw new Unwritable('raggedEmbeddingBag whose means are of lengths')
    if (given === 'lengths') return { written: 'sparseLengthsSum', operands: [table, indices, bounds, scale], options: rest }
    if (mean && scale !== undefined) throw new Unwritable('raggedEmbeddingBag whose means are weighted')
    const weights = scale === undefined ? {} : { perSampleWeights: Symbol(scale) }
    const mode = mean ? { mode: 'mean' } : {}
    return {
      written: 'embeddingBag',
      operands: [table, indices, bounds],
      options: { ...mode, ...weights, includeLastOffset: true, ...rest },
    }
  },
  lstm: apart('lstm'),
  gru: apart('gru'),
  rnn: apart('rnn'),
  recurrence: compilerMade('recurrence'),
  loop: compilerMade('loop'),
  branch: compilerMade('branch'),
  resultOf: apart('resultOf'),
  blockedConv: compilerMade('blockedConv'),
  blockedConvInteger: compilerMade('blockedConvInteger'),
  matmulInteger: plain,
  lookup: plain,
  bitCast: positional('dtype'),
  dequantizeBlocks: optionalOperands(plain),
  blockLinear: optionalOperands(plain),
  reduceSum: named('sum'),
  reduceProd: named('prod'),
  reduceMax: named('max'),
  reduceMin: named('min'),
  reduceMean: named('mean'),
  reduceL1: named('l1Norm'),
  reduceL2: named('l2Norm'),
  reduceSumSquare: named('sumOfSquares'),
  reduceLogSumExp: named('logSumExp'),
  variance: plain,
  batchNorm: plain,
  layerNorm: optionalOperands(plain),
  rmsNorm: optionalOperands(plain),
  groupNorm: optionalOperands(plain),
  rotaryEmbedding: (names, { operands: [input, cos], attributes }) => {
    if (input!.type.shape.length !== 4 || cos!.type.shape.length !== 4)
      throw new Unwritable('rotaryEmbedding of other values than heads, or tables without a dimension for these')
    return { written: 'rotaryEmbedding', operands: names, options: { ...attributes, dims: 2 * cos!.type.shape[3]! } }
  },
  attention: ([query, key, value, mask], { attributes }) => ({
    written: 'attention',
    operands: [query, key, value],
    options: { ...attributes, ...(mask === undefined ? {} : { mask: Symbol(mask) }) },
  }),
}

/** Whether the vocabulary has words for values of an op. */
export const hasWords = (op: OpName): boolean => !withoutWords.has(rows[op as keyof typeof rows])

/** Whether the vocabulary can say a node. */
export function isWritable(node: Node): boolean {
  if (hasTrait(node, 'storage')) return node.data === undefined || node.type.quantization === undefined
  try {
    callOf(
      node,
      node.operands.map(() => ''),
      () => '',
    )
    return true
  } catch (error) {
    if (error instanceof Unwritable) return false
    throw error
  }
}

const callOf = (node: Node, names: readonly string[], nameOf: (node: Node) => string): Call =>
  rows[node.op as keyof typeof rows](names, node, nameOf)

/** The attributes as the functions of the vocabulary state them: axes from the front and in order, slices in their shortest form. */
function normalised({ op, operands, attributes }: Node): Attributes {
  const shape = operands[0]?.type.shape ?? []
  const rank = shape.length + (op === 'oneHot' ? 1 : 0)
  const changed: Record<string, AttributeValue> = { ...attributes }
  const resolve = (axis: AttributeValue) => resolveAxis(axis as number, rank, op)
  if (typeof attributes.axis === 'number') changed.axis = resolve(attributes.axis)
  if (Array.isArray(attributes.axes)) {
    const axes = attributes.axes.map(resolve)
    // Those of a resize belong to the entries of its size.
    changed.axes = op === 'resize' ? axes : axes.sort((a, b) => a - b)
  }
  if (op === 'transpose') changed.order = (attributes.order as readonly number[]).map(resolve)
  if (op === 'slice') {
    const { start, size, step } = attributes as Readonly<Record<string, readonly number[]>>
    changed.start = start!.map((from, i) => (size![i] === 0 ? 0 : from))
    changed.step = step!.map((by, i) => (size![i]! < 2 ? 1 : by))
  }
  // A list of one entry belongs to no axis.
  if ((attributes.scale as readonly number[] | undefined)?.length === 1 && op !== 'requantize') delete changed.axis
  if ((attributes.inputScale as readonly number[] | undefined)?.length === 1) delete changed.axis
  return changed
}

/** The same graph as its source states it. */
export const normalise = (graph: Graph): Graph =>
  rebuildGraph(graph, (node, operands, builder) => {
    if (node.data) return builder.constant(node.type, node.data)
    if (hasTrait(node, 'storage')) return builder.input(inputName(node), node.type)
    return builder.addFlat(node.op, operands, normalised({ ...node, operands }), undefined, node.bodies)
  })

/** Elements of a constant as text. */
function elementTexts({ type, data }: Node): string[] {
  const bytes = data!.read()
  const elements = elementsOf(type.dtype, bytes)
  const { kind, bytes: width } = dtypeFacts[type.dtype]
  if (kind !== 'float' && width === 8) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Array.from({ length: elements.length }, (_, i) => {
      const value = kind === 'unsigned' ? view.getBigUint64(i * 8, true) : view.getBigInt64(i * 8, true)
      return Number.isSafeInteger(Number(value)) ? String(value) : `${value}n`
    })
  }
  return Array.from({ length: elements.length }, (_, i) => numberText(elements.get(i)))
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/
/** A name of an input or output; the vocabulary takes no others. */
function nameText(name: string): string {
  if (!identifier.test(name)) throw new Unwritable(`the name ${text(name)}`)
  return name
}

/**
 * The module. It exports the model, named `name`, and extracts to `normalise(graph)`. Throws Unwritable where the vocabulary has no words.
 */
export function modelSource(graph: Graph, name = graph.name, header: readonly string[] = []): string {
  const used = new Set<string>(['model', 'tensor'])
  const names = new Map<Node, string>()
  const lines: string[] = []
  const spell = (written: string): string => {
    used.add(written)
    return written
  }
  const dtypeAndShape = (dtype: string, shape: Shape) => `'${dtype}', [${shape.join(', ')}]`
  const constantText = (node: Node): string => {
    if (node.type.quantization) throw new Unwritable('a constant of quantised integers')
    const elements = elementTexts(node)
    const { dtype, shape } = node.type
    const isUniform = elements.length > 1 && elements.every((element) => element === elements[0])
    return isUniform
      ? `${spell('full')}(${dtypeAndShape(dtype, shape)}, ${elements[0]})`
      : `${spell('constant')}(${dtypeAndShape(dtype, shape)}, [${elements.join(', ')}])`
  }
  const { nodes, inputs, outputs } = normalise(graph)
  for (const node of nodes) {
    if (node.op === 'input') names.set(node, `inputs.${inputName(node)}`)
    else if (node.op !== 'bagOffsets') {
      const value = node.data ? constantText(node) : calledText(node)
      names.set(node, `v${lines.length}`)
      lines.push(`    const v${lines.length} = ${value}`)
    }
  }
  function nameOf(node: Node): string {
    const name = names.get(node)
    if (name === undefined) throw new Unwritable(`${node.op}, of which a model gets parts`)
    return name
  }
  function calledText(node: Node): string {
    // Offsets of bags are checked and made by the functions that read them.
    const isMadeWithin = ({ op }: Node) => op === 'bagOffsets' && node.op === 'raggedEmbeddingBag'
    const given = node.operands.map((operand, i) => numberInPlaceOf(node, i) ?? (isMadeWithin(operand) ? '' : nameOf(operand)))
    const { written, operands, options, part } = callOf(node, given, nameOf)
    const stated = Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined))
    const list = [...operands]
    if (Object.keys(stated).length === 0) while (list.length > 0 && list.at(-1) === undefined) list.pop()
    else list.push(text(stated))
    return `${spell(written)}(${list.map((operand) => operand ?? 'undefined').join(', ')})${part ? `.${part}` : ''}`
  }
  const results = outputs.map((output) => `${nameText(output.name)}: ${nameOf(output.value)}`)
  const body = withoutUnused(lines, results)
  const isUsed = (word: string) =>
    word === 'model' || (word === 'tensor' ? inputs.length > 0 : body.some((line) => line.includes(`${word}(`)))
  return [
    ...header.map((line) => `// ${line}`),
    `import { ${[...used].filter(isUsed).sort().join(', ')} } from 'glowplug'`,
    '',
    'export default model({',
    `  name: '${name}',`,
    `  inputs: {`,
    ...inputs.map((input) => `    ${nameText(inputName(input))}: ${describedText(input.type)},`),
    '  },',
    `  forward(${inputs.length > 0 ? 'inputs' : ''}) {`,
    ...body,
    `    return { ${results.join(', ')} }`,
    '  },',
    '})',
    '',
  ].join('\n')
}

function describedText({ dtype, shape, quantization }: TensorType): string {
  const stands = quantization
    ? `, ${text({
        scale: quantization.scale,
        zeroPoint: quantization.zeroPoint,
        ...(quantization.axis === undefined ? {} : { axis: quantization.axis }),
      })}`
    : ''
  return `tensor('${dtype}', [${shape.join(', ')}]${stands})`
}

/** The number that may stand for a constant without dimensions among the operands of an elementwise op. */
function numberInPlaceOf(node: Node, index: number): string | undefined {
  const operand = node.operands[index]!
  if (!operand.data || operand.type.shape.length > 0 || operand.type.quantization) return undefined
  const specs = Object.values(definitionOf(node.op).operands)
  if (!hasTrait(node, 'elementwise') || specs.length < 2 || index >= specs.length) return undefined
  const alike = node.operands.filter((_, i) => specs[i]!.dtypes.join() === specs[index]!.dtypes.join())
  const value = elementsOf(operand.type.dtype, operand.data.read()).get(0)
  if (!Number.isFinite(value) || !isElement(operand.type.dtype, value) || operand.type.dtype === 'bool') return undefined
  return Number.isSafeInteger(value) && elementCount(operand.type.shape) === 1 && alike.some((other) => !other.data)
    ? numberText(value)
    : undefined
}

/** The statements whose value something takes: not those of constants that stand as numbers. */
function withoutUnused(lines: readonly string[], results: readonly string[]): readonly string[] {
  let kept = lines
  for (;;) {
    const taken = new Set([...kept.map((line) => line.slice(line.indexOf('='))), ...results].join(' ').match(/\bv\d+\b/g))
    const next = kept.filter((line) => taken.has(/v\d+/.exec(line)![0]))
    if (next.length === kept.length) return kept
    kept = next
  }
}

// Random networks as exporters of quantised models write them: every layer between decoding and encoding.
import * as fc from 'fast-check'
import {
  type AttributesIn,
  byteSize,
  createBuilder,
  type DType,
  elementCount,
  elementsOf,
  type Graph,
  type Node,
  printGraph,
  type StorageDType,
  type TensorType,
} from '../../compiler/graph/index.ts'
import { mulberry } from './randomGraph.ts'

/** A layer on decoded values; `other` is an earlier one of the same shape. Undefined where the shape does not suit it. */
type Layer = (g: Draw, input: Node, other: Node) => Node | undefined

interface Draw {
  readonly add: ReturnType<typeof createBuilder>['add']
  readonly random: () => number
  readonly pick: <T>(list: readonly T[]) => T
  readonly chance: (probability: number) => boolean
  readonly constant: (type: TensorType, element: (random: number) => number) => Node
  readonly decoded: (stored: Node, scale: readonly number[], zeroPoint: readonly number[], axis?: number) => Node
  /** The same weights as before: integers, decoded with one scale or one for each channel. */
  readonly weight: (shape: number[], channels: number) => { readonly value: Node; readonly scale: readonly number[] }
}

const spatial = ({ type }: Node) => type.shape.length === 4
const positive = (random: number) => 0.004 + random * 0.05

/** The bias of a layer: integers in steps of the sums, integers in other steps, floats, none. */
function biasOf(g: Draw, scaleOfInput: number, scale: readonly number[], channels: number): Node | undefined {
  const kind = g.pick(['steps', 'steps', 'others', 'float', 'none'])
  if (kind === 'none') return undefined
  if (kind === 'float') return g.constant({ dtype: 'f32', shape: [channels] }, (random) => random - 0.5)
  const steps = scale.map((entry) => Math.fround(scaleOfInput * entry) * (kind === 'steps' ? 1 : 1.37))
  const stored = g.constant({ dtype: 'i32', shape: [channels] }, (random) => Math.floor(random * 400 - 200))
  return g.decoded(
    stored,
    steps,
    steps.map(() => 0),
    steps.length > 1 ? 0 : undefined,
  )
}

const scaleOf = (decoded: Node): number => (decoded.op === 'dequantize' ? (decoded.attributes.scale as number[])[0]! : 0.02)

function convolution(g: Draw, input: Node): Node | undefined {
  const [, inChannels, height, width] = input.type.shape as [number, number, number, number]
  const groups = g.pick([1, 1, inChannels])
  const out = groups * g.pick([1, 2, 3])
  const kernel = [height, width].map((extent) => Math.min(extent, g.pick([1, 2, 3])))
  const { value, scale } = g.weight([out, inChannels / groups, ...kernel], 0)
  const padding = () => kernel.map(() => g.pick([0, 0, 1]))
  return g.add(
    'conv',
    { input, weight: value, bias: biasOf(g, scaleOf(input), scale, out) },
    { stride: [g.pick([1, 2]), 1], before: padding(), after: padding(), dilation: [1, 1], groups },
  )
}

function pooled(g: Draw, input: Node, op: 'maxPool' | 'avgPool'): Node | undefined {
  const extents = input.type.shape.slice(2)
  const window = extents.map((extent) => g.pick([1, 2, 3, extent].filter((taps) => taps <= extent)))
  const attributes = {
    window,
    stride: window.map((taps) => g.pick([1, taps])),
    before: window.map((taps) => (taps > 1 ? g.pick([0, 1]) : 0)),
    after: window.map((taps) => (taps > 1 ? g.pick([0, 1]) : 0)),
    dilation: [1, 1],
  }
  return op === 'maxPool'
    ? g.add(op, { input }, attributes)
    : g.add(op, { input }, { ...attributes, countPadding: g.chance(0.5) })
}

const layers: Readonly<Record<string, Layer>> = {
  conv: convolution,
  clampedConv: (g, input) => {
    const made = convolution(g, input)
    return (
      made &&
      g.pick([() => g.add('relu', { input: made }), () => g.add('clamp', { input: made }, { minimum: 0, maximum: 0.9 })])()
    )
  },
  curvedConv: (g, input) => {
    const made = convolution(g, input)
    return (
      made && g.pick([() => g.add('hardSwish', { input: made }), () => g.add('leakyRelu', { input: made }, { slope: 0.1 })])()
    )
  },
  linear: (g, input) => {
    const width = input.type.shape.at(-1)!
    const out = g.pick([1, 3, 5])
    const { value, scale } = g.weight([out, width], 0)
    return g.add('linear', { input, weight: value, bias: biasOf(g, scaleOf(input), scale, out) })
  },
  matmul: (g, input) => {
    const { value } = g.weight([input.type.shape.at(-1)!, g.pick([2, 4])], 1)
    return g.add('matmul', { left: input, right: value })
  },
  matmulOfTwo: (g, input, other) => {
    const rank = input.type.shape.length
    const order = [...Array(rank - 2).keys(), rank - 1, rank - 2]
    return g.add('matmul', { left: input, right: g.add('transpose', { input: other }, { order }) })
  },
  add: (g, left, right) => g.add('add', { left, right }),
  mul: (g, left, right) => g.add('mul', { left, right }),
  relu: (g, input) => g.add('relu', { input }),
  clamp: (g, input) => g.add('clamp', { input }, { minimum: -0.4, maximum: 1.1 }),
  sigmoid: (g, input) => g.add('sigmoid', { input }),
  silu: (g, input) => g.add('mul', { left: input, right: g.add('sigmoid', { input }) }),
  scaled: (g, input) =>
    g.add('tanh', { input: g.add('mul', { left: input, right: g.constant({ dtype: 'f32', shape: [] }, positive) }) }),
  softmax: (g, input) => g.add('softmax', { input }, { axis: g.pick([-1, 1]) }),
  maxPool: (g, input) => pooled(g, input, 'maxPool'),
  avgPool: (g, input) => pooled(g, input, 'avgPool'),
  mean: (g, input) => g.add('reduceMean', { input }, { axes: [input.type.shape.length - 1], keepDims: true }),
  concat: (g, first, second) => g.add('concat', { inputs: [first, second] }, { axis: 1 }),
  reshape: (g, input) => g.add('reshape', { input }, { shape: [input.type.shape[0]!, -1] }),
  transpose: (g, input) => g.add('transpose', { input }, { order: [...input.type.shape.keys()].reverse() }),
  resize: (g, input) =>
    g.add(
      'resize',
      { input },
      { size: input.type.shape.slice(-2).map((extent) => g.pick([extent, 2 * extent, 3])), mode: 'nearest' },
    ),
  gather: (g, input) => {
    const extent = input.type.shape.at(-1)!
    const indices = g.constant({ dtype: 'i32', shape: [3] }, (random) => Math.floor(random * extent))
    return g.add('gather', { input, indices }, { axis: -1 })
  },
  slice: (g, input) => {
    const { shape } = input.type
    return g.add(
      'slice',
      { input },
      { start: shape.map(() => 0), size: shape.map((n) => Math.ceil(n / 2)), step: shape.map(() => 1) },
    )
  },
  pad: (g, input) => {
    const { shape } = input.type
    return g.add('pad', { input }, { before: shape.map(() => 0), after: shape.map(() => 1), value: g.pick([0, 0, 0.3]) })
  },
}

const forImages: ReadonlySet<string> = new Set(['conv', 'clampedConv', 'curvedConv', 'maxPool', 'avgPool', 'resize'])
export const layerNames: readonly string[] = Object.keys(layers)

interface LayerChoice {
  readonly name: string
  readonly seed: number
}

/**
 * A network of these layers. Inputs are stored integers; the results of all layers are outputs, as stored integers. Scales have no simple
 * ratios, so that results seldom lie halfway between two integers.
 */
export function quantizedGraph(choices: readonly LayerChoice[], seed: number): Graph {
  const builder = createBuilder()
  const random = mulberry(seed)
  const inputs: Node[] = []
  const outputs: Node[] = []
  const drawOf = (random: () => number): Draw => {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
    const constant: Draw['constant'] = (type, element) => {
      const bytes = new Uint8Array(byteSize(type))
      const elements = elementsOf(type.dtype, bytes)
      for (let i = 0; i < elements.length; i++) elements.set(i, element(random()))
      return builder.literal(type, bytes, 'weight')
    }
    const decoded: Draw['decoded'] = (input, scale, zeroPoint, axis) =>
      builder.add(
        'dequantize',
        { input },
        { scale: [...scale], zeroPoint: [...zeroPoint], ...(axis === undefined ? {} : { axis }) },
      )
    return {
      add: builder.add,
      random,
      pick,
      chance: (probability) => random() < probability,
      constant,
      decoded,
      weight(shape, axis) {
        const dtype = pick(['i8', 'u8'] as const)
        const count = pick([1, shape[axis]!])
        const scale = Array.from({ length: count }, () => positive(random()))
        const zeroPoint = scale.map(() => (dtype === 'u8' ? 120 + Math.floor(random() * 20) : pick([0, 3])))
        const stored = constant({ dtype, shape }, (value) =>
          dtype === 'u8' ? Math.floor(value * 256) : Math.floor(value * 256) - 128,
        )
        return { value: decoded(stored, scale, zeroPoint, count > 1 ? axis : undefined), scale }
      },
    }
  }
  const zeroPointOf = (dtype: DType, value: number) => (dtype === 'u8' ? Math.floor(value * 200) : Math.floor(value * 200) - 100)
  const g = drawOf(random)
  const input = (shape: number[]): Node => {
    const dtype = g.pick(['u8', 'i8'] as const)
    const quantization = { scale: [Math.fround(positive(random()))], zeroPoint: [zeroPointOf(dtype, random())] }
    const node = builder.input(`x${inputs.length}`, { dtype, shape, quantization })
    inputs.push(node)
    return g.decoded(node, quantization.scale, quantization.zeroPoint)
  }
  const pool: Node[] = [input([1, 2, 4, 5]), input([2, 4, 6])]
  for (const { name, seed: own } of choices) {
    const drawn = drawOf(mulberry(own))
    const suitable = forImages.has(name) ? pool.filter(spatial) : pool
    const source = drawn.chance(0.7) ? suitable.at(-1)! : drawn.pick(suitable)
    const twins = pool.filter((node) => node !== source && String(node.type.shape) === String(source.type.shape))
    const twin = twins.length > 0 ? drawn.pick(twins) : input([...source.type.shape])
    const made = layers[name]!(drawn, source, twin)
    if (!made || elementCount(made.type.shape) > 400) continue
    const dtype: StorageDType = drawn.pick(['u8', 'u8', 'i8'])
    const keeps = drawn.chance(0.4) && source.op === 'dequantize' && source.operands[0]!.type.dtype === dtype
    const parameters = keeps
      ? (source.attributes as AttributesIn<'dequantize'>)
      : {
          scale: [positive(drawn.random())],
          zeroPoint: [dtype === 'u8' && drawn.chance(0.3) ? 0 : zeroPointOf(dtype, drawn.random())],
        }
    const stored = builder.add('quantize', { input: made }, { dtype, ...parameters })
    outputs.push(stored)
    pool.push(builder.add('dequantize', { input: stored }, parameters))
  }
  if (outputs.length === 0) outputs.push(pool[0]!)
  const graph = builder.finish(
    'quantized',
    inputs,
    [...new Set(outputs)].map((value, i) => ({ name: `y${i}`, value })),
  )
  return Object.defineProperty(graph, fc.toStringMethod, { value: () => `\n${printGraph(graph)}` })
}

export const arbitraryQuantizedGraph = (maximumLayers: number, names: readonly string[] = layerNames): fc.Arbitrary<Graph> =>
  fc
    .record({
      choices: fc.array(fc.record({ name: fc.constantFrom(...names), seed: fc.noBias(fc.nat(1 << 20)) }), {
        minLength: 1,
        maxLength: maximumLayers,
      }),
      seed: fc.noBias(fc.nat(1 << 20)),
    })
    .map(({ choices, seed }) => quantizedGraph(choices, seed))

/** Integers of the whole range for every input. */
export function integerInputs(graph: Graph, seed: number): Record<string, Uint8Array> {
  const random = mulberry(seed)
  return Object.fromEntries(
    graph.inputs.map(({ type, attributes }) => [
      attributes.name as string,
      Uint8Array.from({ length: byteSize(type) }, () => Math.floor(random() * 256)),
    ]),
  )
}

/** One network with many layers of every kind: what a test compiles once. */
export function manyLayers(seed: number, count: number): Graph {
  const random = mulberry(seed)
  const choices = Array.from({ length: count }, (_, i) => ({
    name: layerNames[i % layerNames.length]!,
    seed: Math.floor(random() * 2 ** 20),
  }))
  return quantizedGraph(choices, seed)
}

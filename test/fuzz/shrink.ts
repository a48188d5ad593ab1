// Makes a failing graph small: delta debugging over outputs, nodes, shapes, attributes, element types and constants.
import {
  type AttributeValue,
  byteSize,
  createBuilder,
  type DType,
  elementCount,
  elementsOf,
  type Graph,
  hasTrait,
  inputName,
  isFloat,
  ModelProblem,
  type Node,
  type Shape,
  type TensorType,
} from '../../compiler/graph/index.ts'

export interface ShrinkOptions {
  /** For each graph, whether it fails as the first one did. */
  readonly fails: (graphs: readonly Graph[]) => Promise<readonly boolean[]>
  /** Graphs that are tried at once. */
  readonly width: number
  /** Graphs that are tried in all. */
  readonly maximumTries: number
  /** Seconds after which what was found so far is the answer. */
  readonly seconds: number
}

export interface Shrunk {
  readonly graph: Graph
  readonly tries: number
}

/** The smallest failing graph that was found on the way. Every step makes `sizeOf` less, so that it ends. */
export async function shrink(graph: Graph, { fails, width, maximumTries, seconds }: ShrinkOptions): Promise<Shrunk> {
  let current = graph
  let tries = 0
  const seen = new Set<string>()
  const started = performance.now()
  const isOver = () => tries >= maximumTries || performance.now() - started > seconds * 1000
  const next = async (candidates: Iterable<Graph>): Promise<Graph | undefined> => {
    let batch: Graph[] = []
    const attempt = async (): Promise<Graph | undefined> => {
      tries += batch.length
      const results = await fails(batch)
      const found = batch.find((_, i) => results[i])
      batch = []
      return found
    }
    const size = sizeOf(current)
    for (const candidate of candidates) {
      if (isOver()) break
      const key = keyOf(candidate)
      if (sizeOf(candidate) >= size || seen.has(key)) continue
      seen.add(key)
      batch.push(candidate)
      if (batch.length < width) continue
      const found = await attempt()
      if (found) return found
    }
    return batch.length > 0 ? attempt() : undefined
  }
  for (let changed = true; changed && !isOver(); ) {
    changed = false
    for (const strategy of strategies) {
      for (let found = await next(strategy(current)); found; found = await next(strategy(current))) {
        current = found
        changed = true
      }
    }
  }
  return { graph: current, tries }
}

/** What a graph is compared by. Ops weigh most, then elements, then how far numbers are from plain ones. */
export function sizeOf({ nodes, outputs }: Graph): number {
  const one = (node: Node): number => {
    const { type, data } = node
    const elements = 4 * Math.log2(1 + elementCount(type.shape)) + type.shape.length
    const odd = (type.dtype === 'f32' ? 0 : 3) + (type.quantization ? 8 : 0)
    if (data) return 40 + elements + odd + oddness(type, data.read())
    if (hasTrait(node, 'storage')) return 60 + elements + odd
    return 1000 + elements + odd + Object.values(node.attributes).reduce<number>((sum, value) => sum + oddnessOf(value), 0)
  }
  return nodes.reduce((sum, node) => sum + one(node), 100 * outputs.length)
}

const oddnessOf = (value: AttributeValue | undefined): number => {
  if (Array.isArray(value)) return value.reduce<number>((sum, entry) => sum + oddnessOf(entry), 0.5)
  if (typeof value === 'number')
    return value === 0 ? 0 : value === 1 ? 0.5 : Number.isInteger(value) ? 1 + Math.log2(1 + Math.abs(value)) : 6
  return value === false || value === undefined ? 0 : 1
}

function oddness(type: TensorType, bytes: Uint8Array): number {
  const elements = elementsOf(type.dtype, bytes)
  const distinct = new Set(Array.from({ length: Math.min(64, elements.length) }, (_, i) => elements.get(i)))
  return [...distinct].reduce((sum, value) => sum + 0.1 * oddnessOf(value), distinct.size - 1)
}

const keyOf = ({ nodes, outputs, inputs }: Graph): string => {
  const places = new Map(nodes.map((node, i) => [node, i]))
  const constants = nodes.map((node) => (node.data ? Buffer.from(node.data.read()).toString('base64') : ''))
  return JSON.stringify([
    nodes.map(({ op, operands, attributes, type }, i) => [
      op,
      operands.map((o) => places.get(o)),
      attributes,
      type,
      constants[i],
    ]),
    outputs.map(({ value }) => places.get(value)),
    inputs.length,
  ])
}

type Strategy = (graph: Graph) => Iterable<Graph>

/** What may be other than in the node that is copied. */
interface Changes {
  readonly operands?: readonly Node[]
  readonly attributes?: Node['attributes']
  readonly type?: TensorType
  /** Of a constant. */
  readonly bytes?: Uint8Array
}

interface Tools {
  /** The node's operands in the new graph. */
  readonly operands: readonly Node[]
  copy(changes?: Changes): Node
  /** A new input. */
  fresh(type: TensorType): Node
}

const same = (_: Node, { copy }: Tools): Node => copy()

/** A graph built anew; undefined where the ops do not take what they would get. Inputs that nothing needs are left out. */
function edited(
  graph: Graph,
  replace: (node: Node, tools: Tools) => Node,
  outputs: readonly Node[] = graph.outputs.map(({ value }) => value),
): Graph | undefined {
  const builder = createBuilder()
  const made = new Map<Node, Node>()
  const inputs: Node[] = []
  const names = new Set(graph.inputs.map(inputName))
  const input = (name: string, type: TensorType): Node => {
    const node = builder.input(name, type)
    names.add(name)
    inputs.push(node)
    return node
  }
  const fresh = (type: TensorType): Node => {
    let i = 0
    while (names.has(`x${i}`)) i++
    return input(`x${i}`, type)
  }
  const copyOf =
    (node: Node, given: readonly Node[]) =>
    (changes: Changes = {}): Node => {
      const { operands = given, attributes = node.attributes, type = node.type } = changes
      if (node.data) return builder.literal(type, changes.bytes ?? resized(node.type, type, node.data.read()), 'random')
      return node.op === 'input' ? input(inputName(node), type) : builder.addFlat(node.op, operands, attributes)
    }
  try {
    for (const node of reached(outputs, graph)) {
      const operands = node.operands.map((operand) => made.get(operand)!)
      made.set(node, replace(node, { operands, copy: copyOf(node, operands), fresh }))
    }
  } catch (error) {
    if (error instanceof ModelProblem) return undefined
    throw error
  }
  const values = [...new Set(outputs.map((value) => made.get(value)!))].map((value, i) => ({ name: `y${i}`, value }))
  const needed = new Set(builder.finish('fuzz', [], values).nodes)
  const kept = [...new Set(inputs)].filter((node) => needed.has(node))
  return builder.finish('fuzz', kept, values)
}

function reached(outputs: readonly Node[], { nodes }: Graph): readonly Node[] {
  const needed = new Set<Node>(outputs)
  for (const node of [...nodes].reverse()) if (needed.has(node)) for (const operand of node.operands) needed.add(operand)
  return nodes.filter((node) => needed.has(node))
}

/** The first elements along each axis, in another type; new places get the elements again from the start. */
function resized(from: TensorType, to: TensorType, bytes: Uint8Array): Uint8Array {
  if (from.dtype === to.dtype && from.shape.join() === to.shape.join()) return bytes
  const result = new Uint8Array(byteSize(to))
  const [given, made] = [elementsOf(from.dtype, bytes), elementsOf(to.dtype, result)]
  const same = from.shape.length === to.shape.length
  for (let i = 0; i < made.length; i++) {
    if (given.length === 0) continue
    let [at, rest, weight] = [0, i, 1]
    if (same)
      for (let axis = to.shape.length - 1; axis >= 0; axis--) {
        at += (weight * (rest % to.shape[axis]!)) % (weight * from.shape[axis]!)
        rest = Math.floor(rest / to.shape[axis]!)
        weight *= from.shape[axis]!
      }
    else at = i
    made.set(i, given.get(at % given.length))
  }
  return result
}

const isComputed = (node: Node): boolean => !hasTrait(node, 'storage')
const present = (graph: Graph | undefined): Graph[] => (graph ? [graph] : [])
/** The graph with one node replaced. */
const withNode = (graph: Graph, changed: Node, replace: (tools: Tools) => Node): Graph[] =>
  present(edited(graph, (node, tools) => (node === changed ? replace(tools) : tools.copy())))

/** Fewer outputs. */
const fewerOutputs: Strategy = function* (graph) {
  const values = graph.outputs.map(({ value }) => value)
  if (values.length < 2) return
  for (const value of values) yield* present(edited(graph, same, [value]))
  for (const value of values) {
    const others = values.filter((other) => other !== value)
    yield* present(edited(graph, same, others))
  }
}

/** The part of the graph that makes one value, the smallest parts first. */
const prefixes: Strategy = function* (graph) {
  const sized = graph.nodes.filter(isComputed).map((node) => ({ node, count: reached([node], graph).filter(isComputed).length }))
  for (const { node } of sized.sort((a, b) => a.count - b.count)) yield* present(edited(graph, same, [node]))
}

/** What comes before a value becomes an input, the largest parts first; then before two values at once. */
const cuts: Strategy = function* (graph) {
  const computed = graph.nodes.filter(isComputed)
  const sized = computed.map((node) => ({ node, count: reached([node], graph).length })).sort((a, b) => b.count - a.count)
  for (const { node } of sized) yield* withNode(graph, node, ({ fresh }) => fresh(node.type))
  const outputs = new Set(graph.outputs.map(({ value }) => value))
  const early = computed.filter((node) => !outputs.has(node)).slice(0, 12)
  for (const [i, one] of early.entries())
    for (const two of early.slice(i + 1))
      yield* present(edited(graph, (node, { copy, fresh }) => (node === one || node === two ? fresh(node.type) : copy())))
}

/** A node's operand in place of the node. */
const bypasses: Strategy = function* (graph) {
  for (const node of [...graph.nodes].reverse().filter(isComputed))
    for (const place of node.operands.keys()) yield* withNode(graph, node, ({ operands }) => operands[place]!)
}

/** A value in place of another of the same type. */
const merges: Strategy = function* (graph) {
  const typeOf = ({ type }: Node) => JSON.stringify([type.dtype, type.shape, type.quantization])
  for (const [later, away] of graph.nodes.entries())
    for (const kept of graph.nodes.slice(0, later)) {
      if (typeOf(kept) !== typeOf(away)) continue
      const made = new Map<Node, Node>()
      const candidate = edited(graph, (node, { copy }) => {
        const result = (node === away && made.get(kept)) || copy()
        made.set(node, result)
        return result
      })
      yield* present(candidate)
    }
}

/** Operands of joins, and optional ones, left out. */
const fewerOperands: Strategy = function* (graph) {
  for (const node of graph.nodes.filter(({ operands }) => operands.length > 1))
    for (const place of node.operands.keys())
      yield* withNode(graph, node, ({ operands, copy }) => copy({ operands: operands.filter((_, i) => i !== place) }))
}

const smaller = (extent: number): number[] =>
  [...new Set([1, 2, Math.floor(extent / 2), extent - 1])].filter((n) => n > 0 && n < extent)

/** Extents made smaller: everywhere at once, then in one place; numbers in attributes follow, or stay. */
const shapes: Strategy = function* (graph) {
  const leaves = graph.nodes.filter((node) => hasTrait(node, 'storage'))
  const change = (value: AttributeValue, from: number, to: number): AttributeValue =>
    Array.isArray(value) ? value.map((entry) => change(entry, from, to)) : value === from ? to : value
  function* withShapes(shapeOf: (leaf: Node) => Shape, from: number, to: number): Iterable<Graph> {
    for (const follow of [true, false])
      yield* present(
        edited(graph, (node, { copy }) => {
          if (hasTrait(node, 'storage')) return copy({ type: { ...node.type, shape: shapeOf(node) } })
          if (!follow) return copy()
          const entries = Object.entries(node.attributes).map(([key, value]) => [key, change(value, from, to)])
          return copy({ attributes: Object.fromEntries(entries) })
        }),
      )
  }
  const extents = [...new Set(leaves.flatMap(({ type }) => type.shape))].sort((a, b) => b - a)
  for (const from of extents)
    for (const to of smaller(from))
      yield* withShapes(({ type }) => type.shape.map((extent) => (extent === from ? to : extent)), from, to)
  for (const leaf of leaves)
    for (const [axis, from] of leaf.type.shape.entries())
      for (const to of smaller(from))
        yield* withShapes(
          (node) => (node === leaf ? node.type.shape.map((own, i) => (i === axis ? to : own)) : node.type.shape),
          from,
          to,
        )
}

/** Dimensions of size 1 left out of all leaves at once, or of one. */
const ranks: Strategy = function* (graph) {
  const leaves = graph.nodes.filter((node) => hasTrait(node, 'storage') && !node.type.quantization)
  for (const axis of [0, 1, 2, 3]) {
    const without = ({ dtype, shape }: TensorType): TensorType => ({
      dtype,
      shape: shape[axis] === 1 ? shape.filter((_, i) => i !== axis) : shape,
    })
    for (const chosen of [leaves, ...leaves.map((leaf) => [leaf])])
      yield* present(edited(graph, (node, { copy }) => copy(chosen.includes(node) ? { type: without(node.type) } : {})))
  }
}

/** Attributes left out, or nearer to nothing. */
const attributes: Strategy = function* (graph) {
  for (const node of graph.nodes.filter(isComputed))
    for (const [key, value] of Object.entries(node.attributes)) {
      const { [key]: _, ...rest } = node.attributes
      for (const other of [rest, ...plainer(value).map((entry) => ({ ...node.attributes, [key]: entry }))])
        yield* withNode(graph, node, ({ copy }) => copy({ attributes: other }))
    }
}

function plainer(value: AttributeValue): AttributeValue[] {
  if (typeof value === 'number')
    return [0, 1, Math.round(value), Math.trunc(value / 2), value - 1].filter(
      (other) => Number.isFinite(other) && other !== value,
    )
  if (typeof value === 'boolean') return value ? [false] : []
  if (typeof value === 'string') return []
  const all = value.map(() => 0)
  const ones = value.map(() => 1)
  const single = value.flatMap((entry, i) => plainer(entry).map((other) => value.map((own, j) => (i === j ? other : own))))
  return [all, ones, ...single]
}

/** One element type for another throughout, and plain tensors for quantised inputs. */
const dtypes: Strategy = function* (graph) {
  const used = [...new Set(graph.nodes.map(({ type }) => type.dtype))].filter((dtype) => dtype !== 'f32')
  const swapped = (from: DType, to: DType) =>
    edited(graph, (node, { copy }) => {
      if (hasTrait(node, 'storage')) return copy(node.type.dtype === from ? { type: { dtype: to, shape: node.type.shape } } : {})
      return copy(node.attributes.dtype === from ? { attributes: { ...node.attributes, dtype: to } } : {})
    })
  for (const from of used)
    for (const to of isFloat(from) ? (['f32'] as const) : (['f32', 'i32'] as const)) yield* present(swapped(from, to))
  for (const input of graph.inputs.filter(({ type }) => type.quantization))
    yield* withNode(graph, input, ({ copy }) => copy({ type: { dtype: input.type.dtype, shape: input.type.shape } }))
}

/** Elements of constants nearer to one plain number. */
const constants: Strategy = function* (graph) {
  for (const constant of graph.nodes.filter((node) => node.data)) {
    const { dtype, shape } = constant.type
    const elements = elementsOf(dtype, constant.data!.read())
    const first = elements.length > 0 ? elements.get(0) : 0
    const forms: ((value: number, i: number) => number)[] = [
      () => 0,
      () => 1,
      () => Math.round(first),
      () => first,
      (value) => Math.round(value),
      (value) => Math.sign(value),
      (value) => Number(value.toPrecision(2)),
      ...Array.from(
        { length: Math.min(16, elements.length) },
        (_, place) => (value: number, i: number) => (i === place ? 0 : value),
      ),
      ...Array.from(
        { length: Math.min(16, elements.length) },
        (_, place) => (value: number, i: number) => (i === place ? 1 : value),
      ),
    ]
    for (const form of forms) {
      const bytes = new Uint8Array(byteSize({ dtype, shape }))
      const made = elementsOf(dtype, bytes)
      for (let i = 0; i < made.length; i++) made.set(i, form(elements.get(i), i))
      yield* withNode(graph, constant, ({ copy }) => copy({ bytes }))
    }
  }
}

const strategies: readonly Strategy[] = [
  fewerOutputs,
  prefixes,
  cuts,
  bypasses,
  fewerOperands,
  merges,
  shapes,
  ranks,
  attributes,
  dtypes,
  constants,
]

import { addWork, costOf, noWork, workOf } from '../cost/index.ts'
import {
  type Builder,
  byteSize,
  copyNode,
  countUses,
  elementCount,
  type Graph,
  hasTrait,
  locatedBuilder,
  type Node,
  printAttributes,
  rebuildGraph,
} from '../graph/index.ts'
import { asOp, isConstant, reshapeTo } from './match.ts'
import type { Pass } from './pass.ts'
import { typicalRates } from './typicalRates.ts'

/** A linear layer or convolution whose weight and bias are constants. */
interface Layer {
  readonly node: Node
  readonly input: Node
  readonly weight: Node
  readonly bias: Node | undefined
}

/** Layers that can become one, in the order of the graph. */
interface Group {
  readonly kind: 'input' | 'weight'
  readonly layers: readonly Layer[]
}

function layerOf(node: Node): Layer | undefined {
  const conv = asOp(node, 'conv')
  const found = conv?.attributes.groups === 1 ? conv : asOp(node, 'linear')
  if (!found) return undefined
  const { input, weight, bias } = found.operands
  const fits = isConstant(weight) && !isConstant(input) && (!bias || isConstant(bias)) && elementCount(node.type.shape) > 0
  return fits ? { node, input, weight, bias } : undefined
}

/** Lists of more than one value under each key. */
function grouped<T>(list: readonly T[], keyOf: (value: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const value of list) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}

/** Nodes on the longest way from an input. Neither of two nodes of one depth needs the other. */
function depthsOf(nodes: readonly Node[]): Map<Node, number> {
  const depths = new Map<Node, number>()
  for (const node of nodes)
    depths.set(
      node,
      node.operands.reduce((most, operand) => Math.max(most, depths.get(operand)! + 1), 0),
    )
  return depths
}

/** Where results of layers that share an input lie side by side in the merged one. */
const axisOf = ({ op, type }: Node): number => (op === 'conv' ? 1 : type.shape.length - 1)

/** Does a kernel compute elementwise work behind this value that nobody else needs? */
type IsFollowed = (node: Node) => boolean

/** Gains below this part of the whole are not worth weights in another order: another entry of the model may keep them as they are. */
const worthwhile = 0.2

/**
 * What merging gains and what it costs: input (OP-09) or weight (OP-08) are read once and kernels called less often. But elementwise work
 * behind a layer is no longer part of its kernel, parts that do not lie dense in the merged result are copied out of it, and inputs that
 * are no slices of one value into it.
 */
function pays({ kind, layers }: Group, isFollowed: IsFollowed, isOutput: (node: Node) => boolean): boolean {
  const works = layers.map(({ node }) => workOf(node))
  const total = works.reduce(addWork, noWork)
  const { input, weight } = layers[0]!
  const again = byteSize((kind === 'input' ? input : weight).type) * (layers.length - 1)
  const apart = works.reduce((sum, work) => sum + costOf(work, typicalRates), 0)
  const copied = ({ type }: Node) =>
    costOf({ operations: 0, bytesRead: byteSize(type), bytesWritten: byteSize(type) }, typicalRates)
  const aside = layers.reduce((sum, { node, input }) => {
    const isDense = kind === 'weight' || elementCount(node.type.shape.slice(0, axisOf(node))) === 1
    const result = isDense && !isFollowed(node) && !isOutput(node) ? 0 : copied(node)
    return sum + result + (kind === 'input' || input.op === 'slice' || input.op === 'reshape' ? 0 : copied(input))
  }, 0)
  const merged = costOf({ ...total, bytesRead: total.bytesRead - again }, typicalRates)
  return merged + aside < (1 - worthwhile) * apart
}

/** Constants one after another along dimension 0; zeros where a layer has no bias. */
function joinedBias(builder: Builder, layers: readonly Layer[]): Node | undefined {
  if (!layers.some(({ bias }) => bias)) return undefined
  const inputs = layers.map(({ bias, weight, node }) => {
    const type = { dtype: node.type.dtype, shape: [weight.type.shape[0]!] }
    return bias ? copyNode(bias, builder, []) : builder.literal(type, new Uint8Array(byteSize(type)), 'zeros')
  })
  return builder.add('concat', { inputs }, { axis: 0 })
}

/** The results of all layers of a group, in their order, from one. */
function merge(builder: Builder, { kind, layers }: Group, inputs: readonly Node[]): Node[] {
  const [first] = layers as [Layer]
  const take = (value: Node, axis: number, start: number, size: number): Node => {
    const { shape } = value.type
    const at = (each: number, others: (extent: number) => number) =>
      shape.map((extent, i) => (i === axis ? each : others(extent)))
    return builder.add(
      'slice',
      { input: value },
      { start: at(start, () => 0), size: at(size, (extent) => extent), step: shape.map(() => 1) },
    )
  }
  const sizes = layers.map(({ weight, input }) =>
    kind === 'input' ? weight.type.shape[0]! : elementCount(input.type.shape.slice(0, -1)),
  )
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0))
  if (kind === 'input') {
    const weights = layers.map(({ weight }) => copyNode(weight, builder, []))
    const weight = builder.add('concat', { inputs: weights }, { axis: 0 })
    const operands = [inputs[0]!, weight, joinedBias(builder, layers)].filter((operand) => operand !== undefined)
    const merged = builder.addFlat(first.node.op, operands, first.node.attributes)
    return layers.map(({ node }, i) => take(merged, axisOf(node), starts[i]!, sizes[i]!))
  }
  const rows = inputs.map((input, i) => reshapeTo(builder, input, [sizes[i]!, input.type.shape.at(-1)!]))
  const input = builder.add('concat', { inputs: rows }, { axis: 0 })
  const [weight, bias] = [first.weight, first.bias].map((constant) => constant && copyNode(constant, builder, []))
  const merged = builder.add('linear', { input, weight: weight!, bias })
  return layers.map(({ node }, i) => reshapeTo(builder, take(merged, 0, starts[i]!, sizes[i]!), node.type.shape))
}

function groupsOf(graph: Graph): Group[] {
  const found = graph.nodes.flatMap((node) => layerOf(node) ?? [])
  if (found.length < 2) return []
  const uses = countUses(graph)
  const outputs = new Set(graph.outputs.map(({ value }) => value))
  const beforeElementwise = new Set(graph.nodes.flatMap((node) => (hasTrait(node, 'elementwise') ? node.operands : [])))
  const isFollowed = (node: Node) => uses.get(node) === 1 && beforeElementwise.has(node)
  const filter = (groups: readonly Group[]) => groups.filter((group) => pays(group, isFollowed, (node) => outputs.has(node)))

  const kernelOf = ({ node, weight }: Layer) =>
    `${node.op} ${printAttributes(node.attributes)} ${weight.type.shape.slice(1).join(' ')}`
  // Weights that somebody else reads too would be stored twice.
  const own = found.filter(({ weight }) => uses.get(weight) === 1)
  const byInput = filter(
    grouped(own, (layer) => `${layer.input.id} ${kernelOf(layer)}`).map((layers) => ({ kind: 'input', layers })),
  )
  const depths = depthsOf(graph.nodes)
  const linears = found.filter(({ node, weight }) => node.op === 'linear' && uses.get(weight)! > 1)
  const byWeight = filter(
    grouped(linears, ({ node, weight, bias }) => `${weight.id} ${bias?.id} ${depths.get(node)}`).map((layers) => ({
      kind: 'weight',
      layers,
    })),
  )
  return [...byInput, ...byWeight]
}

/**
 * OP-08, OP-09. Layers with constant weights over one value become one with the weights of all, and layers with one weight become one over
 * the values of all, where the cost model says that it pays: the projections of attention for one token, heads over one feature map, the
 * steps of a recurrence. Numeric: sums may be formed in another order.
 *
 *     %3 = linear(%0, %1)    // %1 : f32[64, 32] constant
 *     %4 = linear(%0, %2)    // %2 : f32[16, 32] constant
 *   →
 *     %3 = concat(%1, %2) {axis: 0}
 *     %4 = linear(%0, %3)
 *     %5 = slice(%4) {start: [0, 0], size: [1, 64], step: [1, 1]}
 *     %6 = slice(%4) {start: [0, 64], size: [1, 16], step: [1, 1]}
 */
export const mergeProducts: Pass = {
  name: 'merge-products',
  summary: 'Merge layers that share an input or a weight, where that pays',
  level: 'composite',
  follows: [
    { pass: 'raise-linear', because: 'products with constants are looked for as linear layers' },
    { pass: 'fold-affine', because: 'factors and terms of one layer belong into its weights before these are merged' },
  ],
  run(graph, context) {
    const groups = groupsOf(graph).filter(({ kind, layers }) =>
      context.apply({
        rule: kind === 'input' ? 'layers-of-one-input' : 'layers-of-one-weight',
        note:
          kind === 'input'
            ? 'linear(x, v), linear(x, w) → slices of linear(x, concat(v, w))'
            : 'linear(x, w), linear(y, w) → slices of linear(concat(x, y), w)',
        locations: layers.flatMap(({ node }) => graph.locations.get(node) ?? []),
      }),
    )
    if (groups.length === 0) return graph
    const groupOf = new Map(groups.flatMap((group) => group.layers.map(({ node }) => [node, group] as const)))
    const results = new Map<Node, Node>()
    const replacements = new Map<Node, Node>()
    // All inputs of a group lie less deep than its layers.
    const depths = depthsOf(graph.nodes)
    const nodes = [...graph.nodes].sort((a, b) => depths.get(a)! - depths.get(b)! || a.id - b.id)
    return rebuildGraph({ ...graph, nodes }, (node, operands, builder) => {
      const group = groupOf.get(node)
      if (group && !results.has(node)) {
        const locations = group.layers.flatMap((layer) => graph.locations.get(layer.node) ?? [])
        const inputs = group.layers.map(({ input }) => replacements.get(input)!)
        const parts = merge(locatedBuilder(builder, locations), group, inputs)
        for (const [i, { node }] of group.layers.entries()) results.set(node, parts[i]!)
      }
      const result = results.get(node) ?? copyNode(node, builder, operands)
      replacements.set(node, result)
      return result
    })
  },
}

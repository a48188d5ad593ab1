// One engine runs all local rewrites: it walks the graph once, operands before users, and rewrites each node until no rule fits.
import {
  type Builder,
  castStorage,
  copyNode,
  type Graph,
  hasTrait,
  InvariantError,
  type Location,
  locatedBuilder,
  type Node,
  type OpName,
  printType,
  rebuildGraph,
  sameType,
  type Trait,
} from '../graph/index.ts'
import type { PassContext } from './pass.ts'

export interface MatchContext {
  readonly assumeFinite: boolean
  readonly evaluate: PassContext['evaluate']
  /** Whether anything besides the node being matched uses this value, so that rewriting would compute it twice. */
  readonly isShared: (node: Node) => boolean
}

interface RuleSpec<M extends object> {
  readonly name: string
  /** The rewrite in a line, such as `x + 0 → x`. */
  readonly note: string
  /** Ops, or a trait, of the nodes it looks at. */
  readonly root: OpName | readonly OpName[] | { readonly trait: Trait }
  /** What `apply` needs, or nothing. Nodes between root and operands that vanish too are listed as `through: Node[]`. */
  readonly match: (node: Node, context: MatchContext) => M | undefined | false
  /** Builds the replacement, of the same type and with the same value. */
  readonly apply: (match: M, builder: Builder, node: Node) => Node
}

export type Rule = RuleSpec<any>

export const rule = <M extends object>(spec: RuleSpec<M>): Rule => spec

/** Rewrites of one node before the engine takes the rules for circular. */
const maximumRewrites = 64

/** Rewrites with all rules; returns the same graph when none fits. Every replacement has the locations of all that it replaces. */
export function applyRules(graph: Graph, context: PassContext, rules: readonly Rule[]): Graph {
  const rulesFor = indexRules(rules)
  const uses = countUses(graph)
  const match = (node: Node): { readonly rule: Rule; readonly found: { readonly through?: readonly Node[] } } | undefined => {
    const shared: MatchContext = { ...context, isShared: (operand) => (uses.get(operand) ?? 0) > 1 }
    for (const candidate of rulesFor(node)) {
      const found = candidate.match(node, shared)
      if (found) return { rule: candidate, found }
    }
    return undefined
  }
  if (!graph.nodes.some(match)) return graph

  // Nodes of the new graph count the uses of what they stand for.
  const inherit = (node: Node, original: Node) => uses.set(node, (uses.get(node) ?? 0) + (uses.get(original) ?? 0))
  let applied = 0
  const result = rebuildGraph(graph, (original, operands, builder) => {
    let node = copyNode(original, builder, operands)
    inherit(node, original)
    const own: Location[] = [...(graph.locations.get(original) ?? [])]
    for (let rewrites = 0; ; rewrites++) {
      const chosen = match(node)
      if (!chosen) return node
      const { rule, found } = chosen
      if (rewrites === maximumRewrites) throw new InvariantError(`rules rewrite ${node.op} in circles; the last was ${rule.name}`)
      for (const inner of found.through ?? []) own.push(...builder.locationsOf(inner))
      if (!context.apply({ rule: rule.name, note: rule.note, locations: own })) return node
      const located = locatedBuilder(builder, own)
      // Rules compare and compute stored elements; what these stand for is part of a type that must not change.
      const replacement = castStorage(located, rule.apply(found, located, node), node.type.quantization)
      if (!sameType(replacement.type, node.type)) {
        throw new InvariantError(`rule ${rule.name} replaced ${printType(node.type)} by ${printType(replacement.type)}`)
      }
      if (replacement === node) throw new InvariantError(`rule ${rule.name} matched ${node.op} but changed nothing`)
      builder.attribute(replacement, own)
      applied++
      inherit(replacement, node)
      node = replacement
    }
  })
  return applied > 0 ? result : graph
}

function indexRules(rules: readonly Rule[]): (node: Node) => readonly Rule[] {
  const byOp = new Map<string, readonly Rule[]>()
  const fits = ({ root }: Rule, node: Node): boolean => {
    if (typeof root === 'string') return root === node.op
    return 'trait' in root ? hasTrait(node, root.trait) : root.includes(node.op as OpName)
  }
  return (node) => {
    const known = byOp.get(node.op) ?? rules.filter((candidate) => fits(candidate, node))
    byOp.set(node.op, known)
    return known
  }
}

/** How many nodes use each value; being an output counts as a use. */
function countUses(graph: Graph): Map<Node, number> {
  const uses = new Map<Node, number>()
  const use = (node: Node) => uses.set(node, (uses.get(node) ?? 0) + 1)
  for (const node of graph.nodes) new Set(node.operands).forEach(use)
  for (const { value } of graph.outputs) use(value)
  return uses
}

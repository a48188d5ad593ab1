// One engine runs all local rewrites: it walks the graph once, operands before users, and rewrites each node until no rule fits.
import {
  type Builder,
  castStorage,
  copyNode,
  countUses,
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
import type { Pass, PassContext } from './pass.ts'

export interface MatchContext {
  readonly assumeFinite: boolean
  readonly evaluate: PassContext['evaluate']
  /** Whether anything besides the node being matched uses this value, so that rewriting would compute it twice. */
  readonly isShared: (node: Node) => boolean
  /** How many nodes use this value, at most; being an output counts as a use. */
  readonly uses: (node: Node) => number
}

/** An op, or all ops with a trait. */
type Root = OpName | { readonly trait: Trait }

interface RuleSpec<M extends object> {
  readonly name: string
  /** The rewrite in a line, such as `x + 0 → x`. */
  readonly note: string
  /** The nodes it looks at. */
  readonly root: Root | readonly Root[]
  /** What `apply` needs, or nothing. Nodes between root and operands that vanish too are listed as `through: Node[]`. */
  readonly match: (node: Node, context: MatchContext) => M | undefined | false
  /** Builds the replacement, of the same type and with the same value. */
  readonly apply: (match: M, builder: Builder, node: Node) => Node
}

export type Rule = RuleSpec<any>

export const rule = <M extends object>(spec: RuleSpec<M>): Rule => spec

/** A pass that applies local rewrites; it tells their names to whoever lists passes. */
export const rulePass = (pass: Omit<Pass, 'run' | 'rules'> & { readonly rules: readonly Rule[] }): Pass => ({
  ...pass,
  run: (graph, context) => applyRules(graph, context, pass.rules),
})

/** Rewrites of one node before the engine takes the rules for circular. */
const maximumRewrites = 64

/** Rewrites with all rules; returns the same graph when none fits. Every replacement has the locations of all that it replaces. */
function applyRules(graph: Graph, context: PassContext, rules: readonly Rule[]): Graph {
  const rulesFor = indexRules(rules)
  let uses = usesIn(graph)
  const usesOf = (operand: Node) => uses.get(operand) ?? 0
  const shared: MatchContext = { ...context, uses: usesOf, isShared: (operand) => usesOf(operand) > 1 }
  const match = (node: Node): { readonly rule: Rule; readonly found: { readonly through?: readonly Node[] } } | undefined => {
    for (const candidate of rulesFor(node)) {
      const found = candidate.match(node, shared)
      if (found) return { rule: candidate, found }
    }
    return undefined
  }
  if (!graph.nodes.some(match)) return graph

  // Nodes of the new graph count the uses of what they stand for.
  const inherited = new Map(uses)
  uses = inherited
  const inherit = (node: Node, original: Node) => inherited.set(node, (uses.get(node) ?? 0) + (uses.get(original) ?? 0))
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
      if (!context.apply({ rule: rule.name, note: rule.note, locations: own, node: original.id })) return node
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
  const fits = ({ root }: Rule, node: Node): boolean =>
    [root].flat().some((each) => (typeof each === 'string' ? each === node.op : hasTrait(node, each.trait)))
  return (node) => {
    const known = byOp.get(node.op) ?? rules.filter((candidate) => fits(candidate, node))
    byOp.set(node.op, known)
    return known
  }
}

/** Most passes leave a graph as it is, and the next one asks the same. */
const counted = new WeakMap<Graph, ReadonlyMap<Node, number>>()

function usesIn(graph: Graph): ReadonlyMap<Node, number> {
  const uses = counted.get(graph) ?? countUses(graph)
  counted.set(graph, uses)
  return uses
}

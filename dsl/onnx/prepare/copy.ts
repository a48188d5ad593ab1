import type { OnnxAttribute, OnnxGraph, OnnxNode } from '../model.ts'
import type { Fresh } from './names.ts'

/** What a name of the copied text becomes; names of outer scopes are asked of `outer`. */
export interface Scope {
  readonly names: Map<string, string>
  readonly outer?: Scope
}

export interface Copier {
  readonly fresh: Fresh
  /** Put before names of nodes and values. */
  readonly prefix: string
  /** What an attribute that refers to one of the function becomes; `undefined` leaves it out. */
  readonly reference: (name: string) => OnnxAttribute | undefined
  /** What a name that no scope knows becomes. */
  readonly free: (name: string) => string
  /** The node with what follows from where it came from. */
  readonly finish: (node: OnnxNode) => OnnxNode
}

function lookUp(scope: Scope, name: string, free: (name: string) => string): string {
  if (name === '') return ''
  for (let each: Scope | undefined = scope; each; each = each.outer) {
    const found = each.names.get(name)
    if (found !== undefined) return found
  }
  return free(name)
}

/** Gives each value that the nodes make a fresh name in the scope, unless the scope has one for it. */
export function declare(nodes: readonly OnnxNode[], scope: Scope, copier: Copier): void {
  for (const node of nodes)
    for (const name of node.outputs)
      if (name !== '' && !scope.names.has(name)) scope.names.set(name, copier.fresh(copier.prefix + name))
}

/** Nodes under the names of a scope in which what they make has been declared. */
export const copyNodes = (nodes: readonly OnnxNode[], scope: Scope, copier: Copier): OnnxNode[] =>
  nodes.map((node) => copyNode(node, scope, copier))

function copyNode(node: OnnxNode, scope: Scope, copier: Copier): OnnxNode {
  const attributes = new Map<string, OnnxAttribute>()
  for (const [name, attribute] of node.attributes) {
    const value = attribute.kind === 'reference' ? copier.reference(attribute.value) : attribute
    if (value?.kind === 'graph' && value === attribute)
      attributes.set(name, { kind: 'graph', value: copyGraph(value.value, scope, copier) })
    else if (value) attributes.set(name, value)
  }
  const rename = (name: string) => lookUp(scope, name, copier.free)
  return copier.finish({
    ...node,
    name: (copier.prefix + (node.name || node.op)).slice(-200),
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes,
  })
}

function copyGraph(graph: OnnxGraph, outer: Scope, copier: Copier): OnnxGraph {
  const scope: Scope = { names: new Map(), outer }
  const own = [...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]
  for (const name of own) if (!scope.names.has(name)) scope.names.set(name, copier.fresh(copier.prefix + name))
  declare(graph.nodes, scope, copier)
  const rename = (name: string) => lookUp(scope, name, copier.free)
  return {
    name: graph.name,
    nodes: copyNodes(graph.nodes, scope, copier),
    inputs: graph.inputs.map((value) => ({ ...value, name: rename(value.name) })),
    outputs: graph.outputs.map((value) => ({ ...value, name: rename(value.name) })),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [rename(name), tensor])),
  }
}

/** Copies a value under another name. */
export const identity = (from: string, to: string): OnnxNode => ({
  op: 'Identity',
  domain: '',
  name: '',
  inputs: [from],
  outputs: [to],
  attributes: new Map(),
})

/**
 * Lets the outputs of a text of nodes bear the names that its user gives them. A value that the nodes make takes the name; one that comes
 * from elsewhere, or that was given a name before, is copied: the copies are returned.
 * @param inner names within the text
 * @param outer names that the user gives, '' or absent where it does not want the value
 */
export function nameOutputs(
  inner: readonly string[],
  outer: readonly (string | undefined)[],
  made: ReadonlySet<string>,
  scope: Scope,
  free: (name: string) => string,
): OnnxNode[] {
  const copies: OnnxNode[] = []
  for (const [i, name] of inner.entries()) {
    const wanted = outer[i]
    if (!wanted) continue
    if (made.has(name) && !scope.names.has(name)) scope.names.set(name, wanted)
    else copies.push(identity(lookUp(scope, name, free), wanted))
  }
  return copies
}

import type { OnnxGraph, OnnxModel, OnnxNode } from '../model.ts'
import { plain, quote } from '../quote.ts'

/** Makes a name that no value of the model has, close to the given one. */
export type Fresh = (base: string) => string

const longest = 200

/** Fresh names for a model whose names are in `taken`; the set grows with each. */
export function createFresh(taken: Set<string>): Fresh {
  const counts = new Map<string, number>()
  return (wanted) => {
    const base = wanted.length > longest ? wanted.slice(-longest) : wanted
    let name = base
    for (let count = counts.get(base) ?? 0; name === '' || taken.has(name); ) {
      count += 1
      counts.set(base, count)
      name = `${base}_${count}`
    }
    taken.add(name)
    return name
  }
}

/** Names of all values of a model's graph and of the graphs within it. */
export function valueNames(model: OnnxModel): Set<string> {
  const names = new Set<string>()
  const visit = (graph: OnnxGraph): void => {
    for (const { name } of [...graph.inputs, ...graph.outputs]) names.add(name)
    for (const name of graph.initializers.keys()) names.add(name)
    for (const node of graph.nodes) {
      for (const name of node.inputs) names.add(name)
      for (const name of node.outputs) names.add(name)
      for (const inner of graphsOf(node)) visit(inner)
    }
  }
  visit(model.graph)
  return names
}

/** The graphs among a node's attributes: branches and bodies. */
export function graphsOf(node: OnnxNode): OnnxGraph[] {
  const graphs: OnnxGraph[] = []
  for (const attribute of node.attributes.values()) if (attribute.kind === 'graph') graphs.push(attribute.value)
  return graphs
}

/** A node as messages name it. Untrusted text, quoted. */
export const describeNode = ({ op, domain, name, outputs }: OnnxNode): string => {
  const own = name || outputs.find((each) => each !== '') || ''
  return `${plain(domain === '' ? op : `${domain}.${op}`)}${own === '' ? '' : ` ${quote(own)}`}`
}

import { createHash } from 'node:crypto'
import { graphsWithin } from './builder.ts'
import type { ConstantData, Graph } from './node.ts'
import { printGraph } from './print.ts'

export interface HashOptions {
  /** Takes the bytes of constants into account, which reads all of them. Default: their types and labels alone. */
  readonly payloads?: boolean
}

/**
 * IR-27. A digest of a graph: equal for equal graphs, another as soon as an op, an attribute, a type, a name or the order of inputs and
 * outputs differs. Locations do not count. 64 hex digits.
 */
export function hashGraph(graph: Graph, { payloads = false }: HashOptions = {}): string {
  const hash = createHash('sha256').update(printGraph(graph))
  if (payloads) {
    const read = new Set<ConstantData>()
    const nodes = [...graphsWithin(graph)].flatMap((each) => each.nodes)
    for (const { data } of nodes) {
      if (!data || read.has(data)) continue
      read.add(data)
      hash.update(createHash('sha256').update(data.read()).digest())
    }
  }
  return hash.digest('hex')
}

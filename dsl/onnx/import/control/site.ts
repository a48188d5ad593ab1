import type { OnnxGraph, OnnxNode } from '../../model.ts'
import type { Vocabulary } from '../../record/recorder.ts'
import type { Known, Value } from '../context.ts'
import { type Entry, knownEntry, type Scope } from '../environment.ts'
import { bytesOf } from '../opContext.ts'
import { Stop } from '../problem.ts'

/** What an operator with bodies sees of the import. */
export interface ControlSite {
  readonly node: OnnxNode
  readonly opset: number
  readonly entries: readonly (Entry | undefined)[]
  readonly scope: Scope
  readonly d: Vocabulary
  tensorOf(entry: Entry): Value
  knownOf(entry: Entry): Known | undefined
  /** How long a dimension of a value may be, as the caller or the file says. Default: of the first one. */
  limit(name: string, axis?: number): number | undefined
  /** Tells whoever imports. */
  note(what: string): void
  /** The outputs of a body whose inputs are these, beside the nodes around it. */
  beside(body: OnnxGraph, inputs: readonly Entry[]): readonly (Entry | undefined)[]
  /** The same inside of a function of the model that is being traced: of what is around it, it sees `scope` alone. */
  inside(body: OnnxGraph, inputs: readonly Entry[], scope: Scope): readonly Value[]
}

export type Results = readonly (Entry | undefined)[]

/** Nodes that turns may come to, written one after the other; beyond, the body is one of the model's. */
export const writtenNodes = 512
export const writtenTurns = 64

export const stop = (what: string, remedy?: string): never => {
  throw new Stop(what, remedy)
}

export const refuseBounded = (what: string): never =>
  stop(`${what} a value whose size data decides`, 'cut the graph before it and do it behind the model, in TypeScript')

export const scalar = (dtype: 'i64' | 'bool', value: number): Entry =>
  knownEntry('turn', { type: { dtype, shape: [] }, bytes: bytesOf(dtype, [], [value]) })
export const tensor = (value: Value): Entry => ({ kind: 'tensor', tensor: value })
export const numberIn = ({ type, bytes }: Known): number =>
  type.dtype === 'bool' ? (bytes[0] ?? 0) : Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true))
export const present = (entry: Entry | undefined, what: string): Entry => entry ?? stop(`${what} is missing`)

export const asScalar = (d: Vocabulary, value: Value, dtype: 'i64' | 'bool'): Value => {
  const single = value.shape.length === 0 ? value : (d.reshape(value, []) as Value)
  return single.dtype === dtype ? single : (d.cast(single, dtype) as Value)
}

export function graphAttribute({ attributes }: OnnxNode, name: string): OnnxGraph {
  const found = attributes.get(name)
  return found?.kind === 'graph' ? found.value : stop(`attribute ${name} is missing`)
}

export const bodiesOf = (node: OnnxNode): OnnxGraph[] =>
  [...node.attributes.values()].flatMap((attribute) => (attribute.kind === 'graph' ? [attribute.value] : []))

export const countNodes = (graph: OnnxGraph): number =>
  graph.nodes.reduce((sum, node) => sum + 1 + bodiesOf(node).reduce((inner, body) => inner + countNodes(body), 0), 0)

import { inputName } from '../../compiler/graph/index.ts'
import type { PartitionedGraph } from '../../compiler/partition/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'

/** Runs the parts of a graph one after the other by the interpreter, values handed on by name, as `hand` changes them. */
export function runParts(
  { parts, outputs }: PartitionedGraph,
  inputs: Readonly<Record<string, Uint8Array>>,
  hand = (bytes: Uint8Array, _part: number, _input: number): Uint8Array => bytes,
): Record<string, Uint8Array> {
  const values = new Map<string, Uint8Array>()
  const get = (from: PartitionedGraph['outputs'][number]['from']) =>
    from.kind === 'input' ? inputs[from.name]! : values.get(`${from.part} ${from.output}`)!
  for (const [part, { name, graph, sources }] of parts.entries()) {
    const given = graph.inputs.map((input, i) => [inputName(input), hand(get(sources[i]!), part, i)] as const)
    const results = runGraph(graph, Object.fromEntries(given))
    for (const [output, bytes] of Object.entries(results)) values.set(`${name} ${output}`, bytes)
  }
  return Object.fromEntries(outputs.map(({ name, from }) => [name, get(from)]))
}

/** What a run gives, or the message of what it throws. */
export function attempt(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return (error as Error).message
  }
}

import { inputName } from '../../compiler/graph/index.ts'
import type { PartitionedGraph } from '../../compiler/partition/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'

/** Runs the parts of a graph one after the other by the interpreter, values handed on by name. */
export function runParts(
  { parts, outputs }: PartitionedGraph,
  inputs: Readonly<Record<string, Uint8Array>>,
): Record<string, Uint8Array> {
  const values = new Map<string, Uint8Array>()
  const get = (from: PartitionedGraph['outputs'][number]['from']) =>
    from.kind === 'input' ? inputs[from.name]! : values.get(`${from.part} ${from.output}`)!
  for (const { name, graph, sources } of parts) {
    const results = runGraph(graph, Object.fromEntries(graph.inputs.map((input, i) => [inputName(input), get(sources[i]!)])))
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

// Passes that are wrong on purpose: what finds them finds others.
import { rebuildGraph } from '../../compiler/graph/index.ts'
import type { Pass } from '../../compiler/passes/index.ts'

/** Replaces nodes of one op; `undefined` leaves one as it is. */
const wrong = (
  name: string,
  summary: string,
  op: string,
  replace: (
    ...given: Parameters<Parameters<typeof rebuildGraph>[1]>
  ) => ReturnType<Parameters<typeof rebuildGraph>[1]> | undefined,
): Pass => ({
  name,
  summary,
  level: 'any',
  run(graph, { apply }) {
    let changed = false
    const result = rebuildGraph(graph, (node, operands, builder) => {
      const made = node.op === op ? replace(node, operands, builder) : undefined
      if (made && apply({ rule: name, note: summary, locations: graph.locations.get(node) ?? [] })) {
        changed = true
        return made
      }
      if (node.data) return builder.constant(node.type, node.data)
      return node.op === 'input'
        ? builder.input(String(node.attributes.name), node.type)
        : builder.addFlat(node.op, operands, node.attributes)
    })
    return changed ? result : graph
  },
})

/** By the names that `--break` takes. */
export const broken: Readonly<Record<string, Pass>> = {
  /** Right along the last axis. */
  'swap-parts': wrong('swap-parts', 'concat(a, b) → concat(b, a)', 'concat', ({ attributes }, operands, builder) =>
    operands.length === 2 &&
    attributes.axis !== operands[0]!.type.shape.length - 1 &&
    operands[0]!.id < operands[1]!.id &&
    operands[0]!.type.shape.join() === operands[1]!.type.shape.join()
      ? builder.addFlat('concat', [operands[1]!, operands[0]!], attributes)
      : undefined,
  ),
  /** Never ends. */
  hang: wrong('hang', 'waits for ever', 'tanh', () => {
    for (;;);
  }),
  /** Takes the process with it. */
  crash: wrong('crash', 'ends the process', 'sigmoid', () => process.abort()),
}

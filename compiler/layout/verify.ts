import { type Graph, InvariantError, printType } from '../graph/index.ts'

/** IR-20. What layout assignment may not change: inputs and outputs are laid out as the model has them. Throws InvariantError. */
export function verifyLayouts(graph: Graph, before: Graph): void {
  const borderOf = ({ inputs, outputs }: Graph) =>
    [...inputs.map(({ type }) => type), ...outputs.map(({ value }) => value.type)].map(printType).join(', ')
  const [expected, found] = [borderOf(before), borderOf(graph)]
  if (found !== expected) throw new InvariantError(`layout assignment changed inputs and outputs from ${expected} to ${found}`)
}

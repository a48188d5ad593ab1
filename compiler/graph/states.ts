import { type Graph, inputName, type ModelGraph, type ModelState, type Node } from './node.ts'
import { assertInvariant } from './problem.ts'
import { byteSize, printType, sameType } from './type.ts'

/** How a graph has a state: the input that is its value before a run and the value that it is to become, as far as there are these. */
export interface StateEnds {
  readonly before: Node | undefined
  readonly after: Node | undefined
}

export const stateEnds = (graph: Graph, { input, output }: ModelState): StateEnds => ({
  before: graph.inputs.find((node) => inputName(node) === input),
  after: graph.outputs.find(({ name }) => name === output)?.value,
})

/** Inputs and outputs of a graph as callers see them: without the states. */
export function callersEnds(graph: Graph, states: readonly ModelState[] = []): Pick<Graph, 'inputs' | 'outputs'> {
  return {
    inputs: graph.inputs.filter((node) => !states.some(({ input }) => input === inputName(node))),
    outputs: graph.outputs.filter(({ name }) => !states.some(({ output }) => output === name)),
  }
}

/**
 * Throws InvariantError unless names of states are unique, no two of them share an input or an output, every entry has inputs and outputs of
 * these names in the state's type, and first values have its size.
 */
export function verifyStates({ name, entries, states = [] }: ModelGraph): void {
  const say = (message: string) => `model "${name}": ${message}`
  for (const key of ['name', 'input', 'output'] as const) {
    const names = states.map((state) => state[key])
    assertInvariant(new Set(names).size === names.length, say(`two states have one ${key}: ${names.join(', ')}`))
  }
  for (const state of states) {
    for (const { name: entry, graph } of entries) {
      const { before, after } = stateEnds(graph, state)
      for (const node of [before, after])
        assertInvariant(
          !node || sameType(node.type, state.type),
          say(`state '${state.name}' is ${printType(state.type)}, in entry '${entry}' ${node && printType(node.type)}`),
        )
    }
    const { initial } = state
    assertInvariant(
      !initial || initial.read().byteLength === byteSize(state.type),
      say(`the first value of state '${state.name}' has another size than ${printType(state.type)}`),
    )
  }
}

// States that one part alone has become states of that part; what the parts compute with them is what the entries compute.
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createBuilder,
  type Graph,
  hasTrait,
  inputName,
  type Node,
  verifyGraph,
  verifyStates,
} from '../../compiler/graph/index.ts'
import { cutGraph, type PartitionedGraph } from '../../compiler/partition/cut.ts'
import { joinCrossings } from '../../compiler/partition/joinCrossings.ts'
import { type KeptStates, keepStates } from '../../compiler/partition/keepStates.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { mulberry, randomInputs } from '../support/randomGraph.ts'
import { attempt, runParts } from '../support/runParts.ts'
import { statefulModel } from '../support/stateful.ts'

/** Parts `p0` … in an order in which they can run. */
function randomParts(graph: Graph, count: number, seed: number): (node: Node) => string | undefined {
  const random = mulberry(seed)
  const numbers = new Map<Node, number>()
  for (const node of graph.nodes) {
    if (hasTrait(node, 'storage')) continue
    const least = Math.max(0, ...node.operands.map((operand) => numbers.get(operand) ?? 0))
    numbers.set(node, least + (random() < 0.8 ? 0 : Math.floor(random() * (count - least))))
  }
  return (node) => (numbers.has(node) ? `p${numbers.get(node)}` : undefined)
}

type Model = ReturnType<typeof statefulModel>

/** An entry with the states of its parts among its inputs and outputs again, as the model has them. */
function asWhole(
  entry: PartitionedGraph,
  { graph }: Model['entries'][number],
  states: Model['states'],
  kept: KeptStates,
): PartitionedGraph {
  const own = new Map([...kept.states.values()].flat().map((state) => [state.name, state]))
  const outputs = graph.outputs.map(({ name }) => {
    const state = states.find(({ output }) => output === name)
    const home = state && kept.homes.get(state.name)
    if (!state || home === undefined) return entry.outputs.find((output) => output.name === name)!
    const after = own.get(state.name)!.output
    const part = entry.parts.find((each) => each.name === home)
    return part?.graph.outputs.some((output) => output.name === after)
      ? ({ name, from: { kind: 'value', part: home, output: after } } as const)
      : ({ name, from: { kind: 'input', name: state.input } } as const)
  })
  return { ...entry, inputs: graph.inputs, outputs }
}

test('parts with states of their own compute what entries compute, and no entry has these states any more', () => {
  let homes = 0
  fc.assert(
    fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 3 }), fc.boolean(), (seed, count, join) => {
      const model = statefulModel(seed, 2)
      const cut = model.entries.map(({ graph }, i) => {
        const parts = cutGraph(graph, randomParts(graph, count, seed + i), 'p0')
        return join ? joinCrossings(parts) : parts
      })
      const kept = keepStates(cut, model.states, 'p0')
      homes += kept.homes.size
      for (const [i, entry] of kept.entries.entries()) {
        for (const part of entry.parts) verifyGraph(part.graph)
        for (const { name, input, output } of model.states) {
          if (!kept.homes.has(name)) continue
          assert.not.ok(entry.inputs.some((node) => inputName(node) === input))
          assert.not.ok(entry.outputs.some((each) => each.name === output))
        }
        const { graph } = model.entries[i]!
        const inputs = randomInputs(graph, seed)
        assert.equal(
          attempt(() => runParts(asWhole(entry, model.entries[i]!, model.states, kept), inputs)),
          attempt(() => runGraph(graph, inputs)),
        )
      }
      for (const [part, states] of kept.states) {
        const entries = kept.entries.flatMap(({ parts }, i) => {
          const own = parts.find(({ name }) => name === part)
          return own ? [{ name: `e${i}`, graph: own.graph }] : []
        })
        verifyStates({ name: part, entries, states })
      }
    }),
    draw(91, 60),
  )
  assert.ok(homes > 60)
})

test('a state that several parts have is none of theirs; one that is passed on as it came goes with what passes it on', () => {
  const b = createBuilder()
  const type = { dtype: 'f32', shape: [2] } as const
  const [x, shared, own, last] = ['x', 'shared', 'own', 'last'].map((name) => b.input(name, type)) as [Node, Node, Node, Node]
  const first = b.add('add', { left: x, right: shared })
  const second = b.add('mul', { left: b.add('add', { left: first, right: own }), right: shared })
  const graph = b.finish(
    'm',
    [x, shared, own, last],
    [
      { name: 'y', value: second },
      { name: 'before', value: last },
      { name: 'shared_next', value: second },
      { name: 'own_next', value: second },
      { name: 'last_next', value: x },
    ],
  )
  const states = ['shared', 'own', 'last'].map((name) => ({ name, input: name, output: `${name}_next`, type }))
  const cut = cutGraph(graph, (node) => (node === first ? 'a' : hasTrait(node, 'storage') ? undefined : 'b'), 'a')
  const { homes, entries } = keepStates([cut], states, 'a')
  assert.equal(
    [...homes],
    [
      ['own', 'b'],
      ['last', 'a'],
    ],
  )
  assert.equal(entries[0]!.inputs.map(inputName), ['x', 'shared'])
  assert.equal(
    entries[0]!.outputs.map(({ name }) => name),
    ['y', 'before', 'shared_next'],
  )
})

test.run()

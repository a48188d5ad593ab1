import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  copyNode,
  createBuilder,
  type Graph,
  hashGraph,
  hasTrait,
  inputName,
  type Node,
  verifyGraph,
} from '../../compiler/graph/index.ts'
import { CutError, cutGraph, mergeParts } from '../../compiler/partition/cut.ts'
import { joinCrossings } from '../../compiler/partition/joinCrossings.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, mulberry, randomInputs } from '../support/randomGraph.ts'
import { attempt, runParts } from '../support/runParts.ts'

/** Parts `p0` … in which every node comes after, or is in, the parts of its operands; some that read none of them are in no part. */
function randomParts(graph: Graph, count: number, seed: number): (node: Node) => string | undefined {
  const random = mulberry(seed)
  const numbers = new Map<Node, number>()
  for (const node of graph.nodes) {
    const before = node.operands.flatMap((operand) => numbers.get(operand) ?? [])
    const least = Math.max(0, ...before)
    if (hasTrait(node, 'storage') || (before.length === 0 && random() < 0.3)) continue
    numbers.set(node, least + (random() < 0.6 ? 0 : Math.floor(random() * (count - least))))
  }
  return (node) => (numbers.has(node) ? `p${numbers.get(node)}` : undefined)
}

/** The same graph with its nodes in the order in which inputs and outputs reach them. */
function ordered({ name, inputs, outputs }: Graph): Graph {
  const builder = createBuilder()
  const made = new Map<Node, Node>()
  const visit = (node: Node): Node => {
    const known = made.get(node) ?? copyNode(node, builder, node.operands.map(visit))
    made.set(node, known)
    return known
  }
  return builder.finish(
    name,
    inputs.map(visit),
    outputs.map((output) => ({ ...output, value: visit(output.value) })),
  )
}

test('merge(cut(G)) = G, parts are graphs, and running them gives the same (PA-09, PA-17)', () => {
  fc.assert(
    fc.property(arbitraryGraph({ maximumNodes: 16 }), fc.integer({ min: 1, max: 5 }), fc.nat(1e6), (graph, count, seed) => {
      const cut = cutGraph(graph, randomParts(graph, count, seed), 'p0')
      const joined = joinCrossings(cut)
      for (const part of [...cut.parts, ...joined.parts]) verifyGraph(part.graph)
      assert.is(hashGraph(ordered(mergeParts(cut)), { payloads: true }), hashGraph(ordered(graph), { payloads: true }))
      const inputs = randomInputs(graph, seed)
      const expected = attempt(() => runGraph(graph, inputs))
      for (const parted of [cut, joined])
        assert.equal(
          attempt(() => runParts(parted, inputs)),
          expected,
        )
    }),
    draw(4711, 120),
  )
})

function diamond() {
  const b = createBuilder()
  const x = b.input('a_0', { dtype: 'f32', shape: [4] })
  const half = b.scalar('f32', 0.5)
  const first = b.add('add', { left: x, right: half })
  const left = b.add('mul', { left: first, right: half })
  const right = b.add('exp', { input: first })
  const last = b.add('sub', { left, right })
  return {
    graph: b.finish(
      'diamond',
      [x],
      [
        { name: 'y', value: last },
        { name: 'x', value: x },
      ],
    ),
    first,
    left,
    right,
    last,
  }
}

test('values for the same parts cross as one (PA-15)', () => {
  const { graph, left, right } = diamond()
  const cut = cutGraph(graph, (node) => (node === left || node === right || node.id < left.id ? 'a' : 'b'), 'a')
  const joined = joinCrossings(cut)
  assert.equal(
    joined.parts.map(({ graph: { inputs, outputs } }) => [inputs.map(inputName), outputs.map(({ name }) => name)]),
    [
      [['a_0'], ['a_joined0']],
      [['a_joined0'], ['b_0']],
    ],
  )
  const inputs = randomInputs(graph, 1)
  assert.equal(runParts(joined, inputs), runGraph(graph, inputs))
})

test('values cross under names that no input has; constants belong to each part that reads them', () => {
  const { graph, left } = diamond()
  const { parts, outputs } = cutGraph(graph, (node) => (node === left ? 'b' : node.id < left.id ? 'a' : 'c'), 'a')
  assert.equal(
    parts.map(({ name, graph: { inputs, outputs: made } }) => [name, inputs.map(inputName), made.map((output) => output.name)]),
    [
      ['a', ['a_0'], ['a_0_']],
      ['b', ['a_0_'], ['b_0']],
      ['c', ['a_0_', 'b_0'], ['c_0']],
    ],
  )
  assert.equal(parts[2]!.sources, [
    { kind: 'value', part: 'a', output: 'a_0_' },
    { kind: 'value', part: 'b', output: 'b_0' },
  ])
  assert.equal(outputs, [
    { name: 'y', from: { kind: 'value', part: 'c', output: 'c_0' } },
    { name: 'x', from: { kind: 'input', name: 'a_0' } },
  ])
})

test('parts that would wait for each other are refused by name', () => {
  const { graph, first, last } = diamond()
  assert.throws(
    () => cutGraph(graph, (node) => (node === first || node === last ? 'outer' : 'inner'), 'outer'),
    (error: unknown) => error instanceof CutError && error.message === 'parts wait for each other: outer, inner',
  )
})

test.run()

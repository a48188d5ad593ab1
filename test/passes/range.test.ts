import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { elementsOf, inputName, type Node } from '../../compiler/graph/index.ts'
import { rangeOf } from '../../compiler/passes/range.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, type ComputedName, graphWithOp, randomInputs } from '../support/randomGraph.ts'

/** Evaluates a graph node by node and holds every value against what is claimed without computing. */
function holds(graph: ReturnType<typeof graphWithOp> & object, seed: number): number {
  const inputs = randomInputs(graph, seed)
  const values = new Map<Node, Uint8Array>()
  let bounded = 0
  for (const node of graph.nodes) {
    const operands = node.operands.map((operand) => values.get(operand)!)
    const bytes = node.data ? node.data.read() : node.op === 'input' ? inputs[inputName(node)]! : evaluate(node, operands)
    values.set(node, bytes)
    const { low, high } = rangeOf(node)
    if (low > Number.NEGATIVE_INFINITY || high < Number.POSITIVE_INFINITY) bounded++
    const elements = elementsOf(node.type.dtype, bytes)
    for (let i = 0; i < elements.length; i++) {
      const value = elements.get(i)
      assert.ok(Number.isNaN(value) || (value >= low && value <= high), `${node.op} gave ${value}, claimed ${low} … ${high}`)
    }
  }
  return bounded
}

test('every value of a random graph lies in the range claimed for it', () => {
  let bounded = 0
  const property = fc.property(arbitraryGraph({ maximumNodes: 16 }), fc.nat(1000), (graph, seed) => {
    bounded += holds(graph, seed)
  })
  fc.assert(property, draw(50, 150))
  assert.ok(bounded > 100)
})

const claimed: readonly ComputedName[] = [
  'sigmoid',
  'hardSigmoid',
  'softmax',
  'tanh',
  'erf',
  'sin',
  'cos',
  'sign',
  'softsign',
  'exp',
  'sqrt',
  'softplus',
  'reduceL2',
  'variance',
  'relu',
  'clamp',
]
for (const op of claimed) {
  test(`the range of ${op}`, () => {
    for (let seed = 0; seed < 20; seed++) {
      const graph = graphWithOp(op, seed, { dtypes: ['f32', 'f16'] })
      if (graph) holds(graph, seed)
    }
  })
}

test.run()

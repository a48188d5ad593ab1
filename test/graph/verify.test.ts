import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createBuilder,
  type Graph,
  InvariantError,
  type Node,
  type Quantization,
  type TensorType,
  verifyGraph,
} from '../../compiler/graph/index.ts'

function sample(): Graph {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 3] })
  const y = b.add('add', { left: x, right: b.scalar('f32', 1) })
  return b.finish('g', [x], [{ name: 'y', value: b.add('softmax', { input: y }) }])
}

/** The graph with one node exchanged, users included, without any check. */
function exchange(graph: Graph, index: number, change: (node: Node) => object): Graph {
  const swapped = new Map<Node, Node>()
  const swap = (node: Node): Node => {
    const known = swapped.get(node)
    if (known) return known
    const copy = { ...node, operands: node.operands.map(swap) }
    const result = (node === graph.nodes[index] ? { ...copy, ...change(copy) } : copy) as Node
    swapped.set(node, result)
    return result
  }
  const nodes = graph.nodes.map(swap)
  return {
    ...graph,
    nodes,
    inputs: graph.inputs.map(swap),
    outputs: graph.outputs.map(({ name, value }) => ({ name, value: swap(value) })),
    locations: new Map(nodes.map((node) => [node, []])),
  }
}

const refused = (name: string, message: RegExp, damage: (graph: Graph) => Graph) =>
  test(`IR-08 refuses ${name}`, () => {
    assert.throws(
      () => verifyGraph(damage(sample())),
      (e: Error) => e instanceof InvariantError && message.test(e.message),
    )
  })

test('accepts a graph from the builder', () => verifyGraph(sample()))
test('accepts an unchanged copy, so that what the others refuse is the change', () =>
  verifyGraph(exchange(sample(), 0, () => ({}))))

refused('a wrong result type', /%2 = add: has type f32\[2, 4\], inference gives f32\[2, 3\]/, (g) =>
  exchange(g, 2, () => ({ type: { dtype: 'f32', shape: [2, 4] } })),
)
refused('a wrong dtype', /has type f16/, (g) => exchange(g, 3, () => ({ type: { dtype: 'f16', shape: [2, 3] } })))
refused('an unknown op', /unknown op/, (g) => exchange(g, 2, () => ({ op: 'plus' })))
refused('operands that do not fit', /does not fit its operands: add: takes 2 operands, got 1/, (g) =>
  exchange(g, 2, (n) => ({ operands: [(n as Node).operands[0]!] })),
)
refused('an operand that stands later', /operand softmax #3 does not stand before it/, (g) => {
  const changed = exchange(g, 2, () => ({}))
  ;(changed.nodes[2]!.operands as Node[])[0] = changed.nodes[3]!
  return changed
})
refused('an operand of another graph', /does not stand before it/, (g) =>
  exchange(g, 2, (n) => ({ operands: [sample().nodes[0]!, (n as Node).operands[1]!] })),
)
refused('missing attributes', /attributes \{\} should be \{axis: -1\}/, (g) => exchange(g, 3, () => ({ attributes: {} })))
refused('attributes out of range', /are not allowed/, (g) => exchange(g, 3, () => ({ attributes: { axis: 0.5 } })))
refused('foreign attributes', /are not allowed/, (g) => exchange(g, 2, () => ({ attributes: { axis: 1 } })))
refused('a payload of the wrong size', /has 3 bytes, f32\[\] needs 4/, (g) =>
  exchange(g, 1, () => ({ data: { label: 'w', read: () => new Uint8Array(3) } })),
)
refused('a constant without payload', /has no payload/, (g) => exchange(g, 1, () => ({ data: undefined })))
refused('ids out of order', /id 2 does not follow 9/, (g) => exchange(g, 1, () => ({ id: 9 })))
refused('two outputs of one name', /two outputs have one name: y, y/, (g) => ({ ...g, outputs: [...g.outputs, g.outputs[0]!] }))
refused('no output', /has no output/, (g) => ({ ...g, outputs: [] }))
refused('an undeclared input', /input 'x' is not declared/, (g) => ({ ...g, inputs: [] }))
refused('a node that no output needs', /softmax #3 is listed but no output needs it/, (g) => ({
  ...g,
  outputs: [{ name: 'y', value: g.nodes[2]! }],
}))
refused('an output that is not listed', /softmax #3 is used but not listed/, (g) => ({ ...g, nodes: g.nodes.slice(0, 3) }))
refused('IR-09 a rank above the limit', /rank 9 is above 8/, (g) =>
  exchange(g, 0, () => ({ type: { dtype: 'f32', shape: [1, 1, 1, 1, 1, 1, 1, 2, 3] } })),
)
const quantized = (name: string, message: RegExp, type: Partial<TensorType> & { readonly quantization: Quantization }) =>
  refused(name, message, (g) => exchange(g, 0, () => ({ type: { dtype: 'u8', shape: [2, 3], ...type } })))
quantized('too many scales', /quantization needs one scale/, { quantization: { scale: [1, 2], zeroPoint: [0] } })
quantized('scales that are not as many as the axis has', /quantization needs one scale/, {
  quantization: { scale: [1, 2], zeroPoint: [0, 0], axis: 1 },
})
quantized('scales along no axis', /axis 2 of the quantization is no dimension of \[2, 3\]/, {
  quantization: { scale: [1], zeroPoint: [0], axis: 2 },
})
quantized('floats that stand for numbers', /f32 holds no integers/, {
  dtype: 'f32',
  quantization: { scale: [1], zeroPoint: [0] },
})
quantized('a scale that f32 does not hold', /positive scales of f32/, { quantization: { scale: [0.1], zeroPoint: [0] } })
quantized('a scale of 0', /positive scales of f32/, { quantization: { scale: [0], zeroPoint: [0] } })
quantized('a zero point outside the dtype', /zero points that u8 holds/, { quantization: { scale: [1], zeroPoint: [256] } })

test('two inputs of one name are refused', () => {
  const b = createBuilder()
  const [x, y] = [b.input('x', { dtype: 'f32', shape: [] }), b.input('y', { dtype: 'f32', shape: [] })]
  const graph = b.finish('g', [x, y], [{ name: 'z', value: b.add('add', { left: x, right: y }) }])
  const changed = exchange(graph, 1, () => ({ attributes: { name: 'x' } }))
  assert.throws(() => verifyGraph(changed), /two inputs have one name/)
})

test.run()

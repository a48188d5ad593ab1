// Graphs in one line, for tests of rewrites.
import {
  type AttributesIn,
  createBuilder,
  elementCount,
  elementsOf,
  type Graph,
  inputName,
  type Node,
  type OperandsOf,
  type OpName,
  printAttribute,
  type StorageName,
  scalarBytes,
  type TensorType,
} from '../../compiler/graph/index.ts'

/** `relu(add(x, 2))`: inputs by name, constants by label or by their one element, attributes where `attributes` is set. */
export function expression(node: Node, attributes = false): string {
  if (node.data)
    return elementCount(node.type.shape) === 1 && !node.data.label.startsWith('@')
      ? String(elementsOf(node.type.dtype, node.data.read()).get(0))
      : node.data.label
  if (node.op === 'input') return inputName(node)
  const operands = node.operands.map((operand) => expression(operand, attributes))
  const given = attributes ? Object.entries(node.attributes).map(([key, value]) => `${key}: ${printAttribute(value)}`) : []
  return `${node.op}(${[...operands, ...given].join(', ')})`
}

/** A builder for tests: `g.mul(g.input('x', [2]), g.number(2))`; operands in the order of the definition, attributes last. */
export function createTestGraph() {
  const builder = createBuilder()
  const inputs: Node[] = []
  return {
    builder,
    input: (name: string, shape: number[], dtype: TensorType['dtype'] = 'f32'): Node => {
      const node = builder.input(name, { dtype, shape })
      inputs.push(node)
      return node
    },
    /** A constant with the label `@name` and elements that follow from their index. */
    weight: (
      name: string,
      shape: number[],
      element: (i: number) => number = (i) => Math.sin(1 + i * 1.7),
      dtype: TensorType['dtype'] = 'f32',
    ): Node => {
      const count = elementCount(shape)
      const bytes = new Uint8Array(count * scalarBytes(dtype, 0).byteLength)
      for (let i = 0; i < count; i++) elementsOf(dtype, bytes).set(i, element(i))
      return builder.constant({ dtype, shape }, { label: `@${name}`, read: () => bytes })
    },
    number: (value: number, dtype: TensorType['dtype'] = 'f32'): Node => builder.scalar(dtype, value),
    op: <K extends Exclude<OpName, StorageName>>(op: K, operands: OperandsOf<K>, attributes?: AttributesIn<K>): Node =>
      builder.add(op, operands, attributes),
    graph: (...outputs: Node[]): Graph =>
      builder.finish(
        'test',
        inputs,
        outputs.map((value, i) => ({ name: `y${i}`, value })),
      ),
  }
}

export type TestGraph = ReturnType<typeof createTestGraph>

import { printAttributes } from './builder.ts'
import type { Graph, Node } from './node.ts'
import { inputName } from './node.ts'
import { hasTrait } from './ops/index.ts'
import { printType } from './type.ts'

export interface DotNode {
  /** Identifier in the text, unique. */
  readonly id: string
  /** Lines of the label. */
  readonly lines: readonly string[]
  readonly shape?: 'box' | 'ellipse' | 'note'
}

export interface DotEdge {
  readonly from: string
  readonly to: string
  readonly label?: string
}

/** Text in quotes; a line break of the label is `\n`, all else stands for itself. */
const quoted = (lines: readonly string[]): string =>
  `"${lines.map((line) => line.replace(/[\\"]/g, '\\$&').replace(/[\r\n]/g, ' ')).join('\\n')}"`

/** Nodes and edges in the DOT language of Graphviz. */
export function printDot(name: string, nodes: readonly DotNode[], edges: readonly DotEdge[]): string {
  return [
    `digraph ${quoted([name])} {`,
    '  node [shape=box, fontname="monospace"]',
    ...nodes.map(({ id, lines, shape }) => `  ${quoted([id])} [label=${quoted(lines)}${shape ? `, shape=${shape}` : ''}]`),
    ...edges.map(({ from, to, label }) => `  ${quoted([from])} -> ${quoted([to])}${label ? ` [label=${quoted([label])}]` : ''}`),
    '}',
    '',
  ].join('\n')
}

/** IR-22. A graph in the DOT language: ops with attributes, edges with types, quantization included. */
export function printGraphDot(graph: Graph): string {
  const ids = new Map<Node, string>(graph.nodes.map((node, i) => [node, `%${i}`]))
  const nodes = graph.nodes.map((node): DotNode => {
    const attributes = Object.keys(node.attributes).length > 0 ? [printAttributes(node.attributes)] : []
    const lines = node.data
      ? [`constant ${node.data.label}`]
      : hasTrait(node, 'storage')
        ? [`input ${inputName(node)}`]
        : [node.op, ...attributes]
    return { id: ids.get(node)!, lines: [...lines, printType(node.type)], ...(hasTrait(node, 'storage') && { shape: 'note' }) }
  })
  const outputs = graph.outputs.map(
    ({ name }): DotNode => ({ id: `output ${name}`, lines: [`output ${name}`], shape: 'ellipse' }),
  )
  const edges = graph.nodes.flatMap((node) =>
    node.operands.map((operand): DotEdge => ({ from: ids.get(operand)!, to: ids.get(node)!, label: printType(operand.type) })),
  )
  const results = graph.outputs.map(
    ({ name, value }): DotEdge => ({
      from: ids.get(value)!,
      to: `output ${name}`,
      label: printType(value.type),
    }),
  )
  return printDot(graph.name, [...nodes, ...outputs], [...edges, ...results])
}

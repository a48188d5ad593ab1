import { type DotEdge, type DotNode, inputName, type Node, printDot, printType } from '../graph/index.ts'
import { operandsOfStep, resultsOfStep } from './graph.ts'
import type { KernelGraph, KernelStep } from './kernel.ts'

const titleOf = (step: KernelStep): string => (step.kind === 'call' ? step.name : step.kind)

/** IR-22. Kernels in the DOT language: a box for each call, view and join, edges with the types of the values. */
export function printKernelsDot(graph: KernelGraph): string {
  const makers = new Map<Node, string>()
  const stored = (node: Node, id: string, title: string): DotNode => {
    makers.set(node, id)
    return { id, lines: [title, printType(node.type)], shape: 'note' }
  }
  const storage = [
    ...graph.inputs.map((node) => stored(node, `input ${inputName(node)}`, `input ${inputName(node)}`)),
    ...graph.constants.map((node, i) => stored(node, `constant ${i}`, `constant ${node.data!.label}`)),
  ]
  for (const [i, step] of graph.steps.entries()) for (const node of resultsOfStep(step)) makers.set(node, `step ${i}`)
  const steps = graph.steps.map((step, i): DotNode => ({ id: `step ${i}`, lines: [titleOf(step)] }))
  const outputs = graph.outputs.map(
    ({ name }): DotNode => ({ id: `output ${name}`, lines: [`output ${name}`], shape: 'ellipse' }),
  )
  const edge = (node: Node, to: string): DotEdge => ({ from: makers.get(node)!, to, label: printType(node.type) })
  const edges = [
    ...graph.steps.flatMap((step, i) => operandsOfStep(step).map((node) => edge(node, `step ${i}`))),
    ...graph.outputs.map(({ name, value }) => edge(value, `output ${name}`)),
  ]
  return printDot(graph.name, [...storage, ...steps, ...outputs], edges)
}

import { type Attributes, type Node, printAttributes, printType } from '../graph/index.ts'
import type { Kernel, KernelGraph, KernelStep, Step } from './kernel.ts'

const printNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))
const printOptional = (attributes: Attributes): string =>
  Object.keys(attributes).length > 0 ? ` ${printAttributes(attributes)}` : ''

function printStep(step: Step): string {
  switch (step.kind) {
    case 'load':
      return `load ${step.input} [${step.access.strides.join(', ')}]${step.access.offset === 0 ? '' : ` + ${step.access.offset}`}`
    case 'literal':
      return `literal ${printNumber(step.value)}`
    case 'anchor':
      return 'anchor'
    case 'apply':
      return `${step.op} ${step.arguments.map((argument) => `$${argument}`).join(' ')}${printOptional(step.attributes)}`
  }
}

const printSteps = (title: string, steps: readonly Step[]): string[] => [
  title,
  ...steps.map((step, i) => `  $${i} = ${printStep(step)}: ${step.dtype}`),
]

/** All there is to know about a kernel, on lines; equal kernels print alike. */
export function printKernel(kernel: Kernel): string {
  const { anchor, inputs, domain, prologue, steps, result } = kernel
  return [
    ...inputs.map((input, i) => `input ${i}: ${input.constant ? 'constant ' : ''}${printType(input.type)}`),
    ...(prologue ? printSteps(`before, over [${anchor!.operands[0]!.shape.join(', ')}]`, prologue) : []),
    ...(anchor
      ? [
          `anchor ${anchor.op}${printOptional(anchor.attributes)} (${anchor.operands.map(printType).join(', ')}): ${printType(anchor.type)}`,
        ]
      : []),
    ...printSteps(`over [${domain.join(', ')}]`, steps),
    `result ${printType(result)}`,
  ].join('\n')
}

/** Equal texts for equal kernels and for no others. */
export const kernelSignature = printKernel

/** The steps in order, then each distinct kernel once. Values are numbered in order of appearance. */
export function printKernels(graph: KernelGraph): string {
  const numbers = new Map<Node, number>()
  for (const node of [...graph.inputs, ...graph.constants, ...graph.steps.map((step) => step.result)])
    numbers.set(node, numbers.size)
  const value = (node: Node) => `%${numbers.get(node)}`
  const values = (nodes: readonly Node[]) => nodes.map(value).join(', ')

  function printCall(step: KernelStep): string {
    if (step.kind === 'call') return `${step.name}(${values(step.inputs)})`
    if (step.kind === 'view') return `view ${value(step.of)}${step.offset === 0 ? '' : ` + ${step.offset}`}`
    return `join ${step.axis} (${values(step.parts)})`
  }

  const kernels = new Map(graph.steps.flatMap((step) => (step.kind === 'call' ? [[step.name, step.kernel] as const] : [])))
  return [
    `kernels ${JSON.stringify(graph.name)}`,
    ...graph.inputs.map((node) => `  ${value(node)} = input ${JSON.stringify(node.attributes.name)}: ${printType(node.type)}`),
    ...graph.constants.map((node) => `  ${value(node)} = constant ${JSON.stringify(node.data!.label)}: ${printType(node.type)}`),
    ...graph.steps.map((step) => `  ${value(step.result)} = ${printCall(step)}: ${printType(step.result.type)}`),
    ...graph.outputs.map((output) => `  output ${JSON.stringify(output.name)} = ${value(output.value)}`),
    ...[...kernels].flatMap(([name, kernel]) => [
      '',
      `kernel ${name}`,
      ...printKernel(kernel)
        .split('\n')
        .map((line) => `  ${line}`),
    ]),
    '',
  ].join('\n')
}

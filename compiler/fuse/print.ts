import { createHash } from 'node:crypto'
import { type Attributes, type Node, printAttributes, printType } from '../graph/index.ts'
import { printProgram } from '../memory/print.ts'
import type { Program } from '../memory/program.ts'
import type { Decision } from './decision.ts'
import { resultsOfStep } from './graph.ts'
import type { Kernel, KernelGraph, KernelResult, KernelStep, Step } from './kernel.ts'

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

/** A single result is nearly always the last step; then only its type is printed. */
function printResult({ step, type, rows }: KernelResult, steps: number): string {
  const where = step === steps - 1 ? '' : ` $${step}`
  return `result${where} ${printType(type)}${rows ? `, rows of ${rows.length}, ${rows.stride} apart` : ''}`
}

/** A body, and what its constants hold: programs that differ in nothing else are different. */
function printBody(program: Program): string[] {
  const constants = [...program.buffers.values()].flatMap((buffer) =>
    buffer.kind === 'constant' ? [`  %${buffer.id} sha256 ${createHash('sha256').update(buffer.data.read()).digest('hex')}`] : [],
  )
  return [
    'body',
    ...printProgram(program)
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
    ...constants,
  ]
}

/** All there is to know about a kernel, on lines; equal kernels print alike. */
export function printKernel(kernel: Kernel): string {
  const { anchor, inputs, domain, prologue, steps, results } = kernel
  return [
    ...inputs.map(
      (input, i) =>
        `input ${i}: ${input.constant ? 'constant ' : ''}${printType(input.type)}${input.stored ? ` stored as ${input.stored}` : ''}`,
    ),
    ...(prologue ? printSteps(`before, over [${anchor!.operands[0]!.shape.join(', ')}]`, prologue) : []),
    ...(anchor
      ? [
          `anchor ${anchor.op}${printOptional(anchor.attributes)} (${anchor.operands.map(printType).join(', ')}): ${printType(anchor.type)}`,
          ...(anchor.bodies ?? []).flatMap(({ program }) => printBody(program)),
        ]
      : []),
    ...printSteps(`over [${domain.join(', ')}]`, steps),
    ...results.map((result) => printResult(result, steps.length)),
  ].join('\n')
}

const signatures = new WeakMap<Kernel, string>()

/** Equal texts for equal kernels and for no others; remembered, since every verifier asks. */
export function kernelSignature(kernel: Kernel): string {
  const known = signatures.get(kernel) ?? printKernel(kernel)
  signatures.set(kernel, known)
  return known
}

/** `%7 add f32[4, 8]: stored, 2 kernels read it (120 ns, else 310 ns)`; values without storage have no number. */
function printDecision({ value, place, reason, costs }: Decision, numbers: ReadonlyMap<Node, number>): string {
  const number = numbers.get(value)
  const name = `${number === undefined ? '' : `%${number} `}${value.op} ${printType(value.type)}`
  const compared = costs ? ` (${Math.round(costs.chosen)} ns, else ${Math.round(costs.other)} ns)` : ''
  return `${name}: ${placeNames[place]}, ${reason}${compared}`
}

const placeNames: Readonly<Record<Decision['place'], string>> = {
  stored: 'stored',
  together: 'stored with others',
  inside: 'inside',
  again: 'computed again',
}

/**
 * The steps in order, then each distinct kernel once. Values are numbered in order of appearance. With `reasons`, also where each computed
 * value lies and why, and what the cost model compared.
 */
export function printKernels(graph: KernelGraph, { reasons = false }: { readonly reasons?: boolean } = {}): string {
  const numbers = new Map<Node, number>()
  for (const node of [...graph.inputs, ...graph.constants, ...graph.steps.flatMap(resultsOfStep)]) numbers.set(node, numbers.size)
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
    ...graph.steps.map((step) => {
      const results = resultsOfStep(step)
      return `  ${values(results)} = ${printCall(step)}: ${results.map((result) => printType(result.type)).join(', ')}`
    }),
    ...graph.outputs.map((output) => `  output ${JSON.stringify(output.name)} = ${value(output.value)}`),
    ...(reasons ? ['', 'reasons', ...graph.decisions.map((decision) => `  ${printDecision(decision, numbers)}`)] : []),
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

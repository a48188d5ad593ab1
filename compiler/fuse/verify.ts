import {
  byteSize,
  definitionOf,
  dtypeFacts,
  elementCount,
  hasTrait,
  InvariantError,
  type Node,
  printType,
  type Shape,
  sameShape,
  sameType,
} from '../graph/index.ts'
import { rangeOf } from './access.ts'
import { operandsOfStep, resultsOfStep } from './graph.ts'
import type { Kernel, KernelGraph, KernelStep, Step } from './kernel.ts'
import { kernelSignature } from './print.ts'
import { exactFormat } from './stored.ts'

/** Throws InvariantError unless values are made before they are read, kernels are well formed and every load stays inside its input. */
export function verifyKernels(graph: KernelGraph): void {
  const known = new Set<Node>([...graph.inputs, ...graph.constants])
  const signatures = new Map<string, string>()
  for (const step of graph.steps) {
    for (const operand of operandsOfStep(step)) {
      if (!known.has(operand))
        fail(`${step.kind} of ${printType(resultsOfStep(step)[0]!.type)} reads a ${operand.op} that no earlier step made`)
    }
    for (const result of resultsOfStep(step)) {
      if (known.has(result)) fail(`${result.op} is made twice`)
      known.add(result)
    }
    if (step.kind === 'call') {
      verifyCall(step)
      const signature = kernelSignature(step.kernel)
      if ((signatures.get(step.name) ?? signature) !== signature) fail(`two kernels are called ${step.name}`)
      signatures.set(step.name, signature)
    } else if (step.kind === 'view') verifyView(step)
    else verifyJoin(step)
  }
  for (const output of graph.outputs) if (!known.has(output.value)) fail(`output ${output.name} is not made`)
}

function fail(message: string): never {
  throw new InvariantError(`kernels: ${message}`)
}

function verifyCall(call: Extract<KernelStep, { kind: 'call' }>): void {
  const { kernel, inputs, name, results } = call
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) fail(`${name} is not an identifier`)
  if (inputs.length !== kernel.inputs.length) fail(`${name} takes ${kernel.inputs.length} inputs, got ${inputs.length}`)
  for (const [i, input] of inputs.entries()) {
    const expected = kernel.inputs[i]!
    if (input.type.dtype !== expected.type.dtype || byteSize(input.type) !== byteSize(expected.type)) {
      fail(`${name}: input ${i} is ${printType(expected.type)}, got ${printType(input.type)}`)
    }
    if ((input.data !== undefined) !== expected.constant) fail(`${name}: input ${i} is wrong about being constant`)
    if (expected.stored && expected.stored !== exactFormat(input)) fail(`${name}: input ${i} is not exact in ${expected.stored}`)
  }
  if (results.length !== kernel.results.length) fail(`${name} makes ${kernel.results.length} results, not ${results.length}`)
  for (const [i, result] of results.entries()) {
    const { type } = kernel.results[i]!
    if (result.type.dtype !== type.dtype || elementCount(result.type.shape) !== elementCount(type.shape))
      fail(`${name} makes ${printType(type)}, not ${printType(result.type)}`)
  }
  verifyKernel(kernel, name)
}

function verifyKernel(kernel: Kernel, name: string): void {
  const { anchor, prologue } = kernel
  verifyResults(kernel, name)
  if ((anchor?.bodies?.length ?? 0) !== (anchor ? (definitionOf(anchor.op).bodies ?? 0) : 0)) fail(`${name}: bodies are missing`)
  if (anchor?.bodies && (kernel.steps.length > 1 || kernel.results.length > 1 || kernel.inputs.length > anchor.operands.length))
    fail(`${name}: nothing may follow ${anchor.op}`)
  if (anchor) {
    const { traits } = definitionOf(anchor.op)
    if (traits.includes('elementwise')) fail(`${name}: ${anchor.op} is no anchor`)
    if (!sameShape(anchor.type.shape, kernel.domain))
      fail(`${name}: ${anchor.op} makes ${printType(anchor.type)} over [${kernel.domain.join(', ')}]`)
    if (prologue && !traits.includes('reduction')) fail(`${name}: ${anchor.op} takes no elementwise work before it`)
    const dense = anchor.operands.slice(prologue ? 1 : 0)
    for (const [i, type] of dense.entries()) {
      const input = kernel.inputs[i]
      if (!input || !sameType(input.type, type))
        fail(
          `${name}: operand ${i} of ${anchor.op} is ${printType(type)}, input ${i} is ${input ? printType(input.type) : 'missing'}`,
        )
    }
  }
  if (prologue) {
    if (!anchor) fail(`${name}: a prologue without an anchor`)
    verifySteps(prologue, kernel, anchor.operands[0]!.shape, name)
    if (prologue.some((step) => step.kind === 'anchor')) fail(`${name}: the prologue reads the anchor`)
    if (prologue.at(-1)!.dtype !== anchor.operands[0]!.dtype) fail(`${name}: the prologue makes ${prologue.at(-1)!.dtype}`)
  }
  verifySteps(kernel.steps, kernel, kernel.domain, name)
  if (anchor && !kernel.steps.some((step) => step.kind === 'anchor')) fail(`${name}: nothing reads the anchor`)
}

function verifyResults({ results, steps, domain }: Kernel, name: string): void {
  if (results.length === 0) fail(`${name}: no results`)
  const stored = new Set<number>()
  for (const { step, type, rows } of results) {
    if (!sameShape(type.shape, domain)) fail(`${name}: result ${printType(type)} over [${domain.join(', ')}]`)
    if (steps[step]?.dtype !== type.dtype) fail(`${name}: step ${step} makes ${steps[step]?.dtype}, not ${printType(type)}`)
    if (stored.has(step)) fail(`${name}: step ${step} is stored twice`)
    stored.add(step)
    const whole = elementCount(domain)
    if (rows && (rows.length < 1 || rows.stride < rows.length || whole % rows.length !== 0))
      fail(`${name}: ${printType(type)} in rows of ${rows.length}, ${rows.stride} apart`)
  }
}

function verifySteps(steps: readonly Step[], kernel: Kernel, domain: Shape, name: string): void {
  if (steps.length === 0) fail(`${name}: no steps`)
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'anchor' && step.dtype !== kernel.anchor?.type.dtype)
      fail(`${name}: step ${i} reads an anchor of another dtype`)
    if (step.kind === 'apply') {
      const { traits, operands } = definitionOf(step.op)
      if (!traits.includes('elementwise')) fail(`${name}: ${step.op} is not elementwise`)
      if (step.arguments.some((argument) => argument < 0 || argument >= i)) fail(`${name}: step ${i} uses a later one`)
      if (step.arguments.length > Object.keys(operands).length) fail(`${name}: step ${i} has ${step.arguments.length} arguments`)
    }
    if (step.kind === 'load') {
      const input = kernel.inputs[step.input]
      if (!input || input.type.dtype !== step.dtype) fail(`${name}: step ${i} loads ${step.dtype} from input ${step.input}`)
      if (step.access.strides.length !== domain.length)
        fail(`${name}: step ${i} has ${step.access.strides.length} strides over [${domain.join(', ')}]`)
      if (elementCount(domain) === 0) continue
      const { least, most } = rangeOf(step.access, domain)
      if (least < 0 || most >= elementCount(input.type.shape))
        fail(`${name}: step ${i} loads elements ${least} to ${most} of ${printType(input.type)}`)
    }
  }
}

function verifyView({ of, offset, result }: Extract<KernelStep, { kind: 'view' }>): void {
  const { bytes } = dtypeFacts[result.type.dtype]
  const inside = offset >= 0 && offset * bytes + byteSize(result.type) <= byteSize(of.type)
  if ((of.type.dtype !== result.type.dtype && !hasTrait(result, 'bits')) || !inside)
    fail(`view of ${printType(of.type)} + ${offset} as ${printType(result.type)}`)
}

function verifyJoin({ parts, axis, result }: Extract<KernelStep, { kind: 'join' }>): void {
  const { dtype, shape } = result.type
  const fits = parts.every(
    (part) =>
      part.type.dtype === dtype &&
      part.type.shape.length === shape.length &&
      part.type.shape.every((extent, i) => i === axis || extent === shape[i]),
  )
  const length = parts.reduce((sum, part) => sum + (part.type.shape[axis] ?? 0), 0)
  if (!fits || length !== shape[axis])
    fail(`join of ${parts.map((part) => printType(part.type)).join(', ')} along ${axis} as ${printType(result.type)}`)
}

import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { byteSize } from '../../compiler/graph/type.ts'
import { applyPrimitive, scalarFunction } from './primitives.ts'
import { runSteps } from './steps.ts'
import { exactElements, type Tensor } from './values.ts'

/**
 * Executes a kernel on its inputs' bytes and writes the results'. The anchor is computed whole, with its own rounding, before anything
 * is written; the steps then run and store position by position.
 */
export function runKernel(kernel: Kernel, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
  const { anchor, domain, steps } = kernel
  const elements = kernel.inputs.map(({ type }, i) => exactElements(type.dtype, inputs[i]!))
  const stores = kernel.results.map(({ step, type, rows }, i) => ({
    step,
    elements: exactElements(type.dtype, outputs[i]!),
    ...(rows && { rows }),
  }))
  const memory = { inputs: elements, outputs: stores, scalarFunction }
  if (!anchor) {
    runSteps(steps, domain, memory)
    return
  }
  const operands = kernel.prologue
    ? [runPrologue(kernel, inputs)]
    : anchor.operands.map((type, i) => ({ type, bytes: inputs[i]! }))
  const computed = applyPrimitive(anchor.op, operands, anchor.attributes, anchor.type)
  runSteps(steps, domain, { ...memory, anchor: exactElements(anchor.type.dtype, computed) })
}

function runPrologue(kernel: Kernel, inputs: readonly Uint8Array[]): Tensor {
  const type = kernel.anchor!.operands[0]!
  const bytes = new Uint8Array(byteSize(type))
  const elements = kernel.inputs.map((input, i) => exactElements(input.type.dtype, inputs[i]!))
  const outputs = [{ step: kernel.prologue!.length - 1, elements: exactElements(type.dtype, bytes) }]
  runSteps(kernel.prologue!, type.shape, { inputs: elements, outputs, scalarFunction })
  return { type, bytes }
}

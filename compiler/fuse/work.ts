import { addWork, noWork, operationsPerElement, type Work, workOf } from '../cost/index.ts'
import { byteSize, dtypeFacts, elementCount, type Shape } from '../graph/index.ts'
import type { Kernel, Step } from './kernel.ts'

/** What one call of a kernel does: each input is read once, or as many elements of it as there are positions; results are written. */
export function workOfKernel(kernel: Kernel): Work {
  const { anchor, inputs, prologue, results, steps, domain } = kernel
  const own = anchor ? workOf({ ...anchor, operands: anchor.operands.map((type) => ({ type })) }) : noWork
  const dense = anchor ? anchor.operands.length - (prologue ? 1 : 0) : 0
  // What the anchor reads is in its own work, but for what a prologue computes.
  const bytesRead = inputs.reduce((sum, { type }, i) => {
    if (i < dense) return sum
    const positions = elementCount(prologue ? anchor!.operands[0]!.shape : domain)
    return sum + Math.min(byteSize(type), positions * dtypeFacts[type.dtype].bytes)
  }, 0)
  const computed = prologue ? byteSize(anchor!.operands[0]!) : 0
  const stored = results.reduce((sum, { type }) => sum + byteSize(type), 0)
  return addWork(
    { operations: own.operations, bytesRead: Math.max(0, own.bytesRead - computed), bytesWritten: 0 },
    {
      operations: operationsOf(steps, domain) + (prologue ? operationsOf(prologue, anchor!.operands[0]!.shape) : 0),
      bytesRead,
      bytesWritten: stored,
    },
  )
}

const operationsOf = (steps: readonly Step[], domain: Shape): number =>
  elementCount(domain) * steps.reduce((sum, step) => sum + (step.kind === 'apply' ? operationsPerElement(step.op) : 0), 0)

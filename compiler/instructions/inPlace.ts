import { isDense } from '../fuse/access.ts'
import type { Kernel, Step } from '../fuse/kernel.ts'
import { definitionOf, elementCount } from '../graph/index.ts'

/**
 * Do the op definitions allow the kernel's result number `result` in the storage of input `index`? Element by element, position i of the input must be
 * read at position i of the domain only, by ops that may overwrite it; an anchor must declare its operand, which nothing may read
 * after the anchor. A target has the last word, knowing in which order it reads and writes.
 */
export function mayShareStorage(kernel: Kernel, index: number, result: number): boolean {
  const { anchor, inputs, prologue, steps, results, domain } = kernel
  const { type } = inputs[index]!
  const into = results[result]!
  if (anchor?.bodies) return false
  // Rows that lie apart are written where other positions are read.
  if (into.rows || type.dtype !== into.type.dtype || elementCount(type.shape) !== elementCount(into.type.shape)) return false
  const loads = steps.flatMap((step, i) => (step.kind === 'load' && step.input === index ? [i] : []))
  if (prologue?.some((step) => step.kind === 'load' && step.input === index)) return false
  const operand = prologue ? index + 1 : index
  if (anchor && operand < anchor.operands.length)
    return loads.length === 0 && definitionOf(anchor.op).memory.inPlace.includes(operand)
  return loads.length > 0 && loads.every((load) => isDense(accessAt(steps, load), domain) && lastReaderAllows(steps, load))
}

function accessAt(steps: readonly Step[], index: number) {
  const step = steps[index]!
  return step.kind === 'load' ? step.access : { offset: -1, strides: [] }
}

/** The op that reads the element last is the one whose result may overwrite it. */
function lastReaderAllows(steps: readonly Step[], load: number): boolean {
  const reader = steps.findLast((step) => step.kind === 'apply' && step.arguments.includes(load))
  if (reader?.kind !== 'apply') return false
  const { inPlace } = definitionOf(reader.op).memory
  return reader.arguments.some((argument, i) => argument === load && inPlace.includes(i))
}

import type { Node } from '../graph/index.ts'
import type { KernelStep } from './kernel.ts'

/** The values a step reads. */
export function operandsOfStep(step: KernelStep): readonly Node[] {
  return step.kind === 'call' ? step.inputs : step.kind === 'view' ? [step.of] : step.parts
}

/** The values a step makes. */
export function resultsOfStep(step: KernelStep): readonly Node[] {
  return step.kind === 'call' ? step.results : [step.result]
}

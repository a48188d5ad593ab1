import { elementCount, type Node } from '../graph/index.ts'
import type { Processor } from './platform.ts'
import { kernelSteps } from './roofline.ts'

/** A step of a part, and how many of the cores of its card have nothing to do in it (FB-10). */
export interface IdleStep {
  /** The op that the step ends with. */
  readonly op: string
  readonly seconds: number
  readonly idleCores: number
}

/** Results of a step that a core does together at least: fewer are not worth dividing. */
const leastElements = 64

/**
 * The steps of nodes that run one after the other, and the cores that each leaves idle: results are divided among cores, in pieces of at least
 * 64 elements. Modelled.
 */
export const idleSteps = (nodes: readonly Node[], processor: Processor): readonly IdleStep[] =>
  kernelSteps(nodes, processor).map(({ nodes: own, seconds }) => {
    const last = own.at(-1)!
    const pieces = Math.max(1, Math.floor(elementCount(last.type.shape) / leastElements))
    return { op: last.op, seconds, idleCores: processor.cores - Math.min(processor.cores, pieces) }
  })

/** Cores of a card that are idle on average while nodes run, by the time of each step. */
export function idleCoresOf(nodes: readonly Node[], processor: Processor): number {
  const steps = idleSteps(nodes, processor).filter(({ seconds }) => seconds > 0)
  const all = steps.reduce((sum, { seconds }) => sum + seconds, 0)
  return all === 0 ? 0 : steps.reduce((sum, { seconds, idleCores }) => sum + seconds * idleCores, 0) / all
}

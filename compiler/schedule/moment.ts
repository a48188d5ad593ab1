import { roundUp } from '../allocation/index.ts'
import type { KernelGraph } from '../fuse/kernel.ts'
import type { Location } from '../graph/index.ts'
import { elideCopies } from '../instructions/elide.ts'
import type { BufferId, Instruction, InstructionList } from '../instructions/instruction.ts'
import { bufferOf, usesOf } from '../instructions/place.ts'
import { selectInstructions } from '../instructions/select.ts'
import { shareInPlace } from '../instructions/share.ts'
import type { Target } from '../target.ts'

export interface Moment {
  /** Bytes of activations and scratch live there, each up to the alignment: no allocation needs less. */
  readonly needed: number
  /** Instructions at which as much is live. */
  readonly moments: number
  /** The step of the kernel graph that runs at the first of them. */
  readonly step: number
}

export interface Measured extends Moment {
  readonly graph: KernelGraph
  readonly list: InstructionList
}

/** The instructions of a graph, and the step that each call or copy belongs to. */
export function instructionsOf(
  graph: KernelGraph,
  target: Target,
): { readonly list: InstructionList; readonly stepOf: (index: number) => number } {
  // A call keeps its list of locations through all rewrites of instructions: with one of its own, it can be told from the others.
  const places = new Map<readonly Location[], number>()
  const steps = graph.steps.map((step, i) => {
    if (step.kind !== 'call') return step
    const locations = [...step.locations]
    places.set(locations, i)
    return { ...step, locations }
  })
  const list = shareInPlace(elideCopies(selectInstructions({ ...graph, steps }, target), target), target)
  const placeOf = (instruction: Instruction | undefined) =>
    instruction?.kind === 'call' ? places.get(instruction.locations) : undefined

  function stepOf(index: number): number {
    const own = placeOf(list.instructions[index])
    if (own !== undefined) return own
    // A copy is of the first join after the last call, or of that call's result to an output.
    const last = list.instructions.slice(0, index).reduce((last, instruction) => placeOf(instruction) ?? last, 0)
    const next = steps.findIndex((step, i) => i > last && step.kind !== 'view')
    return steps[next]?.kind === 'join' ? next : last
  }
  return { list, stepOf }
}

export function fullestMoment(list: InstructionList, stepOf: (index: number) => number, alignment: number): Moment {
  const bytes = (id: BufferId) => roundUp(bufferOf(list.buffers, id).bytes, alignment)
  let [live, needed, moments, first] = [0, 0, 0, 0]
  for (const [i, instruction] of list.instructions.entries()) {
    if (instruction.kind === 'alloc') live += bytes(instruction.buffer)
    else if (instruction.kind === 'dealloc') live -= bytes(instruction.buffer)
    else {
      const scratch = usesOf(instruction).reduce((sum, use) => sum + (use.qualifier === 'scratch' ? bytes(use.buffer) : 0), 0)
      if (live + scratch > needed) [needed, moments, first] = [live + scratch, 0, i]
      if (live + scratch === needed) moments++
    }
  }
  return { needed, moments, step: stepOf(first) }
}

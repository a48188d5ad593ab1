import type { Kernel } from '../fuse/kernel.ts'
import { definitionOf, describeFault, type Location, printLocation } from '../graph/index.ts'
import type { InstructionList } from '../instructions/instruction.ts'
import { accessesByOrigin, writes } from '../instructions/place.ts'
import { bodiesOf } from './control.ts'

/** A way in which running a program can fail: the n-th entry is fault code n, counted from 1. */
export interface Fault {
  /** Index into the program's instructions. */
  readonly instruction: number
  readonly message: string
}

const isSource = (location: Location): boolean => location.kind === 'source'

/** The calls whose anchor checks values while running, in order; behind a call with bodies what these check, body by body. */
export function faultsOf(program: Pick<InstructionList, 'instructions'>): readonly Fault[] {
  return program.instructions.flatMap((instruction, index) => {
    const anchor = instruction.kind === 'call' ? instruction.kernel.anchor : undefined
    if (instruction.kind !== 'call' || !anchor || !definitionOf(anchor.op).traits.includes('checked')) return []
    const inside = bodiesOf(instruction.kernel).flatMap((body) =>
      faultsOf(body).map(({ message }) => ({ instruction: index, message })),
    )
    if (!checksItself(anchor.op)) return inside
    const source = instruction.locations.find(isSource)
    const why = describeFault(anchor.op, anchor.operands, anchor.attributes)
    return [{ instruction: index, message: `${anchor.op}: ${why}${source ? ` (${printLocation(source)})` : ''}` }, ...inside]
  })
}

/** Whether an op that may fail fails by itself: of those with bodies, some do nothing but pass on what fails in these. */
function checksItself(op: string): boolean {
  const { kind, fault } = definitionOf(op)
  return kind !== 'control' || fault !== undefined
}

/** In how many ways a call of a kernel can fail: it returns 0, or the number of the one that did, from 1. */
export function faultCount({ anchor, ...kernel }: Kernel): number {
  if (!anchor || !definitionOf(anchor.op).traits.includes('checked')) return 0
  const inside = bodiesOf({ ...kernel, anchor }).reduce((sum, body) => sum + faultsOf(body).length, 0)
  return inside + (checksItself(anchor.op) ? 1 : 0)
}

/**
 * How many of the faults come before anything of a state is written, so that a run that fails with one of them leaves it as it was. A call that
 * checks its operands writes nothing before it has.
 */
export function faultsKeepingState(list: InstructionList): number {
  const accesses = accessesByOrigin(list)
  const first = Math.min(
    ...[...(list.states?.values() ?? [])].map(
      ({ buffer }) => accesses.get(buffer)?.find(writes)?.index ?? Number.POSITIVE_INFINITY,
    ),
  )
  return faultsOf(list).filter(({ instruction }) => instruction <= first).length
}

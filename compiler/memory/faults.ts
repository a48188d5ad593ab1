import { definitionOf, describeFault, type Location, printLocation } from '../graph/index.ts'
import type { InstructionList } from '../instructions/instruction.ts'

/** A way in which running a program can fail: the n-th entry is fault code n, counted from 1. */
export interface Fault {
  /** Index into the program's instructions. */
  readonly instruction: number
  readonly message: string
}

const isSource = (location: Location): boolean => location.kind === 'source'

/** The calls whose anchor checks values while running, in order. */
export function faultsOf(program: Pick<InstructionList, 'instructions'>): readonly Fault[] {
  return program.instructions.flatMap((instruction, index) => {
    const anchor = instruction.kind === 'call' ? instruction.kernel.anchor : undefined
    if (instruction.kind !== 'call' || !anchor || !definitionOf(anchor.op).traits.includes('checked')) return []
    const source = instruction.locations.find(isSource)
    const why = describeFault(anchor.op, anchor.operands, anchor.attributes)
    return [{ instruction: index, message: `${anchor.op}: ${why}${source ? ` (${printLocation(source)})` : ''}` }]
  })
}

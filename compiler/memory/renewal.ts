import type { BufferId, InstructionList } from '../instructions/instruction.ts'
import { accessesByOrigin, writes } from '../instructions/place.ts'

/**
 * What becomes of a state in a run: `read, stays as it was`; `renewed in place at 12 and 15` by these instructions; `renewed by copies at 20`,
 * where its new value is made elsewhere first.
 */
export function describeRenewal(list: InstructionList, state: BufferId): string {
  const accesses = accessesByOrigin(list).get(state) ?? []
  const isCopy = (index: number) => list.instructions[index]!.kind === 'copy'
  const written = [...new Set(accesses.filter(writes).map(({ index }) => index))]
  if (written.length === 0) return 'read, stays as it was'
  const copies = written.filter(isCopy)
  const calls = written.filter((index) => !isCopy(index))
  const parts = [
    ...(calls.length > 0 ? [`in place at ${listed(calls)}`] : []),
    ...(copies.length > 0 ? [`by copies at ${listed(copies)}`] : []),
  ]
  return `renewed ${parts.join(', ')}`
}

const listed = (indices: readonly number[]): string => indices.join(' and ')

import { roundUp } from '../allocation/index.ts'
import { byteSize, type ModelState } from '../graph/index.ts'

/** Every state begins at a multiple of this, whatever the target: sessions of one model lay them out alike for all of its code. */
const stateAlignment = 64

export interface StateLayout {
  /** Of each state in the region, by name. */
  readonly offsets: ReadonlyMap<string, number>
  /** Of the region; 0 where there are no states, and no less than the alignment where there are. */
  readonly bytes: number
}

/** The region that a session carries from one run to the next: states in their order, one after another. */
export function layOutStates(states: readonly ModelState[]): StateLayout {
  const offsets = new Map<string, number>()
  let end = 0
  for (const { name, type } of states) {
    offsets.set(name, end)
    end += roundUp(byteSize(type), stateAlignment)
  }
  return { offsets, bytes: states.length > 0 ? Math.max(end, stateAlignment) : 0 }
}

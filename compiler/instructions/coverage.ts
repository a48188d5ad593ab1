import type { BufferId } from './instruction.ts'
import type { Place } from './place.ts'
import { createRangeSet, type RangeSet } from './ranges.ts'
import type { Pitch } from './stripes.ts'

/** Remembers which bytes of storage were written. */
export interface Coverage {
  add(place: Place): void
  /** Blocks from the beginning of a place to its end. They count once blocks of equal number and distance have filled the gaps between them. */
  addBlocks(place: Place, pitch: Pitch): void
  covers(place: Place): boolean
}

export function createCoverage(): Coverage {
  const whole = new Map<BufferId, RangeSet>()
  /** First blocks, by storage, number and distance of blocks. */
  const columns = new Map<string, RangeSet>()

  const add = (place: Place) => setOf(whole, place.origin).add(place)

  return {
    add,
    addBlocks({ origin, from, to }, { length, stride }) {
      const blocks = (to - from - length) / stride + 1
      const filled = setOf(columns, `${origin} ${blocks} ${stride}`)
      filled.add({ from, to: from + length })
      const run = filled.at(from)!
      if (run.to - run.from >= stride) add({ origin, from: run.from, to: run.to + (blocks - 1) * stride })
    },
    covers: (place) => setOf(whole, place.origin).covers(place),
  }
}

function setOf<K>(sets: Map<K, RangeSet>, key: K): RangeSet {
  const known = sets.get(key) ?? createRangeSet()
  sets.set(key, known)
  return known
}

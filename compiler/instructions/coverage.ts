import type { BufferId, Copy } from './instruction.ts'
import type { Place } from './place.ts'

type Range = { readonly from: number; readonly to: number }

/** Remembers which bytes of storage were written. */
export interface Coverage {
  add(place: Place): void
  /** Rows of a copy into `place`. They count once copies of equal strides have filled the gaps between each other. */
  addRows(place: Place, copy: Copy): void
  covers(place: Place): boolean
}

export function createCoverage(): Coverage {
  const whole = new Map<BufferId, Range[]>()
  /** First rows of strided copies, by storage, number and distance of rows. */
  const columns = new Map<string, Range[]>()

  const add = (place: Place) => void whole.set(place.origin, insert(whole.get(place.origin) ?? [], place))

  return {
    add,
    addRows({ origin, from }, { rows, rowBytes, toStride }) {
      const key = `${origin} ${rows} ${toStride}`
      const filled = insert(columns.get(key) ?? [], { from, to: from + rowBytes })
      columns.set(key, filled)
      for (const range of filled) {
        if (range.to - range.from >= toStride) add({ origin, from: range.from, to: range.from + rows * toStride })
      }
    },
    covers: ({ origin, from, to }) =>
      from >= to || (whole.get(origin) ?? []).some((range) => range.from <= from && to <= range.to),
  }
}

/** Disjoint ranges in rising order, with one more; ranges that touch become one. */
function insert(ranges: readonly Range[], { from, to }: Range): Range[] {
  const touching = ranges.filter((range) => range.from <= to && from <= range.to)
  const merged = {
    from: Math.min(from, ...touching.map((range) => range.from)),
    to: Math.max(to, ...touching.map((range) => range.to)),
  }
  return [...ranges.filter((range) => !touching.includes(range)), merged].sort((a, b) => a.from - b.from)
}

/** Whole numbers `from` up to, not including, `to`. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** A set of whole numbers as disjoint ranges in rising order that do not touch. Empty ranges change nothing. */
export interface RangeSet {
  add(range: Range): void
  remove(range: Range): void
  /** Is all of the range in the set? Of an empty one always. */
  covers(range: Range): boolean
  /** Is any of the range in the set? Of an empty one never. */
  meets(range: Range): boolean
  /** The range that holds this number. */
  at(position: number): Range | undefined
}

export function createRangeSet(): RangeSet {
  const ranges: Range[] = []

  /** Index of the first range that ends at `position` or beyond it. */
  function firstEnding(position: number): number {
    let [low, high] = [0, ranges.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ranges[middle]!.to < position) low = middle + 1
      else high = middle
    }
    return low
  }

  function at(position: number): Range | undefined {
    const range = ranges[firstEnding(position + 1)]
    return range && range.from <= position ? range : undefined
  }

  return {
    at,
    add({ from, to }) {
      if (from >= to) return
      const first = firstEnding(from)
      let end = first
      while (end < ranges.length && ranges[end]!.from <= to) end++
      const touching = ranges.slice(first, end)
      const merged = { from: Math.min(from, touching[0]?.from ?? from), to: Math.max(to, touching.at(-1)?.to ?? to) }
      ranges.splice(first, end - first, merged)
    },
    remove({ from, to }) {
      if (from >= to) return
      const first = firstEnding(from + 1)
      let end = first
      const kept: Range[] = []
      for (; end < ranges.length && ranges[end]!.from < to; end++) {
        const range = ranges[end]!
        if (range.from < from) kept.push({ from: range.from, to: from })
        if (to < range.to) kept.push({ from: to, to: range.to })
      }
      ranges.splice(first, end - first, ...kept)
    },
    covers({ from, to }) {
      const range = at(from)
      return from >= to || (range !== undefined && to <= range.to)
    },
    meets({ from, to }) {
      const range = ranges[firstEnding(from + 1)]
      return from < to && range !== undefined && range.from < to
    },
  }
}

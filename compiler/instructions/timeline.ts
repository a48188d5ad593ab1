/** Bytes live at each moment, changed over ranges of moments; both questions take a logarithm of their number. */
export interface Timeline {
  /** Adds bytes, which may be negative, from one moment up to and including another. */
  add(from: number, to: number, bytes: number): void
  /** Most bytes at one moment. */
  peak(): number
}

/** A segment tree: each node holds what was added to all of its range, and the most below it. */
export function createTimeline(moments: number): Timeline {
  let leaves = 1
  while (leaves < moments) leaves *= 2
  const added = new Float64Array(2 * leaves)
  const most = new Float64Array(2 * leaves)

  function update(node: number, low: number, high: number, from: number, to: number, bytes: number): void {
    if (to < low || high < from) return
    if (from <= low && high <= to) {
      added[node]! += bytes
      most[node]! += bytes
      return
    }
    const middle = (low + high) >> 1
    update(2 * node, low, middle, from, to, bytes)
    update(2 * node + 1, middle + 1, high, from, to, bytes)
    most[node] = added[node]! + Math.max(most[2 * node]!, most[2 * node + 1]!)
  }

  return {
    add: (from, to, bytes) => update(1, 0, leaves - 1, from, to, bytes),
    peak: () => most[1]!,
  }
}

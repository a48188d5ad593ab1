/** What waits for its turn. */
export interface Waiting {
  readonly id: number
  readonly priority: number
}

/** Those with smaller priorities leave first; among equals, those with smaller ids. */
export interface WaitingLine<T extends Waiting> {
  readonly size: number
  add(item: T): void
  /** The next to leave. */
  readonly first: T | undefined
  /** The next to leave, out of the line. */
  next(): T | undefined
  /** Takes one out, wherever it stands; false where it is not there. */
  remove(item: T): boolean
}

/** A binary heap. */
export function createWaitingLine<T extends Waiting>(): WaitingLine<T> {
  const heap: T[] = []
  const before = (a: T, b: T) => a.priority < b.priority || (a.priority === b.priority && a.id < b.id)

  /** Puts an item where it belongs, from a place that is free. */
  function settle(item: T, from: number): void {
    let at = from
    for (let parent = (at - 1) >> 1; at > 0 && before(item, heap[parent]!); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!
      at = parent
    }
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, item)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = item
  }

  function take(at: number): T {
    const item = heap[at]!
    const last = heap.pop()!
    if (last !== item) settle(last, at)
    return item
  }

  return {
    get size() {
      return heap.length
    },
    get first() {
      return heap[0]
    },
    add(item) {
      heap.push(item)
      settle(item, heap.length - 1)
    },
    next: () => (heap.length > 0 ? take(0) : undefined),
    remove(item) {
      const at = heap.indexOf(item)
      if (at < 0) return false
      take(at)
      return true
    },
  }
}

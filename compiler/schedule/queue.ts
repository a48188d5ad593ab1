/** Takes out the least first. */
export interface Queue<T> {
  readonly size: number
  push(item: T): void
  pop(): T | undefined
}

/** A binary heap. */
export function createQueue<T>(isLess: (a: T, b: T) => boolean): Queue<T> {
  const heap: T[] = []

  function rise(from: number): void {
    const item = heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isLess(item, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = item
  }

  function sink(item: T): void {
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isLess(heap[child + 1]!, heap[child]!)) child++
      if (!isLess(heap[child]!, item)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = item
  }

  return {
    get size() {
      return heap.length
    },
    push(item) {
      heap.push(item)
      rise(heap.length - 1)
    },
    pop() {
      const first = heap[0]
      const last = heap.pop()
      if (heap.length > 0) sink(last!)
      return first
    },
  }
}

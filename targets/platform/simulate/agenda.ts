/** What happens when, earliest first; of things at one time, what was noted first. */
export interface Agenda {
  at(time: number, happens: () => void): void
  /** Lets everything happen in its order, and whatever that notes. Returns the time of the last. */
  run(): number
}

interface Entry {
  readonly time: number
  readonly order: number
  readonly happens: () => void
}

const before = (a: Entry, b: Entry): boolean => a.time < b.time || (a.time === b.time && a.order < b.order)

export function createAgenda(): Agenda {
  /** A binary heap. */
  const heap: Entry[] = []
  let count = 0

  function push(entry: Entry): void {
    let i = heap.length
    heap.push(entry)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(entry, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = entry
  }

  function pop(): Entry | undefined {
    const [first] = heap
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
    return first
  }

  return {
    at: (time, happens) => push({ time, order: count++, happens }),
    run() {
      let now = 0
      for (let next = pop(); next; next = pop()) {
        now = next.time
        next.happens()
      }
      return now
    },
  }
}

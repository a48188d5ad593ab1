/** How many of something there are, for those who wait until there is none. */
export interface Count {
  readonly size: number
  add(): void
  remove(): void
  /** Resolves when there is none. */
  zero(): Promise<void>
}

export function createCount(): Count {
  let size = 0
  let listeners: (() => void)[] = []
  return {
    get size() {
      return size
    },
    add() {
      size++
    },
    remove() {
      if (--size > 0) return
      const told = listeners
      listeners = []
      for (const listener of told) listener()
    },
    zero: () =>
      new Promise((resolve) => {
        if (size === 0) resolve()
        else listeners.push(resolve)
      }),
  }
}

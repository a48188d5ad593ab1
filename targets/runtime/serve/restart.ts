/** Milliseconds before the first restart after a death, at most, and of health after which the first counts again. */
export const restartDelays = { first: 100, most: 5_000, healthy: 30_000 } as const

/** Milliseconds that a step of a start may take at least, other than a first run: a part may come from a slow disk. */
export const startPatience = 60_000

/** What a card says of an entry that does not end its first run, on zeros. */
export const firstRunHung = (timeout: number): string =>
  `did not end a first run of its code, on inputs of zeros, in ${timeout} ms; raise the option timeout where runs take that long`

/** Deaths in a row, without having stood between them, after which a card is not started again. */
const mostAttempts = 8

/** When what died is started again: after 100 ms, and after twice as long each time it dies again soon, up to 5 s. */
export interface Restart {
  /** It stands. */
  stood(): void
  /**
   * It died: calls `start` after a while, unless it is cancelled before; false when it has died too often to be tried again. Does not keep the
   * process alive.
   */
  schedule(start: () => void): boolean
  cancel(): void
}

export function createRestart(now: () => number = () => performance.now()): Restart {
  let delay: number = restartDelays.first
  let attempts = 0
  let since: number | undefined
  let timer: NodeJS.Timeout | undefined
  return {
    stood() {
      attempts = 0
      since = now()
    },
    schedule(start) {
      if (since !== undefined && now() - since >= restartDelays.healthy) delay = restartDelays.first
      since = undefined
      if (++attempts > mostAttempts) return false
      clearTimeout(timer)
      timer = setTimeout(start, delay)
      timer.unref()
      delay = Math.min(delay * 2, restartDelays.most)
      return true
    },
    cancel() {
      clearTimeout(timer)
    },
  }
}

/** Says when a command takes too long. Has one timer at most, whatever the number of commands. */
export interface Watchdog {
  /** A command has begun, or a step of a start, which may take another time. */
  begin(limit?: number): void
  /** None is under way. */
  end(): void
  /** None will be: lets go of its timer, and what hangs on that. */
  close(): void
}

/**
 * `hung` is called when a command has taken so many milliseconds and the event loop has had a turn since, so that an answer that lies there would have
 * been heard: the host may itself have slept. Does not keep the process alive.
 */
export function createWatchdog(milliseconds: number, hung: () => void): Watchdog {
  let commands = 0
  let until = 0
  let due = 0
  let busy = false
  let timer: NodeJS.Timeout | undefined

  function arm(wait: number): void {
    due = performance.now() + wait
    timer = setTimeout(() => {
      timer = undefined
      const command = commands
      setImmediate(() => {
        if (!busy || timer) return
        const left = until - performance.now()
        if (command !== commands || left > 0) arm(Math.max(1, left))
        else {
          busy = false
          hung()
        }
      })
    }, wait)
    timer.unref()
  }

  return {
    begin(limit = milliseconds) {
      commands++
      until = performance.now() + limit
      busy = true
      if (timer && until < due) {
        clearTimeout(timer)
        timer = undefined
      }
      if (!timer) arm(limit)
    },
    end() {
      busy = false
    },
    close() {
      busy = false
      clearTimeout(timer)
      timer = undefined
    },
  }
}

/** Says when a command takes too long. Has one timer at most, whatever the number of commands. */
export interface Watchdog {
  /** A command has begun. */
  begin(): void
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
  let since = 0
  let busy = false
  let timer: NodeJS.Timeout | undefined

  function arm(wait: number): void {
    timer = setTimeout(() => {
      timer = undefined
      const command = commands
      setImmediate(() => {
        if (!busy || timer) return
        const left = since + milliseconds - performance.now()
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
    begin() {
      commands++
      since = performance.now()
      busy = true
      if (!timer) arm(milliseconds)
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

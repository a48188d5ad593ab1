/** A card's command among those of all cards on the threads of this process; one at a time. */
export interface Turn {
  /** Its command is given to the threads. */
  enter(): void
  /** Its command has ended. */
  leave(): void
  /** Its command hangs, and its thread with it. */
  hang(): void
}

/** Told of what becomes of a command, not before `enter` returns. */
export interface TurnEvents {
  /** A thread has it. */
  begun(): void
  /** All threads have commands that hang: it may never begin. */
  starved(): void
}

interface Waiting extends TurnEvents {
  state: 'waiting' | 'running' | 'hung'
}

export interface SharedThreads {
  turn(events: TurnEvents): Turn
}

/**
 * Threads take commands in the order in which they are given: so many of the oldest that have not ended are running. That way the time that a command waits
 * for a thread is not taken for time that it runs.
 */
export function createSharedThreads(count: number): SharedThreads {
  const order: Waiting[] = []

  function look(): void {
    const running = order.slice(0, count)
    for (const waiting of running)
      if (waiting.state === 'waiting') {
        waiting.state = 'running'
        waiting.begun()
      }
    if (running.length < count || running.some(({ state }) => state !== 'hung')) return
    setImmediate(() => {
      if (order.slice(0, count).every(({ state }) => state === 'hung'))
        for (const waiting of order.slice(count)) waiting.starved()
    })
  }

  return {
    turn(events) {
      const own: Waiting = { ...events, state: 'waiting' }
      return {
        enter() {
          own.state = 'waiting'
          order.push(own)
          if (order.length > count) look()
          else {
            own.state = 'running'
            own.begun()
          }
        },
        leave() {
          const place = order.indexOf(own)
          if (place < 0) return
          order.splice(place, 1)
          if (order.length >= count) look()
        },
        hang() {
          own.state = 'hung'
          look()
        },
      }
    },
  }
}

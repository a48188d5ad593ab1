// What is left undone when the process ends in the middle of a build: Ctrl-C, a signal of a service, an exit of whoever called.
const actions = new Set<() => void>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The last thing that was begun first: tools end before the folder goes that they write to. */
function act(): void {
  for (const action of [...actions].reverse()) action()
  actions.clear()
}

/** Where nobody else listens the signal does what it would have done: shells see 130 and 143. */
function interrupted(signal: NodeJS.Signals): void {
  act()
  stop()
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function stop(): void {
  process.off('exit', act)
  for (const signal of signals) process.off(signal, interrupted)
}

/** Calls `action`, which must not wait for anything, if the process ends before the function that this returns is called. */
export function atExit(action: () => void): () => void {
  if (actions.size === 0) {
    process.on('exit', act)
    for (const signal of signals) process.on(signal, interrupted)
  }
  actions.add(action)
  return () => {
    if (actions.delete(action) && actions.size === 0) stop()
  }
}

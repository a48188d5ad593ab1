import { sortReady } from './heuristic.ts'
import { effectOf, type Order, type Prepared, type Progress, run, startProgress } from './problem.ts'

/** Sets of done tasks looked at; a count, so that equal problems have equal solutions on any machine. */
const stateLimit = 4000

/**
 * Searches for an order with a peak below `limit`: depth first over sets of done tasks, leaving a set when its peak is no better than
 * the best order's or than that of an earlier way to the same set. Returns the best order found within the limit of states, undefined
 * when none is below; `complete` says whether there can be no better one.
 *
 * A ready task that raises neither the peak nor what stays alive is done at once: in any order that does it later, doing it now adds
 * nothing to any moment in between.
 */
export function searchOrder(
  prepared: Prepared,
  limit: number,
): { readonly order: Order | undefined; readonly complete: boolean } {
  const floor = Math.max(0, ...prepared.own)
  const reached = new Map<bigint, number>()
  let [bestPeak, best, states] = [limit, undefined as Order | undefined, 0]

  function visit(progress: Progress, done: bigint, order: readonly number[]): void {
    const path = [...order]
    let set = done
    for (let free = freeTask(prepared, progress); free !== undefined; free = freeTask(prepared, progress)) {
      run(prepared, progress, free)
      path.push(free)
      set |= 1n << BigInt(free)
    }
    if (progress.peak >= bestPeak) return
    if (progress.ready.size === 0) {
      ;[bestPeak, best] = [progress.peak, path]
      return
    }
    if ((reached.get(set) ?? Number.POSITIVE_INFINITY) <= progress.peak) return
    reached.set(set, progress.peak)
    for (const task of sortReady(prepared, progress)) {
      if (bestPeak === floor || states >= stateLimit) return
      if (effectOf(prepared, progress, task).during >= bestPeak) continue
      states++
      const next = copyProgress(progress)
      run(prepared, next, task)
      visit(next, set | (1n << BigInt(task)), [...path, task])
    }
  }

  if (limit > floor) visit(startProgress(prepared), 0n, [])
  return { order: best, complete: states < stateLimit }
}

function freeTask(prepared: Prepared, progress: Progress): number | undefined {
  for (const task of progress.ready) {
    const { during, after } = effectOf(prepared, progress, task)
    if (during <= progress.peak && after <= progress.live) return task
  }
  return undefined
}

const copyProgress = ({ live, peak, ready, waiting, open }: Progress): Progress => ({
  live,
  peak,
  ready: new Set(ready),
  waiting: [...waiting],
  open: [...open],
})

import { effectOf, type Order, type Prepared, run, startProgress } from './problem.ts'

/**
 * Post-order from the last tasks. Among the tasks that one waits for, first the one whose peak exceeds its result by most: what it
 * needs only while it runs is then not added to the results of the others.
 */
export function postOrder({ tasks, before, bytes }: Prepared): Order {
  const peak: number[] = []
  const result: number[] = []
  const children: number[][] = []
  for (const [task, { after, touches }] of tasks.entries()) {
    const sorted = after.toSorted((a, b) => peak[b]! - result[b]! - (peak[a]! - result[a]!) || a - b)
    const operands = new Set(after.flatMap((earlier) => tasks[earlier]!.touches))
    result[task] = touches.reduce((sum, storage) => sum + (operands.has(storage) ? 0 : bytes[storage]!), 0)
    let [held, most] = [0, 0]
    for (const child of sorted) {
      most = Math.max(most, held + peak[child]!)
      held += result[child]!
    }
    peak[task] = Math.max(most, held + result[task]!)
    children[task] = sorted
  }

  const order: number[] = []
  const done = new Set<number>()
  const roots = tasks
    .flatMap((_, task) => (before[task]!.length === 0 ? [task] : []))
    .sort((a, b) => peak[b]! - result[b]! - (peak[a]! - result[a]!) || a - b)
  for (const root of roots) {
    const pending: { readonly task: number; next: number }[] = [{ task: root, next: 0 }]
    for (let top = pending.at(-1); top; top = pending.at(-1)) {
      const child = children[top.task]![top.next++]
      if (child !== undefined) {
        if (!done.has(child)) pending.push({ task: child, next: 0 })
        continue
      }
      if (!done.has(top.task)) order.push(top.task)
      done.add(top.task)
      pending.pop()
    }
  }
  return order
}

/** Ready tasks that `leastAlive` compares at a time: with all of thousands it would take time by the square of their number. */
const compared = 64

/** Always the ready task, of the first ones, that leaves least alive; of equals the one that needs least, then the first. */
export function leastAlive(prepared: Prepared): Order {
  const progress = startProgress(prepared)
  const order: number[] = []
  while (progress.ready.size > 0) {
    let best: { readonly task: number; readonly after: number; readonly during: number } | undefined
    let looked = 0
    for (const task of progress.ready) {
      if (looked++ === compared) break
      const { after, during } = effectOf(prepared, progress, task)
      const better =
        !best ||
        after < best.after ||
        (after === best.after && (during < best.during || (during === best.during && task < best.task)))
      if (better) best = { task, after, during }
    }
    run(prepared, progress, best!.task)
    order.push(best!.task)
  }
  return order
}

import type { Part } from './part.ts'
import { savedBytes } from './problem.ts'

/**
 * One end from which a part is put in order: from its first tasks on, or from its last ones back, where "done" means undone. Bytes live
 * after a set of tasks are the same seen from either end, and so are those live while a task runs between two sets.
 */
export interface Side {
  /** Tasks from this end that are settled, in the order from this end. */
  readonly path: number[]
  readonly ready: Set<number>
  live(): number
  /** Most bytes live while the task runs, and what is live beyond it. */
  effect(task: number): { readonly during: number; readonly after: number }
  /** Does a task; returns those that it made ready. */
  step(task: number): readonly number[]
  /** Takes back the task done last. */
  back(task: number): void
}

/** Touches of storage still to be looked at; a count, so that equal problems have equal solutions on any machine. */
export interface Effort {
  left: number
}

export function openSide(part: Part, forward: boolean, effort: Effort): Side {
  const { tasks, bytes, touches } = part
  const open = [...(forward ? part.openAtStart : part.openAtEnd)]
  const waiting = tasks.map((task) => (forward ? task.after : task.before).length)
  const ready = new Set([...tasks.keys()].filter((task) => waiting[task] === 0))
  let live = forward ? part.liveAtStart : part.liveAtEnd
  const dies = forward ? (storage: number) => open[storage] === 1 : (storage: number) => open[storage] === touches[storage]

  function effect(task: number) {
    const { touches: own, scratch, overwrites } = tasks[task]!
    effort.left -= 1 + own.length
    let [fresh, freed] = [0, 0]
    for (const storage of own) {
      if (open[storage] === touches[storage]) fresh += bytes[storage]!
      if (open[storage] === 1) freed += bytes[storage]!
    }
    const saved = overwrites ? savedBytes(overwrites, bytes, dies) : 0
    return { during: live + fresh + scratch - saved, after: live + fresh - freed }
  }

  const followers = (task: number) => (forward ? tasks[task]!.before : tasks[task]!.after)
  return {
    path: [],
    ready,
    live: () => live,
    effect,
    step(task) {
      live = effect(task).after
      for (const storage of tasks[task]!.touches) open[storage]!--
      ready.delete(task)
      effort.left -= followers(task).length
      const made = followers(task).filter((next) => --waiting[next]! === 0)
      for (const next of made) ready.add(next)
      return made
    },
    back(task) {
      for (const next of followers(task)) if (waiting[next]!++ === 0) ready.delete(next)
      ready.add(task)
      for (const storage of tasks[task]!.touches) {
        if (open[storage] === 0) live += bytes[storage]!
        open[storage]!++
        if (open[storage] === touches[storage]) live -= bytes[storage]!
      }
    },
  }
}

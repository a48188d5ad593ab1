import type { Part } from './part.ts'
import { type Order, savedBytes } from './problem.ts'

/** Tasks done together: the most bytes live meanwhile, and what is left, both of a subtree by itself. */
interface Segment {
  readonly hill: number
  readonly valley: number
  readonly tasks: Rope
}

/** Tasks in order; joined at no cost. */
type Rope = number | readonly [Rope, Rope]

/**
 * The best order of a part in which every task has at most one follower, and what it makes is read by that one alone; undefined for other
 * parts. Liu's method (J. Liu, 1987: An application of generalized tree pebbling to sparse matrix factorization): the best order of a
 * subtree as hills that fall and valleys that rise; those of subtrees beside each other are merged by hill less valley, the largest first.
 */
export function solveTree(part: Part): { readonly order: Order; readonly peak: number } | undefined {
  const makers = makersOf(part)
  if (!makers) return undefined
  const { tasks, bytes, touches, openAtStart, openAtEnd } = part
  const isOutside = (storage: number) => makers[storage] === undefined
  const isKept = (storage: number) => openAtEnd[storage]! < touches[storage]!
  const sum = (list: readonly number[]) => list.reduce((total, storage) => total + bytes[storage]!, 0)
  const waiting: Segment[][][] = tasks.map(() => [])
  const roots: Segment[][] = []

  for (const [task, { touches: own, scratch, overwrites, before }] of tasks.entries()) {
    const { segments, live } = merge(waiting[task]!)
    waiting[task] = []
    const made = own.filter((storage) => makers[storage] === task)
    const freed = own.filter((storage) => !isOutside(storage) && makers[storage] !== task && !isKept(storage))
    const gone = made.filter((storage) => !isKept(storage) && openAtStart[storage] === 1)
    const saved = overwrites ? savedBytes(overwrites, bytes, (storage) => freed.includes(storage)) : 0
    push(segments, {
      hill: live + sum(made) + scratch - saved,
      valley: live + sum(made) - sum(freed) - sum(gone),
      tasks: task,
    })
    const [next] = before
    if (next === undefined) roots.push(segments)
    else waiting[next]!.push(segments)
  }
  const { segments } = merge(roots)
  const peak = part.liveAtStart + segments.reduce((most, { hill }) => Math.max(most, hill), 0)
  return { order: segments.flatMap((segment) => tasksOf(segment.tasks)), peak }
}

/** The task that makes each storage, undefined for what is live all the time; undefined when the part is no tree. */
function makersOf({ tasks, touches, openAtStart, openAtEnd }: Part): readonly (number | undefined)[] | undefined {
  const makers: (number | undefined)[] = []
  for (const [task, { before, touches: own }] of tasks.entries()) {
    if (before.length > 1) return undefined
    for (const storage of own) {
      const isBorn = openAtStart[storage]! < touches[storage]!
      const isKept = openAtEnd[storage]! < touches[storage]!
      if (isBorn && isKept) continue
      if (isBorn) return undefined
      const maker = makers[storage]
      if (maker === undefined) makers[storage] = task
      else if (!tasks[maker]!.before.includes(task)) return undefined
    }
  }
  return makers
}

/** Segments of subtrees beside each other in the order of the best schedule, and what all of them leave. */
function merge(subtrees: readonly Segment[][]): { readonly segments: Segment[]; readonly live: number } {
  if (subtrees.length === 1) return { segments: subtrees[0]!, live: subtrees[0]!.at(-1)!.valley }
  const all = subtrees.flatMap((segments) =>
    segments.map((segment, i) => ({ segment, before: i === 0 ? 0 : segments[i - 1]!.valley })),
  )
  all.sort((a, b) => b.segment.hill - b.segment.valley - (a.segment.hill - a.segment.valley))
  const segments: Segment[] = []
  let live = 0
  for (const { segment, before } of all) {
    const others = live - before
    live = others + segment.valley
    push(segments, { hill: others + segment.hill, valley: live, tasks: segment.tasks })
  }
  return { segments, live }
}

/** Keeps hills falling and valleys rising. */
function push(segments: Segment[], added: Segment): void {
  let segment = added
  for (let last = segments.at(-1); last && (last.valley >= segment.valley || last.hill <= segment.hill); last = segments.at(-1)) {
    segment = { hill: Math.max(last.hill, segment.hill), valley: segment.valley, tasks: [last.tasks, segment.tasks] }
    segments.pop()
  }
  segments.push(segment)
}

function tasksOf(rope: Rope): readonly number[] {
  const tasks: number[] = []
  const pending: Rope[] = [rope]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'number') tasks.push(next)
    else pending.push(next[1], next[0])
  }
  return tasks
}

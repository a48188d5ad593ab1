import { cover } from './cover.ts'

/** Rows that wait to be run. A request has one of these, or several where it has more rows than fit in a run. */
export interface Waiting {
  /** Ascends in the order of arrival. */
  readonly id: number
  /** At most the largest size. */
  readonly rows: number
  /** Smaller numbers go first. */
  readonly priority: number
  /** Only those with equal keys can share a run. */
  readonly key: string
  /** Times in milliseconds of one clock; `due` may be Infinity. */
  readonly arrived: number
  readonly due: number
}

export interface Rules<T> {
  /** Rows that a run may have, ascending. */
  readonly sizes: readonly number[]
  /** Rows that are put together at most, and no more than the largest size. */
  readonly most: number
  /** Milliseconds that a request waits for others at most. */
  readonly delay: number
  /** Milliseconds from the start of a run of that size with this item to its answer, expected; above 0. */
  milliseconds(item: T, size: number): number
}

/** A run to start now, or when to look again; nothing where nothing waits. */
export type Decision<T> =
  | { readonly members: readonly T[]; readonly rows: number; readonly size: number }
  | { readonly wake: number }

const inOrder = (a: Waiting, b: Waiting): number => a.priority - b.priority || a.id - b.id

/**
 * What to run next of what waits. A run goes as soon as it is full, as nothing more could join it without making one of it late, as one of it
 * has waited for `delay`, or as one would be late if it waited longer. One that will be late whatever is done waits for nobody, and keeps nobody
 * from joining.
 * The first of its key is always in the run, so that none waits for ever.
 */
export function decide<T extends Waiting>(waiting: readonly T[], rules: Rules<T>, now: number): Decision<T> | undefined {
  const groups = new Map<string, T[]>()
  for (const item of waiting.toSorted(inOrder)) {
    const group = groups.get(item.key)
    if (group) group.push(item)
    else groups.set(item.key, [item])
  }
  let wake = Infinity
  for (const group of groups.values()) {
    const found = decideGroup(group, rules, now)
    if ('members' in found) return found
    wake = Math.min(wake, found.wake)
  }
  return waiting.length > 0 ? { wake } : undefined
}

function decideGroup<T extends Waiting>(group: readonly T[], rules: Rules<T>, now: number): Decision<T> {
  const { sizes, delay } = rules
  const limit = Math.min(rules.most, sizes.at(-1)!)
  // Asked for once: whoever waits may be many.
  const times = sizes.map((size) => rules.milliseconds(group[0]!, size))
  const milliseconds = (size: number) => times[sizes.indexOf(size)]!
  const sizeOf = (rows: number) => sizes.find((size) => size >= rows)!
  /** Those that are late even if they go alone at once. */
  const isHopeless = ({ rows, due }: T) => due !== Infinity && now + milliseconds(sizeOf(rows)) > due

  /** Takes in order what fits into `room` rows and makes none late. */
  function take(room: number) {
    const members: T[] = []
    let [rows, due] = [0, Infinity]
    for (const item of group) {
      if (rows + item.rows > room && members.length > 0) continue
      const dueWith = isHopeless(item) ? due : Math.min(due, item.due)
      if (members.length > 0 && dueWith !== Infinity && now + milliseconds(sizeOf(rows + item.rows)) > dueWith) continue
      members.push(item)
      rows += item.rows
      due = dueWith
    }
    return { members, rows, due }
  }

  const all = take(limit)
  const full = all.rows >= limit || all.members.length < group.length
  const waited = Math.min(...all.members.map(({ arrived }) => arrived)) + delay
  const wake = Math.min(waited, all.due - milliseconds(sizeOf(all.rows)))
  if (!full && now < wake && !all.members.some(isHopeless)) return { wake }
  // Rows that would make a run much larger than they fill go in one of their own, right after.
  const [first = all.rows] = cover(all.rows, sizes, milliseconds)
  const { members, rows } = first < all.rows ? take(Math.max(first, group[0]!.rows)) : all
  return { members, rows, size: sizeOf(rows) }
}

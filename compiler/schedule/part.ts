import { type Overwrite, type Prepared, run, savedBytes, startProgress } from './problem.ts'

/**
 * Consecutive tasks that every order does together: all before are done, all after are not. Tasks and storages are numbered anew from 0;
 * a storage that is live at the beginning or at the end has one touch more for what lies outside.
 */
export interface Part {
  /** Number in the whole problem of the first task; the others follow. */
  readonly first: number
  readonly tasks: readonly PartTask[]
  readonly bytes: readonly number[]
  /** Touches of each storage, with those outside. */
  readonly touches: readonly number[]
  /** Touches not done at the beginning, and not undone at the end. */
  readonly openAtStart: readonly number[]
  readonly openAtEnd: readonly number[]
  /** Bytes live at the beginning and at the end. */
  readonly liveAtStart: number
  readonly liveAtEnd: number
  /** What some task needs in every order. */
  readonly floor: number
}

export interface PartTask {
  readonly after: readonly number[]
  readonly before: readonly number[]
  readonly touches: readonly number[]
  readonly scratch: number
  readonly overwrites: readonly Overwrite[] | undefined
}

/**
 * Numbers of the tasks that begin a part, in rising order. A task ends its part when all before it, in the order given, must come before
 * it, and all after it after it: when each before has a follower that is not beyond it, and each after waits for one that is not before it.
 */
export function cutsOf({ tasks, before }: Prepared): readonly number[] {
  const count = tasks.length
  // Beyond which task the first followers of all earlier tasks reach; how far back the last of what later tasks wait for lies.
  const reach: number[] = []
  let far = -1
  for (let task = 0; task < count; task++) {
    reach.push(far)
    far = Math.max(
      far,
      before[task]!.reduce((least, next) => Math.min(least, next), count),
    )
  }
  const cuts: number[] = []
  let back = count
  for (let task = count - 1; task >= 0; task--) {
    if (reach[task]! <= task && back >= task) cuts.push(task + 1)
    back = Math.min(
      back,
      tasks[task]!.after.reduce((most, earlier) => Math.max(most, earlier), -1),
    )
  }
  const starts = cuts.reverse().filter((start) => start > 0 && start < count)
  return count === 0 ? [] : [0, ...starts]
}

/** The parts between cuts, made when asked for; live bytes at cuts are the same in every order. */
export function partsOf(prepared: Prepared, starts: readonly number[]): readonly (() => Part)[] {
  const count = prepared.tasks.length
  const live: number[] = []
  const progress = startProgress(prepared)
  const firstTouch = prepared.bytes.map(() => count)
  const lastTouch = prepared.bytes.map(() => -1)
  for (const [task, { touches }] of prepared.tasks.entries()) {
    live.push(progress.live)
    for (const storage of touches) {
      firstTouch[storage] = Math.min(firstTouch[storage]!, task)
      lastTouch[storage] = task
    }
    run(prepared, progress, task)
  }
  live.push(progress.live)
  return starts.map((first, i) => () => {
    const end = starts[i + 1] ?? count
    return partBetween(prepared, first, end, {
      liveAtStart: live[first]!,
      liveAtEnd: live[end]!,
      isBorn: (storage) => firstTouch[storage]! < first,
      isKept: (storage) => lastTouch[storage]! >= end,
    })
  })
}

interface Border {
  readonly liveAtStart: number
  readonly liveAtEnd: number
  isBorn(storage: number): boolean
  isKept(storage: number): boolean
}

function partBetween(prepared: Prepared, first: number, end: number, border: Border): Part {
  const numbers = new Map<number, number>()
  const touches: number[] = []
  const numberOf = (storage: number): number => {
    const known = numbers.get(storage) ?? numbers.size
    if (known === numbers.size) numbers.set(storage, touches.push(0) - 1)
    return known
  }
  const tasks = prepared.tasks.slice(first, end).map((task, i): PartTask => {
    const own = task.touches.map(numberOf)
    for (const storage of own) touches[storage]!++
    return {
      after: task.after.flatMap((earlier) => (earlier >= first ? [earlier - first] : [])),
      before: prepared.before[first + i]!.flatMap((later) => (later < end ? [later - first] : [])),
      touches: own,
      scratch: task.scratch ?? 0,
      overwrites: task.overwrites?.map(({ bytes, operands }) => ({
        bytes,
        operands: operands.map((each) => each.map(numberOf)),
      })),
    }
  })
  const storages = [...numbers.keys()]
  const bytes = storages.map((storage) => prepared.bytes[storage]!)
  const born = storages.map(border.isBorn)
  const kept = storages.map(border.isKept)
  const total = touches.map((count, i) => count + Number(born[i]!) + Number(kept[i]!))

  // What is live all the time, and what each task needs beside.
  const always = bytes.reduce((sum, each, i) => sum - (born[i] && !kept[i] ? each : 0), border.liveAtStart)
  const needs = tasks.map((task) => {
    const own = task.touches.reduce((sum, storage) => sum + (born[storage] && kept[storage] ? 0 : bytes[storage]!), 0)
    const saved = task.overwrites ? savedBytes(task.overwrites, bytes, (storage) => !kept[storage]) : 0
    return always + own + task.scratch - saved
  })
  return {
    first,
    tasks,
    bytes,
    touches: total,
    openAtStart: total.map((count, i) => count - Number(born[i]!)),
    openAtEnd: total.map((count, i) => count - Number(kept[i]!)),
    liveAtStart: border.liveAtStart,
    liveAtEnd: border.liveAtEnd,
    floor: needs.reduce((most, each) => Math.max(most, each), 0),
  }
}

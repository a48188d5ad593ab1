/** Work to be put in order. Tasks and storages are numbers from 0. */
export interface ScheduleProblem {
  readonly tasks: readonly Task[]
  /** Bytes of each storage; live from the first task that touches it to the last. */
  readonly bytes: readonly number[]
}

export interface Task {
  /** Tasks that must be done before. */
  readonly after: readonly number[]
  /** Storages it reads or writes, each once. */
  readonly touches: readonly number[]
}

export type Order = readonly number[]

/** Facts that every method of ordering needs. */
export interface Prepared extends ScheduleProblem {
  /** Tasks that come after each task. */
  readonly before: readonly (readonly number[])[]
  /** How many tasks touch each storage. */
  readonly touches: readonly number[]
  /** What a task alone needs; the largest is a lower bound of every peak. */
  readonly own: readonly number[]
}

export function prepare(problem: ScheduleProblem): Prepared {
  const before = problem.tasks.map((): number[] => [])
  const touches = problem.bytes.map(() => 0)
  for (const [task, { after, touches: storages }] of problem.tasks.entries()) {
    for (const earlier of after) before[earlier]!.push(task)
    for (const storage of storages) touches[storage]!++
  }
  const own = problem.tasks.map((task) => task.touches.reduce((sum, storage) => sum + problem.bytes[storage]!, 0))
  return { ...problem, before, touches, own }
}

/** Which tasks could run now and what is live, while an order is being made. */
export interface Progress {
  live: number
  peak: number
  readonly ready: Set<number>
  /** Tasks before each that are not done. */
  readonly waiting: number[]
  /** Tasks not done that touch each storage. */
  readonly open: number[]
}

export function startProgress({ tasks, touches }: Prepared): Progress {
  const waiting = tasks.map((task) => task.after.length)
  return {
    live: 0,
    peak: 0,
    ready: new Set([...tasks.keys()].filter((task) => waiting[task] === 0)),
    waiting,
    open: [...touches],
  }
}

/** Bytes live while the task runs, and after it. */
export function effectOf(prepared: Prepared, progress: Progress, task: number): { during: number; after: number } {
  let during = progress.live
  let freed = 0
  for (const storage of prepared.tasks[task]!.touches) {
    if (progress.open[storage] === prepared.touches[storage]) during += prepared.bytes[storage]!
    if (progress.open[storage] === 1) freed += prepared.bytes[storage]!
  }
  return { during, after: during - freed }
}

export function run(prepared: Prepared, progress: Progress, task: number): void {
  const { during, after } = effectOf(prepared, progress, task)
  progress.live = after
  progress.peak = Math.max(progress.peak, during)
  for (const storage of prepared.tasks[task]!.touches) progress.open[storage]!--
  progress.ready.delete(task)
  for (const next of prepared.before[task]!) if (--progress.waiting[next]! === 0) progress.ready.add(next)
}

/** Largest sum of bytes live at one task; throws when the order leaves out a task or does one too early. */
export function peakOf(problem: ScheduleProblem, order: Order): number {
  const prepared = prepare(problem)
  const progress = startProgress(prepared)
  for (const task of order) {
    if (!progress.ready.has(task)) throw new Error(`task ${task} is not ready`)
    run(prepared, progress, task)
  }
  if (order.length !== problem.tasks.length) throw new Error(`${order.length} of ${problem.tasks.length} tasks are in the order`)
  return progress.peak
}

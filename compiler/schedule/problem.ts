/** Work to be put in order. Tasks and storages are numbers from 0, and tasks come after those they wait for. */
export interface ScheduleProblem {
  readonly tasks: readonly Task[]
  /** Bytes of each storage; live from the first task that touches it to the last. */
  readonly bytes: readonly number[]
}

export interface Task {
  /** Tasks that must be done before; their numbers are lower. */
  readonly after: readonly number[]
  /** Storages it reads or writes, each once. */
  readonly touches: readonly number[]
  /** Bytes it needs beside, while it runs. */
  readonly scratch?: number
  /** Its results that may be written over operands. */
  readonly overwrites?: readonly Overwrite[]
}

/** A result that is written over an operand which nobody needs any more does not add its bytes to what is live. */
export interface Overwrite {
  /** Bytes of the result. */
  readonly bytes: number
  /** Storages of each operand that it may be written over, the first choice first; each is as large as the result. */
  readonly operands: readonly (readonly number[])[]
}

export type Order = readonly number[]

/** Facts that every method of ordering needs. */
export interface Prepared extends ScheduleProblem {
  /** Tasks that come after each task. */
  readonly before: readonly (readonly number[])[]
  /** How many tasks touch each storage. */
  readonly touches: readonly number[]
}

export function prepare(problem: ScheduleProblem): Prepared {
  const before = problem.tasks.map((): number[] => [])
  const touches = problem.bytes.map(() => 0)
  for (const [task, { after, touches: storages }] of problem.tasks.entries()) {
    for (const earlier of after) before[earlier]!.push(task)
    for (const storage of storages) touches[storage]!++
  }
  return { ...problem, before, touches }
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
  const { touches, scratch = 0, overwrites } = prepared.tasks[task]!
  let [fresh, freed] = [0, 0]
  for (const storage of touches) {
    if (progress.open[storage] === prepared.touches[storage]) fresh += prepared.bytes[storage]!
    if (progress.open[storage] === 1) freed += prepared.bytes[storage]!
  }
  const saved = overwrites ? savedBytes(overwrites, prepared.bytes, (storage) => progress.open[storage] === 1) : 0
  return { during: progress.live + fresh + scratch - saved, after: progress.live + fresh - freed }
}

/**
 * Bytes that a task need not add because its results are written over operands that die there. Of an operand in several storages those
 * that die count, which is never less than what can be had.
 */
export function savedBytes(
  overwrites: readonly Overwrite[],
  bytes: readonly number[],
  dies: (storage: number) => boolean,
): number {
  let saved = 0
  const taken = new Set<readonly number[]>()
  for (const { operands } of overwrites) {
    let best: { readonly operand: readonly number[]; readonly bytes: number } | undefined
    for (const operand of operands) {
      if (taken.has(operand)) continue
      const dying = operand.reduce((sum, storage) => sum + (dies(storage) ? bytes[storage]! : 0), 0)
      if (dying > (best?.bytes ?? 0)) best = { operand, bytes: dying }
    }
    if (!best) continue
    saved += best.bytes
    if (overwrites.length > 1) taken.add(best.operand)
  }
  return saved
}

export function run(prepared: Prepared, progress: Progress, task: number): void {
  const { during, after } = effectOf(prepared, progress, task)
  progress.live = after
  progress.peak = Math.max(progress.peak, during)
  for (const storage of prepared.tasks[task]!.touches) progress.open[storage]!--
  progress.ready.delete(task)
  for (const next of prepared.before[task]!) if (--progress.waiting[next]! === 0) progress.ready.add(next)
}

/** Most bytes live at each task of an order; throws when the order leaves out a task or does one too early. */
export function needsOf(prepared: Prepared, order: Order): readonly number[] {
  const progress = startProgress(prepared)
  const needs = prepared.tasks.map(() => 0)
  for (const task of order) {
    if (!progress.ready.has(task)) throw new Error(`task ${task} is not ready`)
    needs[task] = effectOf(prepared, progress, task).during
    run(prepared, progress, task)
  }
  if (order.length !== needs.length) throw new Error(`${order.length} of ${needs.length} tasks are in the order`)
  return needs
}

/** Largest sum of bytes live at one task; throws when the order leaves out a task or does one too early. */
export function peakOf(problem: ScheduleProblem, order: Order): number {
  return needsOf(prepare(problem), order).reduce((most, bytes) => Math.max(most, bytes), 0)
}

// Windows of time in which this process had the processors to itself.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Milliseconds for which processors were not idle, those that another guest of the host had among them. Undefined where the system does not tell. */
function busyMilliseconds(): number | undefined {
  let text: string
  try {
    text = readFileSync('/proc/stat', 'utf8')
  } catch {
    return undefined
  }
  // user nice system idle iowait irq softirq steal, in hundredths of a second.
  const [user, nice, system, , , irq, softirq, steal] = text.split('\n', 1)[0]!.split(/\s+/).slice(1).map(Number) as number[]
  return 10 * (user! + nice! + system! + irq! + softirq! + (steal ?? 0))
}

export interface Window<T> {
  readonly value: T
  /** Of all processors, what others had. */
  readonly others: number
  /** Processors that this process had on average. */
  readonly processors: number
}

/** Runs something, and says what others had meanwhile. */
async function windowOf<T>(run: () => Promise<T>): Promise<Window<T>> {
  const [started, own, busy] = [performance.now(), process.cpuUsage(), busyMilliseconds()]
  const value = await run()
  const spent = performance.now() - started
  const { user, system } = process.cpuUsage(own)
  const had = (user + system) / 1000
  const others = busy === undefined ? 0 : Math.max(0, busyMilliseconds()! - busy - had) / spent / availableParallelism()
  return { value, others, processors: had / spent }
}

/** What others may have of the processors in a quiet window. */
const mostOthers = 0.02

/**
 * Runs something again and again until `count` windows were quiet, at most four times as often. Returns those, or as many of those in which others had the
 * least: nothing that others do makes a program faster.
 */
export async function quietWindows<T>(run: () => Promise<T>, count: number): Promise<readonly Window<T>[]> {
  const windows: Window<T>[] = []
  const isEnough = () => windows.filter(({ others }) => others <= mostOthers).length >= count
  while (windows.length < 4 * count && !isEnough()) windows.push(await windowOf(run))
  return windows.sort((a, b) => a.others - b.others).slice(0, count)
}

// What this process holds: memory, descriptors, processes.
import { readdirSync } from 'node:fs'
import { childrenOf } from '../serve/support.ts'

export interface Resources {
  /** MiB that this process holds when its garbage is collected: how much of that there is follows the load. */
  readonly memory: number
  readonly descriptors: number
  readonly processes: number
}

const count = (folder: string) => {
  try {
    return readdirSync(folder).length
  } catch {
    // Linux alone has it.
    return 0
  }
}

export function resourcesNow(): Resources {
  globalThis.gc?.()
  return {
    memory: process.memoryUsage.rss() / 2 ** 20,
    descriptors: count('/proc/self/fd'),
    processes: process.platform === 'linux' ? childrenOf().length : 0,
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** How much larger, as a share, the median of the last quarter of samples is than that of the second. */
export function growthOf(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4)
  return median(samples.slice(-quarter)) / median(samples.slice(quarter, 2 * quarter)) - 1
}

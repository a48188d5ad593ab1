interface Monitor {
  readonly min: number
  readonly max: number
  percentile(share: number): number
  reset(): void
  disable(): boolean
}

let monitor: Monitor | undefined

/** Milliseconds between two looks of the monitor: the least delay that it sees. */
const resolution = 10

/**
 * Watches how late the event loop of this process comes to what is due; `metricsText` then tells it. Costs a timer every 10 ms. Returns a
 * function that ends it.
 */
export function watchEventLoop(): () => void {
  if (!monitor) {
    const { monitorEventLoopDelay } = process.getBuiltinModule('perf_hooks')
    const made = monitorEventLoopDelay({ resolution })
    made.enable()
    monitor = made
  }
  return () => {
    monitor?.disable()
    monitor = undefined
  }
}

/** Seconds by quantile, in ascending order, 1 being the longest; undefined where nobody watches or nothing is known yet. */
export function delayOfEventLoop(): readonly (readonly [quantile: string, seconds: number])[] | undefined {
  // Before its first look it has a least that is larger than all.
  if (!monitor || monitor.max < monitor.min) return undefined
  const own = monitor
  // What it measures are the times between looks.
  const of = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolution / 1e3)
  const shares = [0.5, 0.99].map((share) => [String(share), of(own.percentile(share * 100))] as const)
  return [...shares, ['1', of(own.max)]]
}

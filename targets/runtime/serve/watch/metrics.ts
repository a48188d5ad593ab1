import type { Watched } from './about.ts'
import { textOf } from './families.ts'
import { type Metrics, watchMetrics } from './tally.ts'

const known = new WeakMap<object, Metrics>()

/** Of a server, counted from the first time that somebody asks. */
export const metricsOf = (server: Watched): Metrics => {
  const metrics = known.get(server) ?? watchMetrics(server)
  known.set(server, metrics)
  return metrics
}

/**
 * The metrics of servers as Prometheus reads them (text format 0.0.4, `text/plain; version=0.0.4`): answer a request with it. A server is counted from the first time
 * that this, or its `statistics`, is called for it.
 */
export const metricsText = (...servers: readonly Watched[]): string => textOf(servers.map(metricsOf))

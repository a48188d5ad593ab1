import type { Span } from './simulate.ts'

/** One event of the Chrome trace format, which Perfetto reads; times are microseconds. */
interface TraceEvent {
  readonly name: string
  readonly cat: string
  readonly ph: 'X' | 'M'
  readonly ts?: number
  readonly dur?: number
  readonly pid: number
  readonly tid: number
  readonly args: Readonly<Record<string, string | number>>
}

/**
 * Spans as a trace that chrome://tracing and Perfetto show: a row for each card and link, in the order in which they were first used. Requests
 * overlap, so each has a row of its own. Named modelled.
 */
export function traceOf(spans: readonly Span[]): { readonly traceEvents: readonly TraceEvent[]; readonly displayTimeUnit: 'ms' } {
  const rows = new Map<string, number>()
  const [requests, platform] = [1, 2]
  const events = spans.map(({ kind, name, request, where, start, end }): TraceEvent => {
    const isRequest = kind === 'request'
    if (!isRequest && !rows.has(where)) rows.set(where, rows.size + 1)
    return {
      name: isRequest ? `request ${request}` : name,
      cat: kind,
      ph: 'X',
      ts: start * 1e6,
      dur: (end - start) * 1e6,
      pid: isRequest ? requests : platform,
      tid: isRequest ? request : rows.get(where)!,
      args: { request },
    }
  })
  const meta = (name: string, pid: number, tid: number, text: string): TraceEvent => ({
    name,
    cat: 'meta',
    ph: 'M',
    pid,
    tid,
    args: { name: text },
  })
  return {
    displayTimeUnit: 'ms',
    traceEvents: [
      meta('process_name', requests, 0, 'requests (modelled)'),
      meta('process_name', platform, 0, 'platform (modelled)'),
      ...[...rows].map(([where, row]) => meta('thread_name', platform, row, where)),
      ...events,
    ],
  }
}

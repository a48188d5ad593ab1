import type { ServerStatistics, TimeStatistics } from '../api.ts'
import { type Histogram, merge, quantile } from './histogram.ts'
import { type Metrics, times } from './tally.ts'

const timesOf = (histograms: Iterable<Histogram>): TimeStatistics => {
  const all = times()
  for (const histogram of histograms) merge(all, histogram)
  const of = (value: number) => (all.count === 0 ? 0 : value * 1e3)
  return { count: all.count, mean: of(all.sum / all.count), p50: of(quantile(all, 0.5)), p99: of(quantile(all, 0.99)) }
}

const byCode = (map: ReadonlyMap<string, number>): Record<string, number> => {
  const codes: Record<string, number> = {}
  for (const [key, value] of map) {
    const code = key.split('\n')[1]!
    codes[code] = (codes[code] ?? 0) + value
  }
  return codes
}

const sum = (values: Iterable<number>): number => {
  let all = 0
  for (const value of values) all += value
  return all
}

export function statisticsOf({ tally, info }: Metrics): ServerStatistics {
  const about = info()
  const { ok: succeeded = 0, ...failed } = byCode(tally.answered)
  const bytes = [...tally.requestBytes.values()]
  const links = [...tally.links.values()]
  return {
    model: about?.model ?? '',
    bundle: about?.bundle ?? '',
    waiting: about?.waiting ?? 0,
    active: about?.active ?? 0,
    requests: sum(tally.requests.values()),
    processed: sum(tally.answered.values()),
    succeeded,
    failed,
    refused: byCode(tally.refused),
    retried: tally.retried,
    latency: timesOf(tally.seconds.values()),
    queue: timesOf([tally.queued]),
    bytes: {
      inputs: sum(bytes.map((each) => each.in)),
      outputs: sum(bytes.map((each) => each.out)),
      fromHost: sum(links.map(({ host }) => host)),
      fromCards: sum(links.map(({ cards }) => cards)),
    },
    batches: { count: tally.batches.count, rows: tally.batches.sum, padding: tally.padding },
    cards: (about?.cards ?? []).map(({ index, name, state, restarts, bytes }) => ({
      ...{ name, state, restarts, bytes: sum(Object.values(bytes)) },
      command: timesOf([...tally.commands].flatMap(([key, times]) => (key.startsWith(`${index}\n`) ? [times] : []))),
    })),
  }
}

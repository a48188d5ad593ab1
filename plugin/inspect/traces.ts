// TO-11: what takes longer, and what less, in one trace than in another.
import { z } from 'zod'

/** Longer traces are refused. */
const mostEvents = 5e6

const event = z.looseObject({
  name: z.string().max(1000),
  ph: z.string().max(4),
  cat: z.string().max(100).optional(),
  dur: z.number().min(0).optional(),
  args: z.looseObject({ at: z.string().max(1000).optional(), part: z.string().max(1000).optional() }).optional(),
})
const file = z.union([z.array(event).max(mostEvents), z.looseObject({ traceEvents: z.array(event).max(mostEvents) })])

/** All events of one kind in a trace. Times are microseconds. */
export interface TraceTotal {
  readonly count: number
  readonly total: number
}

export interface TraceDifference {
  /** What it is: an operator, a run of a part, a copy, a request. */
  readonly category: string
  readonly name: string
  /** Line of the model; empty where it has none. */
  readonly at: string
  readonly before: TraceTotal
  readonly after: TraceTotal
  /** Microseconds of one, on average, after less before; undefined where it is in one trace alone. */
  readonly change: number | undefined
}

/** A trace file that is none. */
export class TraceError extends Error {
  override readonly name = 'TraceError'
}

const nothing: TraceTotal = { count: 0, total: 0 }
/** Requests and copies are told apart by what they are and not by their numbers. */
const nameOf = (name: string, category: string): string => (category === 'request' ? name.replace(/ \d+$/, '') : name)

function totalsOf(source: unknown, path: string): Map<string, TraceTotal> {
  const parsed = file.safeParse(source)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new TraceError(`${path} is no trace: ${issue.path.join('.')}: ${issue.message}`)
  }
  const totals = new Map<string, TraceTotal>()
  for (const { name, ph, cat = '', dur, args } of 'traceEvents' in parsed.data ? parsed.data.traceEvents : parsed.data) {
    if (ph !== 'X' || dur === undefined) continue
    const key = JSON.stringify([cat, nameOf(name, cat), args?.at ?? ''])
    const { count, total } = totals.get(key) ?? nothing
    totals.set(key, { count: count + 1, total: total + dur })
  }
  return totals
}

/** Differences of two traces, in the Chrome format, the largest first. Throws TraceError. */
export function compareTraces(
  before: { readonly path: string; readonly content: unknown },
  after: { readonly path: string; readonly content: unknown },
): readonly TraceDifference[] {
  const [a, b] = [totalsOf(before.content, before.path), totalsOf(after.content, after.path)]
  const differences = [...new Set([...a.keys(), ...b.keys()])].map((key): TraceDifference => {
    const [category, name, at] = JSON.parse(key) as [string, string, string]
    const [was, is] = [a.get(key) ?? nothing, b.get(key) ?? nothing]
    const change = was.count > 0 && is.count > 0 ? is.total / is.count - was.total / was.count : undefined
    return { category, name, at, before: was, after: is, change }
  })
  /** What it makes of the whole, in microseconds. */
  const weight = ({ before, after, change }: TraceDifference) =>
    change === undefined ? before.total + after.total : Math.abs(change) * after.count
  return differences.sort((x, y) => weight(y) - weight(x) || (x.name < y.name ? -1 : 1))
}

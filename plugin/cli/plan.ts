import { proposeGrowth } from '../../compiler/partition/grow.ts'
import { type Method, type ModelPartition, partitionModel, printPlan, printPlanDot } from '../../compiler/partition/index.ts'
import type { DescribedPlatform } from '../../targets/platform/index.ts'
import { type Span, simulate, traceOf } from '../../targets/platform/simulate/index.ts'
import { writeWhole } from '../bundle/write.ts'
import { formatBytes } from '../report.ts'
import { chooseEntry } from './models.ts'
import { choosePlatform, describePlace, type PlacementOptions, positive, readPlacementOptions } from './placement.ts'
import { describeGrowth, describeIdle, describeServing, readServing, type ServingOptions } from './serving.ts'
import { readModelOf, readNumber, type SourceOptions } from './source.ts'
import { formatTable, printJson, UsageError, withProgress } from './terminal.ts'

export interface PlanOptions extends SourceOptions, PlacementOptions, ServingOptions {
  readonly grow?: unknown
  readonly out?: unknown
  readonly dot?: unknown
  readonly rate?: unknown
  readonly requests?: unknown
  readonly seed?: unknown
  readonly trace?: unknown
  readonly tables?: boolean
  readonly json?: boolean
}

/** Requests in a trace at most: one of more is slow to look at. */
const tracedRequests = 200

/** `glowplug plan`: where each part of a model would be on a platform, and how requests would fare there. */
export async function plan(file: string, options: PlanOptions): Promise<void> {
  const rate = options.rate === undefined ? undefined : positive(options.rate, '--rate', 1000)
  const requests = positive(options.requests, '--requests', 10_000)
  const seed = readNumber(options.seed, '--seed', 1)
  if (rate === undefined && options.trace !== undefined)
    throw new UsageError('--trace is of served requests', 'say how many come each second, as --rate 1000')
  const serving = readServing(options)
  if (rate === undefined && Object.keys(serving).length > 0)
    throw new UsageError('--batch and --fault are of served requests', 'say how many come each second, as --rate 1000')
  const grow = options.grow === undefined ? undefined : Number(options.grow)
  if (grow !== undefined && !(grow > 0 && grow <= 64))
    throw new UsageError(`--grow '${options.grow}' is no number up to 64`, 'write --grow 2')
  const described = await choosePlatform(String(options.platform ?? 'six-cards'))
  const { platform } = described
  const how = await readPlacementOptions(options)
  const { partition, shown, growth, simulation, spans } = await withProgress(`reading ${file}`, async (update) => {
    const { archive: _, ...model } = await readModelOf(file, options)
    const { entry } = options
    const entries = entry === undefined ? model.entries : [chooseEntry(model, String(entry))]
    update(`placing ${model.name}`)
    const partition = partitionModel({ name: model.name, entries }, platform, how)
    const shown = partition.entries[partition.largest]!
    const { graph } = entries.find(({ name }) => name === shown.name)!
    const growth = grow === undefined ? undefined : proposeGrowth(graph, platform, grow)
    if (rate === undefined) return { partition, shown, growth }
    update(`serving ${requests} requests`)
    const spans: Span[] = []
    const observe = (span: Span) => {
      if (span.request < tracedRequests) spans.push(span)
    }
    const simulation = simulate(shown.plan, platform, {
      rate,
      requests,
      seed,
      ...serving,
      ...(options.trace !== undefined && { observe }),
    })
    return { partition, shown, growth, simulation, spans }
  })
  if (options.trace !== undefined && spans) await writeWhole(String(options.trace), `${JSON.stringify(traceOf(spans))}\n`)
  if (options.out !== undefined) await writeWhole(String(options.out), printPlan(partition.plan))
  if (options.dot !== undefined) await writeWhole(String(options.dot), printPlanDot(shown.plan))
  if (options.json) return printJson({ plan: shown.plan, ...(simulation && { modelled: simulation }), ...(growth && { growth }) })
  process.stdout.write(describe(partition, described, options.tables === true))
  if (options.tables) process.stdout.write(describeIdle(partition, platform))
  if (simulation) process.stdout.write(describeServing(simulation, platform))
  if (growth) process.stdout.write(describeGrowth(growth, platform))
  if (options.trace !== undefined)
    process.stdout.write(`trace of the first ${Math.min(requests, tracedRequests)} requests: ${options.trace}\n`)
}

const microseconds = (seconds: number): string => (seconds * 1e6).toFixed(seconds < 1e-4 ? 2 : 0)
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const many = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

const words: Readonly<Record<Method, string>> = {
  tables: 'tables spread over the cards, the rest on each of them',
  copies: 'whole wherever it is',
  stages: 'in stages, one card after the other',
  unlike: 'what cards refuse on the host',
  graph: 'each node where it suits the whole',
  map: 'as the map says',
}

function describe({ entries, largest }: ModelPartition, { platform, provenance }: DescribedPlatform, all: boolean): string {
  const { name: entry, plan } = entries[largest]!
  const assumed = [...provenance.values()].filter(({ certainty }) => certainty === 'assumed').length
  const parts = plan.parts.map(({ name, on: place, nodes, weights, seconds, tables = [] }) => [
    name,
    describePlace(place, platform.cards.length),
    String(nodes),
    String(tables.length),
    String(tables.reduce((sum, { lookups }) => sum + lookups, 0)),
    formatBytes(weights),
    formatBytes(plan.transfers.filter(({ to }) => to === name).reduce((sum, { bytes }) => sum + bytes, 0)),
    microseconds(seconds),
  ])
  const cards = plan.cards.map(({ card, bytes, capacity, seconds }) => [
    card,
    formatBytes(bytes),
    percent(bytes / capacity),
    microseconds(seconds),
  ])
  const tables = plan.parts.flatMap(({ name, tables: own = [] }) =>
    own.map(({ table, part = 'whole', bytes, lookups, seconds }) => [
      name,
      table,
      part,
      formatBytes(bytes),
      String(lookups),
      microseconds(seconds),
    ]),
  )
  const lines = [
    `${plan.model}${entries.length > 1 ? ` (${entry}, of ${entries.length} entries)` : ''} on ${platform.name}: ${words[plan.method]}. Times are modelled${assumed > 0 ? `; ${many(assumed, 'figure')} of the platform ${assumed === 1 ? 'is' : 'are'} assumed` : ''}.\n`,
    formatTable([['part', 'on', 'nodes', 'tables', 'look-ups', 'weights', 'reads', 'µs'], ...parts], [2, 3, 4, 5, 6, 7]),
    ...(cards.length > 0 ? [formatTable([['card', 'holds', 'of it', 'µs a request'], ...cards], [1, 2, 3])] : []),
    ...(all && tables.length > 0
      ? [formatTable([['part', 'table', 'which', 'bytes', 'look-ups', 'µs'], ...tables], [3, 4, 5])]
      : []),
  ]
  return `${lines.join('\n')}\na request by itself takes ${microseconds(plan.requestSeconds)} µs; ${Math.floor(plan.requestsPerSecond)} a second at most, by its fullest card (modelled)\n`
}

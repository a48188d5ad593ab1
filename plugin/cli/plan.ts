import { readFile, stat } from 'node:fs/promises'
import {
  type Method,
  methods,
  type Partition,
  PartitionError,
  type Plan,
  partitionGraph,
} from '../../compiler/partition/index.ts'
import {
  type DescribedPlatform,
  isPresetName,
  loadPreset,
  longestFile,
  PlatformError,
  presets,
  readPlatform,
} from '../../targets/platform/index.ts'
import { type Simulation, type Span, simulate, traceOf } from '../../targets/platform/simulate/index.ts'
import { writeWhole } from '../bundle/write.ts'
import { formatBytes } from '../report.ts'
import { readNumber, readSource, type SourceOptions } from './source.ts'
import { checkFile, Failure, formatTable, nearest, printJson, UsageError, withProgress } from './terminal.ts'

export interface PlanOptions extends SourceOptions {
  readonly platform?: unknown
  readonly method?: unknown
  readonly contexts?: unknown
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
  const method = options.method === undefined ? undefined : String(options.method)
  if (method !== undefined && !isMethod(method))
    throw new UsageError(`plan has no method '${method}'${nearest(method, methods)}`, `methods are ${methods.join(', ')}`)
  const contexts = positive(options.contexts, '--contexts', 1)
  const rate = options.rate === undefined ? undefined : positive(options.rate, '--rate', 1000)
  const requests = positive(options.requests, '--requests', 10_000)
  const seed = readNumber(options.seed, '--seed', 1)
  if (rate === undefined && options.trace !== undefined)
    throw new UsageError('--trace is of served requests', 'say how many come each second, as --rate 1000')
  const described = await findPlatform(String(options.platform ?? 'six-cards'))
  const { platform } = described
  const { partition, simulation, spans } = await withProgress(`reading ${file}`, async (update) => {
    const { graph } = await readSource(file, options)
    update(`placing ${graph.name}`)
    const partition = place(() => partitionGraph(graph, platform, { contexts, ...(method && { method }) }))
    if (rate === undefined) return { partition }
    update(`serving ${requests} requests`)
    const spans: Span[] = []
    const observe = (span: Span) => {
      if (span.request < tracedRequests) spans.push(span)
    }
    const simulation = simulate(partition.plan, platform, {
      rate,
      requests,
      seed,
      ...(options.trace !== undefined && { observe }),
    })
    return { partition, simulation, spans }
  })
  if (options.trace !== undefined && spans) await writeWhole(String(options.trace), `${JSON.stringify(traceOf(spans))}\n`)
  if (options.json) return printJson({ plan: partition.plan, ...(simulation && { modelled: simulation }) })
  process.stdout.write(describe(partition, described, options.tables === true))
  if (simulation) process.stdout.write(describeServing(simulation))
  if (options.trace !== undefined)
    process.stdout.write(`trace of the first ${Math.min(requests, tracedRequests)} requests: ${options.trace}\n`)
}

const isMethod = (text: string): text is Method => (methods as readonly string[]).includes(text)

function positive(value: unknown, option: string, fallback: number): number {
  const number = readNumber(value, option, fallback)
  if (number < 1) throw new UsageError(`${option} '${value}' is no whole number of at least 1`, `write ${option} ${fallback}`)
  return number
}

/** A preset, or what a file describes. */
async function findPlatform(name: string): Promise<DescribedPlatform> {
  if (isPresetName(name)) return loadPreset(name)
  if (!/[./\\]/.test(name))
    throw new UsageError(
      `there is no platform '${name}'${nearest(name, Object.keys(presets))}`,
      `platforms are ${Object.keys(presets).join(', ')}, or a JSON file`,
    )
  checkFile(name)
  if ((await stat(name)).size > 4 * longestFile) throw new Failure(`${name} is longer than ${4 * longestFile} bytes`)
  try {
    return readPlatform(await readFile(name, 'utf8'), name)
  } catch (error) {
    if (error instanceof PlatformError) throw new Failure(error.message)
    throw error
  }
}

function place(work: () => Partition): Partition {
  try {
    return work()
  } catch (error) {
    if (error instanceof PartitionError) throw new Failure(error.message)
    throw error
  }
}

const microseconds = (seconds: number): string => (seconds * 1e6).toFixed(seconds < 1e-4 ? 2 : 0)
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
const many = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

const words: Readonly<Record<Method, string>> = {
  tables: 'tables spread over the cards, the rest on each of them',
  copies: 'whole wherever it is',
  stages: 'in stages, one card after the other',
  unlike: 'what cards refuse on the host',
}

function describe({ plan }: Partition, { platform, provenance }: DescribedPlatform, all: boolean): string {
  const assumed = [...provenance.values()].filter(({ certainty }) => certainty === 'assumed').length
  const on = (place: Plan['parts'][number]['on']) =>
    place === 'host'
      ? 'host'
      : place.length > 1 && place.length === platform.cards.length
        ? 'each card'
        : place.map((index) => `card ${index}`).join(', ')
  const parts = plan.parts.map(({ name, on: place, nodes, weights, seconds, tables = [] }) => [
    name,
    on(place),
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
    `${plan.model} on ${platform.name}: ${words[plan.method]}. Times are modelled${assumed > 0 ? `; ${many(assumed, 'figure')} of the platform ${assumed === 1 ? 'is' : 'are'} assumed` : ''}.\n`,
    formatTable([['part', 'on', 'nodes', 'tables', 'look-ups', 'weights', 'reads', 'µs'], ...parts], [2, 3, 4, 5, 6, 7]),
    ...(cards.length > 0 ? [formatTable([['card', 'holds', 'of it', 'µs a request'], ...cards], [1, 2, 3])] : []),
    ...(all && tables.length > 0
      ? [formatTable([['part', 'table', 'which', 'bytes', 'look-ups', 'µs'], ...tables], [3, 4, 5])]
      : []),
  ]
  return `${lines.join('\n')}\na request by itself takes ${microseconds(plan.requestSeconds)} µs; ${Math.floor(plan.requestsPerSecond)} a second at most, by its fullest card (modelled)\n`
}

function describeServing({ requests, rate, latency, throughput, uses, joulesPerRequest }: Simulation): string {
  const rows = uses.map(({ name, busy, bytes }) => [name, percent(busy), bytes === undefined ? '' : formatBytes(bytes)])
  const { p50, p90, p99, most } = latency
  return [
    `\n${requests} requests, ${rate} a second (modelled): ${throughput.toFixed(1)} answered a second, ${joulesPerRequest.toFixed(4)} J each\n`,
    `latency: p50 ${microseconds(p50)} µs, p90 ${microseconds(p90)} µs, p99 ${microseconds(p99)} µs, most ${microseconds(most)} µs\n\n`,
    formatTable([['', 'busy', 'bytes a request'], ...rows], [1, 2]),
  ].join('')
}

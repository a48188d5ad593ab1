// Draws, tries, and makes small what fails.
import type { Graph } from '../../compiler/graph/index.ts'
import { firstBadApplication } from '../../compiler/pipeline.ts'
import { modelSource, Unwritable } from '../support/modelSource.ts'
import { drawGraph } from './drawn.ts'
import { encodeGraph } from './encoded.ts'
import { type Ending, startWorker, type Worker } from './process.ts'
import type { Failure, Request, Selection, Trial } from './protocol.ts'
import { shrink } from './shrink.ts'

export interface FuzzOptions extends Partial<Selection> {
  /** The first graph's number; those after it follow. */
  readonly seed: number
  /** Stops after so many seconds. */
  readonly seconds?: number
  /** Stops after so many graphs. */
  readonly count?: number
  /** Graphs that share one run of a C compiler. Default 24. */
  readonly batch?: number
  /** Draws graphs of one recipe only. */
  readonly recipe?: string | undefined
  /** The module to start as a worker: one that calls `serve` where `isWorker()`. */
  readonly worker: string
  /** Seconds that anything may take, in place of what is usual. */
  readonly patience?: number
  /** Graphs that are tried to make one failure small. Default 1500. */
  readonly maximumTries?: number
  /** Failures after which it stops. Default 10. */
  readonly maximumFailures?: number
  readonly tell?: (line: string) => void
}

/** A failure, made small. */
export interface Finding {
  readonly failure: Failure
  readonly graph: Graph
  /** Nodes of the graph as it was drawn. */
  readonly drawn: number
  /** Nodes that compute, after shrinking. */
  readonly nodes: number
  readonly tries: number
  /** As a model, or as text of the graph where the vocabulary has no words for it. */
  readonly source: string
  /** The first rewrite after which it is wrong, counted from 1. */
  readonly application?: { readonly number: number; readonly pass: string; readonly rule: string; readonly note: string }
  /** Failures of the same kind that came after. */
  repeated: number
}

export interface FuzzReport {
  readonly findings: readonly Finding[]
  readonly graphs: number
  readonly nodes: number
  /** Graphs whose inputs lead outside a table: nothing is compared. */
  readonly faults: number
  /** Checks that were run. */
  readonly runs: number
  readonly seconds: number
}

/** What a message says whatever the numbers are. */
export function kindOf(message: string): string {
  const first = message.split('\n')[0]!
  if (/^output \S+ is .* expected /.test(first)) return 'other values'
  return first
    .replace(/"[^"]*"|'[^']*'|%\d+|\[[^\]]*\]/g, '…')
    .replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/g, '#')
    .slice(0, 90)
}

const asked = (ending: Ending, many: number): readonly Trial[] =>
  ending.kind === 'answered' && ending.reply.kind === 'tried'
    ? ending.reply.trials
    : Array.from({ length: many }, () => ({
        message: ending.kind === 'lost' ? ending.failure.message : 'no answer',
        applications: [],
      }))

/** Tries graphs; each apart where one of them takes the process with it. */
async function attempt(
  worker: Worker,
  graphs: readonly Graph[],
  request: Omit<Extract<Request, { kind: 'try' }>, 'kind' | 'graphs'>,
): Promise<readonly Trial[]> {
  const ask = async (part: readonly Graph[]) => worker.ask({ ...request, kind: 'try', graphs: part.map(encodeGraph) })
  const ending = await ask(graphs)
  if (ending.kind === 'answered' || graphs.length === 1) return asked(ending, graphs.length)
  const trials: Trial[] = []
  for (const graph of graphs) trials.push(...asked(await ask([graph]), 1))
  return trials
}

/** Whether a check runs a compiler of C, which many graphs should share. */
const usesC = (check: string): boolean => /^(wasm|simd|x86|aarch)/.test(check)

/** Makes a failing graph small and says which rewrite is to blame. */
export async function investigate(
  worker: Worker,
  failure: Failure,
  graph: Graph,
  { broken, maximumTries = 1500 }: Pick<FuzzOptions, 'broken' | 'maximumTries'>,
): Promise<Finding> {
  const { seed, check } = failure
  const wanted = kindOf(failure.message)
  // What hangs is not waited for as long as what may be slow; a C compiler takes its time.
  const hangs = wanted === 'hangs' ? { seconds: usesC(check) ? 60 : 3 } : {}
  const request = { seed, check, broken, maximumApplications: Number.POSITIVE_INFINITY, ...hangs }
  const width = usesC(check) ? 16 : 4
  const isCostly = wanted === 'hangs' || wanted.startsWith('ends the process')
  const small = await shrink(graph, {
    fails: async (graphs) =>
      (await attempt(worker, graphs, request)).map(({ message }) => message !== undefined && kindOf(message) === wanted),
    width: isCostly ? 1 : width,
    maximumTries: isCostly ? Math.min(80, maximumTries) : maximumTries,
    seconds: usesC(check) ? 150 : 60,
  })
  const tryWith = async (maximumApplications: number) =>
    (await attempt(worker, [small.graph], { ...request, maximumApplications }))[0]!
  const whole = await tryWith(Number.POSITIVE_INFINITY)
  const total = whole.applications.length
  // Where it fails without any rewrite, none is to blame.
  const number =
    total > 0 && (await tryWith(0)).message === undefined
      ? await firstBadApplication(total, async (most) => (await tryWith(most)).message === undefined)
      : undefined
  const found = number === undefined ? undefined : (await tryWith(number)).applications.at(-1)
  const message = whole.message ?? failure.message
  const nodes = small.graph.nodes.filter(({ op }) => op !== 'input' && op !== 'constant').length
  return {
    failure: { ...failure, message },
    graph: small.graph,
    drawn: graph.nodes.length,
    nodes,
    tries: small.tries,
    source: sourceOf(small.graph, { ...failure, message }),
    ...(number === undefined || !found ? {} : { application: { number, ...found } }),
    repeated: 0,
  }
}

function sourceOf(graph: Graph, { seed, check, message }: Failure): string {
  try {
    return modelSource(graph, 'fuzz', [`fuzz seed ${seed}, check ${check}: ${message.split('\n')[0]!.slice(0, 160)}`])
  } catch (error) {
    if (error instanceof Unwritable) return `// the vocabulary has no words for ${error.message}\n`
    throw error
  }
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const {
    seed,
    seconds = Number.POSITIVE_INFINITY,
    count = Number.POSITIVE_INFINITY,
    batch = 24,
    recipe,
    tell = () => undefined,
  } = options
  const selection: Selection = { targets: options.targets, only: options.only, broken: options.broken }
  const started = performance.now()
  const passed = () => (performance.now() - started) / 1000
  const worker = startWorker(options.worker, options.patience)
  const findings = new Map<string, Finding>()
  let [graphs, nodes, faults, runs] = [0, 0, 0, 0]

  /** How often each kind of failure was looked into. */
  const examined = new Map<string, number>()

  async function examine(failure: Failure): Promise<void> {
    const kind = `${failure.check}: ${kindOf(failure.message)}`
    const alike = [...findings].filter(([key]) => key.startsWith(kind))
    const times = examined.get(kind) ?? 0
    examined.set(kind, times + 1)
    // One kind of failure may have several causes; which it is shows only when it is small.
    if (times >= 3) {
      alike[0]![1].repeated++
      return
    }
    tell(`seed ${failure.seed}: ${failure.check}: ${failure.message.split('\n')[0]}`)
    if (failure.check === 'draw' || failure.check === 'start')
      throw new Error(`seed ${failure.seed}: ${failure.check}: ${failure.message}`)
    const finding = await investigate(worker, failure, drawGraph(failure.seed, recipe).graph, options)
    const key = `${kind}: ${finding.application ? finding.application.rule : finding.graph.nodes.map(({ op }) => op).join()}`
    const known = findings.get(key)
    if (known) known.repeated++
    else findings.set(key, finding)
  }

  try {
    for (let at = 0; at < count && passed() < seconds && findings.size < (options.maximumFailures ?? 10); ) {
      // The first batches are small, so that a plain mistake is told at once.
      const size = Math.min(batch, count - at, at === 0 ? 8 : batch)
      const failures: Failure[] = []
      const request = { kind: 'batch', from: seed + at, count: size, recipe, selection } as const
      const ending = await worker.ask(request, (failure) => failures.push(failure))
      for (const failure of failures) await examine(failure)
      if (ending.kind === 'lost') {
        await examine(ending.failure)
        // Those behind it have not been tried yet.
        const next = Math.max(at + 1, ending.failure.seed - seed + 1)
        graphs += next - at
        at = next
        continue
      }
      if (ending.reply.kind === 'done') {
        graphs += ending.reply.graphs
        nodes += ending.reply.nodes
        faults += ending.reply.faults
        runs += ending.reply.runs
      }
      at += size
      tell(`${graphs} graphs, ${findings.size} failures, ${(graphs / passed()).toFixed(1)} graphs per second`)
    }
  } finally {
    worker.close()
  }
  return { findings: [...findings.values()], graphs, nodes, faults, runs, seconds: passed() }
}

/** A finding as it is shown. */
export function describe(finding: Finding, file: string): string {
  const { failure, application, repeated } = finding
  return [
    `seed ${failure.seed}: ${failure.check}`,
    ...failure.message.split('\n').slice(0, kindOf(failure.message) === 'other values' ? 1 : 12),
    ...(application
      ? [`rewrite ${application.number} is wrong: ${application.pass}, ${application.rule}: ${application.note}`]
      : []),
    `${finding.nodes} ops after ${finding.tries} tries${repeated > 0 ? `; ${repeated} more graphs fail alike` : ''}`,
    '',
    finding.source.trimEnd(),
    '',
    `again: npm run fuzz -- --seed ${failure.seed} --count 1 --only '${failure.check}'`,
    `       npm run fuzz -- --model ${file}`,
  ].join('\n')
}

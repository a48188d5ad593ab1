import { resultsOfStep } from '../../compiler/fuse/index.ts'
import { type Graph, inputName, type Node, printLocation } from '../../compiler/graph/index.ts'
import { collectHistory, type History, type NodeTrace, traceBack, traceForward } from '../../compiler/pipeline/history.ts'
import type { PartialResult, PassRecord } from '../../compiler/pipeline.ts'
import { compileStages } from '../compile.ts'
import { membersOf, storedValues } from '../inspect/layers.ts'
import { checkPassName } from './print.ts'
import { findLevel, readSource, type SourceOptions, type TargetOptions } from './source.ts'
import { Failure, formatTable, printJson, withProgress } from './terminal.ts'

export interface LogOptions extends SourceOptions, TargetOptions {
  readonly node?: unknown
  readonly pass?: unknown
  readonly json?: boolean
}

/** `glowplug log`: what every pass did, and what became of a node. */
export async function log(file: string, options: LogOptions): Promise<void> {
  const pass = options.pass === undefined ? undefined : String(options.pass)
  await checkPassName('--pass', pass, ['lower'])
  const target = await findLevel('log', options, { file })
  const { source, history, result } = await withProgress(`reading ${file}`, async (update) => {
    const source = await readSource(file, options)
    update(`compiling ${source.graph.name}`)
    const history = collectHistory()
    const result = await compileStages(source.graph, { target, observe: history.observe, stopAfter: 'kernels' })
    return { source, history: history.steps, result }
  })
  const records = result.log.filter((record) => pass === undefined || record.pass === pass)
  const traces = options.node === undefined ? undefined : traceNodes(String(options.node), source.graph, history, result)
  if (options.json) {
    const passes = records.map(({ applications, ...record }) => ({ ...record, rewrites: applications.map(describeRewrite) }))
    printJson({
      model: source.graph.name,
      entry: source.entry,
      target: target.name,
      level: target.level,
      ...(traces ? { nodes: traces } : { passes }),
    })
    return
  }
  if (traces) process.stdout.write(traces.slice(0, shownTraces).map(printTrace).join('\n'))
  else process.stdout.write(pass === undefined ? summaryOf(records, result) : detailsOf(records))
  if (traces && traces.length > shownTraces)
    process.stdout.write(`\nand ${traces.length - shownTraces} more; --json has all of them\n`)
}

/** Nodes of which the history is printed. */
const shownTraces = 12

type Rewrite = PassRecord['applications'][number]

const placesOf = ({ locations }: Pick<Rewrite, 'locations'>): string[] =>
  locations.flatMap((location) => (location.kind === 'source' ? [printLocation(location)] : []))

const describeRewrite = (application: Rewrite) => ({
  rule: application.rule,
  note: application.note,
  locations: placesOf(application),
})

const milliseconds = (value: number): string => value.toFixed(1)

/** One line for each pass of each phase: all its runs together. */
function summaryOf(records: readonly PassRecord[], { graph, optimised, lowered, kernels }: PartialResult): string {
  const groups = new Map<string, PassRecord[]>()
  for (const record of records) {
    const key = `${record.phase} ${record.pass}`
    groups.set(key, [...(groups.get(key) ?? []), record])
  }
  const sum = (list: readonly PassRecord[], of: (record: PassRecord) => number) => list.reduce((all, each) => all + of(each), 0)
  const idle = [...groups.values()].filter((list) => list.every(({ changed }) => !changed))
  const rows = [...groups.values()]
    .filter((list) => !idle.includes(list))
    .map((list) => {
      const nodes = sum(list, ({ nodesBefore, nodesAfter }) => nodesAfter - nodesBefore)
      return [
        list[0]!.phase,
        list[0]!.pass,
        String(list.length),
        String(list.filter(({ changed }) => changed).length),
        String(sum(list, ({ applications }) => applications.length)),
        nodes > 0 ? `+${nodes}` : String(nodes),
        milliseconds(sum(list, (record) => record.milliseconds)),
      ]
    })
  const calls = kernels?.steps.filter(({ kind }) => kind === 'call').length
  return [
    formatTable([['phase', 'pass', 'runs', 'changed', 'rewrites', 'nodes', 'ms'], ...rows], [2, 3, 4, 5, 6]),
    `${idle.length} more had nothing to do, in ${milliseconds(sum(idle.flat(), (record) => record.milliseconds))} ms; --json has every run\n`,
    `nodes: ${graph?.nodes.length} as written, ${optimised?.nodes.length} optimised, ${lowered?.nodes.length} lowered; ${calls} kernel calls\n`,
  ].join('')
}

/** Every rewrite of one pass. */
function detailsOf(records: readonly PassRecord[]): string {
  // A pass may stand several times in one list, and again and again in a part that is repeated: rounds in which it stands idle are one line.
  const runs = new Map<string, number>()
  const idle = new Map<string, number>()
  const lines = records.flatMap(({ phase, nodesBefore, nodesAfter, applications, changed }) => {
    const run = (runs.get(phase) ?? 0) + 1
    runs.set(phase, run)
    if (!changed) idle.set(phase, (idle.get(phase) ?? 0) + 1)
    if (!changed) return []
    return [
      `${phase}, run ${run} of this pass: ${nodesBefore} → ${nodesAfter} nodes`,
      ...applications.map((each) => {
        const places = placesOf(each)
        return `  ${each.rule}: ${each.note}${places.length > 0 ? `  at ${places.join(', ')}` : ''}`
      }),
    ]
  })
  for (const [phase, count] of idle) lines.push(`${phase}: nothing to do in ${count} of ${runs.get(phase)} runs`)
  return lines.length > 0 ? `${lines.join('\n')}\n` : 'the pass did not run\n'
}

/** A trace, and the kernel in which the node ended. */
type Traced = NodeTrace & { readonly direction: 'forward' | 'back'; readonly kernel?: string }

/**
 * The history of nodes: `%12` of the graph as written, `layout:%12`, `lowered:%12` or `optimised:%12` backwards, `face.model.ts:30` by place, or an op, an input, an
 * output or a weight by name. Throws Failure where nothing fits.
 */
function traceNodes(
  selector: string,
  graph: Graph,
  history: History,
  { layout, lowered, optimised, kernels }: PartialResult,
): object[] {
  const [, stage, number] = /^(?:(graph|optimised|lowered|layout):)?%(\d+)$/.exec(selector) ?? []
  const lowering = history.findIndex(({ record }) => record.phase === 'lower')
  const layingOut = history.findIndex(({ record }) => record.phase === 'layout')
  const split = lowering >= 0 ? lowering : history.findIndex(({ record }) => record.phase === 'optimise-lowered')
  if (number !== undefined && stage !== undefined && stage !== 'graph') {
    const at = { layout, lowered, optimised }[stage as 'layout' | 'lowered' | 'optimised']!
    const node = at.nodes[Number(number)]
    if (!node) throw new Failure(`the ${stage} graph has nodes %0 to %${at.nodes.length - 1}, not %${number}`)
    const end = { layout: -1, lowered: layingOut, optimised: split }[stage as 'layout' | 'lowered' | 'optimised']
    const steps = end < 0 ? history : history.slice(0, end)
    const { end: _, ...trace } = traceBack(steps, at, node)
    return [{ ...trace, direction: 'back' }]
  }
  const nodes = number !== undefined ? [graph.nodes[Number(number)]] : graph.nodes.filter((node) => fits(selector, graph, node))
  if (number !== undefined && !nodes[0])
    throw new Failure(`the graph has nodes %0 to %${graph.nodes.length - 1}, not %${number}; see 'glowplug print'`)
  if (nodes.length === 0)
    throw new Failure(
      `no node fits '${selector}'; write %12 (see 'glowplug print'), lowered:%12, a place such as face.model.ts:30, an op, or the name of an input, output or weight`,
    )
  return nodes.map((node) => {
    const { end, ...trace } = traceForward(history, graph, node!)
    const kernel = end && kernels && kernelOf(kernels, end)
    return { ...trace, direction: 'forward', ...(kernel !== undefined && { kernel }) } satisfies Traced
  })
}

function fits(selector: string, graph: Graph, node: Node): boolean {
  if (node.op === selector || node.data?.label === selector) return true
  if (node.op === 'input' && inputName(node) === selector) return true
  if (graph.outputs.some(({ name, value }) => name === selector && value === node)) return true
  return (graph.locations.get(node) ?? []).some((location) => {
    if (location.kind !== 'source') return false
    return [location.span, ...location.calls].some(({ file, line, column }) =>
      [`${file}:${line}`, `${file}:${line}:${column}`].some((place) => place === selector || place.endsWith(`/${selector}`)),
    )
  })
}

/** The kernel that computes a node of the graph that the target gets. */
function kernelOf(kernels: NonNullable<PartialResult['kernels']>, node: Node): string | undefined {
  const stored = storedValues(kernels)
  for (const step of kernels.steps) {
    const results = resultsOfStep(step)
    if (membersOf(results, stored).inside.includes(node)) return step.kind === 'call' ? step.name : `${step.kind}, no kernel`
  }
  return undefined
}

function printTrace(traced: object): string {
  const { node, locations, events, endLine, kernel, direction } = traced as Traced
  const told = { rewritten: 'rewritten', absorbed: 'absorbed by what used it', merged: 'merged with an equal node' } as const
  const kinds = { ...told, created: 'made while rewriting', dropped: 'not needed any more', unknown: 'the pass does not tell' }
  const lines = events.flatMap(({ phase, pass, round, kind, rules, before, after }) => [
    `  ${phase}${phase === pass ? '' : `, ${pass}`}, round ${round}: ${kinds[kind]}`,
    ...rules.map(({ rule, note }) => `      ${rule}: ${note}`),
    ...(direction === 'back' ? (before ? [`    ← ${before}`] : []) : after === undefined ? [] : [`    → ${after}`]),
  ])
  const end = direction === 'forward' && endLine !== undefined ? [`  in the end: ${endLine}`] : []
  const inKernel = kernel === undefined ? [] : [`  kernel: ${kernel}`]
  const place = locations.length > 0 ? `  // ${locations.join(', ')}` : ''
  return `${[`${node}${place}`, ...(lines.length > 0 ? lines : ['  no pass changed it']), ...end, ...inKernel].join('\n')}\n`
}

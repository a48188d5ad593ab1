import { resolve } from 'node:path'
import { writeArchive } from '../inspect/archive.ts'
import { describeDifference } from '../inspect/compare.ts'
import { type DebugMode, type DebugReport, debugGraph, type LayerComparison, type LayerReport } from '../inspect/debug.ts'
import { differenceLines } from './bisect.ts'
import { findLevel, type InputOptions, prepareInputs, readRequest, type SourceOptions, type TargetOptions } from './source.ts'
import { formatTable, nearest, printJson, UsageError, withProgress } from './terminal.ts'

export interface DebugCommandOptions extends SourceOptions, InputOptions, TargetOptions {
  readonly mode?: unknown
  readonly all?: boolean
  readonly out?: unknown
  readonly json?: boolean
}

const modes: readonly DebugMode[] = ['cumulative', 'independent', 'both']
const isMode = (text: string): text is DebugMode => (modes as readonly string[]).includes(text)

/** `glowplug debug`: a target against the interpreter, layer by layer. Exit status 1 where they differ. */
export async function debug(file: string, options: DebugCommandOptions): Promise<number> {
  const mode = String(options.mode ?? 'both')
  if (!isMode(mode)) throw new UsageError(`there is no mode '${mode}'${nearest(mode, modes)}`, `modes are ${modes.join(', ')}`)
  const target = await findLevel('debug', options, { file })
  const { source, origin, report } = await withProgress(`reading ${file}`, async (update) => {
    const source = await readRequest(file, options)
    const { origin, ...prepared } = await prepareInputs(source, options, update)
    const all = options.all === true
    return { source, origin, report: await debugGraph(source.graph, { ...prepared, target, mode, all, update }) }
  })
  const saved = options.out === undefined ? undefined : resolve(String(options.out))
  if (saved && report.layer)
    await writeArchive(saved, { ...report.layer, record: { kind: 'layer', target: target.name, level: target.level } })
  const status = report.verdict === 'equal' ? 0 : 1
  const { layer: _, ...told } = report
  if (options.json) {
    const archive = report.layer && options.out !== undefined ? { archive: String(options.out) } : {}
    printJson({ model: source.graph.name, entry: source.entry, inputs: origin, mode, ...told, ...archive })
    return status
  }
  const lines = [
    `${source.graph.name} on ${target.name} ${target.level}: ${report.reports.length} of ${report.layers} layers, ${origin}`,
    ...(options.all ? [layerTable(report.reports)] : []),
    ...verdictLines(report),
    ...hintLines(report, options.out),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return status
}

const shown = (comparison: LayerComparison | undefined): string =>
  comparison ? `${comparison.error.toPrecision(3)}${comparison.difference ? ' !' : ''}` : '-'

const layerTable = (reports: readonly LayerReport[]): string =>
  formatTable(
    [
      ['layer', 'kernel', 'result', 'cumulative', 'independent', 'from'],
      ...reports.map(({ layer, kernel, types, cumulative, independent, locations }) => [
        String(layer),
        kernel,
        types.join(', '),
        shown(cumulative),
        shown(independent),
        locations[0] ?? '',
      ]),
    ],
    [0, 3, 4],
  ).trimEnd()

function verdictLines({ verdict, first, passes, outputs, target }: DebugReport): string[] {
  const of = Object.keys(passes).length > 0 ? passes : outputs
  if (!first) {
    if (verdict === 'equal') return ['every layer gives what the interpreter gives']
    if (verdict === 'passes') return ['every kernel is right, and the passes changed the model:', ...differenceLines(of)]
    return ['every kernel is right by itself, and the outputs are off by more than is allowed:', ...differenceLines(of)]
  }
  const lines = [
    `layer ${first.layer}, kernel ${first.kernel}, is the first over the tolerance${first.locations.length > 0 ? `, from ${first.locations.join(', ')}` : ''}`,
    ...first.nodes.map((node) => `    ${node}`),
  ]
  if (first.refused) lines.push('  it refuses a value of its inputs')
  for (const key of ['independent', 'cumulative'] as const) {
    const comparison = first[key]
    const on = key === 'independent' ? 'on exact inputs' : 'after the layers before it'
    if (comparison?.difference) lines.push(`  ${on}: ${describeDifference(comparison.difference)}`)
    else if (comparison) lines.push(`  ${on}: right, off by ${comparison.error.toPrecision(3)} at most`)
  }
  if (first.overwritten)
    lines.push(
      `  a value that ${first.overwritten.maker} made was right, and ${first.overwritten.by} wrote over it before this layer read it`,
    )
  const conclusion = {
    equal: '',
    passes: 'the passes changed the model',
    kernel: `the kernel that ${target} makes of this layer is wrong`,
    memory: 'the kernels are right, and the memory plan lets a value be overwritten',
    accumulated: 'the layer is right by itself: differences of the layers before it add up',
  }
  return [...lines, conclusion[verdict]]
}

function hintLines({ verdict, layer }: DebugReport, out: unknown): string[] {
  if (verdict === 'passes') return ["next: 'glowplug bisect' with the same options finds the rewrite"]
  if (!layer) return []
  return out === undefined
    ? ['next: --out layer.safetensors stores this layer and its inputs in an archive for glowplug reproduce']
    : [`the layer and its inputs are in ${out}: 'glowplug reproduce ${out}' runs it`]
}

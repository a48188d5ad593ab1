import { compileStages } from '../compile.ts'
import { measureKernels, measureNodes, type Statistics } from '../inspect/statistics.ts'
import {
  findLevel,
  type InputOptions,
  prepareInputs,
  readNumber,
  readRequest,
  type SourceOptions,
  type TargetOptions,
} from './source.ts'
import { formatTable, nearest, printJson, UsageError, withProgress } from './terminal.ts'

export interface StatsOptions extends SourceOptions, InputOptions, TargetOptions {
  readonly stage?: unknown
  readonly runs?: unknown
  readonly kernels?: boolean
  readonly json?: boolean
}

const stages = ['graph', 'optimised', 'lowered', 'layout', 'kernels'] as const
type Stage = (typeof stages)[number]
const isStage = (text: string): text is Stage => (stages as readonly string[]).includes(text)

/** `glowplug stats`: count, time, work and bytes of each kind of op. */
export async function stats(file: string, options: StatsOptions): Promise<void> {
  const stage = String(options.stage ?? 'kernels')
  if (!isStage(stage))
    throw new UsageError(`stats has no stage '${stage}'${nearest(stage, stages)}`, `stages are ${stages.join(', ')}`)
  const target = await findLevel('stats', options, { file })
  const runs = readNumber(options.runs, '--runs', stage === 'kernels' ? 20 : 3)
  if (runs < 1) throw new UsageError('--runs 0 measures nothing', 'write --runs 20')
  const { source, origin, statistics } = await withProgress(`reading ${file}`, async (update) => {
    const source = await readRequest(file, options)
    const { inputs, origin } = await prepareInputs(source, { ...options, atol: 0 }, update)
    if (stage === 'kernels')
      return { source, origin, statistics: await measureKernels(source.graph, { target, inputs, runs, update }) }
    const graph = (await compileStages(source.graph, { target, stopAfter: stage }))[stage]!
    return { source, origin, statistics: await measureNodes(graph, { inputs, runs, update }) }
  })
  const who = stage === 'kernels' ? { target: target.name, level: target.level } : { target: 'interpreter', level: 'any' }
  if (options.json) {
    printJson({ model: source.graph.name, entry: source.entry, stage, ...who, inputs: origin, ...statistics })
    return
  }
  const what = stage === 'kernels' ? `kernels of ${who.target} ${who.level}` : `nodes of the ${stage} graph, by the interpreter`
  process.stdout.write(`${source.graph.name}: ${what}, ${origin}, median of ${runs} run${runs === 1 ? '' : 's'}\n`)
  process.stdout.write(kindTable(statistics))
  if (options.kernels) process.stdout.write(`\n${partTable(statistics)}`)
}

/** A time, of four digits behind the point or, where it is short, of two that count. */
const time = (milliseconds: number): string =>
  milliseconds < 0.001 ? milliseconds.toFixed(6) : milliseconds.toFixed(milliseconds < 10 ? 4 : 1)

/** A time that may be too short to be known. */
const timeOf = (milliseconds: number | undefined, resolution: number): string =>
  milliseconds === undefined ? `<${time(resolution)}` : time(milliseconds)

/** `1.2 M`. */
function amount(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T']
  let unit = 0
  let rest = value
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(rest) : rest.toFixed(1)}${units[unit]}`
}

/** In 10⁹ a second. */
const rate = (perSecond: number | undefined): string => (perSecond ? (perSecond / 1e9).toFixed(1) : '-')

function kindTable({ kinds, whole }: Statistics): string {
  const sum = kinds.reduce((all, { milliseconds = 0 }) => all + milliseconds, 0)
  const below = kinds.reduce((all, { belowResolution }) => all + belowResolution, 0)
  const rows = kinds.map(({ kind, count, milliseconds, belowResolution, resolution, share, operations, bytes, ...rates }) => [
    kind,
    String(count),
    timeOf(milliseconds, resolution * count),
    timeOf(milliseconds === undefined ? undefined : milliseconds / (count - belowResolution), resolution),
    milliseconds === undefined ? '-' : `${(100 * share).toFixed(1)} %`,
    amount(operations),
    amount(bytes),
    rate(rates.operationsPerSecond),
    rate(rates.bytesPerSecond),
  ])
  const titles = ['kind', 'count', 'ms', 'mean ms', 'share', 'operations', 'bytes', 'Gop/s', 'GB/s']
  const table = formatTable([titles, ...rows], [1, 2, 3, 4, 5, 6, 7, 8])
  return `${table}together ${time(sum)} ms${whole === undefined ? '' : `; the program in one go takes ${time(whole)} ms`}${below > 0 ? `; ${below} too short to be measured do not count` : ''}\n`
}

function partTable({ parts }: Statistics): string {
  const sum = parts.reduce((all, { milliseconds = 0 }) => all + milliseconds, 0)
  const rows = [...parts]
    .sort((a, b) => (b.milliseconds ?? 0) - (a.milliseconds ?? 0))
    .map(({ name, milliseconds, resolution, operations, bytes, locations }) => [
      name,
      timeOf(milliseconds, resolution),
      milliseconds === undefined ? '-' : `${((100 * milliseconds) / sum).toFixed(1)} %`,
      amount(operations),
      amount(bytes),
      rate(milliseconds && (1000 * operations) / milliseconds),
      rate(milliseconds && (1000 * bytes) / milliseconds),
      locations[0] ?? '',
    ])
  return formatTable([['kernel', 'ms', 'share', 'operations', 'bytes', 'Gop/s', 'GB/s', 'from'], ...rows], [1, 2, 3, 4, 5, 6])
}

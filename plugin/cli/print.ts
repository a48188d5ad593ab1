import { differenceOf } from '../../compiler/pipeline/difference.ts'
import {
  drawnStages,
  drawStage,
  type PassRecord,
  type PipelineEvent,
  printStage,
  type StageName,
  stageNames,
} from '../../compiler/pipeline.ts'
import { compileCode, compileStages, printGraph } from '../compile.ts'
import { chooseEntry } from './models.ts'
import { findLevel, readModelOf, readNumber, type SourceOptions, type TargetOptions } from './source.ts'
import { nearest, UsageError } from './terminal.ts'

export interface PrintOptions extends SourceOptions, TargetOptions {
  readonly stage: string
  readonly printAfter?: string
  readonly printChanged?: boolean
  readonly diff?: string
  readonly stopAfter?: string
  readonly timing?: boolean
  readonly verify?: boolean
  readonly reasons?: boolean
  readonly dot?: boolean
  readonly split?: unknown
}

const isStage = (name: string): name is StageName => (stageNames as readonly string[]).includes(name)

/** The passes of the pipeline by name; a name that is none of them is wrong usage. */
export async function checkPassName(option: string, name: string | undefined, others: readonly string[] = []): Promise<void> {
  if (name === undefined || others.includes(name)) return
  const { passes } = await import('../../compiler/passes/index.ts')
  const names = [...Object.values(passes).map((pass) => pass.name), ...others]
  if (!names.includes(name))
    throw new UsageError(
      `${option} '${name}' is no ${others.length > 0 ? 'pass or stage' : 'pass'}${nearest(name, names)}`,
      `they are ${names.join(', ')}`,
    )
}

const titleOf = ({ phase, pass, round, nodesBefore, nodesAfter, applications }: PassRecord): string =>
  `// after ${pass} (${phase}, round ${round}): ${nodesBefore} → ${nodesAfter} nodes, ${applications.length} rewrites`

/** What one run of a pass changed: its rewrites, then the lines it took out and put in, each place with what stands around it. */
function printDifference(event: Extract<PipelineEvent, { kind: 'pass' }>): string {
  const counts = new Map<string, number>()
  for (const { rule, note } of event.record.applications) {
    const line = rule === event.record.pass ? note : `${rule}: ${note}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  const rewrites = [...counts].map(([line, count]) => `//   ${line}${count > 1 ? ` (${count} times)` : ''}`)
  const hunks = differenceOf(event).map(({ lines }) => `${lines.join('\n')}\n`)
  return `${[titleOf(event.record), ...rewrites].join('\n')}\n${hunks.join('  ⋮\n')}`
}

/** `glowplug print`: a stage as text on standard output; what the options ask for besides comes before it. */
export async function print(file: string, options: PrintOptions): Promise<void> {
  const { stage, printAfter, printChanged, diff, stopAfter, timing, verify = false, reasons = false, dot = false } = options
  if (stage !== 'c' && !isStage(stage))
    throw new UsageError(
      `there is no stage '${stage}'${nearest(stage, [...stageNames, 'c'])}`,
      `stages are ${stageNames.join(', ')}, c`,
    )
  if (reasons && stage !== 'kernels') throw new UsageError('--reasons are those of the kernels', 'say --stage kernels --reasons')
  if (dot && !(drawnStages as readonly string[]).includes(stage))
    throw new UsageError(`--dot draws ${drawnStages.join(', ')}, not ${stage}`, 'say --stage kernels --dot')
  const target = await findLevel('print', options, { file })
  await checkPassName('--print-after', printAfter)
  await checkPassName('--diff', diff, ['lower'])
  await checkPassName('--stop-after', stopAfter, stageNames)

  const parts = readNumber(options.split, '--split', 1)
  if (parts < 1) throw new UsageError('--split needs at least one part', 'write --split 2')
  const manner = { verify, ...(parts > 1 && { split: { count: parts } }) }
  const model = await readModelOf(file, options)
  const entryName = options.entry === undefined ? undefined : String(options.entry)
  const observesPasses = printAfter !== undefined || printChanged === true || diff !== undefined
  let differences = 0
  const write = (text: string) => process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
  const times: string[] = []
  const observe = (event: PipelineEvent) => {
    if (event.kind === 'stage') return void times.push(`${event.milliseconds.toFixed(2).padStart(10)} ms  stage ${event.stage}`)
    const { record } = event
    times.push(`${record.milliseconds.toFixed(2).padStart(10)} ms  ${record.phase} ${record.pass} ${record.round}`)
    if (record.pass === diff && record.changed) {
      differences++
      write(printDifference(event))
    }
    if (record.pass === printAfter || (printChanged && record.changed)) write(`${titleOf(record)}\n${printGraph(event.graph)}\n`)
  }
  if (stage === 'c' && stopAfter === undefined) {
    // All entries are one file, and equal kernels of theirs one function; one entry alone only where it was asked for.
    const entries = entryName === undefined && !observesPasses ? model.entries : [chooseEntry(model, entryName)]
    write((await compileCode({ ...model, entries }, { target, ...manner, observe })).code.source)
  } else {
    const { graph } = chooseEntry(model, entryName)
    const { states = [] } = model
    // Without anything to observe further on, there is no reason to go further than the stage.
    const until = stopAfter ?? (observesPasses || timing ? undefined : stage)
    const result = await compileStages(graph, { target, ...manner, states, observe, ...(until && { stopAfter: until }) })
    const reached =
      stopAfter === undefined ? (stage as StageName) : stageNames.findLast((name) => printStage(result, name) !== undefined)
    if (reached && !observesPasses) write((dot ? drawStage(result, reached) : printStage(result, reached, { reasons }))!)
  }
  if (diff !== undefined && differences === 0) write(`// ${diff} changes nothing in this model`)
  if (timing) write(`${times.join('\n')}\n`)
}

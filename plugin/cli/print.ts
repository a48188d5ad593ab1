import { type PassRecord, type PipelineEvent, printStage, type StageName, stageNames } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { compileCode, compileStages, printGraph } from '../compile.ts'
import { defaultTarget, isTargetName, loadTargets, targetNames } from '../targets.ts'
import { chooseEntry, readModel } from './models.ts'
import { nearest, UsageError } from './terminal.ts'

export interface PrintOptions {
  readonly stage: string
  readonly printAfter?: string
  readonly printChanged?: boolean
  readonly stopAfter?: string
  readonly timing?: boolean
  readonly verify?: boolean
  readonly target?: unknown
  readonly level?: unknown
  readonly model?: unknown
  readonly entry?: unknown
}

const isStage = (name: string): name is StageName => (stageNames as readonly string[]).includes(name)

/** The passes of the pipeline by name; a name that is none of them is wrong usage. */
async function checkPassName(option: string, name: string | undefined, others: readonly string[] = []): Promise<void> {
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

/** One level of one target: the one asked for, or the most demanding. */
async function findLevel(name: string, level: unknown): Promise<Target> {
  if (!isTargetName(name))
    throw new UsageError(
      name.includes(',') ? 'print takes one target' : `there is no target '${name}'${nearest(name, targetNames)}`,
      `targets are ${targetNames.join(', ')}`,
    )
  const targets = await loadTargets(name)
  const found = level === undefined ? targets[0] : targets.find((target) => target.level === String(level))
  if (found) return found
  const levels = targets.map((target) => target.level)
  throw new UsageError(
    `target '${name}' has no level '${level}'${nearest(String(level), levels)}`,
    `levels are ${levels.join(', ')}`,
  )
}

/** `glowplug print`: a stage as text on standard output; what the options ask for besides comes before it. */
export async function print(file: string, options: PrintOptions): Promise<void> {
  const { stage, printAfter, printChanged, stopAfter, timing, verify = false } = options
  if (stage !== 'c' && !isStage(stage))
    throw new UsageError(
      `there is no stage '${stage}'${nearest(stage, [...stageNames, 'c'])}`,
      `stages are ${stageNames.join(', ')}, c`,
    )
  const target = await findLevel(String(options.target ?? defaultTarget), options.level)
  await checkPassName('--print-after', printAfter)
  await checkPassName('--stop-after', stopAfter, stageNames)

  const model = await readModel(file, options.model === undefined ? undefined : String(options.model))
  const entryName = options.entry === undefined ? undefined : String(options.entry)
  const observesPasses = printAfter !== undefined || printChanged === true
  const write = (text: string) => process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
  const times: string[] = []
  const observe = (event: PipelineEvent) => {
    if (event.kind === 'stage') return void times.push(`${event.milliseconds.toFixed(2).padStart(10)} ms  stage ${event.stage}`)
    const { record } = event
    times.push(`${record.milliseconds.toFixed(2).padStart(10)} ms  ${record.phase} ${record.pass} ${record.round}`)
    if (record.pass === printAfter || (printChanged && record.changed)) write(`${titleOf(record)}\n${printGraph(event.graph)}\n`)
  }
  if (stage === 'c' && stopAfter === undefined) {
    // All entries are one file, and equal kernels of theirs one function; one entry alone only where it was asked for.
    const entries = entryName === undefined && !observesPasses ? model.entries : [chooseEntry(model, entryName)]
    write((await compileCode({ ...model, entries }, { target, verify, observe })).code.source)
  } else {
    const { graph } = chooseEntry(model, entryName)
    // Without anything to observe further on, there is no reason to go further than the stage.
    const until = stopAfter ?? (observesPasses || timing ? undefined : stage)
    const result = await compileStages(graph, { target, verify, observe, ...(until && { stopAfter: until }) })
    const reached =
      stopAfter === undefined ? (stage as StageName) : stageNames.findLast((name) => printStage(result, name) !== undefined)
    if (reached && !observesPasses) write(printStage(result, reached)!)
  }
  if (timing) write(`${times.join('\n')}\n`)
}

import { readArchive } from '../inspect/archive.ts'
import { reproduce as reproduceArchive } from '../inspect/reproduce.ts'
import { defaultTarget, isTargetName } from '../targets.ts'
import { differenceLines } from './bisect.ts'
import { findLevel, type InputOptions, readNumber, readTolerance, type TargetOptions } from './source.ts'
import { checkFile, printJson, withProgress } from './terminal.ts'

export interface ReproduceCommandOptions extends TargetOptions, Pick<InputOptions, 'atol' | 'rtol'> {
  readonly latency?: unknown
  readonly json?: boolean
}

/** `glowplug reproduce`: runs an archive. Exit status 1 where what it is about still happens. */
export async function reproduce(file: string, options: ReproduceCommandOptions): Promise<number> {
  checkFile(file)
  const archive = readArchive(file)
  const { record, graph } = archive
  // What an archive names may not exist here; what the command line names must.
  const named = record.target !== undefined && isTargetName(record.target) ? record.target : defaultTarget
  const level = options.target === undefined && options.level === undefined ? record.level : options.level
  const target = await findLevel(
    'reproduce',
    { ...(options.target !== undefined && { target: options.target }), level },
    { fallback: named },
  )
  const latency = readNumber(options.latency, '--latency', 0)
  const tolerance = readTolerance(options)
  const result = await withProgress(`reading ${file}`, (update) =>
    reproduceArchive(archive, { target, latency, update, ...(tolerance && { tolerance }) }),
  )
  const status = result.verdict === 'equal' || result.verdict === 'compiled' ? 0 : 1
  if (options.json) {
    printJson({ file, model: graph.name, record, ...result })
    return status
  }
  const kinds = { request: 'a request', layer: 'one layer', failure: 'a failed compilation' }
  const lines = [
    `${graph.name}: ${kinds[record.kind]}, ${graph.nodes.length} nodes, on ${target.name} ${target.level}`,
    ...(record.kind === 'failure' ? [`  it was: ${record.step ?? 'a step'} failed: ${record.message ?? ''}`] : []),
    ...((record.omitted?.length ?? 0) > 0 ? [`  ${record.omitted!.length} weights were too large to be kept and are zeros`] : []),
  ]
  if (result.failure) lines.push(`it still fails: ${result.failure.step} failed: ${result.failure.message}`)
  else if (result.verdict === 'compiled') lines.push('it compiles: the failure is gone')
  else if (result.verdict === 'equal') lines.push('it gives what the interpreter gives')
  else lines.push('it differs from the interpreter:', ...differenceLines(result.differences))
  if (result.latency) {
    const { runs, least, median, mean, most } = result.latency
    const [a, b, c, d] = [least, median, mean, most].map((value) => value.toFixed(3))
    lines.push(`${runs} runs: least ${a} ms, median ${b} ms, mean ${c} ms, 99 of 100 within ${d} ms`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
  return status
}

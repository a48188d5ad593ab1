// Runs what an archive holds: a request that gave wrong numbers, one layer of a network, or a graph on which the compiler failed.

import { PassListError, parsePassList } from '../../compiler/pipeline/passList.ts'
import { CompileError, type PipelineOptions } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { compileCode } from '../compile.ts'
import { type Archive, ArchiveError } from './archive.ts'
import type { Differences } from './bisect.ts'
import { compareTensors, type Tolerance } from './compare.ts'
import { runReference } from './reference.ts'
import { RunRefused, runOnTarget } from './runTarget.ts'

export interface ReproduceOptions {
  readonly target: Target
  readonly tolerance?: Tolerance
  /** Runs to time. Default: none. */
  readonly latency?: number
  readonly update?: (what: string) => void
}

export interface Latency {
  readonly runs: number
  /** Milliseconds. */
  readonly least: number
  readonly median: number
  readonly mean: number
  /** 99 of 100 runs took no longer. */
  readonly most: number
}

/**
 * - `equal`, `different`: how the target compares with the interpreter, on the inputs of the archive;
 * - `failed`, `compiled`: whether the compiler still fails on it, where that is what the archive is about.
 */
export interface Reproduction {
  readonly verdict: 'equal' | 'different' | 'failed' | 'compiled'
  readonly target: string
  readonly level: string
  readonly differences: Differences
  readonly latency?: Latency
  /** Where the compiler failed. */
  readonly failure?: { readonly step: string; readonly message: string }
}

/** TO-07. Throws ArchiveError for an archive that this version cannot run, EvaluationFault where the model refuses the inputs. */
export async function reproduce(archive: Archive, options: ReproduceOptions): Promise<Reproduction> {
  const { graph, inputs, record } = archive
  const { target, tolerance, latency, update } = options
  const about = { target: target.name, level: target.level }
  const manner = { ...mannerOf(archive), ...(record.assumeFinite !== undefined && { assumeFinite: record.assumeFinite }) }
  if (record.kind === 'failure') {
    update?.(`compiling for ${target.name}`)
    try {
      await compileCode(graph, { ...manner, target, verify: true })
      return { verdict: 'compiled', ...about, differences: {} }
    } catch (error) {
      if (!(error instanceof CompileError)) throw error
      const message = error.cause instanceof Error ? error.cause.message : String(error.cause)
      return { verdict: 'failed', ...about, differences: {}, failure: { step: error.step, message } }
    }
  }
  if (graph.inputs.length > 0 && Object.keys(inputs).length === 0) throw new ArchiveError('the archive holds no inputs to run')
  const expected = await runReference(graph, inputs, {
    movedRuns: tolerance ? 0 : 2,
    update: (share) => update?.(`running the interpreter, ${Math.floor(share * 100)} %`),
  })
  update?.(`compiling for ${target.name}`)
  try {
    const { outputs, times } = await runOnTarget(graph, inputs, { ...manner, target, runs: latency ?? 0 })
    const differences = Object.fromEntries(
      graph.outputs.flatMap(({ name, value }) => {
        const moved = expected.moved.map((run) => run[name]!)
        const difference = compareTensors(value.type, outputs[name]!, expected.outputs[name]!, moved, tolerance)
        return difference ? [[name, difference] as const] : []
      }),
    )
    const verdict = Object.keys(differences).length > 0 ? 'different' : 'equal'
    return { verdict, ...about, differences, ...(times.length > 0 && { latency: latencyOf(times) }) }
  } catch (error) {
    if (!(error instanceof RunRefused)) throw error
    const differences = Object.fromEntries(graph.outputs.map(({ name }) => [name, 'refused' as const]))
    return { verdict: 'different', ...about, differences }
  }
}

/** The passes that were still to run. A layer has seen all of them. */
function mannerOf({ record: { kind, phase, remaining = '' } }: Archive): Pick<PipelineOptions, 'passes'> {
  if (kind === 'layer') return { passes: { optimise: [], 'optimise-lowered': [], 'optimise-layout': [] } }
  if (kind === 'request' || phase === undefined) return {}
  if (phase === 'stages') {
    if (['graph', 'optimised'].includes(remaining)) return {}
    return { passes: { optimise: [], ...(remaining !== 'lowered' && { 'optimise-lowered': [] }) } }
  }
  try {
    const list = parsePassList(remaining)
    if (phase === 'optimise') return { passes: { optimise: list } }
    if (phase === 'optimise-lowered') return { passes: { optimise: [], 'optimise-lowered': list } }
    return { passes: { optimise: [], 'optimise-lowered': [], 'optimise-layout': list } }
  } catch (error) {
    if (!(error instanceof PassListError)) throw error
    throw new ArchiveError(`the passes of the archive are not those of this version: ${error.message}`, { cause: error })
  }
}

function latencyOf(times: readonly number[]): Latency {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
  const mean = sorted.reduce((sum, time) => sum + time, 0) / sorted.length
  return { runs: sorted.length, least: sorted[0]!, median: at(0.5), mean, most: at(0.99) }
}

// Finds the one rewrite that makes a model compute something else.
import type { Graph, Node } from '../../compiler/graph/index.ts'
import { numberNodes, printGraph, printLocation } from '../../compiler/graph/index.ts'
import type { Application } from '../../compiler/passes/index.ts'
import { differenceOfTexts, type Hunk } from '../../compiler/pipeline/difference.ts'
import {
  compileUntil,
  firstBadApplication,
  type PassChange,
  type PassRecord,
  type PipelineOptions,
} from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { compareTensors, type Difference, type Tolerance } from './compare.ts'
import { type ReferenceResult, runReference, type Tensors } from './reference.ts'
import { RunRefused, runOnTarget } from './runTarget.ts'

export interface BisectOptions extends Omit<PipelineOptions, 'evaluate' | 'maximumApplications' | 'observe'> {
  readonly target: Target
  readonly inputs: Tensors
  /** What counts as equal; default: what rounding explains. */
  readonly tolerance?: Tolerance
  /** The graph as it was written, already run; otherwise it is run now. */
  readonly expected?: ReferenceResult
  readonly update?: (what: string) => void
}

/** Outputs that differ, by name; `refused` where the compiled model did not accept what the model accepts. */
export type Differences = Readonly<Record<string, Difference | 'refused'>>

/**
 * - `equal`: nothing differs;
 * - `rewrite`: a rewrite breaks the model, told in `culprit`;
 * - `lowering`: it is wrong before any rewrite, by the interpreter: what lowering makes of an op is;
 * - `target`: the graph that reaches the target is right, and the target is wrong with no rewrite at all.
 */
export type BisectVerdict = 'equal' | 'rewrite' | 'lowering' | 'target'

export interface Culprit {
  /** Counts from 1: with one rewrite less the model is right. */
  readonly application: number
  readonly phase: string
  readonly pass: string
  readonly round: number
  readonly rule: string
  readonly note: string
  readonly locations: readonly string[]
  /** What the pass makes of the graph with this rewrite, against what it makes of it without. */
  readonly change: readonly Hunk[]
}

export interface BisectReport {
  readonly verdict: BisectVerdict
  /** Who showed the difference: the interpreter on the rewritten graph, or the target, where the rewritten graph is right. */
  readonly shownBy?: 'interpreter' | 'target'
  /** Rewrites of the whole compilation. */
  readonly rewrites: number
  /** Compilations that were run. */
  readonly tried: number
  readonly differences: Differences
  readonly culprit?: Culprit
}

type Judge = (maximumApplications: number) => Promise<Differences>

/** OP-65. Throws EvaluationFault where the model as it was written refuses the inputs. */
export async function bisectGraph(graph: Graph, options: BisectOptions): Promise<BisectReport> {
  const { target, inputs, tolerance, update, expected: given, ...manner } = options
  const expected =
    given ??
    (await runReference(graph, inputs, {
      movedRuns: tolerance ? 0 : 2,
      update: (share) => update?.(`running the model as it was written, ${Math.floor(share * 100)} %`),
    }))
  let tried = 0
  const lowerWith = (maximumApplications: number) =>
    compileUntil(graph, { ...manner, target, evaluate, maximumApplications }, 'layout').layout!

  const compare = (found: Tensors): Differences =>
    Object.fromEntries(
      graph.outputs.flatMap(({ name, value }) => {
        const moved = expected.moved.map((run) => run[name]!)
        const difference = compareTensors(value.type, found[name]!, expected.outputs[name]!, moved, tolerance)
        return difference ? [[name, difference] as const] : []
      }),
    )
  const refusing = async (run: () => Promise<Tensors>): Promise<Differences> => {
    try {
      return compare(await run())
    } catch (error) {
      if (!(error instanceof RunRefused) && (error as Error).name !== 'EvaluationFault') throw error
      return Object.fromEntries(graph.outputs.map(({ name }) => [name, 'refused']))
    }
  }
  const byInterpreter: Judge = (limit) =>
    refusing(async () => (await runReference(lowerWith(limit), inputs, { movedRuns: 0 })).outputs)
  const byTarget: Judge = (limit) =>
    refusing(async () => (await runOnTarget(graph, inputs, { ...manner, target, maximumApplications: limit })).outputs)

  const rewrites = compileUntil(graph, { ...manner, target, evaluate }, 'layout').log.reduce(
    (sum, { applications }) => sum + applications.length,
    0,
  )
  const judges = [
    ['interpreter', byInterpreter],
    ['target', byTarget],
  ] as const
  for (const [shownBy, judge] of judges) {
    const differences = new Map<number, Differences>()
    const isGood = async (limit: number): Promise<boolean> => {
      tried++
      update?.(`${shownBy}: compiling with ${limit} of ${rewrites} rewrites`)
      const found = await judge(limit)
      differences.set(limit, found)
      return Object.keys(found).length === 0
    }
    if (await isGood(rewrites)) continue
    if (!(await isGood(0)))
      return {
        verdict: shownBy === 'target' ? 'target' : 'lowering',
        shownBy,
        rewrites,
        tried,
        differences: differences.get(rewrites)!,
      }
    // Known already, and not to be compiled once more.
    const bad = await firstBadApplication(rewrites, (limit) => (limit === rewrites ? false : isGood(limit)))
    return {
      verdict: 'rewrite',
      shownBy,
      rewrites,
      tried,
      differences: differences.get(bad!)!,
      culprit: findCulprit(graph, bad!, { ...manner, target }),
    }
  }
  return { verdict: 'equal', rewrites, tried, differences: {} }
}

interface Run {
  readonly record: PassRecord
  readonly change: PassChange
}

/** The n-th rewrite, and what it does to the graph. */
function findCulprit(graph: Graph, n: number, options: Omit<PipelineOptions, 'evaluate'> & { readonly target: Target }): Culprit {
  const runsWith = (maximumApplications: number): Run[] => {
    const runs: Run[] = []
    const observe: PipelineOptions['observe'] = (event) => {
      if (event.kind !== 'pass') return
      const { kind: _, record, ...change } = event
      runs.push({ record, change })
    }
    compileUntil(graph, { ...options, evaluate, maximumApplications, observe }, 'layout')
    return runs
  }
  const [having, lacking] = [runsWith(n), runsWith(n - 1)]
  let count = 0
  const at = having.findIndex(({ record }) => {
    count += record.applications.length
    return count >= n
  })
  const { record, change } = having[at]!
  const application: Application = record.applications.at(n - count - 1)!
  return {
    application: n,
    phase: record.phase,
    pass: record.pass,
    round: record.round,
    rule: application.rule,
    note: application.note,
    locations: application.locations.flatMap((location) => (location.kind === 'source' ? [printLocation(location)] : [])),
    change: differenceOfTexts(linesOf(lacking[at]!.change), linesOf(change)),
  }
}

/** The text of a graph in which nodes that a pass carried over have the names that they had. */
function linesOf({ before, graph, became }: PassChange): string[] {
  const old = numberNodes(before)
  const names = new Map<Node, string>()
  for (const node of before.nodes) {
    const image = graph === before ? node : became?.get(node)
    if (image && !names.has(image)) names.set(image, old.get(node)!)
  }
  let next = before.nodes.length
  for (const node of graph.nodes) if (!names.has(node)) names.set(node, `%${next++}`)
  return printGraph(graph, { names }).trimEnd().split('\n')
}

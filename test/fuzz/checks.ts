// What must hold for every graph. A check throws where it does not.
import { constantsOf, type Graph, parseGraph, printGraph, verifyGraph } from '../../compiler/graph/index.ts'
import { lowerGraph, loweringRules } from '../../compiler/lower/index.ts'
import { controlScratch } from '../../compiler/memory/index.ts'
import { type Application, type Pass, passes } from '../../compiler/passes/index.ts'
import {
  compileGraph,
  once,
  optimise,
  optimiseLowered,
  type PassEntry,
  type PassList,
  type PipelineOptions,
  runPasses,
} from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { simd128 } from '../../targets/c/level.ts'
import { answersAt } from '../../targets/c/target.ts'
import { evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { mulberry, randomInputs } from '../support/randomGraph.ts'
import { referenceOf } from '../support/sensitivity.ts'
import { firstStates, runCarrying, runSession, sessionOnMemory, withStates } from '../support/stateful.ts'

type Bytes = Readonly<Record<string, Uint8Array>>

/** A graph that is tried, and what must come of it. */
export interface Case {
  readonly graph: Graph
  readonly seed: number
  readonly inputs: Bytes
  /** Throws where outputs are not what the interpreter makes of the graph. */
  readonly expect: (outputs: Bytes, describe?: () => string) => void
  /** Rewrites that a check may make: to find the one that is wrong. */
  readonly maximumApplications: number
  /** Rewrites that were made. */
  readonly applications: (Application & { readonly pass: string })[]
  /** Passes that run besides those of the pipeline. */
  readonly further: readonly Pass[]
}

export function createCase(graph: Graph, seed: number, more: Partial<Pick<Case, 'maximumApplications' | 'further'>> = {}): Case {
  verifyGraph(graph)
  const inputs = randomInputs(graph, seed)
  // A softmax that is written without its maximum overflows where the op does not.
  const expect = referenceOf(graph, inputs, { numbersForNaN: graph.nodes.some(({ op }) => op === 'exp') })
  return { graph, seed, inputs, expect, maximumApplications: Number.POSITIVE_INFINITY, further: [], ...more, applications: [] }
}

export interface Check {
  readonly name: string
  readonly run: (given: Case) => void
}

function expectGraph(given: Case, graph: Graph): void {
  verifyGraph(graph)
  given.expect(runGraph(graph, given.inputs), () => printGraph(graph))
}

/** parse(print(x)) = x */
function expectText(graph: Graph): void {
  const text = printGraph(graph)
  if (printGraph(parseGraph(text, constantsOf(graph))) !== text) throw new Error(`parsing does not give the graph back:\n${text}`)
}

/** A pass run again and again until it finds nothing. */
function rest(given: Case, pass: Pass): void {
  let left = given.maximumApplications
  const apply = (application: Application): boolean => {
    if (left-- <= 0) return false
    given.applications.push({ ...application, pass: pass.name })
    return true
  }
  let current = given.graph
  for (let run = 0; run < 30; run++) {
    const next = pass.run(current, { evaluate, assumeFinite: false, apply })
    if (next === current) {
      if (current !== given.graph) expectGraph(given, current)
      return
    }
    verifyGraph(next)
    current = next
  }
  throw new Error(`does not come to rest:\n${printGraph(current)}`)
}

/** The passes of a phase, with further ones at the end of the loop. */
function phaseOf(given: Case, list: PassList): PassList {
  const further = given.further.map((pass) => once(pass))
  const within = (entry: PassEntry): PassEntry =>
    entry.kind === 'pass' ? entry : { ...entry, entries: [...entry.entries, ...further] }
  return further.length === 0 ? list : list.map(within)
}

function rewritten(given: Case, graph: Graph, phase: 'optimise' | 'optimise-lowered', budget: { applications: number }): Graph {
  const list = phaseOf(given, phase === 'optimise' ? optimise : optimiseLowered)
  return runPasses(graph, list, {
    phase,
    evaluate,
    verify: true,
    assumeFinite: false,
    budget,
    after: (record) => {
      given.applications.push(...record.applications.map((application) => ({ ...application, pass: record.pass })))
      return false
    },
  }).graph
}

/** Optimises, lowers keeping some composites, optimises again; each step is verified, and the last one has the same values. */
function lowered(given: Case, keeps: Target['keeps']): void {
  const budget = { applications: given.maximumApplications }
  const optimised = rewritten(given, given.graph, 'optimise', budget)
  const primitives = lowerGraph(optimised, keeps)
  verifyGraph(primitives)
  const result = rewritten(given, primitives, 'optimise-lowered', budget)
  expectText(result)
  expectGraph(given, result)
}

/** The pipeline's passes and the further ones. */
export const pipelinePasses = (given: Case): { readonly optimise: PassList; readonly 'optimise-lowered': PassList } => ({
  optimise: phaseOf(given, optimise),
  'optimise-lowered': phaseOf(given, optimiseLowered),
})

/** The whole pipeline, its program run on memory of its own. */
function program(given: Case, target: Target): void {
  const { log, ...stages } = compileGraph(given.graph, {
    target,
    evaluate,
    verify: true,
    maximumApplications: given.maximumApplications,
    passes: pipelinePasses(given),
  })
  given.applications.push(...log.flatMap(({ pass, applications }) => applications.map((one) => ({ ...one, pass }))))
  const { fault, outputs } = runOnMemory(stages.program, given.inputs)
  if (fault !== 0) throw new Error(`the program ends with fault ${fault}`)
  given.expect(outputs, () => printGraph(stages.layout))
}

/** Some inputs become states: a session gives, run by run, what the program without memory gives when its values are passed on by hand. */
function carried(given: Case, target: Target): void {
  const { maximumApplications, seed } = given
  const stateful = withStates(given.graph, seed)
  const compile = (more: Pick<PipelineOptions, 'states'>) =>
    compileGraph(stateful.graph, { target, evaluate, maximumApplications, passes: pipelinePasses(given), ...more }).program
  const stateless = compile({})
  const expected = runCarrying(stateful, seed, 3, (inputs) => {
    const { fault, outputs } = runOnMemory(stateless, inputs)
    return fault === 0 ? outputs : undefined
  })
  const session = sessionOnMemory(compile(stateful), stateful.states, firstStates(stateful, seed))
  const found = runSession(stateful, seed, 3, session)
  for (const [i, values] of expected.entries())
    if (found[i] !== values)
      throw new Error(`run ${i} of a session gives ${found[i]}, not ${values}:\n${printGraph(stateful.graph)}`)
}

/** Composites kept, drawn from the seed. */
function someComposites(seed: number): Target['keeps'] {
  const random = mulberry(seed ^ 0x51ed)
  const share = random()
  return new Set((Object.keys(loweringRules) as (keyof typeof loweringRules)[]).filter(() => random() < share))
}

/** Answers that no target gives, and each might, drawn from the seed. */
function oddTarget(seed: number): Target {
  const random = mulberry(seed ^ 0x7a3b)
  const sometimes = (share: number) => random() < share
  const [after, before, shares] = [sometimes(0.5), sometimes(0.5), sometimes(0.7)]
  const scratch = sometimes(0.3) ? 24 + 8 * Math.floor(random() * 9) : 0
  return targetWith({
    ...(after ? {} : { fusesAfter: () => false }),
    ...(before ? {} : { fusesBefore: () => false }),
    ...(shares ? {} : { inPlace: () => false }),
    maximumSteps: [3, 4, 6, 9, 48][Math.floor(random() * 5)]!,
    ...(scratch > 0 ? { scratch: (kernel) => controlScratch(kernel) + scratch } : {}),
    alignment: [16, 32, 64][Math.floor(random() * 3)]!,
  })
}

/** What is kept where a graph is lowered: nothing, what C keeps, or some, in turn. */
function keptFor(seed: number): Target['keeps'] {
  const turn = seed % 3
  return turn === 0 ? new Set() : turn === 1 ? answersAt(simd128).keeps : someComposites(seed)
}

/** All checks that need no compiler of C, by what `--only` calls them. Passes among them run singly. */
export function createChecks(further: readonly Pass[] = []): readonly Check[] {
  const all: readonly Pass[] = [...Object.values<Pass>(passes), ...further]
  return [
    { name: 'text', run: ({ graph }) => expectText(graph) },
    ...all.map((pass): Check => ({ name: `pass ${pass.name}`, run: (given) => rest(given, pass) })),
    {
      name: 'optimise',
      run(given) {
        const budget = { applications: given.maximumApplications }
        const result = rewritten(given, given.graph, 'optimise', budget)
        expectText(result)
        expectGraph(given, result)
        if (given.maximumApplications === Number.POSITIVE_INFINITY) {
          const again = rewritten({ ...given, applications: [] }, result, 'optimise', budget)
          if (printGraph(again) !== printGraph(result))
            throw new Error(`optimising again changes the graph:\n${printGraph(result)}\n${printGraph(again)}`)
        }
      },
    },
    { name: 'lower', run: (given) => lowered(given, keptFor(given.seed)) },
    { name: 'program', run: (given) => program(given, given.seed % 2 === 0 ? targetWith() : oddTarget(given.seed)) },
    { name: 'states', run: (given) => carried(given, given.seed % 2 === 0 ? targetWith() : oddTarget(given.seed)) },
  ]
}

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type CompositeName, elementCount, type Graph } from '../../compiler/graph/index.ts'
import { lowerGraph, loweringRules } from '../../compiler/lower/index.ts'
import type { Target } from '../../compiler/target.ts'
import { type Case, createCase } from '../fuzz/checks.ts'
import { type Engine, enginesHere, runOn } from '../fuzz/targets.ts'
import { draw } from '../support/draw.ts'
import { graphWithOp } from '../support/randomGraph.ts'

/*
 * The table is that of the lowering rules: a new composite does not compile without a way to draw it (`support/randomGraph.ts`), and fails
 * here where too few of what is drawn fit.
 */
const composites = Object.keys(loweringRules) as CompositeName[]
const { seed, numRuns } = draw(0, 6)

/** Graphs with one node of the op, over random shapes, attributes and element types. */
function graphsWith(op: CompositeName): readonly { readonly graph: Graph; readonly seed: number }[] {
  const found: { graph: Graph; seed: number }[] = []
  for (let at = seed; at < seed + 60 * numRuns && found.length < numRuns; at++) {
    const graph = graphWithOp(op, at, { dtypes: ['f32', 'f32', 'f32', 'f16', 'f64', 'i32', 'u8', 'bool'] })
    if (graph?.outputs.every(({ value }) => elementCount(value.type.shape) > 0)) found.push({ graph, seed: at })
  }
  return found
}

const cases: readonly { readonly op: CompositeName; readonly given: Case }[] = composites.flatMap((op) =>
  graphsWith(op).map(({ graph, seed: own }) => ({ op, given: createCase(graph, own) })),
)

/** The last of the engines is the quickest to compile for. */
const engine = (await enginesHere()).at(-1)!
const kept = engine.target.keeps

/** The same code generator under other answers to what is lowered. */
const answering = (answers: Partial<Target>): Engine => ({ ...engine, target: { ...engine.target, ...answers } })
const variants: Readonly<Record<string, Engine>> = {
  'what the target keeps': engine,
  'nothing kept': answering({ keeps: new Set() }),
  // Half of the nodes that it keeps, by what they look like.
  'kept for some shapes': answering({
    lowers: (node) => engine.target.lowers?.(node) === true || elementCount(node.type.shape) % 2 === 0,
  }),
}

for (const op of composites)
  test(`LO-15 ${op} can be drawn`, () => {
    const count = cases.filter((one) => one.op === op).length
    assert.is(count, numRuns, `${count} graphs of ${numRuns}`)
  })

for (const [name, variant] of Object.entries(variants))
  test(`LO-02 LO-15 ${name}: all composites give what the interpreter makes of them, on ${engine.name}`, async () => {
    // A composite that the target never keeps takes the same way in every variant.
    const chosen = name === 'nothing kept' ? cases : cases.filter(({ op }) => kept.has(op))
    const outcomes = await runOn(
      variant,
      chosen.map(({ given }) => ({ ...given, applications: [] })),
      () => undefined,
    )
    const wrong = outcomes.flatMap((outcome, i) => (outcome ? [`${chosen[i]!.op}: ${outcome.message.slice(0, 300)}`] : []))
    assert.equal(wrong, [])
  })

test('LO-02 a veto lowers the nodes that it names and no others', () => {
  for (const { op, given } of cases.filter((one) => kept.has(one.op))) {
    const has = (graph: Graph) => graph.nodes.some((node) => node.op === op)
    const answer = (lowers: boolean) => lowerGraph(given.graph, (node) => kept.has(node.op as CompositeName) && !lowers)
    assert.ok(has(answer(false)), op)
    assert.not(has(answer(true)), op)
  }
})

test.run()

// One suite for each pass: what it must rewrite, and what it must leave alone. Each rewrite is checked by the verifier, by numbers and by
// cost, comes to rest, and stands with its graphs before and after in `<name of the pass>.expect.md`; `--update` writes these anew.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { costOf, workOf } from '../../compiler/cost/index.ts'
import { elementCount, elementsOf, type Graph, isFloat, type Node, printGraph, verifyGraph } from '../../compiler/graph/index.ts'
import type { Application, Pass } from '../../compiler/passes/index.ts'
import { typicalRates } from '../../compiler/passes/typicalRates.ts'
import { evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { createTestGraph, expression, type TestGraph } from '../support/expression.ts'
import { randomInputs } from '../support/randomGraph.ts'
import { expectEqualGraphs } from '../support/sensitivity.ts'

/** The outputs of a graph, or the graph where the builder would not make it. */
export type BuildCase = (g: TestGraph) => Node | readonly Node[] | Graph

export interface CaseOptions {
  /** Values may differ by rounding; without it they must be the same bits (NaN for NaN, and −0 for 0). */
  readonly numeric?: boolean
  /** Integers may be off by so many. */
  readonly steps?: number
  /** Passed to the pass. */
  readonly assumeFinite?: boolean
  /** What the rewrite is good for where it lowers neither the number of nodes nor the cost by itself. */
  readonly prepares?: string
  /** The outputs when the pass has come to rest, as `expression` writes them. */
  readonly into?: string | readonly string[]
  /** Whether `into` has attributes. */
  readonly attributes?: boolean
}

export interface PassSuite {
  /** The pass must rewrite this graph, rightly, and come to rest. Names begin with the rows they show. */
  readonly rewrites: (name: string, build: BuildCase, options?: CaseOptions) => void
  /** The pass must give back this very graph. */
  readonly leaves: (name: string, build: BuildCase, options?: Pick<CaseOptions, 'assumeFinite'>) => void
}

export const expectationFolder = join(process.env.GLOWPLUG_ROOT!, 'test', 'passes')
export const expectationOf = (pass: Pass): string => join(expectationFolder, `${pass.name}.expect.md`)
/** Headings of an expectation; `passes.test.ts` asks every pass for both. */
export const headings = { rewrites: '## rewrites: ', leaves: '## leaves: ' } as const

/** Registers the tests of one pass; all of them in one call, because they share one expectation. */
export function passSuite(pass: Pass, define: (suite: PassSuite) => void): void {
  const sections: string[] = []
  const register = (kind: keyof typeof headings, name: string, run: () => string): void => {
    const at = sections.push('') - 1
    test(`${pass.name} ${kind} ${name}`, () => {
      sections[at] = `${headings[kind]}${name}\n\n${run()}`
    })
  }
  define({
    rewrites: (name, build, options = {}) => register('rewrites', name, () => checkRewrite(pass, graphFrom(build), options)),
    leaves: (name, build, options = {}) => register('leaves', name, () => checkUntouched(pass, graphFrom(build), options)),
  })
  test(`${pass.name} graphs before and after`, () => {
    if (sections.includes('')) assert.unreachable('a case failed, so there is nothing to compare')
    const found = `# ${pass.name}\n\n${pass.summary}.\n\n${sections.join('\n')}`
    const path = expectationOf(pass)
    if (process.env.GLOWPLUG_UPDATE === '1') writeFileSync(path, found)
    else {
      assert.ok(existsSync(path), `${pass.name}.expect.md is missing; run with --update`)
      assert.fixture(found, readFileSync(path, 'utf8'))
    }
  })
}

function graphFrom(build: BuildCase): Graph {
  const g = createTestGraph()
  const built = build(g)
  if ('nodes' in built) return built
  return g.graph(...('op' in built ? [built] : built))
}

const contextWith = (assumeFinite = false, applications: Application[] = []) => ({
  evaluate,
  assumeFinite,
  apply: (application: Application) => applications.push(application) > 0,
})

function checkUntouched(pass: Pass, graph: Graph, { assumeFinite }: CaseOptions): string {
  const result = pass.run(graph, contextWith(assumeFinite))
  assert.ok(result === graph, result.outputs.map(({ value }) => expression(value, true)).join('; '))
  return `${fenced(graph)}\n`
}

function checkRewrite(pass: Pass, graph: Graph, options: CaseOptions): string {
  const { assumeFinite, into, attributes, prepares } = options
  const applications: Application[] = []
  let result = graph
  for (let runs = 0; ; runs++) {
    const next = pass.run(result, contextWith(assumeFinite, applications))
    if (next === result) break
    verifyGraph(next)
    assert.ok(runs < 8, 'does not come to rest')
    result = next
  }
  assert.ok(result !== graph && applications.length > 0, 'nothing was rewritten')
  if (into !== undefined) {
    const found = result.outputs.map(({ value }) => expression(value, attributes))
    assert.equal(found, [into].flat())
  }
  for (const seed of [1, 2]) {
    if (options.numeric) expectEqualGraphs(result, graph, seed)
    else expectSameElements(result, graph, seed, options.steps ?? 0)
  }
  if (prepares === undefined) expectCheaper(result, graph)
  const rules = [...new Set(applications.map(({ rule, note }) => (rule === pass.name ? `\`${note}\`` : `${rule}: \`${note}\``)))]
  const because = prepares === undefined ? '' : `\nPrepares ${prepares}.\n`
  return `${rules.map((line) => `- ${line}\n`).join('')}${because}\n${fenced(graph)}\n${fenced(result)}\n`
}

const fenced = (graph: Graph): string => `\`\`\`\n${printGraph(graph).trimEnd()}\n\`\`\`\n`

interface Size {
  /** Nodes that depend on the inputs; what depends on constants alone is folded. */
  readonly varying: number
  /** Nodes that compute something. */
  readonly all: number
  readonly nanoseconds: number
}

function sizeOf(graph: Graph): Size {
  const inputs = new Set<Node>(graph.inputs)
  const varying = new Set<Node>(inputs)
  for (const node of graph.nodes) if (node.operands.some((operand) => varying.has(operand))) varying.add(node)
  const working = graph.nodes.filter((node) => varying.has(node) && !inputs.has(node))
  return {
    varying: working.length,
    all: graph.nodes.filter(({ operands }) => operands.length > 0).length,
    nanoseconds: working.reduce((sum, node) => sum + costOf(workOf(node), typicalRates), 0),
  }
}

function expectCheaper(after: Graph, before: Graph): void {
  const [less, more] = [sizeOf(after), sizeOf(before)]
  const fewer = less.varying < more.varying || (less.varying === more.varying && less.all < more.all)
  const sizes = [more, less].map(({ varying, nanoseconds }) => `${varying} nodes of ${nanoseconds} ns`)
  assert.ok(fewer || less.nanoseconds < more.nanoseconds, `${sizes.join(' became ')}; if that is no loss, say what it prepares`)
}

function expectSameElements(actual: Graph, expected: Graph, seed: number, steps: number): void {
  const inputs = randomInputs(expected, seed)
  const [found, wanted] = [runGraph(actual, inputs), runGraph(expected, inputs)]
  for (const { name, value } of expected.outputs) {
    const { dtype, shape } = value.type
    const [a, b] = [elementsOf(dtype, found[name]!), elementsOf(dtype, wanted[name]!)]
    assert.is(a.length, elementCount(shape))
    for (let i = 0; i < b.length; i++) {
      const [x, y] = [a.get(i), b.get(i)]
      const same = Math.abs(x - y) <= steps || x === y || (isFloat(dtype) && Number.isNaN(x) && Number.isNaN(y))
      if (!same) assert.unreachable(`${name}[${i}] is ${x}, expected ${y}; \`numeric: true\` allows for rounding`)
    }
  }
}

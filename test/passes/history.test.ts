import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { copyNode, type Graph, type Node, rebuildGraph, takeOrigin } from '../../compiler/graph/index.ts'
import { type Pass, passes } from '../../compiler/passes/index.ts'
import { differenceOf, differenceOfTexts } from '../../compiler/pipeline/difference.ts'
import { collectHistory, type History, traceBack, traceForward } from '../../compiler/pipeline/history.ts'
import { listPasses, passesPage } from '../../compiler/pipeline/listing.ts'
import { compileGraph, once } from '../../compiler/pipeline.ts'
import { evaluate, interpreter } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'
import { targetWith } from '../support/program.ts'

/** A product with its bias, a neutral operand, something dead, and an activation twice. */
function network(): Graph {
  const g = createTestGraph()
  const x = g.input('x', [2, 4])
  const product = g.op('matmul', { left: x, right: g.weight('w', [4, 3]) })
  const sum = g.op('add', { left: product, right: g.weight('b', [3]) })
  const neutral = g.op('mul', { left: sum, right: g.number(1) })
  return g.graph(g.op('relu', { input: neutral }), g.op('softmax', { input: neutral }, { axis: -1 }))
}

function compile(graph: Graph, target = targetWith({ keeps: new Set(['linear']), unsupported: () => undefined })) {
  const { steps, observe } = collectHistory()
  const result = compileGraph(graph, { target, evaluate, observe })
  return { steps, result }
}

const nodeOf = (graph: Graph, op: string): Node => graph.nodes.find((node) => node.op === op)!
const kinds = (events: readonly { readonly pass: string; readonly kind: string }[]) =>
  events.map(({ pass, kind }) => `${pass} ${kind}`)

test('OP-64 TO-08 the history of a node names the passes and rules that made it something else', () => {
  const graph = network()
  const { steps, result } = compile(graph)
  const product = traceForward(steps, graph, nodeOf(graph, 'matmul'))
  assert.is(product.end!.op, 'linear')
  assert.ok(result.lowered.nodes.includes(product.end!))
  assert.ok(product.events.some(({ pass, rules }) => pass === 'raise-linear' && rules.length > 0))

  const neutral = traceForward(steps, graph, nodeOf(graph, 'mul'))
  const [first] = neutral.events
  assert.equal(
    [first!.pass, first!.kind, first!.rules.map(({ rule }) => rule)],
    [
      'simplify-arithmetic',
      'rewritten',
      ['constant-to-the-right', 'neutral-operand'].filter((rule) => first!.rules.some((each) => each.rule === rule)),
    ],
  )
  assert.is(neutral.end, product.end, 'the product, its bias and what multiplied by one are one node in the end')

  const softmax = traceForward(steps, graph, nodeOf(graph, 'softmax'))
  assert.ok(kinds(softmax.events).includes('lower rewritten'))
  assert.is(softmax.end!.op, 'div')
})

test('TO-08 and back: where a node of the lowered graph comes from', () => {
  const graph = network()
  const { steps, result } = compile(graph)
  const origin = (op: string) => traceBack(steps, result.lowered, nodeOf(result.lowered, op))
  assert.is(origin('linear').end!.op, 'add')
  const exp = origin('exp')
  assert.ok(kinds(exp.events).includes('lower created'), kinds(exp.events).join())
  assert.is(exp.end!.op, 'softmax')
  assert.match(exp.endLine!, /^%\d+ = softmax\(/)
})

test('TO-08 what a pass drops, and what it absorbs', () => {
  const graph = network()
  const { steps } = compile(graph)
  const sum = traceForward(steps, graph, nodeOf(graph, 'add'))
  assert.is(sum.end!.op, 'linear')
  const dropsSecond: Pass = {
    ...passes.eliminateDeadCode,
    run: (given) =>
      rebuildGraph({ ...given, outputs: given.outputs.slice(0, 1) }, (node, operands, builder) =>
        copyNode(node, builder, operands),
      ),
  }
  const after = dropsSecond.run(graph, { evaluate, assumeFinite: false, apply: () => true })
  const record = {
    phase: 'optimise',
    pass: 'drops',
    round: 1,
    changed: true,
    milliseconds: 0,
    nodesBefore: 0,
    nodesAfter: 0,
    applications: [],
  }
  const history: History = [{ record, before: graph, graph: after, became: takeOrigin(after)! }]
  const gone = traceForward(history, graph, nodeOf(graph, 'softmax'))
  assert.equal(kinds(gone.events), ['drops dropped'])
  assert.not(gone.end)
})

test('TO-08 a pass that tells nothing about its nodes is named', () => {
  const graph = network()
  const { steps, observe } = collectHistory()
  const copies: Pass = {
    ...passes.simplifyNoop,
    name: 'copies',
    run: (given) => ({ ...given, nodes: [...given.nodes] }),
  }
  compileGraph(graph, { target: interpreter, evaluate, observe, passes: { optimise: [once(copies)], 'optimise-lowered': [] } })
  const { events, end } = traceForward(steps, graph, nodeOf(graph, 'add'))
  assert.equal(kinds(events), ['copies unknown'])
  assert.not(end)
})

test('an origin spans several rebuildings, and is told once', () => {
  const graph = network()
  const copy = (given: Graph) => rebuildGraph(given, (node, operands, builder) => copyNode(node, builder, operands))
  const twice = copy(copy(graph))
  const became = takeOrigin(twice)!
  assert.equal(
    graph.nodes.map((node) => became.get(node)),
    twice.nodes,
  )
  assert.not(takeOrigin(twice))
  assert.not(takeOrigin(graph))
})

test('a difference shows what changed and nothing that was only renumbered', () => {
  const graph = network()
  const { steps } = compile(graph)
  const step = steps.find(({ record }) => record.pass === 'simplify-arithmetic')!
  const hunks = differenceOf(step, 0)
  const changed = hunks.flatMap(({ lines }) => lines)
  assert.match(changed.join('\n'), /^- {3}%\d+ = mul\(/m)
  assert.ok(changed.length < 2 * step.before.nodes.length)
  for (const line of changed) assert.not.match(line, /^ {2}/)
  assert.equal(differenceOf({ before: graph, graph, became: new Map(graph.nodes.map((node) => [node, node])) }), [])
})

test('differences of texts: every line of both is there, in order', () => {
  const cases: [string, string][] = [
    ['abcdef', 'abXdef'],
    ['abc', 'xyz'],
    ['aab', 'aba'],
    ['', 'abc'],
    ['abcabc', 'cab'],
    ['abcdefghij', 'jabcdefghi'],
  ]
  for (const [a, b] of cases) {
    const lines = differenceOfTexts([...a], [...b], 100).flatMap(({ lines }) => lines)
    const side = (marks: string) =>
      lines
        .filter((line) => marks.includes(line[0]!))
        .map((line) => line.slice(2))
        .join('')
    assert.is(side(' -'), a, `${a} ${b}`)
    assert.is(side(' +'), b, `${a} ${b}`)
  }
  assert.equal(differenceOfTexts([...'abcdefgh'], [...'abXdefgY'], 1), [
    { first: 2, lines: ['  b', '- c', '+ X', '  d'] },
    { first: 7, lines: ['  g', '- h', '+ Y'] },
  ])
})

test('OP-62 the page of passes is made of the pipeline', () => {
  const path = join(process.env.GLOWPLUG_ROOT!, 'compiler/pipeline/PASSES.md')
  const page = passesPage()
  if (process.env.GLOWPLUG_UPDATE === '1') writeFileSync(path, page)
  assert.ok(existsSync(path), 'compiler/pipeline/PASSES.md is missing; run with --update')
  assert.fixture(page, readFileSync(path, 'utf8'))
  const listed = listPasses()
  for (const { name, summary } of Object.values(passes)) {
    if (!listed.some(({ pass }) => pass === name)) continue
    assert.ok(page.includes(`| \`${name}\` | ${summary.replaceAll('|', '\\|')} |`), name)
  }
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { copyNode, type Graph, type Location, rebuildGraph } from '../../compiler/graph/index.ts'
import type { Pass } from '../../compiler/passes/index.ts'
import { compileUntil, once, optimise, type PassList } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { type BisectOptions, bisectGraph } from '../../plugin/inspect/bisect.ts'
import { drawReference } from '../../plugin/inspect/reference.ts'
import { evaluate, interpreter } from '../../targets/interpreter/index.ts'
import { createTestGraph } from '../support/expression.ts'

/** Many places for rewrites: neutral operands, a clamp, constants to fold. */
function network(): Graph {
  const g = createTestGraph()
  let value = g.input('x', [3, 4])
  for (let i = 0; i < 6; i++) {
    value = g.op('add', { left: g.op('mul', { left: value, right: g.number(1) }), right: g.number(0) })
    value = g.op('tanh', { input: g.op('add', { left: value, right: g.weight(`b${i}`, [4]) }) })
  }
  return g.graph(value, g.op('maximum', { left: value, right: g.number(0) }))
}

const place: Location = { kind: 'source', span: { file: 'net.model.ts', line: 12, column: 3 }, calls: [] }

/** Takes the third tanh that it meets for a sigmoid. */
const breaksThird: Pass = {
  name: 'break-third',
  summary: 'Wrong on purpose',
  level: 'any',
  run(graph, { apply }) {
    let seen = 0
    let applied = 0
    const result = rebuildGraph(graph, (node, operands, builder) => {
      const copy = copyNode(node, builder, operands)
      if (node.op !== 'tanh' || ++seen !== 3) return copy
      if (!apply({ rule: 'third-tanh', note: 'tanh(x) → sigmoid(x)', locations: [place], node: node.id })) return copy
      applied++
      return builder.add('sigmoid', { input: operands[0]! })
    })
    return applied > 0 ? result : graph
  },
}

const graph = network()
const before = optimise.slice(0, 2)
const list: PassList = [...before, once(breaksThird), ...optimise.slice(2)]
const bisect = async (options: Partial<BisectOptions> = {}) => {
  const { inputs, ...expected } = await drawReference(graph, 3)
  return bisectGraph(graph, { target: interpreter, inputs, expected, ...options })
}

test('OP-65 nothing is found in a pipeline that is right', async () => {
  const report = await bisect()
  assert.is(report.verdict, 'equal')
  assert.ok(report.rewrites > 10)
  assert.is(report.tried, 2)
})

test('OP-65 the one rewrite of a broken pass is found, with its place and what it changes', async () => {
  const { verdict, shownBy, culprit, tried, rewrites, differences } = await bisect({ passes: { optimise: list } })
  assert.equal([verdict, shownBy], ['rewrite', 'interpreter'])
  assert.equal([culprit!.pass, culprit!.rule, culprit!.locations], ['break-third', 'third-tanh', ['net.model.ts:12:3']])
  // All rewrites before it were made, none of those after.
  const { log } = compileUntil(graph, { target: interpreter, evaluate, passes: { optimise: before } }, 'optimised')
  assert.is(culprit!.application, log.reduce((sum, { applications }) => sum + applications.length, 0) + 1)
  const lines = culprit!.change.flatMap(({ lines }) => lines).filter((line) => !line.startsWith('  '))
  assert.is(lines.length, 2, lines.join('\n'))
  assert.match(lines[0]!, /^- {3}(%\d+) = tanh\(/)
  assert.match(lines[1]!, /^\+ {3}(%\d+) = sigmoid\(/)
  assert.is(/%\d+/.exec(lines[0]!)![0], /%\d+/.exec(lines[1]!)![0], 'the node keeps its name')
  assert.ok(tried <= 4 + Math.ceil(Math.log2(rewrites)))
  assert.equal(Object.keys(differences), ['y0', 'y1'])
})

/** A target whose kernels take `from` for `to`. */
const confusing = (from: string, to: string): Target => ({
  ...interpreter,
  emit: (name, entries) => {
    const text = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(text)
        : value && typeof value === 'object' && !(value instanceof Map) && !ArrayBuffer.isView(value)
          ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, key === 'op' && each === from ? to : text(each)]))
          : value
    return interpreter.emit(
      name,
      entries.map((entry) => {
        const kernels = new Map([...entry.program.kernels].map(([key, kernel]) => [key, text(kernel) as typeof kernel]))
        const instructions = entry.program.instructions.map((each) =>
          each.kind === 'call' ? { ...each, kernel: kernels.get(each.name)! } : each,
        )
        return { ...entry, program: { ...entry.program, kernels, instructions } }
      }),
    )
  },
})

test('OP-65 a target that is wrong whatever the passes do is told from a rewrite', async () => {
  const { verdict, culprit } = await bisect({ target: confusing('tanh', 'sin') })
  assert.is(verdict, 'target')
  assert.not(culprit)
})

test('OP-65 a rewrite that brings to light what a target does wrong is found by running the target', async () => {
  const passes = { optimise: [once(negatesTwice)], 'optimise-lowered': [] }
  const { verdict, shownBy, culprit } = await bisect({ target: confusing('negate', 'abs'), passes })
  assert.equal([verdict, shownBy, culprit!.pass], ['rewrite', 'target', 'negate-twice'])
})

/** Right, and a trap for a target that cannot negate. */
const negatesTwice: Pass = {
  ...breaksThird,
  name: 'negate-twice',
  run(graph, { apply }) {
    let applied = 0
    const result = rebuildGraph(graph, (node, operands, builder) => {
      const copy = copyNode(node, builder, operands)
      if (node.op !== 'tanh' || !apply({ rule: 'negate-twice', note: 'x → −(−x)', locations: [] })) return copy
      applied++
      return builder.add('negate', { input: builder.add('negate', { input: copy }) })
    })
    return applied > 0 ? result : graph
  },
}

test.run()

// The engine behind all rules.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Location } from '../../compiler/graph/index.ts'
import { parseGraph, printType, verifyGraph } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { createTestGraph, expression } from '../support/expression.ts'
import { window } from './shorthand.ts'

test('IR-30 a replacement has the locations of all that it replaces', () => {
  const g = createTestGraph()
  const at = (line: number): Location => ({ kind: 'source', span: { file: 'a.model.ts', line, column: 1 }, calls: [] })
  const x = g.input('x', [1, 2, 5, 5])
  const padded = g.builder.add('pad', { input: x }, { before: [0, 0, 1, 1], after: [0, 0, 1, 1], value: 0 }, at(1))
  const value = g.builder.add('conv', { input: padded, weight: g.weight('w', [3, 2, 3, 3]) }, { ...window, groups: 1 }, at(2))
  const result = passes.simplifyPad.run(g.graph(value), { evaluate, assumeFinite: false, apply: () => true })
  assert.equal(
    result.locations.get(result.outputs[0]!.value)!.map((location) => location.kind === 'source' && location.span.line),
    [2, 1],
  )
})

test('rules work on stored integers; what these stand for stays in the type', () => {
  const graph = parseGraph(`graph "q"(%0)
  %0 = input {name: "x"} : i8[2, 1] quantized([0.5], [3])
  %1 = constant @"zero" [0] : i8[]
  %2 = add(%0, %1) : i8[2, 1]
  %3 = transpose(%0) {order: [0, 1]} : i8[2, 1] quantized([0.5], [3])
  %4 = reshape(%3) {shape: [2]} : i8[2] quantized([0.5], [3])
  return "y" = %2, "z" = %4`)
  const context = { evaluate, assumeFinite: false, apply: () => true }
  const added = passes.simplifyArithmetic.run(graph, context)
  verifyGraph(added)
  assert.equal(expression(added.outputs[0]!.value), 'storageCast(x)')
  const moved = passes.simplifyTranspose.run(graph, context)
  verifyGraph(moved)
  assert.equal(expression(moved.outputs[1]!.value), 'reshape(x)')
  for (const result of [added, moved])
    assert.equal(
      result.outputs.map(({ value }) => printType(value.type)),
      ['i8[2, 1]', 'i8[2] quantized([0.5], [3])'],
    )
})

test.run()

import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Graph, verifyGraph } from '../../compiler/graph/index.ts'
import { type Assignment, rewriteLayouts } from '../../compiler/layout/index.ts'
import type { BlockOptions } from '../../compiler/layout/row.ts'
import { rowOf } from '../../compiler/layout/rows.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { type CompileResult, compileUntil } from '../../compiler/pipeline.ts'
import { evaluate, interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { targetWith } from '../support/program.ts'
import { arbitraryGraph, type RandomGraphOptions, randomInputs } from '../support/randomGraph.ts'

/** Ops that work on blocks, convolutions above all, and some that do not. */
const options: RandomGraphOptions = {
  ops: [
    'conv',
    'conv',
    'conv',
    'convInteger',
    'maxPool',
    'avgPool',
    'reduceSum',
    'reduceMax',
    'concat',
    'concat',
    'slice',
    'pad',
    'transpose',
    'reshape',
    'expand',
    'gather',
    'lookup',
    'cast',
    'add',
    'add',
    'mul',
    'div',
    'where',
    'less',
    'exp',
    'cumSum',
    'matmul',
  ],
  dtypes: ['f32', 'f32', 'f32', 'f32', 'u8', 'i32', 'i8', 'bool'],
  extents: [1, 2, 3, 4, 5, 8],
  maximumNodes: 20,
  maximumElements: 1500,
}
const { rates } = interpreter
/** Where moving is free, much more stands in blocks. */
const freeMemory = { ...rates, bytesPerSecond: 1e18, cachedBytesPerSecond: 1e18, callNanoseconds: 0 }
const optionsOf = (block: number): BlockOptions => ({ block, rates, blocks: () => true })

const hex = (values: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]))

/** Every node that may work on blocks does, or every second, and so on: much of it cost would never choose. */
function anyAssignment(graph: Graph, block: number, chosen: (index: number) => boolean): Assignment {
  const rows = graph.nodes.flatMap((node) => {
    const row = rowOf(node, optionsOf(block))
    return row ? [[node, row] as const] : []
  })
  return new Map(rows.filter((_, i) => chosen(i)))
}

test('IR-19 whatever nodes work on blocks, the graph computes the same', () => {
  const count = { rows: 0, convolutions: 0, relayouts: 0 }
  fc.assert(
    fc.property(arbitraryGraph(options), fc.constantFrom(1, 2, 4, 8, 16), fc.nat(), fc.nat(2), (drawn, block, bits, seed) => {
      const graph = lowerGraph(drawn, new Set())
      const assignment = anyAssignment(graph, block, (i) => seed === 0 || ((bits >> (i % 30)) & 1) === 1)
      const result = rewriteLayouts(graph, assignment, block)
      verifyGraph(result)
      const inputs = randomInputs(graph, seed)
      assert.equal(hex(runGraph(lowerGraph(result, new Set()), inputs)), hex(runGraph(graph, inputs)))
      count.rows += assignment.size
      count.convolutions += result.nodes.filter(({ op }) => op.startsWith('blockedConv')).length
      count.relayouts += result.nodes.filter(({ op }) => op === 'transpose').length
    }),
    draw(2, 250),
  )
  assert.ok(count.rows > 500 && count.convolutions > 100 && count.relayouts > 200, JSON.stringify(count))
})

test('IR-19 IR-20 whatever the target keeps, the pipeline gives the same', () => {
  let assigned = 0
  fc.assert(
    fc.property(arbitraryGraph(options), fc.constantFrom(2, 4, 8, 16), fc.boolean(), fc.nat(3), (graph, block, keeps, seed) => {
      const composites = keeps ? (['blockedConv', 'blockedConvInteger'] as const) : []
      const target = targetWith({ channelBlock: block, keeps: new Set(composites), rates: freeMemory })
      const result = compileUntil(graph, { target, evaluate, verify: true }, 'layout') as Pick<
        CompileResult,
        'lowered' | 'layout'
      >
      assigned += Number(result.layout !== result.lowered)
      assert.is(result.layout.nodes.some(({ op }) => op.startsWith('blocked')) && !keeps, false)
      const inputs = randomInputs(graph, seed)
      assert.equal(hex(runGraph(result.layout, inputs)), hex(runGraph(result.lowered, inputs)))
    }),
    draw(3, 150),
  )
  assert.ok(assigned > 20, `${assigned} graphs with blocks`)
})

test.run()

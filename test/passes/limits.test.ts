import { test } from 'uvu'
import type { Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { reshape } from './shorthand.ts'
import { passSuite } from './suite.ts'

const clamp = (g: TestGraph, input: Node, minimum: number, maximum: number) => g.op('clamp', { input }, { minimum, maximum })
const most = (g: TestGraph, left: Node, value: number) => g.op('maximum', { left, right: g.number(value) })
const least = (g: TestGraph, left: Node, value: number) => g.op('minimum', { left, right: g.number(value) })

passSuite(passes.raiseClamp, ({ rewrites, leaves }) => {
  rewrites('OP-54 min of max', (g) => least(g, most(g, g.input('x', [3]), -1), 1), {
    into: 'clamp(x, minimum: -1, maximum: 1)',
    attributes: true,
  })
  rewrites('OP-54 max of min', (g) => most(g, least(g, g.input('x', [3]), 1), -1), {
    into: 'clamp(x, minimum: -1, maximum: 1)',
    attributes: true,
  })
  rewrites('max with 0', (g) => most(g, g.input('x', [3]), 0), { into: 'relu(x)', prepares: 'what knows relu' })
  leaves('OP-54 leaves limits that exclude each other', (g) => least(g, most(g, g.input('x', [3]), 2), 1))
  leaves('leaves limits that vary', (g) => g.op('maximum', { left: g.input('x', [3]), right: g.weight('w', [3]) }))
})

passSuite(passes.simplifyClamp, ({ rewrites, leaves }) => {
  rewrites('OP-29 clamp of clamp', (g) => clamp(g, clamp(g, g.input('x', [3]), -2, 1), -1, 3), {
    into: 'clamp(x, minimum: -1, maximum: 1)',
    attributes: true,
  })
  rewrites('OP-29 clamp of relu', (g) => clamp(g, g.op('relu', { input: g.input('x', [3]) }), -1, 0.5), {
    into: 'clamp(x, minimum: 0, maximum: 0.5)',
    attributes: true,
  })
  leaves('leaves limits without a common value', (g) => clamp(g, clamp(g, g.input('x', [3]), -2, -1), 1, 3))
  rewrites(
    'what a sigmoid keeps anyway',
    (g) => least(g, g.op('relu', { input: reshape(g, g.op('sigmoid', { input: g.input('x', [3]) }), [3, 1]) }), 1),
    { into: 'reshape(sigmoid(x))' },
  )
  leaves('leaves a limit within the range', (g) => least(g, g.op('sigmoid', { input: g.input('x', [3]) }), 0.5))
  rewrites('OP-58 zero is the smallest of these integers', (g) => g.op('relu', { input: g.input('x', [3], 'u8') }), { into: 'x' })
  rewrites('OP-59 all of these integers', (g) => clamp(g, g.input('x', [3], 'i8'), -128, 127), { into: 'x' })
  leaves('OP-58 integers below zero', (g) => g.op('relu', { input: g.input('x', [3], 'i8') }))
  const decoded = (g: TestGraph) => g.op('dequantize', { input: g.input('x', [3], 'i8') }, { scale: [2], zeroPoint: [0] })
  rewrites('OP-45 numbers that decoded bytes do not reach', (g) => clamp(g, decoded(g), -65504, 65504), { into: 'dequantize(x)' })
  leaves('OP-45 numbers that decoded bytes do reach', (g) => clamp(g, decoded(g), -65504, 253))
})

test.run()

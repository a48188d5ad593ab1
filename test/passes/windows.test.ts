import { test } from 'uvu'
import type { Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { conv, image, window } from './shorthand.ts'
import { passSuite } from './suite.ts'

const around = (g: TestGraph, input: Node, n: number, value: number, batch = 0) =>
  g.op('pad', { input }, { before: [batch, 0, n, n], after: [0, 0, n, 0], value })
const average = (g: TestGraph, input: Node, countPadding: boolean, before = [0, 0]) =>
  g.op('avgPool', { input }, { ...window, before, window: [3, 3], countPadding })

passSuite(passes.simplifyPad, ({ rewrites, leaves }) => {
  rewrites('by nothing', (g) => around(g, image(g), 0, 1), { into: 'x' })
  rewrites('of padding with the same value', (g) => around(g, around(g, image(g), 1, 2), 2, 2), {
    into: 'pad(x, before: [0, 0, 3, 3], after: [0, 0, 3, 0], value: 2)',
    attributes: true,
  })
  leaves('leaves padding with two values', (g) => around(g, around(g, image(g), 1, 2), 2, 3))
  rewrites('OP-10 into a convolution', (g) => conv(g, around(g, image(g), 2, 0), { before: [1, 0] }), {
    into: 'conv(x, @w, stride: [1, 1], before: [3, 2], after: [2, 0], dilation: [1, 1], groups: 1)',
    attributes: true,
  })
  leaves('OP-10 not with another value', (g) => conv(g, around(g, image(g), 1, 1)))
  leaves('OP-10 not over the batch', (g) => conv(g, around(g, image(g), 1, 0, 1)))
  leaves('OP-10 not when something else reads the padded tensor', (g) => {
    const padded = around(g, image(g), 1, 0)
    return [conv(g, padded), g.op('exp', { input: padded })]
  })
  rewrites('into an average that has no padding of its own', (g) => average(g, around(g, image(g), 1, 0), false), {
    into: 'avgPool(x, stride: [1, 1], before: [1, 1], after: [1, 0], dilation: [1, 1], window: [3, 3], countPadding: true)',
    attributes: true,
  })
  leaves('not into an average that leaves its own padding out', (g) => average(g, around(g, image(g), 1, 0), false, [1, 1]))
  leaves('not where a window would see padding alone', (g) => average(g, around(g, image(g), 3, 0), true))
  rewrites(
    'of −∞ into a maximum',
    (g) => g.op('maxPool', { input: around(g, image(g), 1, Number.NEGATIVE_INFINITY) }, { ...window, window: [3, 3] }),
    { into: 'maxPool(x)' },
  )
  leaves('not of 0 into a maximum', (g) => g.op('maxPool', { input: around(g, image(g), 1, 0) }, { ...window, window: [3, 3] }))
})

passSuite(passes.simplifyConv, ({ rewrites, leaves }) => {
  rewrites(
    'OP-11 one element under a window of three times three',
    (g) => conv(g, g.input('x', [1, 2, 1, 1]), { before: [1, 1], after: [1, 1] }),
    {
      numeric: true,
      prepares: 'a convolution without padding, with a ninth of the products',
      into: 'conv(x, slice(@w, start: [0, 0, 1, 1], size: [3, 2, 1, 1], step: [1, 1, 1, 1]), stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1)',
      attributes: true,
    },
  )
  rewrites(
    'OP-11 dilation and stride that skip over a short axis',
    (g) => conv(g, g.input('x', [1, 2, 2, 8]), { before: [3, 1], after: [3, 1], dilation: [3, 1], stride: [2, 2] }),
    { numeric: true, prepares: 'a convolution with fewer products' },
  )
  leaves('OP-11 taps that see the input somewhere', (g) => conv(g, image(g), { before: [1, 1], after: [1, 1] }))
  leaves('OP-11 weights that are no constant', (g) =>
    g.op(
      'conv',
      { input: g.input('x', [1, 2, 1, 1]), weight: g.input('w', [3, 2, 3, 3]) },
      { ...window, before: [1, 1], after: [1, 1], groups: 1 },
    ),
  )
})

test.run()

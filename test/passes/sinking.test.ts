import { test } from 'uvu'
import { passes } from '../../compiler/passes/index.ts'
import { concat, expand, reshape, slice, transpose } from './shorthand.ts'
import { passSuite } from './suite.ts'

passSuite(passes.sinkTranspose, ({ rewrites, leaves }) => {
  rewrites(
    'OP-04 below elementwise ops, constants follow',
    (g) => g.op('add', { left: g.op('relu', { input: transpose(g, g.input('x', [2, 3]), [1, 0]) }), right: g.weight('w', [2]) }),
    { into: 'transpose(add(relu(x), transpose(reshape(@w))))', prepares: 'transposes to meet and cancel' },
  )
  rewrites(
    'OP-04 two of the same order',
    (g) => g.op('add', { left: transpose(g, g.input('x', [2, 3]), [1, 0]), right: transpose(g, g.input('y', [2, 1]), [1, 0]) }),
    { into: 'transpose(add(x, y))' },
  )
  leaves('OP-04 not beside an operand that is not transposed', (g) =>
    g.op('add', { left: transpose(g, g.input('x', [2, 3]), [1, 0]), right: g.input('y', [3, 2]) }),
  )
  rewrites(
    'OP-04 single elements beside it stay as they are',
    (g) =>
      g.op(
        'concat',
        {
          inputs: [
            g.op('transpose', { input: g.op('abs', { input: g.input('x', [1, 1]) }) }, { order: [1, 0] }),
            g.input('y', [1, 1]),
          ],
        },
        { axis: 0 },
      ),
    { into: 'transpose(concat(abs(x), y))', prepares: 'transposes to meet and cancel' },
  )
  leaves('not when the transposed value is needed', (g) => {
    const value = transpose(g, g.input('x', [2, 3]), [1, 0])
    return [g.op('exp', { input: value }), value]
  })
  rewrites(
    'OP-04 below concat',
    (g) => concat(g, [transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]), transpose(g, g.input('y', [2, 3, 1]), [2, 0, 1])], 0),
    { into: 'transpose(concat(x, y, axis: 2), order: [2, 0, 1])', attributes: true },
  )
  rewrites(
    'OP-04 below pad and slice',
    (g) =>
      slice(
        g,
        g.op(
          'pad',
          { input: transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]) },
          { before: [1, 0, 0], after: [0, 0, 2], value: 1 },
        ),
        [0, 1, 0],
        [5, 1, 3],
      ),
    {
      into: 'transpose(slice(pad(x, before: [0, 0, 1], after: [0, 2, 0], value: 1), start: [1, 0, 0], size: [1, 3, 5], step: [1, 1, 1]), order: [2, 0, 1])',
      attributes: true,
      prepares: 'transposes to meet and cancel',
    },
  )
  rewrites(
    'below reductions',
    (g) => g.op('reduceSum', { input: transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]) }, { axes: [1], keepDims: false }),
    {
      into: 'transpose(reduceSum(x, axes: [0], keepDims: false), order: [1, 0])',
      attributes: true,
      prepares: 'transposes to meet and cancel',
    },
  )
  rewrites('below softmax', (g) => g.op('softmax', { input: transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]) }, { axis: -1 }), {
    into: 'transpose(softmax(x, axis: 1), order: [2, 0, 1])',
    attributes: true,
    prepares: 'transposes to meet and cancel',
  })
  rewrites(
    'OP-04 below a batch norm',
    (g) => {
      const input = transpose(g, g.input('x', [2, 3, 4, 5]), [0, 1, 3, 2])
      const [scale, shift, mean, variance] = ['s', 'b', 'm', 'v'].map((name) => g.weight(name, [3], (i) => 0.5 + i))
      return g.op('batchNorm', { input, scale: scale!, shift: shift!, mean: mean!, variance: variance! })
    },
    { into: 'transpose(batchNorm(x, @s, @b, @m, @v))', prepares: 'transposes to meet and cancel' },
  )
  leaves('OP-04 not below a batch norm whose channels move', (g) => {
    const input = transpose(g, g.input('x', [2, 4, 5, 3]), [0, 3, 1, 2])
    const [scale, shift, mean, variance] = ['s', 'b', 'm', 'v'].map((name) => g.weight(name, [3], (i) => 0.5 + i))
    return g.op('batchNorm', { input, scale: scale!, shift: shift!, mean: mean!, variance: variance! })
  })
  rewrites(
    'OP-04 below encoding',
    (g) => g.op('quantize', { input: transpose(g, g.input('x', [2, 3]), [1, 0]) }, { dtype: 'u8', scale: [0.5], zeroPoint: [9] }),
    { into: 'transpose(quantize(x))', prepares: 'transposes of bytes' },
  )
  rewrites('OP-07 below what repeats', (g) => expand(g, transpose(g, g.input('x', [1, 3]), [1, 0]), [3, 4]), {
    into: 'transpose(expand(x, shape: [4, 3]), order: [1, 0])',
    attributes: true,
    prepares: 'transposes to meet and cancel',
  })
  rewrites(
    'OP-12 into the weight of a linear layer',
    (g) => {
      const input = reshape(g, transpose(g, g.input('x', [2, 3, 4, 5]), [0, 2, 3, 1]), [2, 60])
      return g.op('linear', { input, weight: g.weight('w', [6, 60]) })
    },
    { numeric: true, into: 'linear(reshape(x), reshape(transpose(reshape(@w))))' },
  )
  leaves('OP-12 not where the batch moves', (g) => {
    const input = reshape(g, transpose(g, g.input('x', [3, 2, 4]), [1, 0, 2]), [2, 12])
    return g.op('linear', { input, weight: g.weight('w', [6, 12]) })
  })
  leaves('OP-12 not into a weight that is no constant', (g) => {
    const input = reshape(g, transpose(g, g.input('x', [2, 3, 4]), [0, 2, 1]), [2, 12])
    return g.op('linear', { input, weight: g.input('w', [6, 12]) })
  })
})

passSuite(passes.sinkReshape, ({ rewrites, leaves }) => {
  rewrites(
    'OP-06 below elementwise ops',
    (g) => g.op('mul', { left: g.op('relu', { input: reshape(g, g.input('x', [2, 6]), [3, 4]) }), right: g.number(2) }),
    { into: 'reshape(mul(relu(x), 2))', prepares: 'elementwise work beside what produced its operand' },
  )
  rewrites(
    'OP-06 beside a bias along the dimension that stays',
    (g) => g.op('add', { left: reshape(g, g.input('x', [2, 3, 4]), [6, 4]), right: g.input('b', [4]) }),
    { into: 'reshape(add(x, b))', prepares: 'elementwise work beside what produced its operand' },
  )
  leaves('OP-06 not beside a value for each row', (g) =>
    g.op('add', { left: reshape(g, g.input('x', [2, 3, 4]), [6, 4]), right: g.input('b', [6, 1]) }),
  )
  leaves('OP-06 not beside another shape', (g) =>
    g.op('add', { left: reshape(g, g.input('x', [2, 6]), [3, 4]), right: g.input('y', [3, 4]) }),
  )
  rewrites(
    'OP-44 limits come to stand beside what computes',
    (g) => g.op('clamp', { input: reshape(g, g.op('tanh', { input: g.input('x', [2, 6]) }), [3, 4]) }, { minimum: 0 }),
    { into: 'reshape(clamp(tanh(x)))', prepares: 'limits in the kernel that computes' },
  )
})

test.run()

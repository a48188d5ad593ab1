import { test } from 'uvu'
import type { Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { concat, expand, reshape, slice, transpose, window } from './shorthand.ts'
import { passSuite } from './suite.ts'

const gather = (g: TestGraph, indices: Node) => g.op('gather', { input: g.input('x', [4, 3]), indices }, { axis: 0 })

passSuite(passes.simplifyReshape, ({ rewrites, leaves }) => {
  rewrites('OP-25 reshape of reshape', (g) => reshape(g, reshape(g, g.input('x', [6]), [2, 3]), [-1, 2]), {
    into: 'reshape(x, shape: [3, 2])',
    attributes: true,
  })
  rewrites('OP-25 to the same shape', (g) => reshape(g, g.input('x', [6]), [-1]), { into: 'x' })
  leaves('leaves a single reshape', (g) => reshape(g, g.input('x', [6]), [2, 3]))
  rewrites('a shape with a free dimension', (g) => reshape(g, g.input('x', [6]), [-1, 2]), {
    into: 'reshape(x, shape: [3, 2])',
    attributes: true,
    prepares: 'equal reshapes to be one node',
  })
})

passSuite(passes.simplifyTranspose, ({ rewrites, leaves }) => {
  rewrites('pairs cancel', (g) => transpose(g, transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]), [1, 2, 0]), { into: 'x' })
  rewrites('pairs merge', (g) => transpose(g, transpose(g, g.input('x', [2, 3, 4]), [2, 0, 1]), [2, 0, 1]), {
    into: 'transpose(x, order: [1, 2, 0])',
    attributes: true,
  })
  rewrites('OP-24 dimensions of size 1', (g) => transpose(g, g.input('x', [2, 1, 4]), [1, 0, 2]), {
    into: 'reshape(x, shape: [1, 2, 4])',
    attributes: true,
    prepares: 'a view in place of a copy',
  })
  rewrites('OP-24 exchanging two dimensions of size 1', (g) => transpose(g, g.input('x', [1, 1, 4]), [1, 0, 2]), { into: 'x' })
  leaves('OP-24 leaves one that moves elements', (g) => transpose(g, g.input('x', [2, 1, 4]), [2, 1, 0]))
})

passSuite(passes.simplifySlice, ({ rewrites, leaves }) => {
  rewrites('everything', (g) => slice(g, g.input('x', [4, 2]), [0, 0], [4, 2]), { into: 'x' })
  leaves('leaves everything backwards', (g) => slice(g, g.input('x', [4]), [3], [4], [-1]))
  rewrites('slice of slice', (g) => slice(g, slice(g, g.input('x', [10]), [1], [4], [2]), [3], [2], [-2]), {
    into: 'slice(x, start: [7], size: [2], step: [-4])',
    attributes: true,
  })
  rewrites(
    'OP-42 exactly one part of a concat',
    (g) => slice(g, g.op('concat', { inputs: [g.input('x', [2, 3]), g.input('y', [2, 2])] }, { axis: 1 }), [0, 3], [2, 2]),
    { into: 'y' },
  )
  rewrites(
    'OP-42 within one part of a concat',
    (g) => slice(g, g.op('concat', { inputs: [g.input('x', [2, 3]), g.input('y', [2, 2])] }, { axis: -1 }), [1, 4], [1, 1]),
    { into: 'slice(y, start: [1, 1], size: [1, 1], step: [1, 1])', attributes: true },
  )
  leaves('OP-42 leaves a slice over two parts', (g) =>
    slice(g, g.op('concat', { inputs: [g.input('x', [3]), g.input('y', [2])] }, { axis: 0 }), [2], [2]),
  )
  rewrites(
    'within padding',
    (g) => slice(g, g.op('pad', { input: g.input('x', [3]) }, { before: [2], after: [1], value: 0 }), [3], [2]),
    { into: 'slice(x, start: [1], size: [2], step: [1])', attributes: true },
  )
  leaves('leaves a slice that takes padding', (g) =>
    slice(g, g.op('pad', { input: g.input('x', [3]) }, { before: [2], after: [1], value: 0 }), [1], [2]),
  )
})

passSuite(passes.simplifyConcat, ({ rewrites, leaves }) => {
  rewrites('OP-20 of one', (g) => concat(g, [g.input('x', [2])]), { into: 'x' })
  rewrites(
    'OP-20 nested',
    (g) => concat(g, [concat(g, [g.input('x', [2, 1]), g.input('y', [2, 1])], 1), g.input('z', [2, 1])], -1),
    { into: 'concat(x, y, z)' },
  )
  leaves('leaves nesting along another axis', (g) =>
    concat(g, [concat(g, [g.input('x', [2, 1]), g.input('y', [2, 1])], 1), g.input('z', [2, 2])], 0),
  )
  rewrites('empty parts', (g) => concat(g, [g.input('x', [2]), g.input('e', [0]), g.input('y', [1])]), {
    into: 'concat(x, y)',
    prepares: 'concatenations of one',
  })
  rewrites(
    'OP-20 slices that rebuild the source',
    (g) => {
      const x = g.input('x', [2, 5])
      return concat(g, [slice(g, x, [0, 0], [2, 3]), slice(g, x, [0, 3], [2, 2])], 1)
    },
    { into: 'x' },
  )
  rewrites(
    'OP-43 consecutive slices',
    (g) => {
      const x = g.input('x', [6])
      return concat(g, [slice(g, x, [1], [2]), slice(g, x, [3], [2]), g.input('y', [1])])
    },
    { into: 'concat(slice(x, start: [1], size: [4], step: [1]), y, axis: 0)', attributes: true },
  )
  leaves('OP-43 leaves slices in another order', (g) => {
    const x = g.input('x', [6])
    return concat(g, [slice(g, x, [3], [2]), slice(g, x, [1], [2])])
  })
  rewrites(
    'OP-07 one function of consecutive slices',
    (g) => {
      const x = g.input('x', [2, 5])
      const parts = [slice(g, x, [0, 0], [2, 3]), slice(g, x, [0, 3], [2, 2])]
      return concat(
        g,
        parts.map((input) => g.op('tanh', { input })),
        1,
      )
    },
    { into: 'tanh(x)' },
  )
  rewrites(
    'OP-14 one sum with consecutive slices',
    (g) => {
      const [x, b] = [g.input('x', [4, 3]), g.weight('b', [3])]
      const parts = [slice(g, x, [0, 0], [1, 3]), slice(g, x, [1, 0], [3, 3])]
      return concat(
        g,
        parts.map((left) => g.op('add', { left, right: b })),
      )
    },
    { into: 'add(x, @b)' },
  )
  leaves('OP-07 two functions of consecutive slices', (g) => {
    const x = g.input('x', [5])
    return concat(g, [g.op('tanh', { input: slice(g, x, [0], [3]) }), g.op('exp', { input: slice(g, x, [3], [2]) })])
  })
  leaves('OP-07 one function of slices in another order', (g) => {
    const x = g.input('x', [5])
    return concat(g, [g.op('tanh', { input: slice(g, x, [3], [2]) }), g.op('tanh', { input: slice(g, x, [0], [3]) })])
  })
  leaves('OP-14 a term that differs along the axis', (g) => {
    const [x, b] = [g.input('x', [4]), g.weight('b', [2])]
    return concat(g, [
      g.op('add', { left: slice(g, x, [0], [2]), right: b }),
      g.op('add', { left: slice(g, x, [2], [2]), right: b }),
    ])
  })
  const castTo = (g: TestGraph, input: Node, dtype: 'f32' | 'f16') => g.op('cast', { input }, { dtype })
  rewrites(
    'OP-05 conversions of all parts',
    (g) => concat(g, [castTo(g, g.input('x', [2], 'f16'), 'f32'), castTo(g, g.input('y', [3], 'f16'), 'f32')]),
    { into: 'cast(concat(x, y))' },
  )
  leaves('OP-05 conversions that narrow', (g) =>
    concat(g, [castTo(g, g.input('x', [2]), 'f16'), castTo(g, g.input('y', [3]), 'f16')]),
  )
  leaves('OP-05 conversions from two dtypes', (g) =>
    concat(g, [castTo(g, g.input('x', [2], 'f16'), 'f32'), castTo(g, g.input('y', [3], 'i8'), 'f32')]),
  )
  rewrites(
    'OP-20 reshapes of all parts',
    (g) => concat(g, [reshape(g, g.input('x', [2, 3, 4]), [6, 4]), reshape(g, g.input('y', [2, 3, 1]), [6, 1])], 1),
    { into: 'reshape(concat(x, y, axis: 2), shape: [6, 5])', attributes: true },
  )
  leaves('OP-20 reshapes that dissolve the axis', (g) =>
    concat(g, [reshape(g, g.input('x', [2, 3]), [6]), reshape(g, g.input('y', [2, 3]), [6])]),
  )
})

passSuite(passes.simplifyExpand, ({ rewrites, leaves }) => {
  rewrites('to the same shape', (g) => g.op('expand', { input: g.input('x', [2]) }, { shape: [2] }), { into: 'x' })
  rewrites(
    'under an elementwise op',
    (g) => g.op('add', { left: g.input('x', [4, 3]), right: g.op('expand', { input: g.input('y', [3]) }, { shape: [4, 3] }) }),
    { into: 'add(x, y)' },
  )
  leaves('leaves one that makes the result larger', (g) =>
    g.op('exp', { input: g.op('expand', { input: g.input('y', [3]) }, { shape: [4, 3] }) }),
  )
  leaves('leaves one that prelu needs', (g) =>
    g.op('prelu', { input: g.op('expand', { input: g.input('x', [3]) }, { shape: [4, 3] }), slope: g.input('s', [4, 3]) }),
  )
  rewrites(
    'OP-35 a sum with a row that was repeated',
    (g) => g.op('add', { left: g.input('x', [4, 3]), right: expand(g, g.input('b', [1, 3]), [4, 3]) }),
    { into: 'add(x, b)' },
  )
  rewrites(
    'OP-13 a matrix that was repeated for each of a batch',
    (g) => g.op('matmul', { left: g.input('x', [2, 3, 4]), right: expand(g, g.input('w', [4, 5]), [2, 4, 5]) }),
    { into: 'matmul(x, w)' },
  )
  leaves('OP-13 rows that were repeated within a matrix', (g) =>
    g.op('matmul', { left: g.input('x', [3, 4]), right: expand(g, g.input('w', [1, 5]), [4, 5]) }),
  )
  rewrites('OP-23 a slice of one repeated number', (g) => slice(g, expand(g, g.number(2), [4, 3]), [1, 0], [2, 3]), {
    into: 'expand(2, shape: [2, 3])',
    attributes: true,
  })
  rewrites(
    'OP-23 limits of one repeated number',
    (g) => g.op('clamp', { input: expand(g, g.number(2), [4]) }, { minimum: 0, maximum: 1 }),
    { into: 'expand(clamp(2))', prepares: 'what is folded' },
  )
  rewrites(
    'OP-31 one repeated number as integers and back',
    (g) => {
      const parameters = { scale: [0.5], zeroPoint: [3] }
      const stored = g.op('quantize', { input: expand(g, g.number(2), [4]) }, { dtype: 'u8', ...parameters })
      return g.op('dequantize', { input: stored }, parameters)
    },
    { into: 'dequantize(expand(quantize(2)))', prepares: 'what is folded' },
  )
  rewrites(
    'OP-23 a border of the same number',
    (g) => g.op('pad', { input: expand(g, g.number(2), [3]) }, { before: [1], after: [1], value: 2 }),
    { into: 'expand(2)' },
  )
  leaves('OP-23 a border of another number', (g) =>
    g.op('pad', { input: expand(g, g.number(2), [3]) }, { before: [1], after: [1], value: 0 }),
  )
  leaves('OP-23 a slice of a repeated row', (g) => slice(g, expand(g, g.input('x', [3]), [4, 3]), [1, 0], [2, 3]))
  rewrites('of what is expanded already', (g) => expand(g, expand(g, g.input('x', [3]), [1, 3]), [4, 3]), {
    into: 'expand(x, shape: [4, 3])',
    attributes: true,
  })
})

passSuite(passes.simplifyGather, ({ rewrites, leaves }) => {
  const decoded = (g: TestGraph) =>
    g.op(
      'dequantizeBlocks',
      { packed: g.weight('q', [4, 4], (i) => (i * 37) % 256, 'u8'), scale: g.weight('scale', [4, 2]) },
      { bits: 4, blockSize: 4, size: 8 },
    )
  const picked = { attributes: true, prepares: 'rows that are decoded once they are picked' } as const
  rewrites(
    'rows of integers in blocks',
    (g) => g.op('gather', { input: decoded(g), indices: g.weight('i', [2], (i) => i * i + 1, 'i32') }, { axis: 0 }),
    picked,
  )
  rewrites(
    'an embedding of integers in blocks',
    (g) => g.op('embedding', { table: decoded(g), indices: g.weight('i', [3], (i) => (i * 3) % 4, 'i32') }),
    picked,
  )
  leaves('columns of integers in blocks', (g) =>
    g.op('gather', { input: decoded(g), indices: g.weight('i', [3], (i) => (i * 3) % 4, 'i32') }, { axis: 1 }),
  )
  rewrites('OP-34 one index', (g) => gather(g, g.number(2, 'i32')), {
    into: 'reshape(slice(x, start: [2, 0], size: [1, 3], step: [1, 1]), shape: [3])',
    attributes: true,
    prepares: 'views in place of a gather',
  })
  rewrites('OP-34 an index from the end', (g) => gather(g, g.number(-1, 'i64')), {
    into: 'reshape(slice(x, start: [3, 0], size: [1, 3], step: [1, 1]), shape: [3])',
    attributes: true,
    prepares: 'views in place of a gather',
  })
  rewrites(
    'regular indices',
    (g) =>
      gather(
        g,
        g.weight('i', [2], (i) => 3 - 2 * i, 'i32'),
      ),
    { into: 'slice(x, start: [3, 0], size: [2, 3], step: [-2, 1])', attributes: true, prepares: 'a view in place of a gather' },
  )
  leaves('leaves an index outside the axis', (g) => gather(g, g.number(4, 'i32')))
  leaves('leaves irregular indices', (g) =>
    gather(
      g,
      g.weight('i', [3], (i) => [0, 1, 3][i]!, 'i32'),
    ),
  )
})

passSuite(passes.simplifyNoop, ({ rewrites, leaves }) => {
  rewrites(
    'OP-28 pools of one element',
    (g) => g.op('maxPool', { input: g.input('x', [1, 2, 3, 3]) }, { ...window, window: [1, 1] }),
    { into: 'x' },
  )
  leaves('leaves a pool that strides', (g) =>
    g.op('maxPool', { input: g.input('x', [1, 2, 3, 3]) }, { ...window, stride: [2, 1], window: [1, 1] }),
  )
  rewrites(
    'OP-26 resizing to the same size',
    (g) => g.op('resize', { input: g.input('x', [1, 2, 3, 3]) }, { size: [3, 3], mode: 'cubic' }),
    { into: 'x' },
  )
  leaves('leaves a resize of the same size by another factor', (g) =>
    g.op('resize', { input: g.input('x', [3]) }, { size: [3], mode: 'linear', scales: [1.2] }),
  )
  leaves('leaves a resize of a part to the same size', (g) =>
    g.op(
      'resize',
      { input: g.input('x', [3]) },
      { size: [3], mode: 'linear', coordinates: 'tfCropAndResize', start: [0], end: [0.5] },
    ),
  )
  rewrites(
    'reductions over single elements',
    (g) => g.op('reduceSum', { input: g.input('x', [1, 4]) }, { axes: [0], keepDims: false }),
    { into: 'reshape(x)', prepares: 'a view in place of a reduction' },
  )
  leaves('leaves a sum of absolute values', (g) =>
    g.op('reduceL1', { input: g.input('x', [1, 4]) }, { axes: [0], keepDims: false }),
  )
  rewrites(
    'OP-28 choices whose condition is known',
    (g) => g.op('where', { condition: g.number(0, 'bool'), whenTrue: g.input('x', [3]), whenFalse: g.input('y', [1]) }),
    { into: 'expand(y)', prepares: 'a value that is only repeated' },
  )
  rewrites(
    'negated conditions',
    (g) =>
      g.op('where', {
        condition: g.op('not', { input: g.input('c', [3], 'bool') }),
        whenTrue: g.input('x', [3]),
        whenFalse: g.input('y', [3]),
      }),
    { into: 'where(c, y, x)' },
  )
  leaves('leaves conditions that vary', (g) =>
    g.op('where', {
      condition: g.weight('c', [3], (i) => i % 2, 'bool'),
      whenTrue: g.input('x', [3]),
      whenFalse: g.input('y', [3]),
    }),
  )
  rewrites(
    'OP-26 resizing a dimension of one element repeats it',
    (g) => g.op('resize', { input: g.input('x', [1, 2, 1, 3]) }, { size: [4, 6], mode: 'linear' }),
    { into: 'expand(resize(x))', prepares: 'a smaller resize', numeric: true },
  )
})

passSuite(passes.narrowIndices, ({ rewrites, leaves }) => {
  const choose = (g: TestGraph, indices: Node) => g.op('gather', { input: g.input('x', [4, 3]), indices }, { axis: 0 })
  rewrites(
    'OP-61 indices that are known',
    (g) =>
      choose(
        g,
        g.weight('i', [3], (i) => [3, 0, -1][i]!, 'i64'),
      ),
    { into: 'gather(x, cast(@i))', prepares: 'indices of half the bytes' },
  )
  rewrites(
    'OP-61 indices that were widened',
    (g) =>
      choose(
        g,
        g.op(
          'cast',
          { input: g.op('bitwiseAnd', { left: g.input('i', [2], 'u8'), right: g.number(3, 'u8') }) },
          { dtype: 'i64' },
        ),
      ),
    { into: 'gather(x, bitwiseAnd(i, 3))' },
  )
  leaves('OP-61 an index beyond 32 bits, which must be refused as it was', (g) =>
    choose(
      g,
      g.weight('i', [1], () => 2 ** 32, 'i64'),
    ),
  )
  leaves('OP-61 indices that the caller gives', (g) => choose(g, g.input('i', [2], 'i64')))
})

test.run()

// What feeds embedding tables and what comes out of them, against formulas written down here.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as d from '../../dsl/index.ts'
import { noise, run } from './run.ts'

const list = (...values: number[]) => ({ shape: [values.length], values })
const close = (found: readonly number[], expected: readonly number[], tolerance = 1e-6) => {
  assert.is(found.length, expected.length)
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(found[i]! - value) <= tolerance * Math.max(1, Math.abs(value)), `[${i}] is ${found[i]}, expected ${value}`)
}

// ---------------------------------------------------------------- rows
const half = (value: number): number => {
  // Nearest half, ties to even: numbers here are normal.
  const exponent = Math.floor(Math.log2(Math.abs(value)))
  const step = 2 ** (exponent - 10)
  const quotient = value / step
  const low = Math.floor(quotient)
  const rest = quotient - low
  return (rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low) * step
}

/** As Glow's and Caffe2's row-wise quantisation, each step in f32. */
function rowOf(row: readonly number[], bits: number, sixteen: boolean) {
  const f = Math.fround
  const [low, high] = [Math.min(...row), Math.max(...row)]
  const round = (value: number) => (sixteen && value !== 0 ? half(value) : value)
  const range = f(high - low)
  const scale = round(range < 1e-10 ? 1 : f(range / (2 ** bits - 1)))
  const offset = round(low)
  const integers = row.map((x) => Math.min(2 ** bits - 1, Math.max(0, Math.floor(f(f(f(x - offset) / scale) + 0.5)))))
  return { scale, offset, integers }
}

for (const [format, bits, sixteen, first] of [
  ['u8f32', 8, false, false],
  ['u8f16', 8, true, false],
  ['u4f32', 4, false, false],
  ['u4f16', 4, true, false],
  ['u2f16', 2, true, false],
  ['f16u8', 8, true, true],
  ['f16u4', 4, true, true],
  ['f16u2', 2, true, true],
] as const) {
  test(`rows of ${format} hold what the formulas of Glow say, and are looked up so`, () => {
    const [rows, width] = [4, 8]
    const drawn = noise([rows, width], 3).values.map(Math.fround)
    // A row of one number has no range.
    const values = drawn.map((value, i) => (i >= 3 * width ? 0.375 : value))
    const expected = Array.from({ length: rows }, (_, row) => rowOf(values.slice(row * width, (row + 1) * width), bits, sixteen))
    const { bytes, sums, means } = run(
      {
        table: { shape: [rows, width], values },
        'ids:i64': list(2, 0, 3, 3),
        'lengths:i32': list(3, 0, 1),
        weights: list(0.5, 2, 1, -1),
      },
      ({ table, ids, lengths, weights }) => {
        const bytes = d.quantizeRows(table!, format)
        const offsets = d.constant('i32', [4], [0, 3, 3, 4])
        return {
          bytes,
          sums: d.sparseLengthsSum(bytes, ids!, lengths!, weights!, { rows: format }),
          means: d.embeddingBag(bytes, ids!, offsets, { rows: format, mode: 'mean', includeLastOffset: true }),
        }
      },
      'f32',
    )
    const each = 8 / bits
    const header = sixteen ? 4 : 8
    const stride = width / each + header
    assert.equal(bytes!.shape, [rows, stride])
    for (const [row, { scale, offset, integers }] of expected.entries()) {
      const own = bytes!.values.slice(row * stride, (row + 1) * stride)
      const data = first ? own.slice(header) : own.slice(0, -header)
      assert.equal(
        integers.map((_, i) => (data[Math.floor(i / each)]! >> (bits * (i % each))) & (2 ** bits - 1)),
        integers,
        `row ${row}`,
      )
      if (!sixteen) {
        const view = new DataView(Uint8Array.from(own.slice(-8)).buffer)
        assert.equal([view.getFloat32(0, true), view.getFloat32(4, true)], [Math.fround(scale), Math.fround(offset)])
      }
    }
    const number = (row: number, column: number) =>
      expected[row]!.scale * expected[row]!.integers[column]! + expected[row]!.offset
    const columns = Array.from({ length: width }, (_, c) => c)
    close(sums!.values, [
      ...columns.map((c) => 0.5 * number(2, c) + 2 * number(0, c) + number(3, c)),
      ...columns.map(() => 0),
      ...columns.map((c) => -number(3, c)),
    ])
    close(means!.values, [
      ...columns.map((c) => (number(2, c) + number(0, c) + number(3, c)) / 3),
      ...columns.map(() => 0),
      ...columns.map((c) => number(3, c)),
    ])
  })
}

test('sums of rows whose scales are powers of two are exact (8-bit SLS in f32)', () => {
  const integers = [7, 255, 0, 128, 3, 9, 200, 1]
  const { y } = run(
    {
      'q:u8': { shape: [2, 4], values: integers },
      scale: list(0.25, 0.5),
      offset: list(-3, 0.125),
      'ids:i32': list(1, 0, 1),
      'n:i32': list(3),
    },
    ({ q, scale, offset, ids, n }) => ({
      y: d.sparseLengthsSum(d.fuseRows(q!, scale!, offset!), ids!, n!, undefined, { rows: 'u8f32' }),
    }),
    'f32',
  )
  assert.equal(
    y!.values,
    [0, 1, 2, 3].map((c) => 2 * (0.5 * integers[4 + c]! + 0.125) + (0.25 * integers[c]! - 3)),
  )
})

test('several tables at once: integers of several widths, numbers, weights (FBGEMM IntNBitSplitEmbeddingBags)', () => {
  const { y } = run(
    {
      a: { shape: [2, 2], values: [1, 2, 3, 4] },
      b: { shape: [3, 2], values: [10, 20, 30, 40, 50, 60] },
      'ids:i32': list(0, 1, 2, 0, 1),
      'ends:i32': list(0, 1, 2, 4, 5),
      w: list(1, 2, 1, 1, 0.5),
    },
    ({ a, b, ids, ends, w }) => ({
      y: d.splitEmbeddingBags([{ table: a! }, { table: b! }], ids!, ends!, { perSampleWeights: w! }),
    }),
    'f32',
  )
  assert.equal(y!.shape, [2, 4])
  assert.equal(y!.values, [1, 2, 60, 80, 6, 8, 15, 20])
})

test('unary embeddings of two tasks (FBGEMM batched_unary_embeddings)', () => {
  const { y } = run(
    {
      w: { shape: [2, 5], values: [1, 2, 3, 4, 5, 10, 20, 30, 40, 50] },
      'ends:i32': list(0, 2, 2, 3, 5),
      'ids:i32': list(0, 1, 2, 0, 1),
    },
    ({ w, ends, ids }) => ({ y: d.unaryEmbeddingBags(w!, [0, 2, 5], ends!, ids!) }),
  )
  assert.equal(y!.shape, [2, 2, 2])
  // Bags: table 0 has [0, 1] and []; table 1 has [2] and [0, 1], of rows 2 to 4.
  assert.equal(y!.values, [3, 5, 0, 7, 30, 50, 0, 70])
})

test('pooled embeddings in another order', () => {
  const { y } = run({ x: { shape: [2, 4], values: [1, 2, 3, 4, 5, 6, 7, 8] } }, ({ x }) => ({
    y: d.permutePooledEmbeddings(x!, [1, 2, 1], [2, 0, 1]),
  }))
  assert.equal(y!.values, [4, 1, 2, 3, 8, 5, 6, 7])
})

// ---------------------------------------------------------------- lists
test('sums, ranges and numbers of lists (Caffe2 LengthsSum, LengthsToRanges, LengthsRangeFill)', () => {
  const { sums, ranges, fill, count } = run(
    { x: { shape: [5, 2], values: [1, 2, 3, 4, 5, 6, 7, 8, 99, 99] }, 'n:i32': list(2, 0, 1, 1) },
    ({ x, n }) => {
      const { values: fill, count } = d.lengthsRangeFill(n!, 6)
      return { sums: d.lengthsSum(x!, n!), ranges: d.lengthsToRanges(n!), fill, count }
    },
  )
  assert.equal(sums!.values, [4, 6, 0, 0, 5, 6, 7, 8])
  assert.equal(ranges!.values, [0, 2, 2, 0, 2, 1, 3, 1])
  assert.equal(fill!.values, [0, 1, 0, 0, 0, 0])
  assert.equal(count!.values, [4])
})

test('ranges of a list (Caffe2 GatherRanges)', () => {
  const ranges = { shape: [2, 2, 2], values: [0, 1, 0, 2, 2, 1, 3, 3] }
  const { values, count, lengths } = run(
    { x: list(1, 2, 3, 4, 5, 6), 'r:i32': ranges },
    ({ x, r }) => d.gatherRanges(x!, r!, 10) as never,
  )
  assert.equal(values!.values, [1, 1, 2, 3, 4, 5, 6, 0, 0, 0])
  assert.equal(count!.values, [7])
  assert.equal(lengths!.values, [3, 4])
  assert.throws(
    () =>
      run({ x: list(1, 2), 'r:i32': { shape: [1, 1, 2], values: [1, 2] } }, ({ x, r }) => ({
        y: d.gatherRanges(x!, r!, 4).values,
      })),
    /outside/,
  )
  assert.throws(
    () =>
      run({ x: list(1, 2), 'r:i32': { shape: [1, 1, 2], values: [0, 2] } }, ({ x, r }) => ({
        y: d.gatherRanges(x!, r!, 1).values,
      })),
    /together/,
  )
})

test('sparse lists become dense (Caffe2 BatchSparseToDense, SparseToDense, SparseToDenseMask)', () => {
  const { rows, sums, mask, one } = run(
    {
      'n:i32': list(2, 0, 1),
      'at:i64': list(3, 0, 2, 77),
      v: list(1, 2, 3, 9),
      'few:i32': list(2, 0, 2),
      w: { shape: [3, 2], values: [1, 2, 3, 4, 5, 6] },
      'names:i64': list(12, 8, 12, 5),
      'lists:i32': list(2, 2),
      fill: list(-1, -2),
      x: { shape: [4, 2], values: [1, 2, 3, 4, 5, 6, 7, 8] },
    },
    ({ n, at, v, few, w, names, lists, fill, x }) => ({
      rows: d.batchSparseToDense(n!, at!, v!, { size: 4, value: -1 }),
      sums: d.sparseToDense(few!, w!, { size: 4 }),
      mask: d.sparseToDenseMask(names!, x!, fill!, lists!, { mask: [8, 12] }),
      one: d.sparseToDenseMask(names!, x!, fill!, undefined, { mask: [5, 7] }),
    }),
  )
  assert.equal(rows!.values, [2, -1, -1, 1, -1, -1, -1, -1, -1, -1, 3, -1])
  assert.equal(sums!.values, [3, 4, 0, 0, 6, 8, 0, 0])
  assert.equal(mask!.values, [3, 4, 1, 2, -1, -2, 5, 6])
  assert.equal(one!.values, [7, 8, -1, -2])
})

test('rows at marked places, and entries by their label (Caffe2 FillExamplesWithIndicator, SparseLabelSplit)', () => {
  const { filled, values, examples, offsets, count } = run(
    {
      x: { shape: [2, 2], values: [1, 2, 3, 4] },
      'marks:bool': list(0, 1, 0, 1),
      'n:i32': list(2, 3),
      'labels:i32': list(1, 0, 2, 1, 0),
      v: list(10, 20, 30, 40, 50),
    },
    ({ x, marks, n, labels, v }) => {
      const split = d.sparseLabelSplit(n!, labels!, v!, { labels: 3 })
      return { filled: d.fillExamplesWithIndicator(x!, marks!), ...split } as never
    },
  )
  assert.equal(filled!.values, [0, 0, 1, 2, 0, 0, 3, 4])
  assert.equal(values!.values, [20, 50, 0, 0, 0, 10, 40, 0, 0, 0, 30, 0, 0, 0, 0])
  assert.equal(examples!.values, [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0])
  assert.equal(offsets!.values, [0, 0, 0, 1, 1])
  assert.equal(count!.values, [2, 2, 1])
})

// ---------------------------------------------------------------- features
test('Box-Cox, with the logarithm where lambda1 is 0 (Caffe2 BatchBoxCox)', () => {
  const [x, one, two] = [
    [1, 2, -5, 4],
    [0, 2],
    [0.5, 1],
  ]
  const { y } = run({ x: { shape: [2, 2], values: x }, one: list(...one), two: list(...two) }, ({ x, one, two }) => ({
    y: d.batchBoxCox(x!, one!, two!),
  }))
  const expected = x.map((value, i) => {
    const v = Math.max(value + two[i % 2]!, 1e-6)
    return one[i % 2] === 0 ? Math.log(v) : (v ** one[i % 2]! - 1) / one[i % 2]!
  })
  close(y!.values, expected, 1e-12)
})

test('buckets, their borders included on either side, and NaN behind them all (PyTorch bucketize)', () => {
  const given = { x: list(0, 1, 1.5, 2, 4, 9, Number.NaN), edges: list(1, 2, 4) }
  const { left, right, listed } = run(given, ({ x, edges }) => ({
    left: d.bucketize(x!, edges!),
    right: d.bucketize(x!, edges!, { right: true }),
    listed: d.bucketize(x!, [1, 2, 4]),
  }))
  assert.equal(left!.values, [0, 0, 1, 1, 2, 3, 3])
  assert.equal(right!.values, [0, 1, 1, 2, 3, 3, 3])
  assert.equal(listed!.values, left!.values)
})

test('one-hot columns, sums at indices, products of pairs', () => {
  const { hot, added, turned, pairs } = run(
    {
      'c:i64': { shape: [3, 2], values: [4, 1, 5, 2, 4, 3] },
      'v:i64': list(4, 5, 1, 2, 3),
      x: { shape: [3, 2], values: [1, 2, 3, 4, 5, 6] },
      'at:i32': list(2, 0, -1),
      u: { shape: [3, 2], values: [10, 20, 30, 40, 50, 60] },
      a: { shape: [1, 2], values: [1, 2] },
      b: { shape: [1, 2], values: [3, 4] },
      e: { shape: [1, 2], values: [5, -6] },
    },
    ({ c, v, x, at, u, a, b, e }) => ({
      hot: d.batchOneHot(c!, [2, 3], v!),
      added: d.indexAdd(x!, at!, u!),
      turned: d.indexAdd(d.transpose(x!, [1, 0]), at!, d.transpose(u!, [1, 0]) as never, { axis: 1 }),
      pairs: d.pairwiseDotProducts([a!, b!, e!]),
    }),
  )
  assert.equal(hot!.values, [1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1])
  assert.equal(added!.values, [31, 42, 3, 4, 65, 86])
  assert.equal(turned!.values, [31, 3, 65, 42, 4, 86])
  assert.equal(pairs!.values, [11, -7, -9])
})

test('logit, NaN replaced, axes turned over, parts put in', () => {
  const { odds, numbers, turned, put, twice } = run(
    {
      p: list(0, 0.25, 1),
      n: list(1, Number.NaN),
      x: { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
      y: { shape: [1, 2], values: [7, 8] },
    },
    ({ p, n, x, y }) => ({
      odds: d.logit(p!, { epsilon: 0.01 }),
      numbers: d.replaceNaN(n!, -2),
      turned: d.flip(x!, { axes: [0, 1] }),
      put: d.insertTensor(x!, y!, { start: [1, 1] }),
      twice: d.insertTensor(x!, y!, { start: [0, 0], count: 2 }),
    }),
  )
  close(odds!.values, [Math.log(0.01 / 0.99), Math.log(1 / 3), Math.log(99)], 1e-12)
  assert.equal(numbers!.values, [1, -2])
  assert.equal(turned!.values, [6, 5, 4, 3, 2, 1])
  assert.equal(put!.values, [1, 2, 3, 4, 7, 8])
  assert.equal(twice!.values, [7, 8, 3, 7, 8, 6])
})

test.run()

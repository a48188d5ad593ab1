// Bags of indices of various lengths: what they give, what they refuse, and that what is in no bag is never looked at.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, embeddingBag, type Model, model, sparseLengthsSum, type Tensor, tensor, validMask, where } from '../../dsl/index.ts'
import { assertSame, bucketed, exactly, mistakes, numbers, reference } from '../buckets/support.ts'
import { run } from './run.ts'

type Any = Tensor<any, any>

const table = { shape: [5, 2], values: [1, 10, 2, 20, 3, 30, 4, 40, 5, 50] }
const list = (...values: number[]) => ({ shape: [values.length], values })

test('sums of rows by lengths, in the order of the indices, zeros where there are none (Caffe2 SparseLengthsSum)', () => {
  const given = { table, 'indices:i64': list(4, 0, -1, 2, 2), 'lengths:i32': list(2, 0, 3) }
  const { y } = run(given, ({ table, indices, lengths }) => ({ y: sparseLengthsSum(table!, indices!, lengths!) }))
  assert.equal(y!.shape, [3, 2])
  assert.equal(y!.values, [6, 60, 0, 0, 11, 110])
})

test('rows times weights (Caffe2 SparseLengthsWeightedSum)', () => {
  const given = { table, 'indices:u8': list(0, 1, 2), 'lengths:u8': list(1, 2), weights: list(2, 3, 0.5) }
  const { y } = run(given, ({ table, indices, lengths, weights }) => ({
    y: sparseLengthsSum(table!, indices!, lengths!, weights),
  }))
  assert.equal(y!.values, [2, 20, 7.5, 75])
})

test('the last bag ends with the indices, or where the last offset says (PyTorch EmbeddingBag)', () => {
  const given = { table, 'indices:i32': list(0, 1, 2, 3, 4), 'offsets:i64': list(0, 2, 2, 3) }
  const { open, closed, mean, weighted } = run({ ...given, w: list(1, 1, 1, 2, 0) }, ({ table, indices, offsets, w }) => ({
    open: embeddingBag(table!, indices!, offsets!),
    closed: embeddingBag(table!, indices!, offsets!, { includeLastOffset: true, averageLength: 1 }),
    mean: embeddingBag(table!, indices!, offsets!, { mode: 'mean' }),
    weighted: embeddingBag(table!, indices!, offsets!, { perSampleWeights: w as Any }),
  }))
  assert.equal(open!.values, [3, 30, 0, 0, 3, 30, 9, 90])
  assert.equal(closed!.values, [3, 30, 0, 0, 3, 30])
  assert.equal(mean!.values, [1.5, 15, 0, 0, 3, 30, 4.5, 45])
  assert.equal(weighted!.values, [3, 30, 0, 0, 3, 30, 8, 80])
})

test('what is in no bag may be anything (RT-23)', () => {
  const anything = [1e9, -1e9, 77]
  for (const dtype of ['f32', 'f64', 'f16', 'bf16'] as const) {
    const given = {
      table,
      'indices:i64': list(4, 1, ...anything),
      'n:i32': list(1, 1, 0),
      w: list(1, 2, Number.NaN, Number.POSITIVE_INFINITY, 0),
    }
    const { y } = run(given, ({ table, indices, n, w }) => ({ y: sparseLengthsSum(table!, indices!, n!, w) }), dtype)
    assert.equal(y!.values, [5, 50, 4, 40, 0, 0], dtype)
  }
})

test('no bags, no indices, one row', () => {
  const none = run({ table, 'indices:i32': list(1, 2), 'n:i32': list() }, ({ table, indices, n }) => ({
    y: sparseLengthsSum(table!, indices!, n!),
  }))
  assert.equal(none.y!.shape, [0, 2])
  const empty = run({ table, 'indices:i32': list(), 'n:i32': list(0, 0) }, ({ table, indices, n }) => ({
    y: sparseLengthsSum(table!, indices!, n!),
  }))
  assert.equal(empty.y!.values, [0, 0, 0, 0])
})

const bags = (by: 'lengths' | 'offsets') =>
  model({
    name: 'bags',
    inputs: { table: tensor('f32', [5, 2]), indices: tensor('i64', [4]), bags: tensor('i32', [3]) },
    forward: ({ table, indices, bags }) => ({
      y:
        by === 'lengths'
          ? sparseLengthsSum(table, indices, bags)
          : embeddingBag(table, indices, bags, { includeLastOffset: true }),
    }),
  })
const refusal = async (by: 'lengths' | 'offsets', given: { indices?: number[]; bags: number[] }): Promise<string> => {
  try {
    await bags(by).run({ table: table.values, indices: (given.indices ?? [0, 0, 0, 0]).map(BigInt) as any, bags: given.bags })
    return 'nothing'
  } catch (error) {
    return `${(error as { code?: string }).code} ${(error as Error).message}`
  }
}

test('an index outside, and lengths or offsets that cannot be, are told apart', async () => {
  const outside = /^run-fault .*index -?\d is outside axis 0, which has 5 elements/
  for (const index of [5, -6]) assert.match(await refusal('lengths', { indices: [0, index, 0, 0], bags: [1, 1, 0] }), outside)
  assert.is(await refusal('lengths', { indices: [0, 0, 5, 0], bags: [1, 1, 0] }), 'nothing')
  const lengths = /^run-fault .*bagOffsets: (bag \d has the length -1|the bags have \d+ indices together, and there are 4)/
  for (const bags of [
    [1, -1, 1],
    [2, 2, 1],
    [2147483647, 2147483647, 2],
    [-1, 0, 0],
  ])
    assert.match(await refusal('lengths', { bags }), lengths)
  const offsets = /^run-fault .*bagOffsets: (offset \d is -?\d; offsets begin at 0 and never fall|the bags have 5 indices)/
  for (const bags of [
    [1, 2, 3],
    [0, 3, 2],
    [0, 2, 5],
    [-1, 0, 0],
    [0, -1, 2],
  ])
    assert.match(await refusal('offsets', { bags }), offsets)
  assert.is(await refusal('offsets', { bags: [0, 0, 0] }), 'nothing')
})

const wrong = (body: (inputs: Record<string, Any>) => unknown): string =>
  mistakes(
    model({
      name: 'wrong',
      inputs: {
        t: tensor('f32', [5, 2]),
        i: tensor('i32', [4]),
        n: tensor('i32', [3]),
        m: tensor('i32', [2, 2]),
        w: tensor('f32', [4]),
      },
      forward: (inputs) => ({ y: body(inputs as never) as Any }),
    }),
  ).join('\n')

test('what does not fit is told with the name of the function', () => {
  const cases: readonly [RegExp, (inputs: Record<string, Any>) => unknown][] = [
    [/sparseLengthsSum: indices must be \[indices\], got \[2, 2\]/, ({ t, m, n }) => sparseLengthsSum(t!, m!, n!)],
    [/sparseLengthsSum: lengths must be \[bags\], got i32\[2, 2\]/, ({ t, i, m }) => sparseLengthsSum(t!, i!, m!)],
    [/sparseLengthsSum: table must be \[rows, width\], got f32\[4\]/, ({ w, i, n }) => sparseLengthsSum(w!, i!, n!)],
    [
      /sparseLengthsSum: scale f32\[5, 2\] and indices i32\[4\] differ in shape/,
      ({ t, i, n }) => sparseLengthsSum(t!, i!, n!, t!),
    ],
    [
      /sparseLengthsSum: averageLength must be a number above 0, got 0/,
      ({ t, i, n, w }) => sparseLengthsSum(t!, i!, n!, w!, { averageLength: 0 }),
    ],
    [/embeddingBag: offsets must be \[bags\], got \[2, 2\]/, ({ t, i, m }) => embeddingBag(t!, i!, m!)],
    [
      /embeddingBag: offsets must be \[bags \+ 1\], got i32\[2, 2\]/,
      ({ t, i, m }) => embeddingBag(t!, i!, m!, { includeLastOffset: true }),
    ],
    [
      /embeddingBag: mode must be 'sum' or 'mean', got "max"/,
      ({ t, i, n }) => embeddingBag(t!, i!, n!, { mode: 'max' as never }),
    ],
    [
      /embeddingBag: perSampleWeights go with mode 'sum' alone/,
      ({ t, i, n, w }) => embeddingBag(t!, i!, n!, { mode: 'mean', perSampleWeights: w! }),
    ],
    [/embeddingBag: there is no option "weights"/, ({ t, i, n, w }) => embeddingBag(t!, i!, n!, { weights: w } as never)],
  ]
  for (const [message, body] of cases) assert.match(wrong(body), message)
})

test('bags and indices may have several sizes: bags that are not there are empty (RT-23)', async () => {
  const make =
    (fill: boolean) =>
    ({ bags, room }: any): unknown =>
      model({
        name: 'sized',
        inputs: { indices: tensor('i32', [room]), lengths: tensor('i32', [bags]), table: tensor('f32', [5, 2]) },
        forward: ({ indices, lengths, table }) => {
          const own = (fill ? where(validMask(bags) as Any, lengths as Any, 0) : lengths) as Any
          return { y: sparseLengthsSum(table as Any, indices as Any, own) as Any }
        },
      })
  for (const fill of [false, true]) {
    const sized = bucketed(make(fill), { bags: [2, 4], room: [3, 8] })
    assert.equal(mistakes(sized), [])
    for (const [bags, room] of [
      [1, 2],
      [2, 3],
      [3, 5],
      [4, 8],
    ] as const) {
      const given = {
        indices: Int32Array.from({ length: room }, (_, i) => i % 5),
        lengths: Int32Array.from({ length: bags }, (_, i) => (i < 2 ? 1 : 0)),
        table: Float32Array.from(numbers(10, 3)),
      }
      assertSame(
        await (sized as Model<any, any>).run(given),
        reference(exactly(make(fill), { bags, room }), given),
        0,
        `${bags} ${room}`,
      )
    }
  }
})

test('lengths whose padding may be no length, and offsets with padding, are refused', () => {
  const sized = (body: (bags: Any, indices: Any, table: Any) => unknown) =>
    mistakes(
      bucketed(
        ({ bags }) =>
          model({
            name: 'sized',
            inputs: { indices: tensor('i32', [6]), bags: tensor('i32', [bags!]), table: tensor('f32', [5, 2]) },
            forward: ({ indices, bags, table }) => ({ y: body(bags as Any, indices as Any, table as Any) as Any }),
          }),
        { bags: [2, 4] },
      ),
    ).join('\n')
  assert.match(
    sized((bags, indices, table) => sparseLengthsSum(table, indices, add(bags, 1) as Any)),
    /^padding-mixed sparseLengthsSum: what stands in the padding of axis 0 of i32\[2\], which is 'bags', may be no length/,
  )
  assert.match(
    sized((bags, indices, table) => embeddingBag(table, indices, bags, { includeLastOffset: true })),
    /^padding-mixed embeddingBag: axis 0 of i32\[2\] is 'bags', and offsets in its padding/,
  )
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bounded, compress, model, nonMaxSuppression, nonZero, tensor, unique } from '../../dsl/index.ts'

const plain = (value: any): unknown[] => Array.from(value.data, Number)

/** Runs functions of one input on the interpreter. */
const run = async (dtype: any, shape: number[], data: any, forward: (x: any) => any): Promise<Record<string, any>> => {
  const net: any = model({ name: 'net', inputs: { x: tensor(dtype, shape) }, forward: ({ x }: any) => forward(x) } as any)
  return net.run({ x: data })
}

test('IM-07 nonZero: positions in row-major order, as many as there are', async () => {
  const { indices } = await run('f32', [2, 3], [1, 0, -2, 0, Number.NaN, -0], (x) => {
    const { indices, count } = nonZero(x)
    return { indices: bounded(indices, count, { axis: 1 }) }
  })
  assert.equal([...indices.shape], [2, 3])
  assert.equal(plain(indices), [0, 0, 1, 0, 2, 1])
})

test('nonZero: more than the limit is a fault, and as many as it is none', async () => {
  const with2 = (data: number[]) =>
    run('i32', [4], data, (x) => {
      const { indices, count } = nonZero(x, { limit: 2 })
      return { indices: bounded(indices, count, { axis: 1 }) }
    })
  assert.equal(plain((await with2([0, 3, 0, 4])).indices), [1, 3])
  assert.equal([...(await with2([0, 0, 0, 0])).indices.shape], [1, 0])
  try {
    await with2([1, 1, 1, 0])
    assert.unreachable()
  } catch (error: any) {
    assert.is(error.code, 'run-fault')
    assert.match(error.message, /more than 2 elements/)
  }
})

test('compress along an axis and without', async () => {
  const net: any = model({
    name: 'net',
    inputs: { x: tensor('f32', [3, 2]), c: tensor('bool', [2]) },
    forward({ x, c }) {
      const along = compress(x, c, { axis: 1 })
      const flat = compress(x, c)
      return { along: bounded(along.values, along.count, { axis: 1 }), flat: bounded(flat.values, flat.count) }
    },
  })
  const { along, flat } = await net.run({ x: [1, 2, 3, 4, 5, 6], c: [false, true] })
  assert.equal(
    [plain(along), [...along.shape]],
    [
      [2, 4, 6],
      [3, 1],
    ],
  )
  assert.equal(plain(flat), [2])
})

test('unique: the vectors of ONNX', async () => {
  const x = [2, 1, 1, 3, 4, 3]
  const of = (sorted: boolean) =>
    run('f32', [6], x, (x) => {
      const { values, indices, inverse, counts, count } = unique(x, { sorted })
      return { values: bounded(values, count), indices: bounded(indices, count), inverse, counts: bounded(counts, count) }
    })
  const all = (result: any) => ['values', 'indices', 'inverse', 'counts'].map((name) => plain(result[name]))
  assert.equal(all(await of(false)), [
    [2, 1, 3, 4],
    [0, 1, 3, 4],
    [0, 1, 1, 2, 3, 2],
    [1, 2, 2, 1],
  ])
  assert.equal(all(await of(true)), [
    [1, 2, 3, 4],
    [1, 0, 3, 4],
    [1, 0, 0, 2, 3, 2],
    [2, 1, 2, 1],
  ])
  const rows = await run('f32', [2, 4, 2], [1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 1, 2, 1, 0, 1], (x) => {
    const { values, indices, inverse, counts, count } = unique(x, { axis: 1 })
    return {
      values: bounded(values, count, { axis: 1 }),
      indices: bounded(indices, count),
      inverse,
      counts: bounded(counts, count),
    }
  })
  assert.equal(all(rows), [
    [0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1],
    [1, 0, 2],
    [1, 0, 2, 0],
    [2, 1, 1],
  ])
})

test('nonMaxSuppression: the vectors of ONNX', async () => {
  const net: any = model({
    name: 'net',
    inputs: { boxes: tensor('f32', [1, 6, 4]), scores: tensor('f32', [1, 2, 6]) },
    forward({ boxes, scores }) {
      const { indices, count } = nonMaxSuppression(boxes, scores, { limit: 2, iouThreshold: 0.5, scoreThreshold: 0 })
      return { indices: bounded(indices, count) }
    },
  })
  const boxes = [0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100, 1, 101]
  const scores = [0.9, 0.75, 0.6, 0.95, 0.5, 0.3]
  const { indices } = await net.run({ boxes, scores: [...scores, ...scores] })
  assert.equal([...indices.shape], [4, 3])
  assert.equal(plain(indices), [0, 0, 3, 0, 0, 0, 0, 1, 3, 0, 1, 0])
})

test.run()

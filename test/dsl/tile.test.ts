import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ModelProblem } from '../../compiler/graph/index.ts'
import { constant, model, tensor, tile } from '../../dsl/index.ts'

test('whole copies stand one after another along each dimension', async () => {
  const net = model({
    name: 'tiles',
    inputs: { x: tensor('f32', [2, 2]) },
    forward: ({ x }) => ({ rows: tile(x, [2, 1]), both: tile(x, [2, 3]), none: tile(x, [1, 0]), same: tile(x, [1, 1]) }),
  })
  const { rows, both, none, same } = await net.run({ x: [1, 2, 3, 4] })
  assert.equal([...rows.data], [1, 2, 3, 4, 1, 2, 3, 4])
  assert.equal([...both.data], [...[1, 2, 1, 2, 1, 2], ...[3, 4, 3, 4, 3, 4], ...[1, 2, 1, 2, 1, 2], ...[3, 4, 3, 4, 3, 4]])
  assert.equal([...none.shape], [2, 0])
  assert.equal([...same.data], [1, 2, 3, 4])
})

test('repeats fit the tensor', async () => {
  const wrong = model({
    name: 'wrong',
    inputs: { x: tensor('f32', [2, 2]) },
    forward: ({ x }) => ({ y: tile(x, [2]), z: constant('f32', [1], [0]) }),
  })
  try {
    await wrong.run({ x: [1, 2, 3, 4] })
    assert.unreachable()
  } catch (problem) {
    assert.instance(problem, ModelProblem)
    assert.match((problem as Error).message, /tile: repeats needs 2 entries, got 1/)
  }
})

test.run()

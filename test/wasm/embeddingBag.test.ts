import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { anchorOf, withSteps } from '../support/anchoredCases.ts'
import { assertClose, bytesOf } from '../support/compare.ts'
import { resultType } from '../support/kernels.ts'
import { runCases } from './harness.ts'

test('a bag with an index outside its table returns the number of its call and writes nothing', async () => {
  const anchor = anchorOf(
    'embeddingBag',
    [
      { dtype: 'i64', shape: [2, 2] },
      { dtype: 'f32', shape: [4, 3] },
    ],
    {},
  )!
  const kernel = withSteps(
    anchor,
    anchor.operands.map((type) => ({ type, constant: false })),
    'plain',
  )
  const table = bytesOf(
    anchor.operands[1]!,
    Array.from({ length: 12 }, (_, i) => i),
  )
  const ids = (values: number[]) => bytesOf(anchor.operands[0]!, values)
  for (const bad of [
    [0, 1, 2, 4],
    [-5, 0, 0, 0],
    [0, -(2 ** 63), 0, 0],
    [2 ** 32, 0, 0, 0],
  ]) {
    const { fault, outputs } = await runCases([
      { kernel, inputs: [ids([3, -4, 1, 1]), table] },
      { kernel, inputs: [ids(bad), table] },
    ])
    assert.is(fault, 2)
    assertClose(outputs[0]!, [9, 11, 13, 6, 8, 10], resultType(kernel))
    assert.ok(outputs[1]!.every((byte) => byte === 0xa5))
  }
})

test.run()

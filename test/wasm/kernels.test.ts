import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { TensorType } from '../../compiler/graph/index.ts'
import { mayShare } from '../../targets/c/function.ts'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { anchoredSuites, anchorOf, withSteps } from '../support/anchoredCases.ts'
import { assertClose, bytesOf } from '../support/compare.ts'
import { together } from '../support/kernelProgram.ts'
import { runCases, runSuite } from './harness.ts'

for (const suite of anchoredSuites(20)) {
  test(`${suite.name} equal the interpreter whatever steps follow`, () => runSuite(suite))
}

test('the templates hold for other vector widths and tiles', async () => {
  const wide: Level = { ...simd128, name: 'wide', vectorBytes: 32, tile: { rows: 3, vectors: 3 } }
  await runSuite(together('all', anchoredSuites(21, 0.2)), wide)
})

test('a gather with an index outside its table returns the number of its call and writes nothing', async () => {
  const anchor = anchorOf(
    'gather',
    [
      { dtype: 'f32', shape: [4, 3] },
      { dtype: 'i32', shape: [2] },
    ],
    { axis: 0 },
  )!
  const kernel = withSteps(
    anchor,
    anchor.operands.map((type) => ({ type, constant: false })),
    'plain',
  )
  const table = bytesOf(
    anchor.operands[0]!,
    Array.from({ length: 12 }, (_, i) => i),
  )
  const good = bytesOf(anchor.operands[1]!, [3, -4])
  for (const bad of [
    [0, 4],
    [-5, 0],
    [2 ** 31 - 1, 0],
  ]) {
    const { fault, outputs } = await runCases([
      { kernel, inputs: [table, good] },
      { kernel, inputs: [table, bytesOf(anchor.operands[1]!, bad)] },
    ])
    assert.is(fault, 2)
    assertClose(outputs[0]!, [9, 10, 11, 0, 1, 2], kernel.result)
    assert.ok(outputs[1]!.every((byte) => byte === 0xa5))
  }
})

test('results may lie over a residual and over what softmax and layerNorm read', () => {
  const type: TensorType = { dtype: 'f32', shape: [1, 8, 4, 4] }
  const conv = anchorOf('conv', [type, { dtype: 'f32', shape: [8, 8, 1, 1] }], {
    groups: 1,
    stride: [1, 1],
    before: [0, 0],
    after: [0, 0],
    dilation: [1, 1],
  })!
  const residual = withSteps(
    conv,
    conv.operands.map((of) => ({ type: of, constant: false })),
    'residual',
  )
  assert.equal(
    [0, 1, 2].map((i) => mayShare(residual, i, simd128)),
    [false, false, true],
  )
  const soft = anchorOf('softmax', [type], { axis: 1 })!
  assert.ok(mayShare(withSteps(soft, [{ type, constant: false }], 'plain'), 0, simd128))
})

test.run()

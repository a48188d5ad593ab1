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

test('bags of various lengths check what is in bags alone, and never read what offsets say lies outside', async () => {
  const anchor = anchorOf(
    'raggedEmbeddingBag',
    [
      { dtype: 'i64', shape: [5] },
      { dtype: 'f32', shape: [4, 3] },
      { dtype: 'i32', shape: [3] },
    ],
    { mean: false },
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
  const given = (indices: number[], offsets: number[]) => ({
    kernel,
    inputs: [bytesOf(anchor.operands[0]!, indices), table, bytesOf(anchor.operands[2]!, offsets)],
  })
  const sound = given([3, -4, 1, 99, -99], [0, 2, 3])
  for (const bad of [
    [0, 1, 4, 0, 0],
    [0, -(2 ** 63), 0, 0, 0],
  ]) {
    const { fault, outputs } = await runCases([sound, given(bad, [0, 2, 3])])
    assert.is(fault, 2)
    assertClose(outputs[0]!, [9, 11, 13, 3, 4, 5], resultType(kernel))
    assert.ok(outputs[1]!.every((byte) => byte === 0xa5))
  }
  // Offsets come from an op that checks them; a kernel by itself reads nothing outside all the same.
  const odd = [
    [-7, 2, 3],
    [0, 2 ** 31 - 1, 3],
    [-(2 ** 31), 2 ** 31 - 1, 2 ** 31 - 1],
    [5, 1, -1],
  ]
  assert.is((await runCases(odd.map((offsets) => given([0, 1, 2, 3, 0], offsets)))).fault, 0)
})

test('lengths and offsets that cannot be return the number of their call and write nothing', async () => {
  const cases = {
    lengths: {
      sound: [1, 0, 2],
      wrong: [
        [1, -1, 2],
        [2, 1, 1],
        [2 ** 62, 2 ** 62, 2 ** 62],
      ],
    },
    offsets: {
      sound: [0, 0, 3],
      wrong: [
        [1, 1, 2],
        [0, 2, 1],
        [0, 1, 4],
      ],
    },
  }
  for (const [given, { sound, wrong }] of Object.entries(cases)) {
    const anchor = anchorOf('bagOffsets', [{ dtype: 'i64', shape: [3] }], { limit: 3, given })!
    const kernel = withSteps(anchor, [{ type: anchor.operands[0]!, constant: false }], 'plain')
    const caseOf = (values: number[]) => ({ kernel, inputs: [bytesOf(anchor.operands[0]!, values)] })
    for (const bad of wrong) {
      const { fault, outputs } = await runCases([caseOf(sound), caseOf(bad)])
      assert.is(fault, 2, `${given} ${bad}`)
      assertClose(outputs[0]!, given === 'lengths' ? [0, 1, 1, 3] : [0, 0, 3], resultType(kernel))
      assert.ok(outputs[1]!.every((byte) => byte === 0xa5))
    }
  }
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, elementCount, type TensorType } from '../../compiler/graph/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { mayShare } from '../../targets/c/function.ts'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { compileToWasm } from '../../targets/wasm/toolchain.ts'
import { anchoredSuites, anchorOf, withSteps } from '../support/anchoredCases.ts'
import { assertClose, bytesOf } from '../support/compare.ts'
import { together } from '../support/kernelProgram.ts'
import { resultType } from '../support/kernels.ts'
import { load, runCases, runSuite, textOf } from './harness.ts'

for (const suite of anchoredSuites(20, 0.7)) {
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
    assertClose(outputs[0]!, [9, 10, 11, 0, 1, 2], resultType(kernel))
    assert.ok(outputs[1]!.every((byte) => byte === 0xa5))
  }
})

test('a scatter looks at all indices first, and writes over its input where nobody else reads it', async () => {
  const [x, i, u]: TensorType[] = [
    { dtype: 'f32', shape: [4, 3] },
    { dtype: 'i64', shape: [2, 1] },
    { dtype: 'f32', shape: [2, 3] },
  ]
  const anchor = anchorOf('scatterNd', [x!, i!, u!], { reduction: 'add' })!
  const kernel = withSteps(
    anchor,
    anchor.operands.map((type) => ({ type, constant: false })),
    'plain',
  )
  assert.equal(
    [0, 1, 2].map((operand) => mayShare(kernel, operand, 0, simd128)),
    [true, false, false],
  )
  const values = (type: TensorType) =>
    bytesOf(
      type,
      Array.from({ length: elementCount(type.shape) }, (_, k) => k),
    )
  const inputs = (rows: number[]) => [values(x!), bytesOf(i!, rows), values(u!)]
  const { fault, outputs } = await runCases([
    { kernel, inputs: inputs([-1, 0]) },
    { kernel, inputs: inputs([1, 4]) },
  ])
  assert.is(fault, 2)
  assertClose(outputs[0]!, [3, 5, 7, 3, 4, 5, 6, 7, 8, 9, 11, 13], resultType(kernel))
  assert.ok(outputs[1]!.every((byte) => byte === 0xa5))

  const b = createBuilder()
  const [table, rows, updates] = [b.input('x', x!), b.input('i', i!), b.input('u', u!)]
  const scattered = b.add('scatterNd', { input: b.add('negate', { input: table }), indices: rows, updates }, { reduction: 'add' })
  const graph = b.finish('g', [table, rows, updates], [{ name: 'y', value: b.add('exp', { input: scattered }) }])
  const { program } = compileGraph(graph, { target: wasm, evaluate })
  const call = program.instructions.find((at) => at.kind === 'call' && at.kernel.anchor !== undefined)
  assert.ok(call?.kind === 'call')
  const [under, , , over] = call.operands.map(({ buffer }) => program.offsets.get(buffer))
  assert.is(under, over)
  const module = await load(program, (await compileToWasm(textOf(program, simd128))).bytes)
  for (const [k, bytes] of inputs([-1, 0]).entries()) module.write(program.inputs[k]!, bytes)
  assert.is(module.run(), 0)
  const expected = [3, 3, 3, -3, -4, -5, -6, -7, -8, -9, -9, -9].map((value) => Math.exp(value))
  assertClose(module.read(program.outputs[0]!, 48), expected, x!, { rtol: 1e-6 })
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
    [0, 1, 2].map((i) => mayShare(residual, i, 0, simd128)),
    [false, false, true],
  )
  const soft = anchorOf('softmax', [type], { axis: 1 })!
  assert.ok(mayShare(withSteps(soft, [{ type, constant: false }], 'plain'), 0, 0, simd128))
})

test.run()

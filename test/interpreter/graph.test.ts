import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type DType, definitionOf, dtypeFacts, isFloat, type Operand, ops } from '../../compiler/graph/index.ts'
import { interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { isComputed } from '../../targets/interpreter/primitives.ts'
import { bytesOf } from '../support/compare.ts'
import { apply, type TestTensor, tensor } from './apply.ts'

const f32 = (...shape: number[]) => ({ dtype: 'f32' as const, shape })
const numbers = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)]

test('a graph with shared nodes, composites, constants and several outputs', () => {
  const b = createBuilder()
  const [x, y] = [b.input('x', f32(2)), b.input('y', f32(2))]
  const sum = b.add('add', { left: x, right: y })
  const graph = b.finish(
    'g',
    [x, y],
    [
      { name: 'relu', value: b.add('relu', { input: sum }) },
      { name: 'twice', value: b.add('mul', { left: sum, right: b.scalar('f32', 2) }) },
      { name: 'same', value: x },
      { name: 'again', value: x },
      { name: 'constant', value: b.literal(f32(2), bytesOf(f32(2), [5, 6])) },
    ],
  )
  const inputs = { x: bytesOf(f32(2), [1, -4]), y: bytesOf(f32(2), [2, 3]) }
  const outputs = runGraph(graph, inputs)
  const expected = { relu: [3, 0], twice: [6, -2], same: [1, -4], again: [1, -4], constant: [5, 6] }
  assert.equal(Object.fromEntries(Object.entries(outputs).map(([name, bytes]) => [name, numbers(bytes)])), expected)
  // Outputs are the caller's: writing to one changes neither the input, nor another output, nor the constant.
  for (const bytes of Object.values(outputs)) bytes.fill(0)
  assert.equal(
    Object.fromEntries(Object.entries(runGraph(graph, inputs)).map(([name, bytes]) => [name, numbers(bytes)])),
    expected,
  )
})

test('missing and mis-sized inputs are named', () => {
  const b = createBuilder()
  const x = b.input('x', f32(3))
  const graph = b.finish('g', [x], [{ name: 'y', value: b.add('exp', { input: x }) }])
  assert.throws(() => runGraph(graph, {}), /input 'x': f32\[3\] needs 12 bytes, got none/)
  assert.throws(() => runGraph(graph, { x: new Uint8Array(8) }), /input 'x': f32\[3\] needs 12 bytes, got 8/)
  const inherited = b.finish('g', [b.input('toString', f32(3))], [])
  assert.throws(() => runGraph(inherited, {}), /input 'toString'.*got none/)
})

test('BE-02: every primitive op has a row, and the target supports it', () => {
  const b = createBuilder()
  const node = b.add('exp', { input: b.input('x', f32(1)) })
  assert.is(interpreter.unsupported(node), undefined)
  assert.is(interpreter.unsupported(node.operands[0]!), undefined)
  assert.match(interpreter.unsupported({ ...node, op: 'softmax' })!, /softmax/)
  for (const [name, { kind, traits }] of Object.entries(ops))
    assert.is(isComputed(name), kind === 'primitive' && !(traits as readonly string[]).includes('storage'), name)
})

const window = { stride: [2], before: [1], after: [0], dilation: [1] }
/** Shapes and attributes for the ops that are not elementwise. */
const uses: Readonly<Record<string, { shapes: readonly (readonly number[])[]; attributes?: Readonly<Record<string, unknown>> }>> =
  {
    reshape: { shapes: [[2, 6]], attributes: { shape: [3, 4] } },
    transpose: { shapes: [[2, 6]], attributes: { order: [1, 0] } },
    slice: { shapes: [[2, 6]], attributes: { start: [1, 5], size: [2, 3], step: [-1, -2] } },
    concat: {
      shapes: [
        [2, 6],
        [2, 6],
      ],
      attributes: { axis: 1 },
    },
    pad: { shapes: [[2, 6]], attributes: { before: [0, 1], after: [1, 0], value: 1 } },
    expand: { shapes: [[12]], attributes: { shape: [2, 12] } },
    gather: { shapes: [[4, 3], [2]], attributes: { axis: 0 } },
    scatterNd: {
      shapes: [
        [4, 3],
        [2, 1],
        [2, 3],
      ],
    },
    argMax: { shapes: [[2, 6]], attributes: { axis: 1, keepDims: false } },
    argMin: { shapes: [[2, 6]], attributes: { axis: 0, keepDims: true, last: true } },
    topKIndices: { shapes: [[2, 6]], attributes: { k: 4 } },
    regionPool: { shapes: [[12, 1, 3, 4], [2, 4], [2]], attributes: { size: [2, 2], samples: 1 } },
    truePositions: { shapes: [[2, 6]], attributes: { limit: 12 } },
    cumSum: { shapes: [[2, 6]] },
    conv: { shapes: [[1, 2, 6], [2, 2, 2], [2]], attributes: { ...window, groups: 1 } },
    maxPool: { shapes: [[1, 2, 6]], attributes: { ...window, window: [2] } },
    avgPool: { shapes: [[1, 2, 6]], attributes: { ...window, window: [2], countPadding: false } },
    matmul: {
      shapes: [
        [2, 6],
        [6, 2],
      ],
    },
    storageCast: { shapes: [[12]], attributes: { scale: [], zeroPoint: [] } },
    lookup: { shapes: [[12], [256]] },
    reduceSum: { shapes: [[2, 6]], attributes: { axes: [1], keepDims: false } },
    reduceProd: { shapes: [[2, 6]], attributes: { axes: [1], keepDims: false } },
    reduceMax: { shapes: [[2, 6]], attributes: { axes: [1], keepDims: false } },
    reduceMin: { shapes: [[2, 6]], attributes: { axes: [1], keepDims: false } },
  }

/** Small whole numbers of either sign where the dtype has them; with a shared value list every dtype sees the same. */
const sample = (dtype: DType, shape: readonly number[], seed: number): TestTensor => {
  const count = shape.reduce((a, b) => a * b, 1)
  const low = dtypeFacts[dtype].kind === 'float' || dtypeFacts[dtype].kind === 'signed' ? 2 : 0
  return tensor(
    dtype,
    shape,
    Array.from({ length: count }, (_, i) => (dtype === 'bool' ? (i * seed) % 2 : ((i * 7 + seed) % 4) - (i % 2 === 0 ? low : 0))),
  )
}

/** The widest dtype of the same kind of arithmetic: its result, converted, must be the narrow one's. */
const widest = (dtype: DType): DType =>
  isFloat(dtype) ? 'f64' : dtypeFacts[dtype].kind === 'signed' ? 'i64' : dtypeFacts[dtype].kind === 'unsigned' ? 'u64' : dtype

test('BE-02, TO-13: every op in every accepted dtype equals the widest dtype of its kind, rounded or wrapped once', () => {
  for (const name of Object.keys(ops)
    .filter(isComputed)
    // Lengths are not negative, which these numbers are; bits of another type are another number.
    .filter((op) => op !== 'cast' && op !== 'bitCast' && op !== 'bagOffsets')) {
    const specs: readonly Operand[] = Object.values(definitionOf(name).operands)
    const { shapes = specs.map(() => [12]), attributes = {} } = uses[name] ?? {}
    const specOf = (i: number) => specs[Math.min(i, specs.length - 1)]!
    // The dtype varies on the operand that accepts most; conditions and indices keep one that they accept.
    const main = specs.reduce((best, spec) => (spec.dtypes.length > best.length ? spec.dtypes : best), [] as readonly DType[])
    // Products of integers take bytes alone, and stand in tests of their own.
    for (const dtype of main.filter((dtype) => main.includes(widest(dtype)))) {
      const at = (chosen: DType) =>
        shapes.map((shape, i) => {
          const { dtypes } = specOf(i)
          const given = sample(dtypes.length === main.length ? dtype : dtypes[0]!, shape, i + 1)
          const varies = dtypes.length === main.length && chosen !== dtype
          return varies && given.type.dtype === dtype ? apply('cast', [given], { dtype: chosen }) : given
        })
      const narrow = apply(name, at(dtype), attributes)
      const wide = apply(name, at(widest(dtype)), attributes)
      const converted = narrow.type.dtype === wide.type.dtype ? wide : apply('cast', [wide], { dtype: narrow.type.dtype })
      assert.equal(narrow.values, converted.values, `${name} in ${dtype}`)
      assert.is(narrow.bytes.length, narrow.values.length * dtypeFacts[narrow.type.dtype].bytes)
    }
  }
})

test.run()

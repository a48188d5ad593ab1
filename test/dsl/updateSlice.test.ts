import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { elementCount, type ModelProblem } from '../../compiler/graph/index.ts'
import { type Tensor, updateSlice } from '../../dsl/index.ts'
import { EvaluationFault } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { at, build, type Dense, noise, run } from './run.ts'

interface Options {
  readonly axis?: number
  readonly mode?: 'linear' | 'circular'
}

/** The pseudocode of ONNX TensorScatter 24, in which an index of the first dimension has a start of its own. */
function expected(input: Dense, update: Dense, starts: readonly number[], axis: number, circular: boolean): Dense {
  const extent = input.shape[axis]!
  return build(input.shape, (...position) => {
    const first = starts.length === 1 ? starts[0]! : starts[position[0]!]!
    for (let i = update.shape[axis]! - 1; i >= 0; i--) {
      const place = circular ? (((first + i) % extent) + extent) % extent : first + i
      if (place === position[axis]) return at(update)(...position.with(axis, i))
    }
    return at(input)(...position)
  })
}

const whole = (values: readonly number[], shape: readonly number[] = [values.length]): Dense => ({ shape, values })

function updated(input: Dense, update: Dense, start: Dense | number, options?: Options, type = 'i64'): Dense {
  const given = { input, update, ...(typeof start !== 'number' && { [`start:${type}`]: start }) }
  return run(given, ({ input, update, start: tensor }) => ({
    y: updateSlice(input as Tensor<any>, update as Tensor<any>, (tensor ?? start) as never, options),
  })).y!
}

test('runs of places are replaced as ONNX TensorScatter says, for any shape, axis, start and mode', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
      fc.nat(3),
      fc.nat(100),
      fc.constantFrom('number', 'one', 'each'),
      fc.constantFrom('i8', 'u16', 'i32', 'i64'),
      fc.boolean(),
      (shape, along, seed, kind, type, circular) => {
        const axis = along % shape.length
        const extent = shape[axis]!
        const count = 1 + (seed % extent)
        const input = noise(shape, seed)
        const update = noise(shape.with(axis, count), seed + 1)
        const each = kind === 'each' && axis > 0
        const low = circular && type !== 'u16' ? -7 : 0
        const high = circular ? 9 : extent - count
        const starts = Array.from({ length: each ? shape[0]! : 1 }, (_, i) => low + ((seed * 5 + i * 3) % (high - low + 1)))
        const options: Options = { axis: seed % 2 ? axis : axis - shape.length, ...(circular && { mode: 'circular' }) }
        const start = kind === 'number' ? starts[0]! : each ? whole(starts) : whole(starts, seed % 3 ? [1] : [])
        const found = updated(input, update, start, options, type)
        assert.equal(found.values, expected(input, update, starts, axis, circular).values)
        assert.equal(found.shape, shape)
      },
    ),
    draw(24, 150),
  )
})

test('the axis is the rows unless told, and of a list its only one', () => {
  const [rows, row] = [build([2, 3, 2], (...p) => p[1]! + 10 * p[0]!), build([2, 1, 2], () => -1)]
  assert.equal(updated(rows, row, 2).values, [0, 0, 1, 1, -1, -1, 10, 10, 11, 11, -1, -1])
  assert.equal(updated(whole([1, 2, 3]), whole([9]), 1).values, [1, 9, 3])
})

test('a run that does not lie within the axis is the fault of the request', () => {
  const [rows, part] = [noise([2, 4, 3], 1), noise([2, 2, 3], 2)]
  for (const start of [-1, -4, 3, 100, -100]) {
    assert.throws(
      () => updated(rows, part, whole([start])),
      (error: Error) => error instanceof EvaluationFault,
      `${start}`,
    )
    assert.throws(
      () => updated(rows, part, whole([0, start])),
      (error: Error) => error instanceof EvaluationFault,
      `${start}`,
    )
  }
  assert.is(elementCount(updated(rows, part, whole([2, 0])).shape), 24)
})

test('mistakes of the author are told when the model is built', () => {
  const wrong = (update: Dense, start: Dense | number, options?: Options) => {
    try {
      updated(noise([2, 4, 3], 1), update, start, options)
    } catch (error) {
      return (error as ModelProblem).code
    }
    return undefined
  }
  assert.is(wrong(noise([2, 5, 3], 1), 0), 'shape-mismatch')
  assert.is(wrong(noise([1, 1, 3], 1), 0), 'shape-mismatch')
  assert.is(wrong(noise([2, 2, 3], 1), 3), 'bad-attribute')
  assert.is(wrong(noise([2, 2, 3], 1), -1), 'bad-attribute')
  assert.is(wrong(noise([2, 2, 3], 1), whole([0, 0, 0])), 'shape-mismatch')
  assert.is(wrong(noise([2, 2, 3], 1), 0, { mode: 'round' as never }), 'bad-attribute')
  assert.is(wrong(noise([2, 2, 3], 1), 0, { axis: 3 }), 'bad-attribute')
})

test.run()

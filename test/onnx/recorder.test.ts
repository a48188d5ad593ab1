import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { elementsOf, scalarBytes } from '../../compiler/graph/index.ts'
import { liveStatements } from '../../dsl/onnx/record/live.ts'
import { shortest, writtenValues } from '../../dsl/onnx/record/numbers.ts'
import { createRecorder, type Recorder } from '../../dsl/onnx/record/recorder.ts'
import type { Tensor } from '../../dsl/tensor.ts'
import { createTracer } from '../../dsl/trace.ts'
import { tensorOf, withTracer } from '../../dsl/tracer.ts'

type Any = Tensor<any, any>

function recorded(body: (recorder: Recorder, x: Any) => void): Recorder {
  const tracer = createTracer()
  const recorder = createRecorder()
  withTracer(tracer, () => {
    const x = tensorOf(tracer.builder.input('x', { dtype: 'f32', shape: [2, 6] })) as Any
    recorder.input('x', x)
    body(recorder, x)
  })
  return recorder
}

const bytes = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)

test('lists and objects of results are parts of one statement', () => {
  recorded(({ d, statements, sourceOf }, x) => {
    const parts = d.split(x, 3, { axis: 1 }) as readonly Any[]
    const { values, indices } = d.topK(x, 2)
    assert.equal(
      statements.map(({ call }) => call),
      ['split', 'topK'],
    )
    assert.equal(
      parts.map((part) => sourceOf(part)),
      [0, 1, 2].map((part) => ({ kind: 'result', statement: statements[0], part })),
    )
    assert.equal(sourceOf(values), { kind: 'result', statement: statements[1], part: 'values' })
    assert.equal(sourceOf(indices), { kind: 'result', statement: statements[1], part: 'indices' })
  })
})

test('what is left out is not written, and what is given back is no statement', () => {
  const { statements } = recorded(({ d }, x) => {
    d.layerNorm(x, undefined, undefined, {})
    d.clamp(x, { minimum: 0, maximum: undefined } as object)
    assert.is(d.expectShape(x, [2, 6]), x)
  })
  assert.equal(
    statements.map(({ call, arguments: args }) => [call, args.length, args[1]]),
    [
      ['layerNorm', 1, undefined],
      ['clamp', 2, { minimum: 0 }],
    ],
  )
})

test('a scalar stays a tensor where no other operand says its element type', () => {
  const { statements } = recorded(({ d, literal }, x) => {
    const half = literal({ dtype: 'f32', shape: [] }, bytes(0.5)) as Any
    const third = literal({ dtype: 'f32', shape: [1, 1, 1] }, bytes(3)) as Any
    d.mul(half, x)
    d.mul(x, third)
    d.mul(half, third)
    d.where(d.less(x, half) as Any, half, third)
    d.where(d.less(x, half) as Any, half, x)
  })
  const written = statements.map(({ call, arguments: args }) => [
    call,
    ...args.map((arg) => (typeof arg === 'number' ? arg : 'tensor')),
  ])
  assert.equal(written, [
    ['mul', 0.5, 'tensor'],
    ['mul', 'tensor', 'tensor'],
    ['mul', 'tensor', 'tensor'],
    ['less', 'tensor', 0.5],
    ['where', 'tensor', 'tensor', 'tensor'],
    ['less', 'tensor', 0.5],
    ['where', 'tensor', 0.5, 'tensor'],
  ])
})

test('statements say for whom they were made, and only those that outputs need are live', () => {
  const recorder = recorded((recorder, x) => {
    recorder.for('first')
    recorder.d.relu(x)
    recorder.for('second')
    recorder.d.add(recorder.weight('w', { dtype: 'f32', shape: [6] }, { label: 'w', read: () => new Uint8Array(24) }) as Any, x)
  })
  const [relu, add] = recorder.statements
  assert.equal([relu!.origin, add!.origin], ['first', 'second'])
  const output = (statement: typeof add) => (statement!.result as { readonly tensor: Tensor }).tensor
  const live = liveStatements(recorder.statements, [output(add)], recorder.sourceOf)
  assert.equal(live.statements, [add])
  assert.equal([...live.weights], ['w'])
  assert.equal([...liveStatements(recorder.statements, [output(relu)], recorder.sourceOf).weights], [])
})

test('numbers are written with as few digits as their element needs', () => {
  const f32 = [0.1, 1 / 3, 1e-5, 2 ** -149, 3.4028234663852886e38, -0.007, 16777217, 1e20, 123456.79]
  for (const value of f32) {
    const element = Math.fround(value)
    const short = shortest('f32', element)
    assert.is(Math.fround(short), element)
    assert.ok(String(short).length <= String(element).length)
  }
  assert.is(shortest('f32', Math.fround(0.1)), 0.1)
  assert.is(shortest('f16', elementsOf('f16', scalarBytes('f16', 0.1)).get(0)), 0.1)
  assert.is(shortest('f64', 1 / 3), 1 / 3)
  assert.equal(writtenValues('i64', new Uint8Array(new BigInt64Array([5n, -(2n ** 60n)]).buffer)), [5, -(2n ** 60n)])
  assert.equal(writtenValues('u64', new Uint8Array(new BigUint64Array([2n ** 64n - 1n]).buffer)), [2n ** 64n - 1n])
  assert.ok(Number.isNaN(writtenValues('f32', bytes(Number.NaN))[0]))
})

test.run()

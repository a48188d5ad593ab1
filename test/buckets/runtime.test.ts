// What the loader makes of buckets: which it chooses, what it refuses, how arrays go in and out.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, cast, cumSum, dim, model, mul, type Tensor, tensor, validLength } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { writeBundle } from '../../plugin/bundle/index.ts'
import { compile } from '../../plugin/compile.ts'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import { type Model, open, openBuckets } from '../../targets/runtime/index.ts'

const make = () => {
  const [batch, seq] = [dim('batch', [1, 4]), dim('seq', [3, 6], { least: 2 })]
  return model({
    name: 'sums',
    entries: {
      rows: {
        inputs: { x: tensor('f32', [batch, seq, 2]), scale: tensor('f32', [seq, 1]), bias: tensor('f32', [2]) },
        forward: ({ x, scale, bias }) => ({
          y: add(cumSum(mul(x, scale), { axis: 1 }), bias),
          last: add(cast(validLength(seq), 'f32') as Tensor<'f32'>, bias),
        }),
      },
      flat: { inputs: { x: tensor('f32', [3]) }, forward: ({ x }) => ({ y: mul(x, 2) }) },
    },
  })
}

const uncompiled = make()
let bundle: Bundle
const folder = mkdtempSync(join(tmpdir(), 'glowplug-buckets-'))
test.before(async () => {
  bundle = await compile(traceModel(uncompiled), { target: 'interpreter' })
  await writeBundle(bundle, folder)
})
test.after(() => rmSync(folder, { recursive: true, force: true }))

function inputs(batch: number, seq: number) {
  const x = Float32Array.from({ length: batch * seq * 2 }, (_, i) => i % 7)
  return { x, scale: Float32Array.from({ length: seq }, (_, i) => i + 1), bias: Float32Array.of(10, 20) }
}
function expected(batch: number, seq: number) {
  const { x, scale, bias } = inputs(batch, seq)
  const y = new Float32Array(x.length)
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < 2; c++)
      for (let s = 0, sum = 0; s < seq; s++) {
        const at = (b * seq + s) * 2 + c
        sum += x[at]! * scale[s]!
        y[at] = sum + bias[c]!
      }
  return { y, last: Float32Array.of(seq + 10, seq + 20) }
}

const models: Readonly<Record<string, () => Model<any, any>>> = {
  uncompiled: () => uncompiled as never,
  'in memory': () => openBuckets(bundle),
  'from a folder': () => openBuckets(folder),
}

for (const [name, opened] of Object.entries(models)) {
  test(`${name}: every size gives outputs of that size, from arrays alone where these tell it`, async () => {
    const net = opened()
    await net.ready()
    assert.equal(Object.keys(net.entries), ['rows', 'flat'])
    const { rows, flat } = net.entries as { rows: any; flat: any }
    for (const [batch, seq] of [
      [1, 2],
      [1, 3],
      [2, 3],
      [3, 5],
      [4, 6],
      [1, 6],
    ] as const) {
      for (const result of [await rows.run(inputs(batch, seq)), rows.runSync(inputs(batch, seq))]) {
        assert.equal([...result.y.shape], [batch, seq, 2])
        assert.equal(result.y.data, expected(batch, seq).y)
        assert.equal(result.last.data, expected(batch, seq).last)
      }
    }
    assert.equal([...(await flat.run({ x: [1, 2, 3] })).y.data], [2, 4, 6])
    assert.equal(rows.info.dims, { batch: [1, 4], seq: [3, 6] })
    assert.equal(
      rows.info.inputs.map((tensor: any) => [tensor.name, ...tensor.shape]),
      [
        ['x', 4, 6, 2],
        ['scale', 6, 1],
        ['bias', 2],
      ],
    )
    assert.is(flat.info.dims, undefined)
  })

  test(`${name}: into writes to arrays of the request's size, and bind works in place`, async () => {
    const net = opened()
    await net.ready()
    const { rows } = net.entries as { rows: any }
    const [into, whole] = [{ y: new Float32Array(2 * 5 * 2) }, { y: new Float32Array(4 * 6 * 2), last: new Float32Array(2) }]
    const short = await rows.run(inputs(2, 5), { into })
    assert.is(short.y.data, into.y)
    assert.equal(into.y, expected(2, 5).y)
    const long = rows.runSync(inputs(4, 6), { into: whole })
    assert.is(long.y.data, whole.y)
    assert.equal(whole, expected(4, 6))
    for (const [batch, seq] of [
      [2, 5],
      [4, 6],
    ] as const) {
      const bound = rows.bind({ batch, seq })
      for (const [input, values] of Object.entries(inputs(batch, seq))) bound.inputs[input].set(values)
      bound.run()
      assert.equal(Object.keys(bound.inputs), ['x', 'scale', 'bias'])
      assert.equal({ ...bound.outputs }, expected(batch, seq))
    }
  })

  test(`${name}: what is wrong with sizes is an error with a code`, async () => {
    const net = opened()
    await net.ready()
    const { rows } = net.entries as { rows: any }
    const { x, scale, bias } = inputs(2, 5)
    const failures: readonly [string, RegExp, object, object?][] = [
      ['input-too-long', /'seq' is 7, the model was built for 6 at most/, inputs(1, 7)],
      ['input-too-long', /'batch' is 5/, inputs(5, 3)],
      ['input-too-short', /'seq' is 1, the model takes 2 or more/, inputs(1, 1)],
      ['input-too-short', /'seq' is 0/, { ...inputs(1, 0), x: { data: [], shape: [1, 0, 2] } }],
      [
        'input-sizes',
        /input 'scale' has 4 elements; f32\[seq, 1\] has 5 as other inputs tell/,
        { x: { data: x, shape: [2, 5, 2] }, scale: scale.slice(1), bias },
      ],
      [
        'input-sizes',
        /'seq' is 5 in input 'x' and 4 in input 'scale'/,
        { x: { data: x, shape: [2, 5, 2] }, scale: { data: scale.slice(1), shape: [4, 1] }, bias },
      ],
      [
        'input-length',
        /input 'x' has 19 elements, which do not divide into f32\[batch, seq, 2\]/,
        { x: x.slice(1), scale, bias },
      ],
      [
        'input-length',
        /input 'x' has shape \[10,2\], expected f32\[batch, seq, 2\]/,
        { x: { data: x, shape: [10, 2] }, scale, bias },
      ],
      ['input-length', /has 20 elements, not 24/, { x: { data: x, shape: [2, 6, 2] }, scale: new Float32Array(6), bias }],
      ['input-length', /input 'bias' has 1 elements/, { x, scale, bias: [1] }],
      ['input-missing', /input 'scale' is missing, expected Float32Array for f32\[seq, 1\]/, { x, bias }],
      ['input-unknown', /there is no input 'seq.size'; the inputs are x, scale, bias/, { x, scale, bias, 'seq.size': [3] }],
      ['input-type', /input 'x' is/, { x: { data: new Float64Array(20), shape: [2, 5, 2] }, scale, bias }],
      ['output-length', /output 'y' has 24 elements, not 20/, inputs(2, 5), { into: { y: new Float32Array(24) } }],
      ['output-unknown', /there is no output 'z'/, inputs(2, 5), { into: { z: new Float32Array(24) } }],
      ['run-aborted', /aborted/, inputs(2, 5), { signal: AbortSignal.abort() }],
    ]
    for (const [code, message, given, options] of failures) {
      const error = await rows.run(given, options).then(
        () => assert.unreachable(code),
        (reason: any) => reason,
      )
      assert.is(error.code, code, error.message)
      assert.match(error.message, message)
    }
    for (const sizes of [undefined, { seq: 3 }, { seq: 2.5, batch: 1 }] as const)
      assert.throws(
        () => rows.bind(sizes),
        (error: any) => error.code === 'bad-option',
      )
    assert.throws(
      () => rows.bind({ batch: 1, seq: 9 }),
      (error: any) => error.code === 'input-too-long',
    )
    // None of them disturbs the next.
    assert.equal((await rows.run(inputs(2, 5))).y.data, expected(2, 5).y)
  })
}

test('inputs whose sizes their elements do not tell ask for a shape', async () => {
  const [a, b] = [dim('a', [2, 4]), dim('b', [2, 4])]
  const net = model({ name: 'm', inputs: { x: tensor('f32', [a, b]) }, forward: ({ x }) => ({ y: mul(x, 2) }) })
  const error: any = await net.run({ x: new Float32Array(6) }).then(
    () => undefined,
    (reason) => reason,
  )
  assert.is(error.code, 'input-sizes')
  assert.match(error.message, "pass input 'x' as { data, shape }: it is a, b")
  const { y } = await net.run({ x: { data: [1, 2, 3, 4, 5, 6], shape: [3, 2] } })
  assert.equal(
    [[...y.shape], [...y.data]],
    [
      [3, 2],
      [2, 4, 6, 8, 10, 12],
    ],
  )
})

test('inputs are copied before run returns, and calls do not meet in the arrays that are used again', async () => {
  const net = openBuckets(bundle, { instances: 2 })
  const { rows } = net.entries as { rows: any }
  const results = Array.from({ length: 20 }, (_, i) => {
    const given = inputs(1 + (i % 4), 2 + (i % 5))
    const result = rows.run(given)
    given.x.fill(Number.NaN)
    return result
  })
  for (const [i, result] of (await Promise.all(results)).entries())
    assert.equal(result.y.data, expected(1 + (i % 4), 2 + (i % 5)).y)
  await net.close()
  const error = await rows.run(inputs(1, 2)).then(
    () => undefined,
    (reason: any) => reason,
  )
  assert.is(error.code, 'closed')
})

test('one section of weights, one manifest: entries by bucket, and which of them are one to callers', () => {
  const { manifest } = bundle
  const names = ['rows.batch1.seq3', 'rows.batch1.seq6', 'rows.batch4.seq3', 'rows.batch4.seq6']
  assert.equal(
    manifest.entries.map(({ name }) => name),
    [...names, 'flat'],
  )
  assert.equal(
    manifest.entries[0]!.inputs.map(({ name }) => name),
    ['x', 'scale', 'bias', 'seq.size'],
  )
  const [seq, batch] = ['seq', 'batch'].map((name) => ({ dim: name, times: 1, plus: 0, over: 1 }))
  assert.equal(manifest.buckets, [
    {
      name: 'rows',
      dims: [
        { name: 'batch', sizes: [1, 4], least: 1 },
        { name: 'seq', sizes: [3, 6], least: 2 },
      ],
      entries: names,
      inputs: [
        { name: 'x', dtype: 'f32', shape: [batch, seq, 2] },
        { name: 'scale', dtype: 'f32', shape: [seq, 1] },
        { name: 'bias', dtype: 'f32', shape: [2] },
      ],
      outputs: [
        { name: 'y', dtype: 'f32', shape: [batch, seq, 2] },
        { name: 'last', dtype: 'f32', shape: [2] },
      ],
    },
  ])
  // Who knows nothing of buckets sees the entries as they are.
  assert.equal(Object.keys(open(bundle).entries), [...names, 'flat'])
})

test('a manifest whose buckets are damaged is refused', () => {
  const [spec] = bundle.manifest.buckets!
  const damaged: readonly unknown[] = [
    3,
    [null],
    [{ ...spec, entries: spec!.entries.slice(1) }],
    [{ ...spec, entries: ['nowhere', ...spec!.entries.slice(1)] }],
    [{ ...spec, dims: [{ ...spec!.dims[0], sizes: 4 }, spec!.dims[1]] }],
    [{ ...spec, inputs: [{ ...spec!.inputs[0], name: 'other' }, ...spec!.inputs.slice(1)] }],
    [{ ...spec, outputs: [{ ...spec!.outputs[0], shape: [1] }] }],
    [{ ...spec, inputs: [{ ...spec!.inputs[0], shape: [{ dim: 'seq', times: 1, plus: 0, over: 0 }, 1, 2] }] }],
    [{ ...spec, outputs: [{ ...spec!.outputs[0], shape: [{ dim: 'other', times: 1, plus: 0, over: 1 }, 1, 2] }] }],
  ]
  for (const [i, buckets] of damaged.entries()) {
    const net = openBuckets({ ...bundle, manifest: { ...bundle.manifest, buckets: buckets as never } })
    assert.throws(
      () => net.entries,
      (error: any) => error.code === 'bundle-malformed',
      `${i}`,
    )
  }
})

test.run()

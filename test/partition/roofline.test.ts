import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Node } from '../../compiler/graph/index.ts'
import { idleCoresOf, idleSteps } from '../../compiler/partition/idle.ts'
import type { Processor } from '../../compiler/partition/platform.ts'
import { kernelSteps, kindsOf, levelOf, loadOf, secondsOf, secondsOfNodes } from '../../compiler/partition/roofline.ts'

/** The example of an accelerator in the tests of Glow's partitioner: 50 MiB of SRAM, 0.45 T operations/s, 30 GiB/s of DRAM. */
const accelerator: Processor = {
  name: 'accelerator',
  type: 'accelerator',
  cores: 1,
  operationsPerSecond: { int8: 1.8e12, f16: 0.9e12, f32: 0.45e12 },
  memory: [
    { name: 'SRAM', bytes: 50 * 2 ** 20, bytesPerSecond: 1024 * 2 ** 30 },
    { name: 'DRAM', bytes: 16 * 2 ** 30, bytesPerSecond: 30 * 2 ** 30 },
  ],
  utilisation: { arithmetic: 1, lookups: 0.5 },
  launchSeconds: 0,
  watts: { idle: 0, busy: 0 },
  refuses: [],
}

const nearly = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual / expected - 1) < 1e-12, `${actual}, expected ${expected}`)
const b = createBuilder()
const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const

test('a product takes as long as its operations, or as its largest traffic (PA-05)', () => {
  const product = (rows: number, inner: number, columns: number): Node =>
    b.add('matmul', {
      left: b.input(`a${rows} ${inner}`, f32(rows, inner)),
      right: b.input(`b${inner} ${columns}`, f32(inner, columns)),
    })
  // 2 · 1024³ operations against 12 MiB to and from SRAM.
  nearly(secondsOf(loadOf(product(1024, 1024, 1024), accelerator), accelerator), 2 ** 31 / 0.45e12)
  // One row: the 256 MiB of the right operand do not fit into the SRAM.
  const narrow = product(1, 8192, 8192)
  assert.equal(loadOf(narrow, accelerator).bytes, [2 * 8192 * 4, 2 ** 28])
  nearly(secondsOf(loadOf(narrow, accelerator), accelerator), 2 ** 28 / (30 * 2 ** 30))
})

test('of a table only the rows that indices pick are read, at the part of the rate that look-ups reach (PA-05)', () => {
  const indices = b.input('indices', { dtype: 'i64', shape: [64, 32] })
  const table = b.input('table', f32(1_000_000, 64))
  const rows = b.add('embedding', { indices, table })
  const load = loadOf(rows, accelerator)
  const picked = 64 * 32 * 64 * 4
  assert.equal(load.lookedUp, [0, picked])
  assert.equal(load.bytes, [64 * 32 * 8 + picked, 0])
  nearly(secondsOf(load, accelerator), picked / 0.5 / (30 * 2 ** 30))
  const small = b.add('embedding', { indices, table: b.input('small', f32(1000, 64)) })
  assert.equal(loadOf(small, accelerator).lookedUp[1], 0)
})

test('bytes and halves compute at their own rates; views and storage take nothing', () => {
  const image = (dtype: 'i8' | 'f16' | 'f32') => b.input(`x ${dtype}`, { dtype, shape: [1, 64, 1, 1] })
  assert.is(loadOf(b.add('exp', { input: image('f16') }), accelerator).arithmetic, 'f16')
  assert.is(loadOf(b.add('abs', { input: image('i8') }), accelerator).arithmetic, 'int8')
  const view = b.add('reshape', { input: image('f32') }, { shape: [64] })
  assert.is(secondsOfNodes([image('f32'), view], accelerator), 0)
})

test('a tensor lies in the fastest level that holds it', () => {
  assert.equal(
    [1, 50 * 2 ** 20, 50 * 2 ** 20 + 1, 2 ** 40].map((bytes) => levelOf(bytes, accelerator.memory)),
    [0, 0, 1, 1],
  )
})

test('what can be done on a value while it is made takes no traffic: a layer, its normalisation and its activation are one kernel (FB-09)', () => {
  const image = b.input('image', f32(1, 64, 56, 56))
  const weight = b.constant(f32(64, 64, 1, 1), { label: 'w', read: () => new Uint8Array() })
  const channel = (label: string) => b.constant(f32(64), { label, read: () => new Uint8Array() })
  const conv = b.add(
    'conv',
    { input: image, weight },
    { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1 },
  )
  const normal = b.add('batchNorm', {
    input: conv,
    scale: channel('scale'),
    shift: channel('shift'),
    mean: channel('mean'),
    variance: channel('variance'),
  })
  const seen = b.add('relu', { input: normal })
  const slow: Processor = { ...accelerator, memory: [{ name: 'DRAM', bytes: 2 ** 34, bytesPerSecond: 1e8 }] }
  const value = 64 * 56 * 56 * 4
  const weights = 64 * 64 * 4 + 4 * 64 * 4
  nearly(secondsOfNodes([conv, normal, seen], slow), (2 * value + weights) / 1e8)
  assert.is(kernelSteps([conv, normal, seen], slow).length, 1)
  // Two readers: it is stored, and read by both.
  const other = b.add('sigmoid', { input: conv })
  assert.is(kernelSteps([conv, normal, seen, other], slow).length, 3)
})

test('rows that are looked up and added up at once are read alone', () => {
  const indices = b.input('bag indices', { dtype: 'i64', shape: [64, 32] })
  const rows = b.add('embedding', { indices, table: b.input('bags', f32(1_000_000, 64)) })
  const sum = b.add('reduceSum', { input: rows }, { axes: [1], keepDims: false })
  nearly(secondsOfNodes([rows, sum], accelerator), (64 * 32 * 64 * 4) / 0.5 / (30 * 2 ** 30))
})

test('a kind of node that a processor has its own rate for takes that; the closest counts', () => {
  const image = b.input('wide', f32(1, 64, 28, 28))
  const conv = (stride: number, groups = 1): Node =>
    b.add(
      'conv',
      { input: image, weight: b.constant(f32(64, 64 / groups, 3, 3), { label: `w${groups}`, read: () => new Uint8Array() }) },
      { stride: [stride, stride], before: [1, 1], after: [1, 1], dilation: [1, 1], groups },
    )
  assert.equal(kindsOf(conv(1)), ['conv 3x3', 'conv'])
  assert.equal(kindsOf(conv(2)), ['conv 3x3/2', 'conv 3x3', 'conv'])
  assert.equal(kindsOf(conv(1, 64)), ['conv 3x3 grouped', 'conv'])
  const kinds = { conv: 0.5, 'conv 3x3': 2 }
  const known: Processor = { ...accelerator, utilisation: { ...accelerator.utilisation, kinds } }
  const seconds = (node: Node, processor: Processor) => secondsOf(loadOf(node, processor), processor)
  nearly(seconds(conv(1), known), seconds(conv(1), accelerator) / 2)
  nearly(seconds(conv(2), known), seconds(conv(2), accelerator) / 2)
  nearly(secondsOf({ ...loadOf(conv(1), known), kinds: ['other'] }, known), seconds(conv(1), accelerator))
})

test('cores are idle where there is too little to divide (FB-10)', () => {
  const cores = { ...accelerator, cores: 8 }
  const long = b.add('exp', { input: b.input('long', f32(64, 64)) })
  const short = b.add('exp', { input: b.input('short', f32(128)) })
  assert.equal(
    idleSteps([long, short], cores).map(({ op, idleCores }) => [op, idleCores]),
    [
      ['exp', 0],
      ['exp', 6],
    ],
  )
  assert.is(idleCoresOf([long], cores), 0)
  const idle = idleCoresOf([long, short], cores)
  assert.ok(idle > 0 && idle < 6)
})

test.run()

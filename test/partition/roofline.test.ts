import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Node } from '../../compiler/graph/index.ts'
import type { Processor } from '../../compiler/partition/platform.ts'
import { levelOf, loadOf, secondsOf, secondsOfNodes } from '../../compiler/partition/roofline.ts'

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

test.run()

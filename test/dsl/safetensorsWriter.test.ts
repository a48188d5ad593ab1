import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { byteSize, type DType, dtypeFacts, dtypes } from '../../compiler/graph/index.ts'
import { openTensorFile } from '../../dsl/safetensors.ts'
import { layOutTensors, type TensorSource } from '../../dsl/safetensorsWriter.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-safetensors-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

const source = (dtype: DType, shape: readonly number[], first = 1): TensorSource => {
  const bytes = Uint8Array.from({ length: byteSize({ dtype, shape }) }, (_, i) => (first + i) & 0xff)
  return { type: { dtype, shape }, read: () => bytes }
}
const tensors = new Map<string, TensorSource>([
  ...dtypes.map((dtype, i) => [dtype, source(dtype, [3, i % 3], i)] as const),
  // Names that would be lost, or move, as properties of an object.
  ['__proto__', source('u8', [5])],
  ['1', source('f32', [])],
  ['0', source('f32', [2])],
  ['grün "x" \\', source('i16', [1])],
  ['/model/layer.0/MatMul', source('f32', [0, 7])],
])

test('what is written is read: every element type, every name, at multiples of the width', () => {
  const path = join(folder, 'all.safetensors')
  const contents = layOutTensors(tensors)
  const bytes = contents.bytes()
  assert.is(bytes.length, contents.size)
  writeFileSync(path, bytes)
  const file = openTensorFile(path)
  assert.equal([...file.entries.keys()].sort(), [...tensors.keys()].sort())
  for (const [name, { type, read }] of tensors) {
    assert.equal(file.data(name, type.dtype, type.shape).read(), read(), name)
    assert.is(file.entries.get(name)!.begin % dtypeFacts[type.dtype].bytes, 0, name)
  }
})

test('the pieces are the file, and each tensor is read when its turn comes', () => {
  const reads: string[] = []
  const watched = new Map(
    [...tensors].map(([name, { type, read }]): [string, TensorSource] => {
      const watchedRead = () => {
        reads.push(name)
        return read()
      }
      return [name, { type, read: watchedRead }]
    }),
  )
  const contents = layOutTensors(watched)
  assert.equal(reads, [])
  const pieces: Uint8Array[] = []
  for (const piece of contents.chunks()) {
    pieces.push(piece)
    assert.ok(reads.length <= tensors.size)
  }
  assert.is(reads.length, tensors.size)
  assert.equal(new Uint8Array(Buffer.concat(pieces)), layOutTensors(tensors).bytes())
})

test('large tensors come in several pieces', () => {
  const shape = [3, 2 ** 25]
  const bytes = new Uint8Array(byteSize({ dtype: 'u8', shape }))
  bytes[2 ** 26] = 7
  const lengths = [...layOutTensors(new Map([['w', { type: { dtype: 'u8', shape }, read: () => bytes }]])).chunks()].map(
    ({ length }) => length,
  )
  assert.equal(lengths.slice(1), [2 ** 26, 2 ** 25])
})

test('no tensors at all', () => {
  const path = join(folder, 'none.safetensors')
  writeFileSync(path, layOutTensors(new Map()).bytes())
  assert.is(openTensorFile(path).entries.size, 0)
})

test.run()

import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ModelProblem } from '../../compiler/graph/index.ts'
import { openTensorFile } from '../../dsl/safetensors.ts'
import { createTracer } from '../../dsl/trace.ts'
import { nodeOf, withTracer } from '../../dsl/tracer.ts'
import { checkWeights, isWeights, matches, unusedWeights, weights } from '../../dsl/weights.ts'
import { draw } from '../support/draw.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-weights-'))
let count = 0

/** A file of header text and data; `length` overrides what it claims for its header. */
function write(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), length?: bigint): string {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(length ?? BigInt(text.length))
  const path = join(folder, `${count++}.safetensors`)
  writeFileSync(path, Buffer.concat([size, text, data]))
  return path
}
const tensorFile = (header: object, bytes: number) =>
  write(
    JSON.stringify(header),
    Uint8Array.from({ length: bytes }, (_, i) => i),
  )
const entry = (dtype: string, shape: unknown, begin: number, end: number) => ({ dtype, shape, data_offsets: [begin, end] })

function problemOf(body: () => unknown): ModelProblem {
  try {
    body()
  } catch (error) {
    assert.instance(error, ModelProblem, String((error as Error).stack))
    return error as ModelProblem
  }
  return assert.unreachable('no problem was found') as never
}

test('BP-12: tensors are read by name, in any order of the header, with metadata left alone', () => {
  const path = tensorFile(
    {
      __metadata__: { format: 'pt' },
      b: entry('I16', [2], 4, 8),
      a: entry('F32', [], 0, 4),
      'empty.x': entry('F32', [0, 5], 8, 8),
    },
    8,
  )
  const w = weights(pathToFileURL(path))
  assert.equal(w.names(), ['a', 'b', 'empty.x'])
  assert.equal(w.shape('b'), [2])
  assert.equal([w.has('a'), w.has('c'), w.has('__metadata__')], [true, false, false])
  const file = openTensorFile(path)
  assert.equal([...file.data('b', 'i16', [2]).read()], [4, 5, 6, 7])
  assert.equal([...file.data('a', 'f32', []).read()], [0, 1, 2, 3])
  assert.is(file.data('empty.x', 'f32', [0, 5]).read().length, 0)
  assert.is(file.data('a', 'f32', []), file.data('a', 'f32', []))
})

test('every element type of the format is sized; those that cannot be computed with fail when asked for', () => {
  const bits = {
    F64: 64,
    F32: 32,
    F16: 16,
    BF16: 16,
    I64: 64,
    U64: 64,
    I32: 32,
    U32: 32,
    I16: 16,
    U16: 16,
    I8: 8,
    U8: 8,
    BOOL: 8,
    F8_E4M3: 8,
    F8_E5M2: 8,
    F8_E8M0: 8,
    F8_E4M3FNUZ: 8,
    F8_E5M2FNUZ: 8,
    F6_E2M3: 6,
    F6_E3M2: 6,
    F4: 4,
    C64: 64,
  }
  const ours = [
    'f64',
    'f32',
    'f16',
    'bf16',
    'i64',
    'u64',
    'i32',
    'u32',
    'i16',
    'u16',
    'i8',
    'u8',
    'bool',
    'f8e4m3',
    'f8e5m2',
  ] as const
  for (const [index, [format, size]] of Object.entries(bits).entries()) {
    const bytes = (size * 4) / 8
    const file = openTensorFile(tensorFile({ x: entry(format, [4], 0, bytes) }, bytes))
    const dtype = ours[index]
    if (dtype) assert.is(file.data('x', dtype, [4]).read().length, bytes)
    else assert.match(problemOf(() => file.data('x', 'f32', [4])).message, `of type ${format}, which cannot be computed with`)
    assert.is(
      problemOf(() => openTensorFile(tensorFile({ x: entry(format, [4], 0, bytes + 1) }, bytes + 1))).code,
      'weights-malformed',
    )
  }
})

const malformed: [what: string, path: () => string, message: RegExp][] = [
  ['nothing', () => write('', undefined, 0n), /not JSON/],
  ['a header longer than the file', () => write('{}', undefined, 3n), /claims 3 bytes, the file ends after 2/],
  ['a header of 2^63 bytes', () => write('{}', undefined, 2n ** 63n), /limit is 100000000; is this a safetensors file/],
  ['text that is no JSON', () => write('{'), /not JSON in UTF-8/],
  ['text that is no UTF-8', () => write(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /not JSON in UTF-8/],
  ['a list', () => write('[]'), /not a JSON object/],
  ['an entry that is no object', () => tensorFile({ x: 1 }, 0), /'x': its entry is not an object/],
  ['an unknown dtype', () => tensorFile({ x: entry('F128', [1], 0, 16) }, 16), /its dtype "F128" is none of the format/],
  ['a dtype from the prototype', () => tensorFile({ x: entry('constructor', [1], 0, 16) }, 16), /is none of the format/],
  ['a missing dtype', () => tensorFile({ x: { shape: [], data_offsets: [0, 4] } }, 4), /dtype is missing/],
  ['a negative size', () => tensorFile({ x: entry('F32', [-1], 0, 4) }, 4), /shape is not a list of whole numbers/],
  ['a broken size', () => tensorFile({ x: entry('F32', [0.5], 0, 2) }, 2), /shape is not a list/],
  ['a size as text', () => tensorFile({ x: entry('F32', ['1'], 0, 4) }, 4), /shape is not a list/],
  ['offsets the wrong way round', () => tensorFile({ x: entry('F32', [1], 4, 0) }, 4), /bytes 4 to 0 lie outside/],
  ['offsets beyond the end', () => tensorFile({ x: entry('F32', [2], 0, 8) }, 4), /lie outside the 4 bytes/],
  ['three offsets', () => tensorFile({ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 4] } }, 4), /not two whole numbers/],
  [
    'a shape of another size',
    () => tensorFile({ x: entry('F32', [3], 0, 4) }, 4),
    /F32 of shape \[3\] does not take the 4 bytes/,
  ],
  ['a shape beyond all numbers', () => tensorFile({ x: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4), /does not take the 4 bytes/],
  ['half a byte', () => tensorFile({ x: entry('F4', [3], 0, 2) }, 2), /does not take the 2 bytes/],
  [
    'tensors that overlap',
    () => tensorFile({ x: entry('F32', [2], 0, 8), y: entry('F32', [1], 4, 8) }, 8),
    /'x' and 'y' overlap/,
  ],
  [
    'a gap',
    () => tensorFile({ x: entry('F32', [1], 0, 4), y: entry('F32', [1], 8, 12) }, 12),
    /bytes 4 to 8 of the data belong to no tensor/,
  ],
  ['a tail', () => tensorFile({ x: entry('F32', [1], 0, 4) }, 7), /last 3 bytes belong to no tensor/],
]
for (const [what, path, message] of malformed) {
  test(`malformed: ${what}`, () => {
    const problem = problemOf(() => openTensorFile(path()))
    assert.is(problem.code, 'weights-malformed')
    assert.match(problem.message, message)
    assert.not.match(problem.message, folder, 'no absolute path')
  })
}

test('unreadable: no file, a folder, seven bytes, another protocol', () => {
  assert.match(
    problemOf(() => openTensorFile(join(folder, 'none.safetensors'))).message,
    'none.safetensors cannot be read: there is no such file',
  )
  mkdirSync(join(folder, 'folder'))
  assert.match(problemOf(() => openTensorFile(join(folder, 'folder'))).message, 'it is not a file')
  const short = join(folder, 'short')
  writeFileSync(short, new Uint8Array(7))
  assert.is(problemOf(() => openTensorFile(short)).code, 'weights-malformed')
  assert.is(problemOf(() => weights(new URL('https://example.com/x.safetensors'))).code, 'weights-unreadable')
  assert.is(problemOf(() => weights('data:,x')).code, 'weights-unreadable')
  assert.match(problemOf(() => weights('some/w.safetensors')).message, /new URL\("\.\/some\/w\.safetensors", import\.meta\.url\)/)
  assert.is(problemOf(() => weights(7 as never)).code, 'bad-operand')
})

test('nothing is read before the first question', () => {
  const w = weights(pathToFileURL(join(folder, 'later.safetensors')))
  assert.is(problemOf(() => w.get('x', 'f32', [1])).code, 'weights-unreadable')
  renameSync(tensorFile({ x: entry('F32', [1], 0, 4) }, 4), join(folder, 'later.safetensors'))
  assert.equal(w.get('x', 'f32', [1]).shape, [1])
})

test('a name, type or shape that is not in the file is named with what is', () => {
  const path = tensorFile(
    { 'conv1.weight': entry('F32', [2, 1], 0, 8), 'conv1.bias': entry('F32', [2], 8, 16), other: entry('F4', [2], 16, 17) },
    17,
  )
  const w = weights(pathToFileURL(path))
  const missing = problemOf(() => w.get('conv1.wieght', 'f32', [2, 1]))
  assert.is(missing.code, 'weight-missing')
  assert.match(missing.message, /has no tensor "conv1\.wieght"; close names are 'conv1\.weight'/)
  const mismatch = problemOf(() => w.get('conv1.weight', 'f32', [1, 2]))
  assert.is(mismatch.code, 'weight-mismatch')
  assert.match(mismatch.message, /is f32\[2, 1\], the model asks for f32\[1, 2\]/)
  assert.is(problemOf(() => w.get('conv1.weight', 'f16', [2, 1])).code, 'weight-mismatch')
  assert.is(problemOf(() => w.get('other', 'u8', [1])).code, 'weight-mismatch')
  assert.is(problemOf(() => w.get('__proto__', 'f32', [1])).code, 'weight-missing')
  assert.is(problemOf(() => w.get(7 as never, 'f32', [1])).code, 'bad-attribute')
})

test('what nobody asked for is listed, but for ignored names', () => {
  const path = tensorFile(
    {
      a: entry('U8', [1], 0, 1),
      'b.running': entry('U8', [1], 1, 2),
      'c.running': entry('U8', [1], 2, 3),
      d: entry('U8', [1], 3, 4),
    },
    4,
  )
  const w = weights(pathToFileURL(path), { ignore: ['*.running'] })
  w.get('a', 'u8', [1])
  assert.equal(unusedWeights(w).names, ['d'])
  assert.equal([isWeights(w), isWeights({ ...w })], [true, false])
  assert.is(problemOf(() => weights(path, { ignore: [/x/] as never })).code, 'bad-attribute')
})

test('two handles of one file give one node for a tensor; a changed file is read anew', () => {
  const path = tensorFile({ a: entry('U8', [2], 0, 2) }, 2)
  const nodes = () => {
    const tracer = createTracer()
    return withTracer(tracer, () =>
      [weights(path), weights(pathToFileURL(path))].map((w) => nodeOf(w.get('a', 'u8', [2]), 'test', 'x')),
    )
  }
  const [first, second] = nodes()
  assert.is(first, second)
  const handle = weights(path)
  checkWeights(handle)
  const before = statSync(path)
  renameSync(tensorFile({ a: entry('U8', [3], 0, 3) }, 3), path)
  assert.is.not(statSync(path).ino, before.ino)
  assert.equal(handle.shape('a'), [3])
  assert.is(problemOf(() => first!.data!.read()).code, 'weights-unreadable')
})

test('globs', () => {
  for (const [glob, text, expected] of [
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['*.b.*', 'a.b.c', true],
    ['?', 'ab', false],
    ['a.b', 'axb', false],
    ['**x', 'aax', true],
  ] as const) {
    assert.is(matches(glob, text), expected, `${glob} ${text}`)
  }
  const started = performance.now()
  assert.is(matches(`${'*a'.repeat(2000)}b`, 'a'.repeat(20_000)), false)
  assert.ok(performance.now() - started < 2000, 'bounded by the product of the lengths')
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', '*', '?') }),
      fc.string({ unit: fc.constantFrom('a', 'b') }),
      (glob, text) => {
        const pattern = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`)
        assert.is(matches(glob, text), pattern.test(text))
      },
    ),
    draw(1, 2000),
  )
})

test('a damaged file is a problem or reads within its bytes, never a crash', () => {
  const good = JSON.stringify({ a: entry('F32', [2, 2], 0, 16), b: entry('I64', [1], 16, 24), c: entry('F4', [4], 24, 26) })
  const mutation = fc.record({ at: fc.nat(good.length + 8 - 1), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.nat(40), (mutations, cut) => {
      const path = write(good, new Uint8Array(26))
      const bytes = Buffer.alloc(8 + good.length + 26)
      bytes.writeBigUInt64LE(BigInt(good.length))
      bytes.write(good, 8, 'latin1')
      for (const { at, byte } of mutations) bytes[at] = byte
      writeFileSync(path, cut < 26 ? bytes.subarray(0, bytes.length - cut) : bytes)
      try {
        const file = openTensorFile(path)
        for (const [name, { dtype, shape }] of file.entries) {
          if (dtype) assert.ok(file.data(name, dtype, shape).read().length <= 26)
        }
      } catch (error) {
        assert.instance(error, ModelProblem, String((error as Error).stack))
      } finally {
        rmSync(path)
      }
    }),
    draw(2, 600),
  )
})

test.after(() => rmSync(folder, { recursive: true, force: true }))
test.run()

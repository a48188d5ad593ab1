import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  digestOfKernel,
  type Lock,
  lockFileOf,
  mergeLock,
  parseLock,
  printLock,
  readLock,
  writeLock,
} from '../../plugin/tune/lock.ts'
import { readTuned } from '../../plugin/tune/tuned.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-lock-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

const ways = fc.record({ way: fc.string({ minLength: 1, maxLength: 20 }), nanoseconds: fc.nat(1e9) }, { noNullPrototype: true })
const kernels = fc.dictionary(
  fc.string().map(digestOfKernel),
  fc.tuple(ways, ways, fc.string({ maxLength: 40 })).map(([best, estimated, kernel]) => ({ ...best, kernel, estimated })),
  { maxKeys: 5, noNullPrototype: true },
)
const sections = fc.constantFrom('x86-64-v4', 'x86-64-v3', 'simd128', 'x86-64-v4 exact')
const locks: fc.Arbitrary<Lock> = fc.record(
  {
    format: fc.constant(1 as const),
    sections: fc.dictionary(
      sections,
      fc.record({ measuredOn: fc.string({ maxLength: 20 }), kernels }, { noNullPrototype: true }),
      { maxKeys: 4, noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
)

const reversed = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).reverse())

test('parse(print(lock)) = lock, and the order in which things were measured leaves no trace', () => {
  fc.assert(
    fc.property(locks, (lock) => {
      assert.equal(parseLock(printLock(lock), 'x'), lock)
      const other = Object.entries(lock.sections).map(([name, section]) => [
        name,
        { ...section, kernels: reversed(section.kernels) },
      ])
      assert.is(printLock({ format: 1, sections: reversed(Object.fromEntries(other)) }), printLock(lock))
    }),
    { seed: 61, numRuns: 60 },
  )
})

test('what was measured now takes the place of what was measured before; other sections stay, as do kernels that the models still have', () => {
  fc.assert(
    fc.property(locks, sections, kernels, fc.func(fc.boolean()), (earlier, name, measured, exists) => {
      const { lock, dropped } = mergeLock(earlier, name, { measuredOn: 'here', kernels: measured }, exists)
      for (const [other, section] of Object.entries(earlier.sections))
        if (other !== name) assert.equal(lock.sections[other], section)
      const before = earlier.sections[name]?.kernels ?? {}
      for (const [digest, kernel] of Object.entries(measured)) assert.equal(lock.sections[name]!.kernels[digest], kernel)
      const gone = Object.keys(before).filter((digest) => !Object.hasOwn(measured, digest) && !exists(digest))
      assert.equal(
        dropped,
        gone.map((digest) => before[digest]),
      )
      const expected = new Set([...Object.keys(before).filter((digest) => !gone.includes(digest)), ...Object.keys(measured)])
      assert.equal(Object.keys(lock.sections[name]!.kernels).sort(), [...expected].sort())
    }),
    { seed: 62, numRuns: 60 },
  )
})

test('the file has the name of the model', () => {
  const names = ['a/face.model.ts', 'face.model.mjs', 'face.model.tsx', './x.y.model.ts']
  assert.equal(names.map(lockFileOf), ['a/face.tuned.json', 'face.tuned.json', 'face.tuned.json', './x.y.tuned.json'])
})

const good: Lock = {
  format: 1,
  sections: {
    'x86-64-v4': {
      measuredOn: 'a processor',
      kernels: { [digestOfKernel('k')]: { way: 'w', nanoseconds: 5, kernel: 'conv', estimated: { way: 'v', nanoseconds: 7 } } },
    },
  },
}

test('a file is written whole, without a trace of another', async () => {
  const file = join(folder, 'whole.tuned.json')
  assert.is(await readLock(file, 'x'), undefined)
  assert.ok(await writeLock(file, good))
  assert.not(await writeLock(file, good))
  assert.equal(await readLock(file, 'x'), good)
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith('whole')),
    ['whole.tuned.json'],
  )
})

const change = (edit: (lock: any) => void): string => {
  const copy = JSON.parse(JSON.stringify(good))
  edit(copy)
  return JSON.stringify(copy)
}
const kernelOf = (lock: any) => Object.values(lock.sections['x86-64-v4'].kernels)[0] as any
const damaged: Readonly<Record<string, readonly [text: string, says: RegExp]>> = {
  'no JSON': ['{', /damaged is no JSON/],
  empty: ['', /damaged is no JSON/],
  'a list': ['[]', /damaged is no file of 'glowplug tune': it: /],
  null: ['null', /it: /],
  'another format': [
    change((lock) => {
      lock.format = 2
    }),
    /damaged has format \d+, this version reads 1/,
  ],
  'no sections': [
    change((lock) => {
      delete lock.sections
    }),
    /it\.sections: /,
  ],
  'a key that is no digest': [
    change((lock) => {
      lock.sections['x86-64-v4'].kernels.x = kernelOf(lock)
    }),
    /kernels\.x: /,
  ],
  'a negative time': [
    change((lock) => {
      kernelOf(lock).nanoseconds = -1
    }),
    /nanoseconds: /,
  ],
  'a time that is none': [
    change((lock) => {
      kernelOf(lock).nanoseconds = 'soon'
    }),
    /nanoseconds: /,
  ],
  'a nameless way': [
    change((lock) => {
      kernelOf(lock).way = ''
    }),
    /way: /,
  ],
  'an endless name': [
    change((lock) => {
      kernelOf(lock).way = 'w'.repeat(1000)
    }),
    /way: /,
  ],
  'something more': [
    change((lock) => {
      kernelOf(lock).extra = 1
    }),
    /extra/,
  ],
}

for (const [what, [text, says]] of Object.entries(damaged))
  test(`a damaged file is a diagnostic with a remedy: ${what}`, async () => {
    assert.throws(() => parseLock(text, 'damaged'), says)
    writeFileSync(join(folder, 'damaged.tuned.json'), text)
    const error = await readTuned(join(folder, 'damaged.model.ts'), 'damaged.model.ts').then(
      () => undefined,
      (error) => error,
    )
    assert.is(error?.name, 'DiagnosticError')
    const [diagnostic] = error.diagnostics
    assert.equal([diagnostic.code, diagnostic.severity], ['tuning-unreadable', 'error'])
    assert.match(diagnostic.message, /damaged\.tuned\.json/)
    assert.match(diagnostic.help, /glowplug tune.*--no-tuned/)
  })

test('no text at all makes the reader fail in another way', () => {
  const text = printLock(good)
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .tuple(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 8 }))
      .map(([at, count, put]) => text.slice(0, at) + put + text.slice(at + count)),
  )
  fc.assert(
    fc.property(texts, (given) => {
      try {
        assert.is(parseLock(given, 'x').format, 1)
      } catch (error) {
        assert.is((error as Error).name, 'LockProblem')
      }
    }),
    { seed: 63, numRuns: 300 },
  )
})

test('a file beyond all measure is not read', async () => {
  const file = join(folder, 'huge.tuned.json')
  writeFileSync(file, '')
  truncateSync(file, 2 ** 33)
  const error = await readLock(file, 'huge.tuned.json').catch((error) => error)
  assert.match(error.message, /huge\.tuned\.json has 8589934592 bytes/)
})

test('measurements that nothing asks for, and ways that there are no more, are one warning', async () => {
  const file = join(folder, 'stale.model.ts')
  const more = {
    ...good.sections['x86-64-v4']!.kernels,
    [digestOfKernel('gone')]: { way: 'w', nanoseconds: 5, kernel: 'matmul', estimated: { way: 'w', nanoseconds: 7 } },
  }
  writeFileSync(lockFileOf(file), printLock({ format: 1, sections: { 'x86-64-v4': { measuredOn: '', kernels: more } } }))
  const unused = (await readTuned(file, 'stale.model.ts'))!
  assert.equal(unused.stale(true), [], 'no section was asked for')
  assert.is(unused.chosen('simd128'), undefined)
  const tuned = (await readTuned(file, 'stale.model.ts'))!
  const chosen = tuned.chosen('x86-64-v4')!
  assert.equal([chosen.get('k'), chosen.get('other')], ['w', undefined])
  assert.equal(tuned.stale(false), [])
  assert.equal(
    tuned.stale(true).map(({ code, severity, message, notes }) => [code, severity, message, notes]),
    [
      [
        'tuning-stale',
        'warning',
        '1 measurement in stale.tuned.json no longer fits the model',
        [{ message: 'x86-64-v4: no kernel is matmul any more' }],
      ],
    ],
  )
  chosen.unknown!('k', 'w')
  assert.equal(tuned.stale(true)[0]!.notes, [
    { message: "x86-64-v4: there is no way 'w' any more to make conv" },
    { message: 'x86-64-v4: no kernel is matmul any more' },
  ])
  assert.ok(readFileSync(lockFileOf(file)))
})

test.run()

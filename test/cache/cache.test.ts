import { fork } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type Cache,
  type Dependencies,
  defaultFolder,
  dependenciesOf,
  folderCache,
  isCurrent,
  type Kept,
  memoryCache,
} from '../../plugin/cache/index.ts'

const root = mkdtempSync(join(tmpdir(), 'glowplug-cache-'))
const always = async () => true
const nothing: Dependencies = { files: [], resolutions: [] }
const noImports = async () => undefined
let folders = 0
const freshFolder = () => join(root, `cache-${folders++}`)
const entry = (value: unknown, blobs: Record<string, Uint8Array> = {}, dependencies = nothing): Kept => ({
  dependencies,
  value,
  blobs,
})
const filesUnder = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

for (const [kind, make] of [
  ['folder', () => folderCache(freshFolder())],
  ['memory', () => memoryCache()],
] as const) {
  test(`BP-07 ${kind} cache: what was kept comes back, and only when current`, async () => {
    const cache: Cache = make()
    assert.is(await cache.find('a', always), undefined)
    await cache.keep('a', entry({ code: 'x' }, { 'w.bin': new Uint8Array([1, 2, 3]), empty: new Uint8Array() }))
    const found = await cache.find('a', always)
    assert.equal(found?.value, { code: 'x' })
    assert.equal([...found!.blobs['w.bin']!], [1, 2, 3])
    assert.is(found!.blobs.empty!.length, 0)
    assert.is(await cache.find('b', always), undefined)
    assert.is(await cache.find('a', async () => false), undefined)
  })
}

test('a file for a bundler to read has the right contents, whatever lay there; one for each owner; none without a folder', async () => {
  const folder = freshFolder()
  const cache = folderCache(folder)
  const bytes = new Uint8Array([1, 2, 3])
  const path = await cache.place('a.model.ts', 'x.weights', bytes)
  assert.match(path!, /x\.weights$/)
  for (const damage of [[1, 2], [1, 2, 4], [], [1, 2, 3]]) {
    writeFileSync(path!, new Uint8Array(damage))
    assert.is(await cache.place('a.model.ts', 'x.weights', bytes), path)
    assert.equal([...readFileSync(path!)], [1, 2, 3])
  }
  assert.is.not(await cache.place('b.model.ts', 'x.weights', bytes), path)
  rmSync(folder, { recursive: true })
  writeFileSync(folder, 'no folder')
  assert.is(await cache.place('a.model.ts', 'x.weights', bytes), undefined)
  assert.is(await memoryCache().place('a.model.ts', 'x.weights', bytes), undefined)
})

test('a full cache lets go of files for bundlers, but not of those that a build may be about to read', async () => {
  const cache = folderCache(freshFolder(), 1)
  const [old, young] = await Promise.all(['old', 'young'].map((name) => cache.place(name, 'x.weights', new Uint8Array(9))))
  const yesterday = new Date(Date.now() - 86_400_000)
  utimesSync(old!, yesterday, yesterday)
  await cache.keep('a', entry('answer'))
  assert.not(existsSync(old!))
  assert.ok(existsSync(young!))
})

test('BP-07 every damaged byte and every length of an entry means "not found"', async () => {
  const folder = freshFolder()
  const cache = folderCache(folder)
  await cache.keep('a', entry('answer', { 'w.bin': new Uint8Array(40).fill(7) }))
  const [path] = filesUnder(join(folder, 'entries'))
  const good = readFileSync(path!)
  for (let i = 0; i < good.length; i++) {
    const bad = Buffer.from(good)
    bad[i]! ^= 1 << (i % 8)
    writeFileSync(path!, bad)
    assert.is(await cache.find('a', always), undefined, `byte ${i} of ${good.length}`)
  }
  for (let length = 0; length < good.length; length += 3) {
    writeFileSync(path!, good.subarray(0, length))
    assert.is(await cache.find('a', always), undefined, `cut to ${length}`)
  }
  writeFileSync(path!, Buffer.concat([good, Buffer.from([0])]))
  assert.is(await cache.find('a', always), undefined, 'one byte too many')
  await cache.keep('a', entry('answer'))
  assert.is((await cache.find('a', always))?.value, 'answer', 'the next build replaces it')
})

test('BP-07 any JSON value and any blobs survive', async () => {
  const cache = folderCache(freshFolder())
  await fc.assert(
    fc.asyncProperty(
      fc.json(),
      fc.dictionary(fc.string({ minLength: 1 }), fc.uint8Array(), { maxKeys: 4, noNullPrototype: true }),
      async (json, blobs) => {
        const names = Object.keys(blobs).filter((name) => name !== '__proto__')
        await cache.keep('a', entry(json, Object.fromEntries(names.map((name) => [name, blobs[name]!]))))
        const found = await cache.find('a', always)
        assert.is(found?.value, json)
        assert.equal(Object.keys(found!.blobs).sort(), [...names].sort())
        for (const name of names) assert.equal([...found!.blobs[name]!], [...blobs[name]!])
      },
    ),
    { seed: 7, numRuns: 50 },
  )
})

test('an unwritable folder keeps nothing and breaks nothing', async () => {
  const file = join(root, 'a-file')
  writeFileSync(file, '')
  const cache = folderCache(join(file, 'cache'))
  await cache.keep('a', entry(1))
  assert.is(await cache.find('a', always), undefined)
})

test('BP-07 four processes keep and find one subject at a time: every answer is whole', async () => {
  const folder = freshFolder()
  const child = join(root, 'writer.mjs')
  const { build } = await import('esbuild')
  const source = join(process.env.GLOWPLUG_ROOT!, 'plugin/cache/index.ts')
  await build({
    entryPoints: [source],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: join(root, 'cache.mjs'),
    logLevel: 'silent',
  })
  writeFileSync(
    child,
    `import { folderCache } from './cache.mjs'
     const cache = folderCache(${JSON.stringify(folder)}, 400_000)
     const me = Number(process.argv[2])
     for (let i = 0; i < 30; i++) {
       const blobs = { w: new Uint8Array(50_000).fill(me) }
       await cache.keep('a', { dependencies: { files: [{ path: 'f' + me % 2, digest: '', large: false }], resolutions: [] }, value: me, blobs })
       const found = await cache.find('a', async () => true)
       if (found && !found.blobs.w.every((byte) => byte === found.value)) throw new Error('torn entry')
       if (!found && i === 29) throw new Error('nothing found')
     }`,
  )
  const statuses = await Promise.all([1, 2, 3, 4].map((me) => new Promise((done) => fork(child, [String(me)]).on('exit', done))))
  assert.equal(statuses, [0, 0, 0, 0])
  assert.equal(readdirSync(join(folder, 'incomplete')), [], 'no unfinished file is left')
  assert.is(filesUnder(join(folder, 'entries')).length, 2, 'one file per state')
})

test('BP-07 the oldest entries go when the folder is over its size, the used ones stay', async () => {
  const folder = freshFolder()
  const cache = folderCache(folder, 3500)
  const blob = { w: new Uint8Array(900) }
  for (const subject of ['one', 'two', 'three']) {
    await cache.keep(subject, entry(subject, blob))
    const [path] = filesUnder(join(folder, 'entries', subject))
    const age = { one: 300, two: 200, three: 100 }[subject]!
    utimesSync(path!, new Date(Date.now() - age * 1000), new Date(Date.now() - age * 1000))
  }
  assert.ok(await cache.find('one', always), 'used: now the youngest')
  await cache.keep('four', entry('four', blob))
  assert.is(await cache.find('two', always), undefined, 'the one unused for longest')
  for (const subject of ['one', 'three', 'four']) assert.is((await cache.find(subject, always))?.value, subject)
})

test('states of one subject are kept beside each other, the oldest beyond sixteen go', async () => {
  const folder = freshFolder()
  const cache = folderCache(folder)
  for (let i = 0; i < 20; i++)
    await cache.keep('a', entry(i, {}, { files: [{ path: 'f', digest: String(i), large: false }], resolutions: [] }))
  assert.is(filesUnder(join(folder, 'entries')).length, 16)
  assert.is((await cache.find('a', async ({ files }) => files[0]!.digest === '12'))?.value, 12)
})

test('BP-06 a change of any file or any import makes an answer stale; the same content again does not', async () => {
  const project = mkdtempSync(join(root, 'project-'))
  const cache = folderCache(freshFolder())
  const [model, weights, missing] = ['a.model.ts', 'a.safetensors', 'gone.ts'].map((name) => join(project, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(model, 'one')
  writeFileSync(weights, 'weights')
  await wait(30)
  const resolve = async (specifier: string) => (specifier === './b' ? join(project, 'b.ts') : undefined)
  const resolutions = [
    { specifier: './b', importer: model, result: join(project, 'b.ts') },
    { specifier: './c', importer: model, result: null },
  ]
  const state = await dependenciesOf(project, { files: [model, missing], large: [weights], resolutions }, Date.now(), cache)
  assert.equal(
    state!.files.map(({ path }) => path),
    ['a.model.ts', 'a.safetensors', 'gone.ts'],
  )
  assert.is(state!.files[2]!.digest, 'absent')
  const current = (imports = resolve) => isCurrent(project, state!, imports, cache)
  assert.ok(await current())
  writeFileSync(model, 'two')
  assert.not(await current())
  writeFileSync(model, 'one')
  assert.ok(await current(), 'content counts, not time')
  writeFileSync(weights, 'WEIGHTS')
  assert.not(await current(), 'weights of the same size')
  writeFileSync(weights, 'weights')
  assert.ok(await current())
  writeFileSync(missing, '')
  assert.not(await current(), 'a file that was not there')
  rmSync(missing)
  assert.not(await current(async (specifier) => (specifier === './b' ? join(project, 'b/index.ts') : undefined)))
  assert.not(await current(async () => join(project, 'b.ts')), 'an import that did not resolve')
  assert.ok(await current())
  const moved = `${project}-moved`
  renameSync(project, moved)
  const movedResolve = async (specifier: string) => (specifier === './b' ? join(moved, 'b.ts') : undefined)
  assert.ok(await isCurrent(moved, state!, movedResolve, cache), 'the project may move')
})

test('weights are not read again until size, times or inode change, and then they are', async () => {
  const project = mkdtempSync(join(root, 'project-'))
  const cache = folderCache(freshFolder())
  const weights = join(project, 'w.bin')
  writeFileSync(weights, 'weights')
  await wait(120)
  let remembered = 0
  const counting: Cache = {
    ...cache,
    remember(path, digest) {
      remembered++
      return cache.remember(path, digest)
    },
  }
  const state = await dependenciesOf(project, { files: [], large: [weights], resolutions: [] }, Date.now(), counting)
  assert.is(remembered, 1)
  assert.ok(await isCurrent(project, state!, noImports, counting))
  assert.is(remembered, 1, 'recalled')
  const { atime, mtime } = statSync(weights)
  writeFileSync(weights, 'WEIGHTS')
  utimesSync(weights, atime, mtime)
  await wait(120)
  assert.not(await isCurrent(project, state!, noImports, counting), 'same size and modification time, other bytes')
  assert.is(remembered, 2)
  truncateSync(weights, 3)
  assert.not(await isCurrent(project, state!, noImports, counting))
})

test('a file that changed while it was read is not trusted', async () => {
  const project = mkdtempSync(join(root, 'project-'))
  const since = Date.now()
  await wait(30)
  writeFileSync(join(project, 'a.ts'), 'edited during the build')
  assert.is(
    await dependenciesOf(project, { files: [join(project, 'a.ts')], large: [], resolutions: [] }, since, memoryCache()),
    undefined,
  )
})

test('the default folder stands beside the nearest package.json', () => {
  const project = mkdtempSync(join(root, 'project-'))
  writeFileSync(join(project, 'package.json'), '{}')
  mkdirSync(join(project, 'src', 'deep'), { recursive: true })
  assert.is(defaultFolder(join(project, 'src', 'deep')), join(project, 'node_modules', '.cache', 'glowplug'))
})

test.after(() => rmSync(root, { recursive: true, force: true }))
test.run()

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkManifest } from '../../targets/runtime/check.ts'
import { open } from '../../targets/runtime/index.ts'
import { manifestFormat } from '../../targets/runtime/manifest.ts'
import { draw } from '../support/draw.ts'
import { failure, sampleBundle, sum } from './sample.ts'

const root = mkdtempSync(join(tmpdir(), 'glowplug-damage-'))
test.after(() => rmSync(root, { recursive: true, force: true }))
const whole = join(root, 'whole')
const bundle = sampleBundle()
mkdirSync(whole)
for (const [name, bytes] of bundle.files) writeFileSync(join(whole, name), bytes)
const names = readdirSync(whole)
const fileOf = (extension: string) => names.find((name) => name.endsWith(extension))!
const expected = new Float32Array([11, 22, 33, 44])

let copies = 0
/** A copy of the bundle's folder, after `change`. */
function copy(change: (folder: string) => void): string {
  const folder = join(root, `copy${copies++}`)
  cpSync(whole, folder, { recursive: true })
  change(folder)
  return folder
}

test('a folder, a manifest, their addresses and a bundle in memory open alike; opening reads nothing', async () => {
  const manifest = join(whole, fileOf('.manifest.json'))
  const inline = { manifest: bundle.manifest, base: pathToFileURL(`${whole}/`) }
  const files = Object.fromEntries(names.map((name) => [name, pathToFileURL(join(whole, name))]))
  for (const source of [
    whole,
    `${whole}/`,
    manifest,
    pathToFileURL(whole),
    String(pathToFileURL(manifest)),
    bundle,
    inline,
    { manifest: bundle.manifest, files },
  ]) {
    const model = open(source)
    assert.equal(model.runSync(sum).y!.data, expected)
    assert.equal((await model.run(sum)).y!.data, expected)
    await model.close()
  }
  open(join(root, 'nowhere'))
  open({ manifest: 'nonsense' })
})

test('what is missing is named with a code', async () => {
  assert.match(await failure(() => open(join(root, 'nowhere')).run(sum)), /^bundle-missing-file: .*nowhere is missing/)
  assert.match(await failure(() => open(join(root, 'nowhere')).info), /^bundle-missing-file/)
  const empty = copy((folder) => rmSync(join(folder, fileOf('.manifest.json'))))
  assert.match(await failure(() => open(empty).run(sum)), /^bundle-missing-file: .* holds 0 manifests/)
  const two = copy((folder) => writeFileSync(join(folder, 'other.manifest.json'), '{}'))
  assert.match(
    await failure(() => open(two).run(sum)),
    /^bundle-missing-file: .* holds 2 manifests, not one: other\.manifest\.json,sample-/,
  )
  for (const extension of ['.wasm', '.weights']) {
    const folder = copy((path) => rmSync(join(path, fileOf(extension))))
    const model = open(folder)
    assert.match(await failure(() => model.run(sum)), new RegExp(`^bundle-missing-file: .*\\${extension} is missing`))
    assert.match(await failure(() => model.runSync(sum)), /^bundle-missing-file/)
    assert.match(await failure(() => model.ready()), /^bundle-missing-file/)
    // It is read again at the next use, not remembered as missing.
    cpSync(join(whole, fileOf(extension)), join(folder, fileOf(extension)))
    assert.equal((await model.run(sum)).y!.data, expected)
    await model.close()
  }
  assert.match(
    await failure(() => open({ manifest: bundle.manifest, files: {} }).run(sum)),
    /^bundle-missing-file: no address for /,
  )
  assert.match(
    await failure(() => open('https://example.org/face.manifest.json').run(sum)),
    /^bundle-unreadable: .* bundles are files/,
  )
})

test('another format is refused with the version that made it (AO-11)', async () => {
  const manifest = { ...bundle.manifest, format: manifestFormat + 1, glowplug: '9.1.0' }
  const expected = `bundle-format: the bundle has format ${manifestFormat + 1} of glowplug 9.1.0, this loader reads ${manifestFormat}; build it again`
  assert.is(await failure(() => open({ manifest }).run(sum)), expected)
})

test('truncated and grown files are named with both sizes (AO-11)', async () => {
  for (const extension of ['.wasm', '.weights']) {
    const name = fileOf(extension)
    const bytes = readFileSync(join(whole, name))
    for (const changed of [bytes.subarray(0, bytes.length - 1), Buffer.alloc(0), Buffer.concat([bytes, Buffer.from('x')])]) {
      const folder = copy((path) => writeFileSync(join(path, name), changed))
      const message = new RegExp(`^bundle-truncated: .*${name} has ${changed.length} bytes, not ${bytes.length}; copy it again$`)
      const model = open(folder)
      assert.match(await failure(() => model.run(sum)), message)
      assert.match(await failure(() => model.runSync(sum)), message)
      await model.close()
    }
  }
})

test('a flipped bit anywhere is an error with a code, or an answer where nothing reads it (AO-11)', async () => {
  const flips = fc.record({
    name: fc.constantFrom(...names.filter((name) => !name.endsWith('.js'))),
    at: fc.nat(),
    bit: fc.nat(7),
  })
  await fc.assert(
    fc.asyncProperty(flips, async ({ name, at, bit }) => {
      const bytes = readFileSync(join(whole, name))
      const index = at % bytes.length
      bytes[index]! ^= 1 << bit
      const folder = copy((path) => writeFileSync(join(path, name), bytes))
      const model = open(folder, { verify: 'full' })
      // The first page of the weights belongs to no section.
      const unread = name.endsWith('.weights') && index < 4096
      if (unread) assert.equal(model.runSync(sum).y!.data, expected)
      else assert.match(await failure(() => model.runSync(sum)), /^bundle-digest: /)
      await model.close()
      rmSync(folder, { recursive: true })
    }),
    draw(7, 150),
  )
})

test('damaged weights: workers check them, runSync with verify full alone, verify code nowhere', async () => {
  const folder = copy((path) => {
    const bytes = readFileSync(join(path, fileOf('.weights')))
    bytes[4097]! ^= 1
    writeFileSync(join(path, fileOf('.weights')), bytes)
  })
  const code = async (body: () => unknown) => (await failure(body)).split(':')[0]
  const usual = open(folder)
  assert.is(await code(() => usual.ready()), 'bundle-digest')
  assert.is(await code(() => usual.run(sum)), 'bundle-digest')
  assert.ok(usual.runSync(sum))
  const full = open(folder, { verify: 'full' })
  assert.is(await code(() => full.runSync(sum)), 'bundle-digest')
  assert.is(await code(() => full.bind()), 'bundle-digest')
  const none = open(folder, { verify: 'code' })
  assert.ok(await none.run(sum))
  await Promise.all([usual, full, none].map((model) => model.close()))
})

test('any change of a manifest is refused by field or leaves all addresses inside their files', () => {
  const paths: (string | number)[][] = []
  const walk = (value: unknown, path: (string | number)[]) => {
    if (path.length > 0) paths.push(path)
    if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, Array.isArray(value) ? Number(key) : key])
  }
  walk(bundle.manifest, [])
  const odd = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.constantFrom(null, undefined, true, [], {}, -1, 2 ** 40, '../../etc/passwd', 'a/b', '__proto__', [[]], [{}]),
    fc.anything(),
  )
  fc.assert(
    fc.property(fc.constantFrom(...paths), odd, (path, value) => {
      const changed = structuredClone(bundle.manifest) as any
      const parent = path.slice(0, -1).reduce((object, key) => object[key], changed)
      parent[path.at(-1)!] = value
      let manifest: ReturnType<typeof checkManifest>
      try {
        manifest = checkManifest(changed)
      } catch (error: any) {
        assert.is(error.name, 'GlowplugError', String(error.stack))
        assert.ok(['bundle-format', 'bundle-malformed'].includes(error.code))
        assert.ok(error.message.length < 1000)
        return
      }
      for (const file of [manifest.weights, ...manifest.codes]) assert.not.match(file.file, /[/\\]|^\./)
      for (const code of manifest.codes) {
        assert.ok(code.weights.offset >= 0 && code.weights.offset + code.weights.bytes <= manifest.weights.bytes)
        for (const [e, { inputs, outputs, regions }] of code.entries.entries()) {
          const tensors = [...manifest.entries[e]!.inputs, ...manifest.entries[e]!.outputs]
          for (const [i, offset] of [...inputs, ...outputs].entries()) {
            const bytes = tensors[i]!.shape.reduce((product, size) => product * size, 4)
            assert.ok(offset >= 0 && offset % 4 === 0 && (offset + bytes <= regions.mutable || tensors[i]!.dtype !== 'f32'))
          }
        }
      }
    }),
    draw(11, 3000),
  )
})

test('the error of a damaged manifest names the field', async () => {
  const changed = structuredClone(bundle.manifest) as any
  changed.codes[0].entries[0].outputs = [184]
  assert.is(await failure(() => open({ manifest: changed }).info), 'bundle-malformed: the bundle is damaged at manifest.codes.0')
  changed.weights.file = '../weights'
  assert.is(
    await failure(() => open({ manifest: changed }).info),
    'bundle-malformed: the bundle is damaged at manifest.weights.file',
  )
  const text = copy((path) => writeFileSync(join(path, fileOf('.manifest.json')), '{"format": 1'))
  assert.match(await failure(() => open(text).info), /^bundle-digest/)
  const renamed = copy((path) => {
    rmSync(join(path, fileOf('.manifest.json')))
    writeFileSync(join(path, 'plain.manifest.json'), '{"format": 1')
  })
  assert.match(await failure(() => open(renamed).info), /^bundle-malformed: .*plain\.manifest\.json is damaged: /)
})

test.run()

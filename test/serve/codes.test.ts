// RT-20: every code that serving can give is provoked. The table below is typed over the union of codes: a new one without a test does not compile.
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, dim, model, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import type { Bundle } from '../../targets/runtime/index.ts'
import { type ErrorCode, GlowplugError, type ServeOptions, serve } from '../../targets/runtime/serve/index.ts'
import { openServed } from '../../targets/runtime/serve/module.ts'
import { type InputUse, type Placement, placementFormat } from '../../targets/runtime/serve/placement.ts'
import type { ServeSource } from '../../targets/runtime/serve/readPlacement.ts'
import { codeOf, compileFor, digestOf, folderOf, kinds, modes, unruly, unrulyBundle, unrulyInputs } from './support.ts'

const root = process.cwd()

/** A server that is closed when `body` is over. */
async function serving(source: ServeSource, options: ServeOptions, body: (server: any) => unknown): Promise<void> {
  const server = serve(source, options)
  try {
    await body(server)
  } finally {
    await server.close()
  }
}

const ready = (source: ServeSource, options: ServeOptions = {}) =>
  serving(source, { cards: 1, ...options }, (server) => server.ready())

let whole: Promise<Bundle> | undefined
const bundle = () => (whole ??= unrulyBundle({ kinds: ['wasm'] }))

/** Loads a folder with the bundle in it after something was done to it. */
async function loadSpoiled(spoil: (folder: string, fileOf: (extension: string) => string) => unknown): Promise<void> {
  const folder = folderOf(await bundle())
  await spoil(folder, (extension) => join(folder, readdirSync(folder).find((name) => name.endsWith(extension))!))
  await ready(folder)
}

/** Loads a manifest that says something else, under a name without a hash. */
const loadManifest = (change: (manifest: any) => unknown) =>
  loadSpoiled((folder, fileOf) => {
    const file = fileOf('.manifest.json')
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    const changed = change(manifest) ?? manifest
    rmSync(file)
    writeFileSync(join(folder, 'other.manifest.json'), JSON.stringify(changed))
  })

/** Runs the model that does what `mode` says. */
const running = (mode: number, options: ServeOptions = {}, kind: 'native' | 'wasm' = 'wasm', request = {}) =>
  unruly(kind).then((folder) =>
    serving(folder, { cards: 1, ...options }, (server) => server.entries.main.run(unrulyInputs(mode), request)),
  )

/** Gives the model other inputs, or other arrays for its outputs. */
const given = (inputs: object, request = {}) =>
  unruly('wasm').then((folder) => serving(folder, { cards: 1 }, (server) => server.entries.main.run(inputs, request)))

/** The model as one that is placed on so many cards, where `mode` picks rows. */
async function placed(cards: number, use: InputUse = {}): Promise<ServeSource> {
  const { manifest, files } = await bundle()
  const [file, bytes] = [...files].find(([name]) => name.endsWith('.manifest.json'))!
  const entries = manifest.entries.slice(0, 1)
  const names = Array.from({ length: cards }, (_, card) => `card${card}`)
  const placement: Placement = {
    ...{
      format: placementFormat,
      glowplug: manifest.glowplug,
      model: 'unruly',
      platform: 'test',
      cards: names,
      entries,
      plan: {},
    },
    parts: [
      {
        name: 'all',
        on: names.map((_, card) => card),
        bundle: { file, bytes: bytes.length, digest: digestOf(bytes) },
        seconds: 1,
      },
    ],
    flows: [
      {
        steps: [{ part: 0, entry: 'main', inputs: [{ input: 0 }, { input: 1 }] }],
        outputs: [{ step: 0, output: 0 }],
        uses: [{}, use],
      },
    ],
  }
  return { name: 'unruly', placement, files }
}
const picking = (use: InputUse, mode: number) => async () =>
  serving(await placed(1, use), {}, (server) => server.run(unrulyInputs(mode)))

/** z = x + y for rows of 2, 3 or 4. */
const sized = traceModel(
  model({
    name: 'sized',
    inputs: { x: tensor('f32', [dim('rows', [2, 4]), 2]), y: tensor('f32', [dim('rows', [2, 4]), 2]) },
    forward: ({ x, y }) => ({ z: add(x, y) }),
  }),
)
const rows = (x: number, y: number) => async () =>
  serving(await compileFor(sized, 'wasm'), { cards: 1 }, (server) =>
    server.run({ x: new Float32Array(2 * x), y: new Float32Array(2 * y) }),
  )

/** A card that hangs in native code is not there for the next request. */
const afterHang = async () =>
  serving(await unruly('native'), { cards: 1, timeout: 50 }, async (server) => {
    await server.ready()
    assert.is(await codeOf(() => server.entries.main.run(unrulyInputs(1000))), 'card-lost', 'there is no other card')
    await server.entries.main.run(unrulyInputs(modes.sum))
  })

/** A trap on a worker is the cause of its loss. */
const trapped = async () => {
  const error = await running(modes.crash).catch((error) => error)
  assert.is(error.code, 'card-lost')
  throw error.cause
}

const refused = async () =>
  serving(await unruly('wasm'), { cards: 1, active: 1, queue: 0 }, async ({ entries }) => {
    const first = entries.main.run(unrulyInputs(modes.sum))
    try {
      await entries.main.run(unrulyInputs(modes.sum))
    } finally {
      await first
    }
  })

const drained = async () =>
  serving(await unruly('wasm'), { cards: 1 }, async (server) => {
    await server.drain()
    await server.entries.main.run(unrulyInputs(modes.sum))
  })

const closed = async () => {
  const server = serve<any>(await unruly('wasm'), { cards: 1 })
  await server.close()
  await server.ready()
}

const outOfMemory = () =>
  loadManifest((manifest) => {
    for (const entry of manifest.codes[0].entries) entry.regions.activations = 2 ** 32 - 1
  })

type Provoke = (() => Promise<unknown>) | 'elsewhere' | 'never' | 'native'

/** What brings a code about. `elsewhere`: in another file of this folder, which names it. `never`: serving cannot give it. */
const table: Record<ErrorCode, Provoke> = {
  'bundle-missing-file': () => ready(join(root, 'there', 'is', 'none')),
  // A folder in a file.
  'bundle-unreadable': () => loadSpoiled((_, fileOf) => ready(join(fileOf('.wasm'), 'folder'))),
  'bundle-truncated': () => loadSpoiled((_, fileOf) => writeFileSync(fileOf('.weights'), 'short')),
  'bundle-digest': () =>
    loadSpoiled((_, fileOf) => {
      const file = fileOf('.wasm')
      const bytes = readFileSync(file)
      bytes[bytes.length - 1]! ^= 1
      writeFileSync(`${file}.new`, bytes)
      renameSync(`${file}.new`, file)
    }),
  'bundle-format': () => loadManifest((manifest) => ({ ...manifest, format: 1 })),
  'bundle-malformed': () => loadManifest((manifest) => ({ ...manifest, entries: 'none' })),
  'target-unavailable': async () => ready(await unruly('wasm'), { target: 'native' }),
  'input-missing': () => given({ mode: [0] }),
  'input-unknown': () => given({ ...unrulyInputs(0), z: [1] }),
  'input-type': () => given({ ...unrulyInputs(0), x: 'four' }),
  'input-length': () => given({ ...unrulyInputs(0), x: new Float32Array(5) }),
  'input-value': () => given({ ...unrulyInputs(0), mode: [0.5] }),
  'input-too-long': rows(5, 5),
  'input-too-short': rows(0, 0),
  'input-sizes': rows(2, 3),
  'output-unknown': () => given(unrulyInputs(0), { into: { z: new Float32Array(4) } }),
  'output-type': () => given(unrulyInputs(0), { into: { y: new Float64Array(4) } }),
  'output-length': () => given(unrulyInputs(0), { into: { y: new Float32Array(5) } }),
  'entry-missing': async () => serving(await unruly('wasm'), { cards: 1 }, (server) => server.run(unrulyInputs(0))),
  'bad-option': async () => ready(await unruly('wasm'), { cards: 0 }),
  // Of `runSync` and `bind`, which servers have not.
  'not-ready': 'never',
  async 'no-sync'() {
    const server: any = openServed((await placed(1)) as never)
    // Of an entry, too.
    assert.is(await codeOf(() => server.entries.main.bind()), 'no-sync')
    assert.is(typeof server.entries.main.run, 'function')
    await server.close()
    server.runSync()
  },
  'out-of-memory': outOfMemory,
  'run-fault': () => running(modes.fault),
  'run-crashed': trapped,
  'run-aborted': () => running(modes.sum, {}, 'wasm', { signal: AbortSignal.abort() }),
  // Of the queue of `open`; that of a server refuses with `request-refused`.
  'queue-full': 'never',
  closed,
  'placement-malformed': () => ready({ placement: { format: placementFormat, cards: 1 }, base: 'file:///' }),
  'placement-missing': async () => ready(await placed(2), { cards: 1 }),
  'request-refused': refused,
  'deadline-exceeded': () => running(3e8, {}, 'wasm', { deadline: 1 }),
  'card-lost': () => running(modes.crash, { cards: 2, device: 'process' }),
  'card-unavailable': kinds.includes('native') ? afterHang : 'native',
  'card-full': 'elsewhere',
  'session-needed': 'elsewhere',
  'session-busy': 'elsewhere',
  'session-elsewhere': 'elsewhere',
  'session-lost': 'elsewhere',
  'session-closed': 'elsewhere',
  'network-missing': 'elsewhere',
  'network-exists': 'elsewhere',
  'network-busy': 'elsewhere',
  draining: drained,
  'input-index': picking({ indices: [{ table: 'users', rows: 5, from: 0, to: 1 }] }, 5),
  'input-lengths': picking({ lengthsOf: 0 }, 5),
  'input-offsets': picking({ offsetsOf: 0 }, 1),
}

for (const [code, provoke] of Object.entries(table))
  if (typeof provoke === 'function')
    test(`${code} is given`, async () => {
      assert.is(await codeOf(provoke), code)
    })

test('codes that other tests provoke are named there', () => {
  const others = ['test/serve', 'test/runtime'].flatMap((folder) =>
    readdirSync(join(root, folder)).flatMap((name) =>
      name.endsWith('.test.ts') && name !== 'codes.test.ts' ? [join(root, folder, name)] : [],
    ),
  )
  const text = others.map((file) => readFileSync(file, 'utf8')).join('\n')
  for (const [code, provoke] of Object.entries(table))
    if (provoke === 'elsewhere') assert.match(text, new RegExp(`['/^]${code}\\b`))
})

test('the table of codes names every code, and nothing else', () => {
  const text = readFileSync(join(root, 'targets/runtime/error.ts'), 'utf8')
  const documented = [...text.matchAll(/^ \* \| (`[^|]*`) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code!),
  )
  assert.equal(documented.sort(), Object.keys(table).sort())
})

test('an error is an Error with a name, a code and a sentence', () => {
  const error = new GlowplugError('closed', 'it is closed', 1)
  assert.ok(error instanceof Error)
  assert.equal([error.name, error.code, error.message, error.cause], ['GlowplugError', 'closed', 'it is closed', 1])
})

test.run()

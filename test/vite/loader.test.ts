import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type OutputFile } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type PreviewServer, preview } from 'vite'
import { cleanUp, repository, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { bundle, chromiumIsThere, createProject, launch, openPage, skipped } from './support.ts'

const files = {
  'index.html': '<!doctype html><script type="module" src="/main.js"></script>',
  'main.js': `
import half from './half.model.ts'
import steps from './steps.model.ts'
const outcome = (promise) => Promise.resolve(promise).then(({ y } = {}) => y && [...y.data].join(' '), (error) => error.code)
const now = (body) => {
  try {
    return [...body().y.data].join(' ')
  } catch (error) {
    return error.code
  }
}
Object.assign(globalThis, { half, steps, outcome, now })
document.documentElement.dataset.loaded = 'yes'
`,
  'half.model.ts': scaleModel('half'),
  'half.safetensors': scaleWeights([0.5, 0.25]),
  'steps.model.ts': `
import { add, model, mul, tensor, weights } from 'glowplug'
const w = weights(new URL('./half.safetensors', import.meta.url))
const scale = w.get('scale', 'f32', [2])
export default model({
  name: 'steps',
  entries: {
    up: { inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: add(x, scale) }) },
    times: { inputs: { x: tensor('f32', [1, 2]), z: tensor('f32', [2]) }, forward: ({ x, z }) => ({ y: mul(mul(x, z), scale) }) },
  },
})
`,
}

/** Runs in the page, where models and helpers are globals. */
const inPage = <T>(page: Page, body: (window: any) => T | Promise<T>): Promise<T> =>
  page.evaluate(`(${body.toString()})(globalThis)`) as Promise<T>

let browser: Browser
let project: string
const servers: PreviewServer[] = []

async function serve(headers: Record<string, string> = {}): Promise<string> {
  const server = await preview({
    root: project,
    configFile: false,
    logLevel: 'silent',
    build: { outDir: 'out' },
    preview: { port: 0, headers, allowedHosts: true },
  })
  servers.push(server)
  return server.resolvedUrls!.local[0]!
}

async function visit(address: string) {
  const opened = await openPage(browser)
  await opened.page.goto(address)
  await opened.page.locator('html[data-loaded]').waitFor()
  return opened
}

test('the loader for browsers is at most 12.5 KB and names nothing of Node', async () => {
  const text = readFileSync(join(repository, 'dist/browser.js'), 'utf8')
  // As bundlers leave it in a page whose models have dimensions of one size.
  const { outputFiles } = await build({
    stdin: { contents: "export { GlowplugError, open } from './browser.js'", resolveDir: join(repository, 'dist') },
    ...{ bundle: true, minify: true, write: false, format: 'esm' },
  })
  const [{ contents }] = outputFiles as [OutputFile]
  assert.ok(contents.length <= 12.5 * 1024, `${contents.length} bytes`)
  assert.not(/\bprocess\b|\bBuffer\b|node:|require\(|getBuiltinModule|\beval\b|new Function/.test(text))
})

function testInBrowser(name: string, body: () => Promise<void>): void {
  if (chromiumIsThere) test(name, body)
  else skipped(name)
}

test.before(async () => {
  if (!chromiumIsThere) return
  project = createProject(files)
  await bundle(project, { build: { outDir: 'out' } })
  browser = await launch()
})

testInBrowser('run, runSync, bind, into, several at once, abort and close', async () => {
  const { page, failures, consoleLines } = await visit(await serve())
  const found = await inPage(page, async ({ half, outcome, now }) => {
    const results: unknown[] = [now(() => half.runSync({ x: [1, 2] })), now(() => half.bind())]
    results.push(half.info.target, half.info.inputs[0].shape.join(), half.name)
    results.push(await Promise.all([1, 2, 3].map((k) => outcome(half.run({ x: [k, 2 * k] })))))
    await half.ready()
    results.push(now(() => half.runSync({ x: [8, 8] })))
    const bound = half.bind()
    bound.inputs.x.set([2, 4])
    bound.run()
    results.push([...bound.outputs.y].join(' '))
    const y = new Float32Array(2)
    results.push((await half.run({ x: [4, 4] }, { into: { y } })).y.data === y && [...y].join(' '))
    results.push(await outcome(half.run({ x: [1, 2, 3] })), await outcome(half.run({ x: [1, 2], z: [1] })))
    const controller = new AbortController()
    const aborted = outcome(half.run({ x: [1, 2] }, { signal: controller.signal }))
    controller.abort()
    results.push(await aborted)
    const late = outcome(half.run({ x: [1, 2] }))
    await half.close()
    results.push(
      await late,
      await outcome(half.run({ x: [1, 2] })),
      now(() => half.runSync({ x: [1, 2] })),
    )
    return results
  })
  assert.equal(found, [
    'not-ready',
    'not-ready',
    ...['wasm', '2', 'half'],
    ['0.5 0.5', '1 1', '1.5 1.5'],
    '4 2',
    '1 1',
    '2 1',
    'input-length',
    'input-unknown',
    'run-aborted',
    'closed',
    'closed',
    'closed',
  ])
  assert.equal([failures, consoleLines.filter((line) => line.includes('GLOWPLUG'))], [[], []])
  await page.close()
})

testInBrowser('several entries of a model', async () => {
  const { page } = await visit(await serve())
  const found = await inPage(page, async ({ steps, outcome, now }) => [
    Object.keys(steps.entries).join(),
    await outcome(steps.entries.up.run({ x: [1, 2] })),
    await outcome(steps.entries.times.run({ x: [2, 4], z: [10, 100] })),
    await steps.ready(),
    now(() => steps.entries.up.runSync({ x: [10, 20] })),
    now(() => steps.entries.times.runSync({ x: [1, 1], z: [2, 4] })),
    await outcome(steps.run({ x: [1, 2] })),
  ])
  assert.equal(found, ['up,times', '1.5 2.25', '10 100', undefined, '10.5 20.25', '1 1', 'entry-missing'])
  await page.close()
})

testInBrowser('what arrives damaged, short or not at all is told by its code, and asked for again by the next run', async () => {
  const { page } = await visit(await serve())
  const outcomes: unknown[] = []
  const run = () => inPage(page, ({ half, outcome }) => outcome(half.run({ x: [1, 2] })))
  const spoil = async (pattern: string, change: (bytes: Buffer) => Buffer) => {
    await page.route(pattern, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, body: change(await response.body()) })
    })
    outcomes.push(await run())
    await page.unroute(pattern)
  }
  const flipped = (bytes: Buffer) => {
    const copy = Buffer.from(bytes)
    copy[copy.length - 1]! ^= 1
    return copy
  }
  await spoil('**/half*.wasm', flipped)
  await spoil('**/half*.weights', flipped)
  await spoil('**/half*.weights', (bytes) => bytes.subarray(0, bytes.length - 1))
  await page.route('**/half*.wasm', (route) => route.fulfill({ status: 404 }))
  outcomes.push(await run())
  await page.unroute('**/half*.wasm')
  await page.route('**/half*.wasm', (route) => route.abort())
  outcomes.push(await run())
  await page.unroute('**/half*.wasm')
  outcomes.push(await run())
  assert.equal(outcomes, [
    'bundle-digest',
    'bundle-digest',
    'bundle-truncated',
    'bundle-missing-file',
    'bundle-unreadable',
    '0.5 0.5',
  ])
  await page.close()
})

testInBrowser('a page that allows no workers from blob: runs on its own thread and says so once', async () => {
  const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"
  const { page, consoleLines, failures } = await visit(await serve({ 'Content-Security-Policy': policy }))
  const found = await inPage(page, async ({ half, steps, outcome }) => [
    await Promise.all([1, 2].map((k) => outcome(half.run({ x: [k, k] })))),
    await outcome(steps.entries.up.run({ x: [1, 2] })),
    await half.close(),
    await outcome(half.run({ x: [1, 2] })),
  ])
  assert.equal(found, [['0.5 0.25', '1 0.5'], '1.5 2.25', undefined, 'closed'])
  assert.is(consoleLines.filter((line) => line.startsWith('GLOWPLUG_NO_WORKER')).length, 1, consoleLines.join('\n'))
  assert.equal(failures, [])
  await page.close()
})

testInBrowser('a policy that allows workers from blob: and WebAssembly is enough', async () => {
  const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:"
  const { page, consoleLines } = await visit(await serve({ 'Content-Security-Policy': policy }))
  assert.is(await inPage(page, ({ half, outcome }) => outcome(half.run({ x: [1, 2] }))), '0.5 0.5')
  assert.equal(
    consoleLines.filter((line) => line.includes('GLOWPLUG')),
    [],
  )
  await page.close()
})

testInBrowser('outside of secure contexts digests are not checked, and the console says so once', async () => {
  const address = new URL(await serve())
  const plain = await launch(['--host-resolver-rules=MAP glowplug.test 127.0.0.1'])
  try {
    const { page, consoleLines } = await openPage(plain)
    await page.goto(`http://glowplug.test:${address.port}/`)
    await page.locator('html[data-loaded]').waitFor()
    assert.not(await page.evaluate('isSecureContext'))
    assert.is(await inPage(page, ({ half, outcome }) => outcome(half.run({ x: [1, 2] }))), '0.5 0.5')
    assert.is(consoleLines.filter((line) => line.startsWith('GLOWPLUG_UNVERIFIED')).length, 1, consoleLines.join('\n'))
  } finally {
    await plain.close()
  }
})

test.after(async () => {
  await browser?.close()
  for (const server of servers) await server.close()
  cleanUp()
})
test.run()

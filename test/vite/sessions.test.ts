// Models that remember, and dimensions of several sizes, in a page: real workers, real memory, compared with the interpreter.
import type { Browser, Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type PreviewServer, preview } from 'vite'
import * as dsl from '../../dsl/index.ts'
import { cleanUp } from '../esbuild/support.ts'
import { bundle, chromiumIsThere, createProject, launch, openPage, skipped } from './support.ts'

/** A recurrent layer, and rows that grow with their number: the same text is compiled for the page and runs on the interpreter here. */
const stream = `model({
  name: 'stream',
  state: { h: state('f32', [1, 4]) },
  inputs: { x: tensor('f32', [1, 4]) },
  forward({ x }, { h }) {
    const weight = constant('f32', [4, 4], [0.5, -0.25, 0.125, 0.75, -0.5, 0.25, 1, -0.125, 0.3, 0.2, -0.1, 0.4, -0.7, 0.6, 0.05, 0.15])
    const next = tanh(add(matmul(h, weight), x))
    return { y: mul(next, 2), h: next }
  },
})`
const lengths = `model({
  name: 'lengths',
  inputs: { x: tensor('f32', [dim('n', [4, 16]), 2]) },
  forward: ({ x }) => ({ y: add(mul(x, x), 1) }),
})`
const names = ['add', 'constant', 'dim', 'matmul', 'model', 'mul', 'state', 'tanh', 'tensor'] as const
const source = (text: string) => `import { ${names.join(', ')} } from 'glowplug'\nexport default ${text}\n`
const interpreted = (text: string): any =>
  new Function(...names, `return ${text}`)(...names.map((name) => (dsl as Record<string, unknown>)[name]))

const files = {
  'index.html': '<!doctype html><script type="module" src="/main.js"></script>',
  'main.js': `
import lengths from './lengths.model.ts'
import stream from './stream.model.ts'
Object.assign(globalThis, { lengths, stream })
document.documentElement.dataset.loaded = 'yes'
`,
  'lengths.model.ts': source(lengths),
  'stream.model.ts': source(stream),
}

let browser: Browser
let server: PreviewServer
let page: Page
let failures: readonly string[]

function testInBrowser(name: string, body: () => Promise<void>): void {
  if (chromiumIsThere) test(name, body)
  else skipped(name)
}

test.before(async () => {
  if (!chromiumIsThere) return
  const project = createProject(files)
  await bundle(project, { build: { outDir: 'out' } })
  server = await preview({
    ...{ root: project, configFile: false, logLevel: 'silent', build: { outDir: 'out' } },
    preview: { port: 0, allowedHosts: true },
  })
  browser = await launch()
  const opened = await openPage(browser)
  page = opened.page
  failures = opened.failures
  await page.goto(server.resolvedUrls!.local[0]!)
  await page.locator('html[data-loaded]').waitFor()
})
test.after(async () => {
  await browser?.close()
  await server?.close()
  cleanUp()
})

const inputOf = (step: number) => [step / 20, 1 - step / 10, Math.sin(step), -0.3]
const close = (found: readonly number[], expected: ArrayLike<number>) => {
  assert.is(found.length, expected.length)
  for (const [i, value] of found.entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${found} and ${expected}`)
}

testInBrowser('two sessions of a page stream, each with its state, and begin anew after reset', async () => {
  const inputs = Array.from({ length: 20 }, (_, step) => inputOf(step))
  const found: any = await page.evaluate(
    `(async (inputs) => {
      const [one, two] = [stream.session(), stream.session()]
      const steps = []
      let behind
      for (const [i, x] of inputs.entries()) {
        steps.push([...(await one.run({ x })).y.data])
        if (i % 4 === 0) behind = [...(await two.run({ x })).y.data]
      }
      one.reset()
      const again = [...(await one.run({ x: inputs[0] })).y.data]
      await stream.ready()
      const here = stream.session()
      const sync = inputs.map((x) => [...here.runSync({ x }).y.data])
      one.close()
      const closed = await one.run({ x: inputs[0] }).catch(({ code }) => code)
      const plain = await stream.run({ x: inputs[0] }).catch(({ code }) => code)
      return { steps, behind, again, sync, closed, plain, target: stream.info.target }
    })(${JSON.stringify(inputs)})`,
  )
  const [one, two] = [interpreted(stream).session(), interpreted(stream).session()]
  let behind: any
  for (const [i, x] of inputs.entries()) {
    const expected = (await one.run({ x })).y.data
    close(found.steps[i], expected)
    close(found.sync[i], expected)
    if (i % 4 === 0) behind = (await two.run({ x })).y.data
  }
  close(found.behind, behind)
  assert.equal(found.again, found.steps[0])
  assert.equal([found.target, found.closed, found.plain], ['wasm', 'session-closed', 'session-needed'])
  assert.equal(failures, [])
})

testInBrowser('dimensions of several sizes in a page: padded, trimmed, and refused where none fits', async () => {
  const found: any = await page.evaluate(
    `(async () => {
      const runs = []
      for (const n of [1, 4, 5, 16]) {
        const { y } = await lengths.run({ x: { data: Float32Array.from({ length: 2 * n }, (_, i) => i - n), shape: [n, 2] } })
        runs.push({ shape: [...y.shape], data: [...y.data] })
      }
      const long = await lengths.run({ x: new Float32Array(34) }).catch(({ code }) => code)
      return { runs, long }
    })()`,
  )
  const net = interpreted(lengths)
  for (const [i, n] of [1, 4, 5, 16].entries()) {
    const { y } = await net.run({ x: { data: Float32Array.from({ length: 2 * n }, (_, i) => i - n), shape: [n, 2] } })
    assert.equal(found.runs[i].shape, [n, 2])
    close(found.runs[i].data, y.data)
  }
  assert.is(found.long, 'input-too-long')
  assert.equal(failures, [])
})

test.run()

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createServer, type InlineConfig, type RunnableDevEnvironment, type ViteDevServer } from 'vite'
import { cleanUp, emptyFolder, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { chromiumIsThere, createProject, launch, openPage, plugin, type Recorder, recordLog, skipped } from './support.ts'

const helped = (factor: string) => `
import { model, mul, tensor } from 'glowplug'
import { factor } from './factor.ts'
export default model({ name: 'helped', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, ${factor}) }) })
`

const files = {
  'index.html': '<!doctype html><html><body><script type="module" src="/main.js"></script></body></html>',
  'main.js': `
import half from './half.model.ts'
import helped from './helped.model.ts'
const answers = []
for (const model of [half, helped]) answers.push(...(await model.run({ x: [1, 2] })).y.data)
document.body.dataset.answers = answers.join(' ')
`,
  'half.model.ts': scaleModel('half'),
  'half.safetensors': scaleWeights([0.5, 0.25]),
  'helped.model.ts': helped('factor'),
  'factor.ts': `import config from './factor.json'\nexport const factor: number = config.factor\n`,
  'factor.json': '{ "factor": 2 }',
}

interface Development {
  readonly server: ViteDevServer
  readonly address: string
  readonly log: Recorder
  /** Models compiled since the last look. */
  compiled(): string[]
}

async function develop(
  root: string,
  config: InlineConfig = {},
  targets: readonly ('wasm' | 'interpreter')[] = ['wasm'],
): Promise<Development> {
  const log = recordLog()
  const models: string[] = []
  const server = await createServer({
    root,
    configFile: false,
    customLogger: log.logger,
    ...config,
    server: { port: 0, ...config.server },
    plugins: [
      plugin({
        targets,
        cache: emptyFolder(),
        report: (summary) => models.push(...summary.models.filter(({ cached }) => !cached).map(({ model }) => model)),
      }),
    ],
  })
  await server.listen()
  return { server, address: server.resolvedUrls!.local[0]!, log, compiled: () => models.splice(0).sort() }
}

const shows = (page: Page, answers: string) =>
  page.waitForFunction((expected) => (globalThis as any).document.body?.dataset.answers === expected, answers)

const overlayText = (page: Page) =>
  page.evaluate(() => {
    const overlay = (globalThis as any).document.querySelector('vite-error-overlay')
    const text = (name: string) => overlay.shadowRoot.querySelector(name).textContent as string
    return { message: text('.message'), file: text('.file'), frame: text('.frame') }
  })

let browser: Browser
test.before(async () => {
  if (chromiumIsThere) browser = await launch()
})
test.after(() => browser?.close())

/** A test in a page of a development server. */
function testInPage(
  name: string,
  body: (page: Page, root: string, development: Development) => Promise<void>,
  project: Record<string, string | Uint8Array> = files,
) {
  if (!chromiumIsThere) return skipped(name)
  test(name, async () => {
    const root = createProject(project)
    const development = await develop(root)
    const { page } = await openPage(browser)
    try {
      await page.goto(development.address)
      await body(page, root, development)
    } finally {
      await page.close()
      await development.server.close()
    }
  })
}

testInPage(
  'BP-06 the browser sees changed models, helpers, JSON and weights, and only models that depend on them are compiled',
  async (page, root, { compiled, log }) => {
    const write = (name: string, content: string | Uint8Array) => writeFileSync(join(root, name), content)
    await shows(page, '0.5 0.5 2 4')
    assert.equal(compiled(), ['half', 'helped'])

    write('factor.json', '{ "factor": 3 }')
    await shows(page, '0.5 0.5 3 6')
    assert.equal(compiled(), ['helped'])

    write('half.safetensors', scaleWeights([5, 7]))
    await shows(page, '5 14 3 6')
    assert.equal(compiled(), ['half'])

    write('factor.ts', 'export const factor: number = 10\n')
    await shows(page, '5 14 10 20')
    assert.equal(compiled(), ['helped'])

    write('helped.model.ts', helped('factor + 1'))
    await shows(page, '5 14 11 22')
    assert.equal(compiled(), ['helped'])
    assert.equal(log.errors, [])
  },
)

testInPage(
  'BP-06 a module that accepts the change is replaced without a reload, and the model it had is closed',
  async (page, root) => {
    await shows(page, '0.5 0.5')
    await page.evaluate(() => {
      const window = globalThis as any
      window.first = window.models[0]
    })
    writeFileSync(join(root, 'half.safetensors'), scaleWeights([2, 3]))
    await shows(page, '2 6')
    const code = await page.evaluate(() =>
      (globalThis as any).first?.run({ x: [1, 2] }).catch((error: { code: string }) => error.code),
    )
    assert.is(code, 'closed')
  },
  {
    'index.html': files['index.html'],
    'main.js': `import './show.js'\n`,
    'show.js': `
import half from './half.model.ts'
globalThis.models = [...(globalThis.models ?? []), half]
const { y } = await half.run({ x: [1, 2] })
document.body.dataset.answers = y.data.join(' ')
import.meta.hot.accept()
`,
    'half.model.ts': files['half.model.ts'],
    'half.safetensors': files['half.safetensors'],
  },
)

testInPage(
  'BP-01 mistakes stand in the overlay and the terminal with place, line and remedy, and go when they are mended',
  async (page, root, { log }) => {
    const overlay = page.locator('vite-error-overlay')
    await overlay.waitFor({ state: 'attached' })
    const { message, file, frame } = await overlayText(page)
    assert.match(message, /\[plugin:glowplug\]/)
    assert.match(message, /mul.*\[bad-operand\]/s)
    assert.match(file, /helped\.model\.ts:4:\d+$/)
    assert.match(frame, /4 \| export default model/)
    assert.match(frame, /\^\^\^/)
    assert.match(frame, /help: /)
    assert.ok(
      log.errors.some((text) => text.includes('bad-operand') && text.includes('help: ')),
      log.errors.join('\n'),
    )

    writeFileSync(join(root, 'factor.ts'), 'export const factor: number = 10\n')
    await shows(page, '0.5 0.5 10 20')
    assert.is(await overlay.count(), 0)

    rmSync(join(root, 'half.safetensors'))
    await overlay.waitFor({ state: 'attached' })
    assert.match((await overlayText(page)).message, /half\.safetensors/)
    writeFileSync(join(root, 'half.safetensors'), scaleWeights([1, 3]))
    await shows(page, '1 6 10 20')
    assert.is(await overlay.count(), 0)
  },
  { ...files, 'factor.ts': 'export const factor = undefined\n' },
)

testInPage(
  'packages, other exports and the DSL itself in a model module work in a development server',
  async (page) => {
    await shows(page, '5 10 first')
  },
  {
    'index.html': files['index.html'],
    'main.js': `
import scaled, { labels } from './scaled.model.ts'
const { y } = await scaled.run({ x: [1, 2] })
document.body.dataset.answers = [...y.data, labels[0]].join(' ')
`,
    'node_modules/factor-package/package.json':
      '{ "name": "factor-package", "version": "1.0.0", "type": "module", "exports": "./main.js" }',
    'node_modules/factor-package/main.js': `export const factor = 5\nexport const names = ['first']\n`,
    'scaled.model.ts': `
import { model, mul, tensor } from 'glowplug'
import { factor, names } from 'factor-package'
export const labels = names
export default model({ name: 'scaled', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, factor) }) })
`,
  },
)

test('files of models are served under the base, to pages of other servers too, and nothing else is', async () => {
  const { server, address } = await develop(createProject(files), { base: '/app/', server: { headers: { 'x-mine': 'yes' } } })
  try {
    const { code } = (await server.environments.client.transformRequest('/half.model.ts'))!
    const imports = [...code.matchAll(/from "(\/app\/@id\/__x00__glowplug:asset\/[^"]+)"/g)].map(([, path]) => path!)
    assert.is(imports.length, 2, code)
    for (const path of imports) {
      const text = await (await fetch(new URL(path, address))).text()
      const [, served] = text.match(/"(\/app\/@glowplug\/[^"]+)"/)!
      const response = await fetch(new URL(served!, address), { headers: { origin: 'http://localhost:1' } })
      assert.is(response.status, 200)
      assert.is(response.headers.get('content-type'), served!.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream')
      assert.is(response.headers.get('access-control-allow-origin'), 'http://localhost:1')
      assert.is(response.headers.get('x-mine'), 'yes')
      assert.is((await response.arrayBuffer()).byteLength, Number(response.headers.get('content-length')))
    }
    for (const path of ['@glowplug/other.wasm', '@glowplug/..%2fpackage.json', '@glowplug/'])
      assert.is((await fetch(new URL(path, address))).status, 404, path)
  } finally {
    await server.close()
  }
})

const answer = async (model: any): Promise<string> => {
  const { y } = await model.run({ x: [1, 2] })
  return `${model.info.target} ${[...y.data].join(' ')}`
}

/** Ways of a server to its modules. A runner with hot updates closes what it replaces; ssrLoadModule cannot tell who still asks. */
const ways: Readonly<Record<string, { load(server: ViteDevServer): Promise<any>; closes: boolean }>> = {
  ssrLoadModule: { load: (server) => server.ssrLoadModule('/helped.model.ts'), closes: false },
  'the module runner': {
    load: (server) => (server.environments.ssr as RunnableDevEnvironment).runner.import('/helped.model.ts'),
    closes: true,
  },
}

for (const [name, { load, closes }] of Object.entries(ways))
  test(`BP-06 a server that loads by ${name} sees changes and mistakes`, async () => {
    const root = createProject(files)
    const { server, compiled } = await develop(root, {}, ['interpreter'])
    const opened = new Set<any>()
    const ask = async (): Promise<any> => {
      const { default: model } = await load(server)
      opened.add(model)
      return answer(model)
    }
    /** Modules are replaced some time after the change of a file; a model that is just being asked may be closed. */
    const until = async (accepts: (found: any) => boolean): Promise<any> => {
      for (const end = Date.now() + 60_000; ; await new Promise((done) => setTimeout(done, 20))) {
        const found = await ask().catch((error) => error)
        if (accepts(found) || Date.now() > end) return found
      }
    }
    try {
      assert.is(await ask(), 'interpreter 2 4')
      assert.equal(compiled(), ['helped'])
      const [first] = opened
      writeFileSync(join(root, 'factor.json'), '{ "factor": 3 }')
      assert.is(await until((found) => found === 'interpreter 3 6'), 'interpreter 3 6')
      assert.equal(compiled(), ['helped'])
      const code = await first.run({ x: [1, 2] }).then(
        () => undefined,
        (error: any) => error.code,
      )
      assert.is(code, closes ? 'closed' : undefined)

      writeFileSync(join(root, 'factor.json'), '{ "factor": null }')
      const error = await until((found) => /bad-operand/.test(found.message))
      assert.match(error.message, /bad-operand/)
      assert.match(error.id, /helped\.model\.ts$/)
      assert.is(error.loc.line, 4)
      assert.match(error.frame, /help: /)
      writeFileSync(join(root, 'factor.json'), '{ "factor": 4 }')
      assert.is(await until((found) => found === 'interpreter 4 8'), 'interpreter 4 8')
    } finally {
      for (const model of opened) await model.close()
      await server.close()
    }
  })

test.after(cleanUp)
test.run()

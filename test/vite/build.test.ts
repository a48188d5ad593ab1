import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { build, createBuilder, preview } from 'vite'
import { cleanUp, emptyFolder, program, repository, runAlone, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { importModel } from '../support/importModel.ts'
import { bundle, chromiumIsThere, createProject, launch, openPage, plugin, recordLog, skipped } from './support.ts'

const displays = ['1111110', '1101101', '1111011']

interface Reading {
  readonly digit: string
  readonly probability: number
  readonly odd: number
  readonly target: string
}

/** The apps as a user has them. */
function copyApps(): string {
  const folder = emptyFolder()
  for (const name of ['segments', 'vite'])
    cpSync(join(repository, 'fixtures/apps', name), join(folder, name), { recursive: true })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(repository, 'node_modules/vite'), join(folder, 'node_modules/vite'))
  symlinkSync(repository, join(folder, 'node_modules/glowplug'))
  return join(folder, 'vite')
}

/** What the models say without any plugin, on the interpreter. */
async function expectedReadings(): Promise<Omit<Reading, 'target'>[]> {
  const modelOf = async (name: string) =>
    (await importModel<any>(join(repository, 'fixtures/apps/segments', `${name}.model.ts`))).module.default
  const [segments, parity] = [await modelOf('segments'), await modelOf('parity')]
  return Promise.all(
    displays.map(async (display) => {
      const { probabilities } = await segments.run({ lit: Array.from(display, Number) })
      const best = probabilities.data.indexOf(Math.max(...probabilities.data))
      const { odd } = await parity.run({ probabilities: probabilities.data })
      return { digit: String(best), probability: probabilities.data[best], odd: odd.data[0] }
    }),
  )
}

const app = copyApps()
const expected = await expectedReadings()

function assertReadings(found: readonly Reading[]): void {
  for (const [i, { digit, probability, odd }] of expected.entries()) {
    assert.is(found[i]!.digit, digit)
    assert.ok(Math.abs(found[i]!.probability - probability) < 1e-6, `${found[i]!.probability} is not ${probability}`)
    assert.ok(Math.abs(found[i]!.odd - odd) < 1e-6, `${found[i]!.odd} is not ${odd}`)
  }
}

/** The app as its configuration has it. */
async function buildApp(config: { mode?: string; ssr?: string }): Promise<void> {
  const { logger, warnings } = recordLog()
  await build({
    root: app,
    configFile: join(app, 'vite.config.mjs'),
    customLogger: logger,
    logLevel: 'warn',
    ...(config.mode && { mode: config.mode }),
    ...(config.ssr && { build: { ssr: config.ssr } }),
  })
  assert.equal(warnings, [])
}

test('BP-10 an SSR build, copied to an empty folder, answers over HTTP with Node alone', async () => {
  await buildApp({ ssr: '../segments/server.js' })
  const place = emptyFolder()
  cpSync(join(app, 'out/server'), place, { recursive: true })
  const server = spawn(process.execPath, [join(place, 'server.mjs')], {
    cwd: emptyFolder(),
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const port = await new Promise<string>((done, fail) => {
      createInterface(server.stdout).once('line', done)
      server.once('exit', (status) => fail(new Error(`the server ended with ${status}`)))
    })
    const ask = async (display: string) => (await fetch(`http://127.0.0.1:${port}/${display}`)).json() as Promise<Reading>
    assertReadings(await Promise.all(displays.map(ask)))
  } finally {
    server.removeAllListeners('exit')
    server.kill('SIGTERM')
  }
})

async function readByLibrary(): Promise<Reading[]> {
  await buildApp({ mode: 'library' })
  const place = emptyFolder()
  cpSync(join(app, 'out/library'), place, { recursive: true })
  const { read, close } = await import(join(place, 'read.mjs'))
  const found: Reading[] = []
  for (const display of displays) found.push(await read(display))
  await close()
  return found
}

test('BP-10 a library build answers in Node, with both loaders in it', async () => {
  assertReadings(await readByLibrary())
})

test('BP-10 so does one that was made where there is no C compiler', async () => {
  const before = process.env.CC
  process.env.CC = '/nonexistent/cc'
  try {
    const found = await readByLibrary()
    assertReadings(found)
    for (const { target } of found) assert.is(target, 'wasm')
  } finally {
    if (before === undefined) delete process.env.CC
    else process.env.CC = before
  }
})

if (!chromiumIsThere) skipped('a client build in a browser')
else
  test('BP-10 vite preview serves the client build, and Chromium finds the answers of the interpreter', async () => {
    await buildApp({})
    const server = await preview({
      root: app,
      configFile: join(app, 'vite.config.mjs'),
      logLevel: 'silent',
      preview: { port: 0 },
    })
    const browser = await launch()
    try {
      const { page, failures, consoleLines } = await openPage(browser)
      const found: Reading[] = []
      for (const display of displays) {
        await page.goto(`${server.resolvedUrls!.local[0]}#${display}`)
        const output = page.locator('output:not(:empty)')
        await output.waitFor()
        found.push(JSON.parse((await output.textContent())!))
        await page.goto('about:blank')
      }
      assertReadings(found)
      assert.equal(
        found.map(({ target }) => target),
        ['wasm', 'wasm', 'wasm'],
      )
      assert.equal(failures, [])
      assert.equal(
        consoleLines.filter((line) => line.includes('GLOWPLUG')),
        [],
      )
    } finally {
      await browser.close()
      await server.close()
    }
  })

const files = {
  'app.js': program(['half', './models/half.model.ts']),
  'models/half.model.ts': scaleModel('half'),
  'models/half.safetensors': scaleWeights([0.5, 0.25]),
}

test('a client build has the loader for browsers and wasm, an SSR build of the same plugin options the loader for Node', async () => {
  const project = createProject({ ...files, 'index.html': '<script type="module" src="/app.js"></script>' })
  const { logger } = recordLog()
  const builder = await createBuilder({
    root: project,
    configFile: false,
    customLogger: logger,
    logLevel: 'warn',
    plugins: [plugin({ targets: ['interpreter', 'wasm'] })],
    builder: {},
    environments: {
      client: { build: { outDir: 'out/client' } },
      ssr: { build: { outDir: 'out/server', rolldownOptions: { input: 'app.js' } } },
    },
  })
  await builder.build(builder.environments.client!)
  await builder.build(builder.environments.ssr!)
  const scripts = (folder: string) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFileSync(join(project, folder, name), 'utf8'))
      .join()
  assert.not(/getBuiltinModule|"interpreter"/.test(scripts('out/client')))
  assert.match(scripts('out/server'), 'getBuiltinModule')
  assert.is(runAlone(join(project, 'out/server'), 'app.js'), 'half interpreter 0.5 0.5\n')
})

test('assets lie where the build says, whatever its base, its limit for inlining and its names of chunks', async () => {
  const project = createProject({ ...files, 'deep/entry.js': `export * from '../app.js'` })
  await bundle(project, {
    base: 'https://cdn.example/x/',
    build: {
      outDir: 'out',
      assetsDir: 'static/files',
      assetsInlineLimit: 1e9,
      ssr: true,
      rolldownOptions: { input: { 'deep/er/entry': './deep/entry.js' }, output: { entryFileNames: '[name]-[hash].js' } },
    },
  })
  const written = readdirSync(join(project, 'out'), { recursive: true, encoding: 'utf8' })
  assert.ok(
    written.some((name) => /^static\/files\/half.*\.wasm$/.test(name)),
    written.join(),
  )
  const entry = written.find((name) => /^deep\/er\/entry-.*\.js$/.test(name))!
  assert.is(runAlone(join(project, 'out'), entry), 'half wasm 0.5 0.5\n')
})

test('files of models that nobody uses are in no build', async () => {
  const source = `${scaleModel('half')}\nexport const unused = model({ name: 'unused', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, 5) }) })\n`
  const project = createProject({ ...files, 'models/half.model.ts': source })
  for (const config of [{ ssr: 'app.js' }, { rolldownOptions: { input: join(project, 'app.js') } }]) {
    await bundle(project, { build: { outDir: 'out', emptyOutDir: true, ...config } })
    const written = readdirSync(join(project, 'out'), { recursive: true, encoding: 'utf8' })
    assert.ok(written.some((name) => name.includes('half')) && !written.some((name) => name.includes('unused')), written.join())
  }
})

test('a build in watch mode writes the files of a changed model', async () => {
  const project = createProject(files)
  const watcher = (await build({
    root: project,
    configFile: false,
    logLevel: 'silent',
    plugins: [plugin({ targets: ['interpreter'] })],
    build: { outDir: 'out', ssr: 'app.js', watch: {} },
  })) as Awaited<ReturnType<typeof build>> & {
    on(event: 'event', done: (event: { code: string }) => void): void
    close(): Promise<void>
  }
  let ended: (code: string) => void
  const nextBuild = () => new Promise<string>((done) => (ended = done))
  const first = nextBuild()
  watcher.on('event', ({ code }) => {
    if (code === 'END' || code === 'ERROR') ended(code)
  })
  try {
    assert.is(await first, 'END')
    assert.is(runAlone(join(project, 'out'), 'app.js'), 'half interpreter 0.5 0.5\n')
    const { writeFileSync } = await import('node:fs')
    const second = nextBuild()
    writeFileSync(join(project, 'models/half.safetensors'), scaleWeights([3, 4]))
    assert.is(await second, 'END')
    assert.is(runAlone(join(project, 'out'), 'app.js'), 'half interpreter 3 8\n')
  } finally {
    await watcher.close()
  }
})

test('BP-08 the source map leads from the bundle to the model module', async () => {
  const project = createProject({
    ...files,
    'app.js': `import half, { labels } from './models/half.model.ts'\nconsole.log(labels, half)\n`,
  })
  await bundle(project, { build: { outDir: 'out', ssr: 'app.js', sourcemap: true } })
  const map = new SourceMap(JSON.parse(readFileSync(join(project, 'out/app.js.map'), 'utf8')))
  const lines = readFileSync(join(project, 'out/app.js'), 'utf8').split('\n')
  const source = files['models/half.model.ts'].split('\n')
  for (const [marker, text] of [
    ['"first"', `'first'`],
    ['manifest: {', 'export default model({'],
  ] as const) {
    const line = lines.findIndex((content) => content.includes(marker))
    const found = map.findEntry(line, lines[line]!.indexOf(marker)) as { originalSource: string; originalLine: number }
    assert.match(found.originalSource, /half\.model\.ts$/)
    assert.ok(source[found.originalLine]!.includes(text), `${marker} comes from line ${found.originalLine}`)
  }
})

test('BP-01 a mistake ends the build with its place, its line and the remedy', async () => {
  const project = createProject({ ...files, 'models/half.model.ts': scaleModel('half').replace('[2]) }', '[3]) }') })
  try {
    await bundle(project, { build: { ssr: 'app.js', write: false } })
    assert.unreachable()
  } catch (error) {
    const { message } = error as Error
    assert.match(message, /half\.model\.ts/)
    assert.match(message, /mul/)
    assert.match(message, /help: /)
    assert.match(message, /12 \| {5}return \{ y: mul/)
  }
})

test('options are checked when the configuration is read', async () => {
  try {
    await bundle(createProject(files), { build: { ssr: 'app.js', write: false } }, { target: ['wasm'] } as never)
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /no option 'target'; did you mean 'targets'\?/)
  }
})

test('imports of models follow the rules of Vite: aliases, packages, define', async () => {
  const project = createProject({
    'app.js': program(['scaled', './scaled.model.ts']),
    'parts/factors.ts': 'export const fromAlias = 3\n',
    'node_modules/factor-package/package.json': '{ "name": "factor-package", "type": "module", "exports": "./main.js" }',
    'node_modules/factor-package/main.js': 'export const fromPackage = 5\n',
    'scaled.model.ts': `
import { model, mul, tensor } from 'glowplug'
import { fromAlias } from '@parts/factors'
import { fromPackage } from 'factor-package'
declare const FROM_DEFINE: number
export default model({ name: 'scaled', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: mul(x, fromAlias * fromPackage * FROM_DEFINE) }) })
`,
  })
  const config = { resolve: { alias: { '@parts': join(project, 'parts') } }, define: { FROM_DEFINE: 7 } }
  await bundle(project, { ...config, build: { outDir: 'out', ssr: 'app.js' } }, { targets: ['interpreter'] })
  assert.is(runAlone(join(project, 'out'), 'app.js'), 'scaled interpreter 105 210\n')
})

test.after(cleanUp)
test.run()

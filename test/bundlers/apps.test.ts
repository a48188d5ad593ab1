import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cleanUp, emptyFolder, repository } from '../esbuild/support.ts'
import { importModel } from '../support/importModel.ts'

const apps = join(repository, 'fixtures', 'apps')
const displays = ['1111110', '1101101', '1111011']

interface Reading {
  readonly digit: string
  readonly probability: number
  readonly odd: number
}

/** What the models say without any plugin, on the interpreter. */
async function expectedReadings(): Promise<Reading[]> {
  const modelOf = async (name: string) => (await importModel<any>(join(apps, 'segments', `${name}.model.ts`))).module.default
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

const expected = await expectedReadings()

function assertReadings(found: readonly Reading[], what: string): void {
  assert.equal(
    found.map(({ digit }) => digit),
    ['0', '2', '9'],
    what,
  )
  for (const [i, { probability, odd }] of expected.entries()) {
    assert.ok(Math.abs(found[i]!.probability - probability) < 1e-6, `${what}: ${found[i]!.probability} is not ${probability}`)
    assert.ok(Math.abs(found[i]!.odd - odd) < 1e-6, `${what}: ${found[i]!.odd} is not ${odd}`)
  }
}

/** The apps as a user has them: sources, configurations, and packages. They share a cache, in the folder of these packages. */
function copyApps(): string {
  const folder = emptyFolder()
  cpSync(apps, folder, { recursive: true })
  mkdirSync(join(folder, 'node_modules', '@rspack'), { recursive: true })
  for (const name of ['rollup', 'rolldown', 'webpack', '@rspack/core'])
    symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
  symlinkSync(repository, join(folder, 'node_modules', 'glowplug'))
  return folder
}

/** With the bundler's own command where it has one. */
const build: Readonly<Record<string, (folder: string) => unknown>> = {
  rollup: (folder) => node(folder, [binOf('rollup', 'rollup'), '--silent', '-c', 'rollup.config.mjs']),
  rolldown: (folder) => node(folder, [binOf('rolldown', 'rolldown'), '-c', 'rolldown.config.mjs']),
  webpack: async (folder) => runCompiler((await import('webpack')).default as never, folder, 'webpack'),
  rspack: async (folder) => runCompiler((await import('@rspack/core')).rspack as never, folder, 'rspack'),
}

function binOf(name: string, command: string): string {
  const manifest = createRequire(join(repository, 'package.json')).resolve(`${name}/package.json`)
  return join(dirname(manifest), createRequire(manifest)(manifest).bin[command])
}

function node(folder: string, args: readonly string[]): string {
  return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

type Stats = { hasErrors(): boolean; hasWarnings(): boolean; toString(options: object): string }
type Compile = (configuration: unknown, done: (error: Error | null, stats?: Stats) => void) => void

async function runCompiler(compile: Compile, folder: string, name: string): Promise<void> {
  const { default: configuration } = await import(pathToFileURL(join(folder, `${name}.config.mjs`)).href)
  await new Promise<void>((done, fail) =>
    compile(configuration, (error, stats) => {
      if (error) fail(error)
      else if (stats!.hasErrors() || stats!.hasWarnings())
        fail(new Error(stats!.toString({ all: false, errors: true, warnings: true })))
      else done()
    }),
  )
}

/** Copies an output folder, and nothing else, to an empty place. */
function moved(folder: string): string {
  const place = emptyFolder()
  cpSync(folder, place, { recursive: true })
  return place
}

/** Starts a server in a fresh process, asks it over HTTP, and ends it. */
async function askServer(file: string): Promise<Reading[]> {
  const server = spawn(process.execPath, [file], { cwd: emptyFolder(), env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [port] = await new Promise<string[]>((done, fail) => {
      createInterface(server.stdout).once('line', (line) => done([line]))
      server.once('exit', (code) => fail(new Error(`the server ended with ${code}`)))
    })
    return await Promise.all(
      displays.map(async (display) => {
        const response = await fetch(`http://127.0.0.1:${port}/${display}`)
        const text = await response.text()
        assert.is(response.status, 200, text)
        return JSON.parse(text) as Reading
      }),
    )
  } finally {
    server.removeAllListeners('exit')
    server.kill('SIGTERM')
  }
}

const copied = copyApps()

for (const name of Object.keys(build)) {
  test(`BP-05 ${name}: a server as ES modules and a command as CommonJS, moved to empty folders, read displays`, async () => {
    const folder = join(copied, name)
    await build[name]!(folder)

    const es = moved(join(folder, 'out', 'es'))
    assert.ok(existsSync(join(es, 'server.mjs')))
    const chunks = readdirSync(join(es, 'chunks'))
    assert.ok(chunks.length > 0, 'the second model is loaded later, from a chunk')
    assertReadings(await askServer(join(es, 'server.mjs')), 'the server')

    const cjs = moved(join(folder, 'out', 'cjs'))
    const files = readdirSync(join(cjs, 'data'))
    for (const model of ['segments', 'parity'])
      assert.ok(
        files.some((file) => file.startsWith(`${model}-`) && file.endsWith('.weights')),
        `${files} under the name that the configuration asks for`,
      )
    const lines = execFileSync(process.execPath, [join(cjs, 'bin', 'command.cjs'), ...displays], {
      cwd: emptyFolder(),
      env: {},
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const readings = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Reading)
    assertReadings(readings, 'the command')
  })
}

test.after(cleanUp)
test.run()

// One model file on its way to a module, without a bundler.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compileModelFile } from '../../plugin/compileModelFile.ts'
import type { Host } from '../../plugin/core.ts'
import type { ModelSummary } from '../../plugin/report.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-file-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'empty'))

const host: Host = {
  root: folder,
  platform: 'node',
  language: 'typescript',
  resolve: async () => undefined,
  define: {},
  address: { prelude: '', of: (variable) => `place(${variable})` },
}

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const file = write(
  'two.model.ts',
  `import { constant, matmul, model, tensor } from 'glowplug'
const w = constant('f32', [2, 2], [1, 2, 3, 4])
const entry = (rows: number) => ({ inputs: { x: tensor('f32', [rows, 2]) }, forward: ({ x }: any) => ({ y: matmul(x, w) }) })
export const story = model({ name: 'story', entries: { prefill: entry(9), step: entry(1) } })
export const plain = model({ name: 'plain', ...entry(3) })
`,
)

/** Of this one wasm is made. */
const small = write(
  'small.model.ts',
  `import { model, relu, tensor } from 'glowplug'
export default model({ name: 'small', inputs: { x: tensor('f32', [2]) }, forward: ({ x }) => ({ y: relu(x) }) })
`,
)

test('each model of a file is compiled with all its entries, for each target', async () => {
  const { loaded, diagnostics, fault } = await compileModelFile(file, host, { targets: ['interpreter'] })
  assert.equal([diagnostics, fault], [[], undefined])
  assert.equal(
    loaded!.summaries.map(({ model, target, entries, weights }) => [model, target, entries.map(({ name }) => name), weights]),
    [
      ['story', 'interpreter', ['prefill', 'step'], 64],
      ['plain', 'interpreter', ['main'], 64],
    ],
  )
  const names = Object.keys(loaded!.assets)
  assert.equal(names.map((name) => name.replace(/-[0-9a-f]{8}\./, '.')).sort(), [
    'plain.js',
    'plain.weights',
    'story.js',
    'story.weights',
  ])
  for (const name of names) assert.ok(loaded!.code.includes(`from "glowplug:asset/${name}"`), name)
})

test('the part for browsers has wasm alone, whatever else was asked for', async () => {
  const { loaded } = await compileModelFile(
    small,
    { ...host, platform: 'browser' },
    { targets: ['native', 'interpreter', 'wasm'] },
  )
  assert.equal(
    loaded!.summaries.map(({ target }) => target),
    ['wasm'],
  )
})

const codesOf = async (path: string, more: Partial<Host>, targets: readonly ['native'] | readonly ['interpreter']) => {
  const { loaded, diagnostics, fault } = await compileModelFile(path, { ...host, ...more }, { targets })
  assert.is(fault, undefined)
  return { loaded, diagnostics: diagnostics.map(({ code, severity, message }) => [code, severity, message]) }
}

test('a target that cannot be had is a diagnostic that says what to change, and costs a file without models nothing', async () => {
  const { loaded, diagnostics } = await codesOf(file, { platform: 'browser' }, ['interpreter'])
  assert.is(loaded, undefined)
  assert.equal(diagnostics, [
    [
      'target-unavailable',
      'error',
      "a browser runs wasm alone, and the model is compiled for interpreter; add 'wasm' to the targets",
    ],
  ])
  const helper = write('helper.model.ts', 'export const width = 5\n')
  const spared = await codesOf(helper, { platform: 'browser' }, ['interpreter'])
  assert.ok(spared.loaded, String(spared.diagnostics))
})

test('native without a compiler fails, auto goes on without it and says why (BE-05)', async () => {
  const { PATH, CC } = process.env
  process.env.PATH = join(folder, 'empty')
  delete process.env.CC
  try {
    const { diagnostics } = await codesOf(file, {}, ['native'])
    assert.equal([diagnostics.length, diagnostics[0]![0]], [1, 'target-unavailable'])
    assert.match(String(diagnostics[0]![2]), /^target 'native' cannot be compiled here: /)
    const { loaded } = await compileModelFile(small, host, {})
    const [{ target, omitted }, ...others] = loaded!.summaries as [ModelSummary]
    assert.equal([target, others], ['wasm', []])
    assert.match(omitted!, /^no native code: /)
  } finally {
    process.env.PATH = PATH
    if (CC !== undefined) process.env.CC = CC
  }
})

test.run()

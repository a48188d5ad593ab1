import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Target } from '../../compiler/target.ts'
import { findOptionProblems } from '../../plugin/options.ts'
import { chooseTargets, compilersOf, describeTarget, loadTargets, TargetUnavailable, targetNames } from '../../plugin/targets.ts'
import { interpreter } from '../../targets/interpreter/index.ts'
import { nativeAvailable } from '../../targets/native/index.ts'
import { targetWith } from '../support/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-targets-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'empty'))

/** Runs `body` as on a machine whose commands are those of a folder. */
async function withCommands<T>(path: string, body: () => T | Promise<T>): Promise<T> {
  const before = { ...process.env }
  delete process.env.CC
  process.env.PATH = path
  try {
    return await body()
  } finally {
    Object.assign(process.env, before)
  }
}

const described = (targets: readonly Target[]) => targets.map(describeTarget)
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.unreachable(),
    (error) => error,
  )

test('targets come in the order of the choice, those of one name together', async () => {
  const level = (name: string, level: string) => targetWith({ name, level })
  const choice = [level('a', '1'), 'interpreter', level('b', '1'), level('a', '2'), 'wasm']
  assert.equal(described((await chooseTargets(choice)).targets), ['a 1', 'a 2', 'interpreter', 'b 1', 'wasm simd128'])
  assert.equal(described(await loadTargets('wasm')), ['wasm simd128'])
  assert.match((await failure(chooseTargets([]))).message, /^no target was given$/)
  const unknown = await failure(chooseTargets(['wasm', 'cuda']))
  assert.instance(unknown, RangeError)
  assert.is(unknown.message, `there is no target 'cuda'; targets are ${targetNames.join(', ')}`)
})

test('the same target under two names is taken once', async () => {
  const once = await chooseTargets([interpreter, 'wasm', interpreter, 'wasm'])
  assert.equal(described(once.targets), ['interpreter', 'wasm simd128'])
  const available = await nativeAvailable()
  if (!available.ok) return console.log('skipped: native and the name of this platform needs a C compiler')
  const own = `native-${process.platform}-${process.arch}`
  const both = await chooseTargets(['native', own])
  assert.equal(described(both.targets), described(await loadTargets('native')))
})

test('auto takes native code first, wasm always, and says why it did without native code', async () => {
  const available = await nativeAvailable()
  const { targets, omitted } = await chooseTargets('auto')
  assert.is(targets.at(-1)!.name, 'wasm')
  assert.is(omitted === undefined, available.ok)
  if (available.ok) assert.equal(described(targets.slice(0, -1)), described(await loadTargets('native')))
  const without = await withCommands(join(folder, 'empty'), () => chooseTargets('auto'))
  assert.equal(described(without.targets), ['wasm simd128'])
  assert.match(without.omitted!, /^no native code: [^\n]+$/)
})

test('native asked for by name is made or fails', async () => {
  for (const name of ['native', 'native-linux-x64', 'native-linux-arm64']) {
    const error = await withCommands(join(folder, 'empty'), () => failure(chooseTargets(['wasm', name])))
    assert.instance(error, TargetUnavailable)
    assert.match(error.message, new RegExp(`^target '${name}' cannot be compiled here: `))
  }
})

test('a browser gets wasm, and a choice without it is an error that says so', async () => {
  for (const choice of ['auto', ['wasm'], ['native-linux-arm64', 'wasm', 'interpreter']] as const)
    assert.equal(described((await chooseTargets(choice, 'browser')).targets), ['wasm simd128'])
  const error = await failure(chooseTargets(['native', 'interpreter'], 'browser'))
  assert.instance(error, TargetUnavailable)
  assert.is(
    error.message,
    "a browser runs wasm alone, and the model is compiled for native, interpreter; add 'wasm' to the targets",
  )
})

test('the key of the cache tells compilers apart, where the choice needs one', async () => {
  const commands = join(folder, 'commands')
  mkdirSync(commands)
  const none = await withCommands(commands, () => compilersOf('auto'))
  writeFileSync(join(commands, 'cc'), '#!/bin/sh\n')
  chmodSync(join(commands, 'cc'), 0o755)
  const one = await withCommands(commands, () => compilersOf('auto'))
  writeFileSync(join(commands, 'cc'), '#!/bin/sh\necho another\n')
  const other = await withCommands(commands, () => compilersOf('auto'))
  assert.is(new Set([none, one, other]).size, 3)
  assert.is(await withCommands(commands, () => compilersOf(['wasm', 'native'])), other)
  assert.is(await withCommands(commands, () => compilersOf(['wasm'])), '')
  assert.is(await withCommands(commands, () => compilersOf('auto', 'browser')), '')
  const cross = await withCommands(commands, () => compilersOf(['native-linux-arm64', 'native-linux-x64']))
  assert.match(cross, /aarch64-linux-gnu-gcc[\s\S]*\n/)
})

test('option targets takes auto, a name, or a list of different names', async () => {
  for (const targets of ['auto', 'wasm', ['native'], ['native-linux-x64', 'native-linux-arm64', 'wasm'], undefined])
    assert.equal(await findOptionProblems({ targets }), [])
  const expected =
    "glowplug: option 'targets' must be 'auto', or one or a list of different targets among 'native', 'native-linux-x64', 'native-linux-arm64', 'wasm', 'interpreter'"
  for (const targets of [[], ['auto'], ['wasm', 'wasm'], 5, null]) assert.equal(await findOptionProblems({ targets }), [expected])
  for (const targets of ['wasn', ['native', 'wasn']])
    assert.equal(await findOptionProblems({ targets }), [`${expected}; there is no 'wasn'; did you mean 'wasm'?`])
  assert.equal(await findOptionProblems({ targets: ['cuda'] }), [`${expected}; there is no 'cuda'`])
})

test.run()

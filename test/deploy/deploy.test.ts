// What is deployed is a folder, and the machine it runs on has Node and nothing else.
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findExecutable } from '../../targets/native/candidates.ts'
import { CompilerMissing, findCompiler, type PlatformName } from '../../targets/native/index.ts'
import { cleanUp, emptyFolder } from '../esbuild/support.ts'
import { levelsHere, skip } from '../support/machines.ts'
import { type Answer, ask, deploy, evaluate, makeReadOnly, serve } from './support.ts'

const here = `${process.platform}-${process.arch}` as PlatformName
const elsewhere = here === 'linux-arm64' ? 'linux-x64' : 'linux-arm64'

async function compiles(platform: PlatformName, what: string): Promise<boolean> {
  try {
    await findCompiler(platform)
    return true
  } catch (error) {
    if (!(error instanceof CompilerMissing)) throw error
    skip(what, `a C compiler for ${platform}`)
    return false
  }
}

const warnings = (said: string) => said.split('\n').filter((line) => line.includes('GLOWPLUG_FALLBACK'))
const answerOf = ({ y, target }: Answer) => ({ y, target })
const byNative = { y: [0.5, 1], target: 'native' }
const byWasm = { y: [0.5, 1], target: 'wasm' }

if (await compiles(here, 'native code where it is deployed')) {
  const folder = await deploy({ targets: ['native', 'wasm'] })
  const [level] = levelsHere('deployed code')

  test('a server in an empty folder, with no compiler and an empty environment, answers by native code', async () => {
    assert.not(readdirSync(folder).some((name) => /safetensors|package|node_modules/.test(name)))
    const { said, ...answer } = await ask(folder)
    assert.equal(answer, { ...byNative, level: level!.name })
    assert.is(said, '')
  })

  test('a folder that may not be written to, and a user without rights, will do', async () => {
    const copy = emptyFolder()
    cpSync(folder, copy, { recursive: true })
    for (const path of [copy, dirname(copy)]) chmodSync(path, 0o755)
    makeReadOnly(copy)
    const user = process.getuid!() === 0 ? 65534 : undefined
    const { said, ...answer } = await ask(copy, user === undefined ? {} : { user })
    assert.equal(answerOf(answer), byNative)
    assert.is(said, '')
    chmodSync(copy, 0o755)
  })

  test('where the C library is another, the loader says so once and takes wasm', async () => {
    const copy = emptyFolder()
    cpSync(folder, copy, { recursive: true })
    const path = join(copy, 'server.mjs')
    const text = readFileSync(path, 'utf8')
    assert.match(text, /libc"?: ?"glibc"/)
    writeFileSync(path, text.replace(/(libc"?: ?)"glibc"/g, '$1"musl"'))
    const { said, fallback, ...answer } = await ask(copy)
    assert.equal(answerOf(answer), byWasm)
    assert.match(fallback!, `made for linux ${process.arch} musl, not linux ${process.arch} glibc`)
    assert.is(warnings(said).length, 1, said)
  })

  test('a folder that is replaced by another build: the old process goes on, the next one is new', async () => {
    const copy = emptyFolder()
    cpSync(folder, copy, { recursive: true })
    const old = await serve(copy)
    assert.equal(answerOf(await old.get([1, 2])), byNative)
    const next = await deploy({ targets: ['native', 'wasm'] }, [3, 4])
    cpSync(next, copy, { recursive: true })
    assert.equal(answerOf(await old.get([1, 2])), byNative)
    assert.equal(answerOf(await ask(copy)), { y: [3, 8], target: 'native' })
    // What the old build left is of no use to anybody but the old process, which has it open.
    for (const name of readdirSync(copy)) if (!readdirSync(next).includes(name)) rmSync(join(copy, name))
    assert.equal(answerOf(await old.get([1, 2])), byNative)
    assert.equal(answerOf(await ask(copy)), { y: [3, 8], target: 'native' })
    assert.is(await old.stop(), '')
  })

  test('two builds of one model in one process do not meet', async () => {
    const next = await deploy({ targets: ['native', 'wasm'] }, [3, 4])
    const program = `
      const ports = []
      const log = console.log
      console.log = (port) => ports.push(port)
      await Promise.all([import(${JSON.stringify(join(folder, 'server.mjs'))}), import(${JSON.stringify(join(next, 'server.mjs'))})])
      while (ports.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
      const answers = await Promise.all(ports.flatMap((port) => [1, 2, 3].map(async () => (await fetch('http://127.0.0.1:' + port + '/1,2')).json())))
      for (const text of new Set(answers.map(({ target, y }) => target + ' ' + y).sort())) log(text)
      process.exit()`
    assert.is(evaluate(program), 'native 0.5,1\nnative 3,8\n')
  })

  const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  // As the page on deployment says.
  const restricted: readonly (readonly [name: string, flags: readonly string[], expected: Partial<Answer>])[] = [
    ['addons may be loaded', [permission, `--allow-fs-read=${folder}/`, '--allow-addons'], byNative],
    ['workers may be started', [permission, `--allow-fs-read=${folder}/`, '--allow-worker'], byWasm],
    ['addons are switched off', ['--no-addons'], byWasm],
    ['no code may be made from text', ['--disallow-code-generation-from-strings'], byNative],
  ]
  for (const [name, flags, expected] of restricted) {
    test(`a restricted process: ${name}`, async () => {
      const { said, ...answer } = await ask(folder, { flags })
      assert.equal(answerOf(answer), expected, said)
      assert.is(warnings(said).length, expected.target === 'wasm' ? 1 : 0, said)
      const byOptions = await ask(folder, { environment: { NODE_OPTIONS: flags.join(' ') } })
      assert.equal(answerOf(byOptions), expected, byOptions.said)
    })
  }

  test('a restricted process that may start neither', async () => {
    const { code, message } = await ask(folder, { flags: [permission, `--allow-fs-read=${folder}/`] })
    assert.is(code, 'target-unavailable')
    assert.match(message!, 'no worker')
  })

  const emulator = process.arch === 'x64' ? findExecutable('qemu-x86_64') : undefined
  if (process.arch === 'x64' && !emulator) skip('older processors', 'qemu-x86_64')
  else if (emulator) {
    test('an older processor takes the level that it can run, without a word', async () => {
      const { said, ...answer } = await ask(folder, { emulator: [emulator, '-cpu', 'Haswell'] })
      assert.equal(answer, { ...byNative, level: 'x86-64-v3' }, said)
      assert.is(warnings(said).length, 0, said)
    })

    test('a still older processor takes wasm, and the process says so once', async () => {
      const { said, fallback, ...answer } = await ask(folder, { emulator: [emulator, '-cpu', 'Nehalem'] })
      assert.equal(answerOf(answer), byWasm, said)
      assert.match(fallback!, /x86-64-v4: this processor lacks .*; native x86-64-v3: this processor lacks /)
      assert.is(warnings(said).length, 1, said)
    })
  }
}

if (await compiles(elsewhere, 'native code for another platform')) {
  const platform = elsewhere.replace('-', ' ')

  test('native code for another platform: the loader says so once and takes wasm', async () => {
    const { said, fallback, ...answer } = await ask(await deploy({ targets: [`native-${elsewhere}`, 'wasm'] }))
    assert.equal(answerOf(answer), byWasm)
    assert.match(fallback!, `made for ${platform} glibc, not ${here.replace('-', ' ')} glibc`)
    assert.is(warnings(said).length, 1, said)
  })

  test('native code for another platform alone: it cannot run, and says why', async () => {
    const { code, message } = await ask(await deploy({ targets: [`native-${elsewhere}`] }))
    assert.is(code, 'target-unavailable')
    assert.match(message!, `made for ${platform} glibc, not ${here.replace('-', ' ')} glibc`)
  })
}

test.after(cleanUp)
test.run()

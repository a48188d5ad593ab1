// The command line with native code, and where it cannot be made.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nativeAvailable } from '../../targets/native/index.ts'
import { execute, glowplug } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-cli-native-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
process.chdir(folder)
const file = (name: string) => join(folder, name)
const binary = join(process.env.GLOWPLUG_ROOT!, 'plugin/bin.mjs')

writeFileSync(
  file('tiny.model.ts'),
  `import { add, constant, model, relu, tensor } from 'glowplug'
export default model({
  name: 'tiny',
  inputs: { x: tensor('f32', [4]) },
  forward: ({ x }) => ({ y: relu(add(x, constant('f32', [4], [1, 2, -300, 4]))) }),
})
`,
)
writeFileSync(file('x.bin'), new Uint8Array(new Float32Array([1, -5, 6, 0.5]).buffer))
mkdirSync(file('nothing'))

/** Runs `body` with other variables in the environment. */
async function within<T>(variables: Readonly<Record<string, string>>, body: () => Promise<T>): Promise<T> {
  const before = { ...process.env }
  Object.assign(process.env, variables)
  try {
    return await body()
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name]
    Object.assign(process.env, before)
  }
}

const native = await nativeAvailable()
const nativeTest = native.ok ? test : (name: string, _body: () => unknown) => console.log(`skipped: ${name} needs a C compiler`)

nativeTest('run executes native code, and leaves nothing behind', async () => {
  mkdirSync(file('temporary'))
  const result = await within({ TMPDIR: file('temporary') }, () =>
    glowplug('run', 'tiny.model.ts', '--input', 'x=x.bin', '--target', 'native', '--threads', '2', '--out', 'results'),
  )
  assert.is(result.status, 0, result.err)
  const { target, level, outputs } = JSON.parse(result.out)
  assert.is(target, 'native')
  assert.is.not(level, 'any')
  assert.equal([outputs[0].min, outputs[0].max], [0, 4.5])
  assert.equal(new Float32Array(new Uint8Array(readFileSync(file('results/y.bin'))).buffer), new Float32Array([2, 0, 0, 4.5]))
  assert.equal(readdirSync(file('temporary')), [])
})

nativeTest('build without a target makes native code and wasm; two folders get equal bytes (AO-10)', async () => {
  const contents = []
  for (const place of ['one', 'another/below']) {
    mkdirSync(file(place), { recursive: true })
    writeFileSync(join(file(place), 'tiny.model.ts'), readFileSync(file('tiny.model.ts')))
    process.chdir(file(place))
    const { status, err, out } = await within({ TMPDIR: file(place) }, () =>
      glowplug('build', 'tiny.model.ts', '--out', 'out', '--json'),
    )
    process.chdir(folder)
    assert.is(status, 0, err)
    const codes: string[] = JSON.parse(out).models.map(({ target }: { target: string }) => target)
    assert.is(codes.at(-1), 'wasm')
    assert.ok(codes.length > 1 && codes.slice(0, -1).every((target) => target === 'native'), codes.join())
    const built = join(file(place), 'out')
    contents.push(readdirSync(built).map((name) => [name, readFileSync(join(built, name), 'base64')]))
    for (const name of readdirSync(built)) {
      const text = readFileSync(join(built, name), 'latin1')
      assert.not.ok(text.includes(folder), name)
    }
    assert.equal(readdirSync(file(place)).sort(), ['out', 'tiny.model.ts'])
  }
  assert.equal(contents[0], contents[1])
  const script =
    "import net from './index.js'; console.log(net.info.target, ...(await net.run({ x: [1, -5, 6, 0.5] })).y.data); await net.close()"
  const { out, err } = await execute(process.execPath, ['--input-type=module', '-e', script], file('one/out'))
  assert.is(out, 'native 2 0 0 4.5\n', err)
})

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  nativeTest(`build ends at ${signal} as if nobody listened, and leaves nothing behind`, async () => {
    const temporary = file(`temporary-${signal}`)
    mkdirSync(temporary)
    // A compiler that does not end.
    const compiler = file('slow')
    writeFileSync(compiler, '#!/bin/sh\necho begun >&2\nexec sleep 600\n', { mode: 0o755 })
    const child = spawn(process.execPath, [binary, 'build', 'tiny.model.ts', '--out', `out-${signal}`, '--target', 'native'], {
      stdio: 'ignore',
      env: { ...process.env, TMPDIR: temporary, CC: compiler },
    })
    const ended = new Promise<readonly [number | null, string | null]>((done) => child.on('close', (...how) => done(how)))
    while (readdirSync(temporary).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill(signal)
    // What shells make of it is 128 and the number of the signal.
    const [code, by] = await ended
    assert.is(code ?? 128 + constants.signals[by as 'SIGINT'], status)
    assert.equal(readdirSync(temporary), [])
    assert.not.ok(existsSync(file(`out-${signal}`)))
  })

nativeTest('print shows the C of a level', async () => {
  const { levels } = /levels are (?<levels>.*)\n/.exec(
    (await glowplug('print', 'tiny.model.ts', '--target', 'native', '--level', 'none')).err,
  )!.groups!
  for (const level of levels!.split(', ')) {
    const { status, out } = await glowplug('print', 'tiny.model.ts', '--target', 'native', '--level', level, '--stage', 'c')
    assert.is(status, 0)
    assert.match(out, new RegExp(`^/\\* tiny, ${level}`))
  }
})

test('native asked for by name where there is no compiler fails with one readable line, and writes nothing', async () => {
  for (const target of ['native', 'native,wasm', 'native-linux-x64']) {
    const { status, out, err } = await within({ CC: file('nothing/cc') }, () =>
      glowplug('build', 'tiny.model.ts', '--out', 'never', '--target', target),
    )
    assert.equal([status, out], [1, ''])
    assert.match(err, /^error: target 'native[^']*' cannot be compiled here: /)
    assert.match(err, /nothing\/cc/)
    assert.not.match(err, /\n {4}at /)
    assert.not.ok(existsSync(file('never')))
  }
})

test('a platform without a cross compiler says what was looked for', async () => {
  const { status, err } = await within({ PATH: file('nothing') }, () =>
    glowplug('build', 'tiny.model.ts', '--out', 'never', '--target', 'native-linux-arm64'),
  )
  assert.is(status, 1)
  assert.match(err, /^error: target 'native-linux-arm64' cannot be compiled here: [\s\S]*aarch64-linux-gnu-gcc/)
})

test('auto does without native code where there is no compiler, and says why in one line', async () => {
  const { status, out, err } = await within({ PATH: [file('nothing'), ''].join(delimiter), CC: '' }, () =>
    glowplug('build', 'tiny.model.ts', '--out', 'portable', '--target', 'auto'),
  )
  assert.is(status, 0, err)
  const lines = out.trimEnd().split('\n')
  assert.is(lines.length, 4, out)
  assert.match(lines[2]!, /^ {2}tiny +wasm simd128 /)
  assert.match(lines[3]!, /^ {2}no native code: \S/)
})

test.run()

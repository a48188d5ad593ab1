// The command line on models with several entries.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { execute, glowplug } from './support.ts'

const repository = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-cli-entries-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
process.chdir(folder)
const file = (name: string) => join(folder, name)

writeFileSync(
  file('story.model.ts'),
  `import { add, constant, model, mul, tensor } from 'glowplug'
const scale = constant('f32', [3], [1, 10, 100])
export default model({
  name: 'story',
  entries: {
    prefill: { inputs: { tokens: tensor('f32', [2, 3]) }, forward: ({ tokens }) => ({ logits: mul(tokens, scale) }) },
    step: { inputs: { token: tensor('f32', [3]), state: tensor('i32', [1]) }, forward: ({ token, state }) => ({ logits: mul(token, scale), next: add(state, 1) }) },
  },
})
`,
)
writeFileSync(file('token.bin'), new Uint8Array(new Float32Array([1, 2, 3]).buffer))
writeFileSync(file('state.bin'), new Uint8Array(new Int32Array([41]).buffer))

test('run takes the entry that was asked for, from the model and from the folder (BP-12)', async () => {
  const built = await glowplug('build', 'story.model.ts', '--out', 'built', '--target', 'interpreter')
  assert.is(built.status, 0, built.err)
  assert.match(built.out, /\n {2}story +interpreter .*\n {4}prefill .*\n {4}step /)
  for (const source of ['story.model.ts', 'built']) {
    const inputs = ['--input', 'token=token.bin', '--input', 'state=state.bin']
    const { status, out, err } = await glowplug(
      'run',
      source,
      '--entry',
      'step',
      ...inputs,
      '--target',
      'interpreter',
      '--out',
      'results',
    )
    assert.is(status, 0, err)
    const { model, entry, outputs } = JSON.parse(out)
    assert.equal([model, entry], ['story', 'step'])
    assert.equal(
      outputs.map(({ name, max }: any) => [name, max]),
      [
        ['logits', 300],
        ['next', 42],
      ],
    )
    assert.equal(
      new Float32Array(new Uint8Array(readFileSync(file('results/logits.bin'))).buffer),
      new Float32Array([1, 20, 300]),
    )
  }
})

test('where there are several, one must be chosen, and a misspelt one is told what is near', async () => {
  for (const source of ['story.model.ts', 'built']) {
    assert.equal(await glowplug('run', source), {
      status: 2,
      out: '',
      err: "error: model 'story' has 2 entries: prefill, step\nchoose one with --entry\n",
    })
    assert.is(
      (await glowplug('run', source, '--entry', 'stpe')).err,
      "error: model 'story' has no entry 'stpe', did you mean 'step'?\nit has prefill, step\n",
    )
  }
  assert.match((await glowplug('run', 'built', '--entry', 'step')).err, /no file was given for 'token', 'state'/)
})

test('print shows a stage of one entry, and the code of all', async () => {
  const print = (...args: string[]) => glowplug('print', 'story.model.ts', ...args)
  assert.match((await print('--entry', 'step', '--stage', 'lowered')).out, /^graph "story"[\s\S]*name: "token"/)
  assert.match((await print('--entry', 'prefill')).out, /name: "tokens"/)
  assert.match(
    (await print('--stage', 'memory')).err,
    /^error: model 'story' has 2 entries: prefill, step\nchoose one with --entry/,
  )
  const code = await print('--stage', 'c')
  assert.match(code.out, /\/\* prefill \*\/\n.*\bentry0\([\s\S]*\/\* step \*\/\n.*\bentry1\(/)
  const one = await print('--stage', 'c', '--entry', 'step')
  assert.match(one.out, /\/\* step \*\/\n.*\bentry0\(/)
  assert.not.match(one.out, /prefill/)
})

test('check names the entries', async () => {
  const { status, out } = await glowplug('check', 'story.model.ts', '--json')
  assert.is(status, 0)
  assert.equal(JSON.parse(out).files[0].models, [{ name: 'story', entries: ['prefill', 'step'] }])
})

test('declarations name each entry with its own inputs and outputs (AO-02, BP-09)', async () => {
  writeFileSync(
    file('use.ts'),
    `import story, { type Info, type Inputs, type Outputs } from './built/index.js'
const input: Inputs['step'] = { token: [1, 2, 3], state: new Int32Array(1) }
const rows: readonly [2, 3] = {} as Outputs['prefill']['logits']['shape']
const offset: 0 = {} as Info['step']['inputs'][0]['offset']
const name: 'story' = story.name
const entry: 'step' = story.entries.step.name
const target: 'interpreter' = story.info.target
export async function use() {
  const { logits, next } = await story.entries.step.run(input, { into: { logits: new Float32Array(3) } })
  story.entries.step.runSync({ token: logits.data, state: next.data }, { into: { next } })
  story.entries.prefill.bind().inputs.tokens.set(logits.data)
  await story.ready()
  // @ts-expect-error a model with several entries is none of them
  story.run(input)
  // @ts-expect-error the name of an entry
  story.entries.stop
  // @ts-expect-error an input of the other entry
  story.entries.prefill.run({ token: logits.data })
  // @ts-expect-error an output of the other entry
  return [rows, offset, name, entry, target, story.entries.prefill.runSync({ tokens: [] }).next]
}
`,
  )
  const compilerOptions = {
    ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true },
    ...{ target: 'es2023', lib: ['es2023'], module: 'nodenext', types: [] },
  }
  writeFileSync(file('tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
  const result = await execute(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), '-p', '.'], folder)
  assert.is(result.out, '')
})

test('the folder runs where there is nothing but Node', async () => {
  mkdirSync(file('elsewhere'))
  cpSync(file('built'), file('elsewhere'), { recursive: true })
  const script = `import story from './index.js'
    const { logits, next } = await story.entries.step.run({ token: [1, 2, 3], state: [6] })
    const again = story.entries.prefill.runSync({ tokens: [1, 0, 0, 0, 0, 2] })
    const wrong = await story.run({}).catch((error) => error.code)
    console.log(JSON.stringify([[...logits.data], [...next.data], [...again.logits.data], wrong]))
    await story.close()`
  const { out, err } = await execute(process.execPath, ['--input-type=module', '-e', script], file('elsewhere'))
  assert.is(err, '')
  assert.equal(JSON.parse(out), [[1, 20, 300], [7], [1, 0, 0, 0, 0, 200], 'entry-missing'])
})

test.run()

import { type BuildOptions, build, type Message } from 'esbuild'
import glowplug from 'glowplug/esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bundle, cleanUp, createProject, scaleModel, scaleWeights } from './support.ts'

const errorsOf = (project: string, options: BuildOptions): Promise<Message[]> =>
  bundle(project, options).then(
    () => [],
    (error) => error.errors,
  )

/** 1-based line of the first line that contains `text`. */
const lineOf = (source: string, text: string) => source.split('\n').findIndex((line) => line.includes(text)) + 1

const wrong = `
import { conv2d, matmul, model, relu, tensor } from 'glowplug'
import { head } from './head.ts'

export const first = model({
  name: 'first',
  inputs: { x: tensor('f32', [2, 3]), y: tensor('f32', [4, 5]) },
  forward({ x, y }) {
    const naïve = '😀'; const z = matmul(x, y)
    return { z: relu(z) }
  },
})

export const second = model({
  name: 'second',
  inputs: { x: tensor('f32', [2, 3]) },
  forward: ({ x }) => ({ y: head(x) }),
})
`
const head = `import { type Tensor, reshape } from 'glowplug'
export const head = (x: Tensor) => {
  return reshape(x, [7])
}
`

test('BP-01 all mistakes of a file at once, each at its place with the way there and the remedy', async () => {
  const project = createProject({
    'app.ts': `import { first } from './wrong.model.ts'\nconsole.log(first)`,
    'wrong.model.ts': wrong,
    'head.ts': head,
  })
  const errors = await errorsOf(project, { entryPoints: ['app.ts'] })
  assert.is(errors.length, 2, JSON.stringify(errors, undefined, 1))
  const [inHead, inMatmul] = errors as [Message, Message]
  assert.match(inMatmul.text, /matmul/)
  assert.match(inMatmul.text, /\[shape-mismatch\]$/)
  const line = lineOf(wrong, 'matmul(x, y)')
  const lineText = wrong.split('\n')[line - 1]!
  const { file, line: foundLine, column, length, lineText: foundText } = inMatmul.location!
  assert.equal([file, foundLine, foundText], ['wrong.model.ts', line, lineText])
  const marked = Buffer.from(lineText)
    .subarray(column, column + length)
    .toString()
  assert.ok('matmul(x, y)'.includes(marked) && marked.length > 0, `marked ${JSON.stringify(marked)}`)
  assert.ok(inMatmul.notes.at(-1)!.text.length > 10, 'a remedy')
  assert.equal([inHead.location!.file, inHead.location!.line], ['head.ts', 3])
  const caller = inHead.notes.find(({ location }) => location?.file === 'wrong.model.ts')
  assert.is(caller?.location?.line, lineOf(wrong, 'head(x)'))
})

test('missing weights and missing files are told at the line that asks for them', async () => {
  const source = scaleModel('scale')
  const project = createProject({ 'scale.model.ts': source })
  const [missing] = await errorsOf(project, { entryPoints: ['scale.model.ts'] })
  assert.is(missing?.location?.file, 'scale.model.ts')
  assert.match(missing!.text, /scale\.safetensors/)
  const other = createProject({
    'scale.model.ts': source.replace(`'scale', 'f32'`, `'scales', 'f32'`),
    'scale.safetensors': scaleWeights([1, 2]),
  })
  const [misnamed] = await errorsOf(other, { entryPoints: ['scale.model.ts'] })
  assert.match(misnamed!.text, /scales.*\[weight-missing\]/)
  assert.is(misnamed!.location!.line, lineOf(source, 'w.get('))
})

test('a file with mistakes is read again by the next build', async () => {
  const project = createProject({
    'scale.model.ts': scaleModel('scale').replace('[2]) }', '[3]) }'),
    'scale.safetensors': scaleWeights([1, 2]),
  })
  for (let i = 0; i < 2; i++) assert.is((await errorsOf(project, { entryPoints: ['scale.model.ts'] })).length, 1)
})

test('options are checked, all at once, with the nearest name', async () => {
  const messagesOf = async (options: object) => {
    try {
      await build({ stdin: { contents: '' }, write: false, logLevel: 'silent', plugins: [glowplug(options)] })
      return []
    } catch (error) {
      return (error as { errors: Message[] }).errors.map(({ text }) => text)
    }
  }
  assert.equal(await messagesOf({}), [])
  assert.equal(
    await messagesOf({ targets: ['wasm'], cache: false, cacheBytes: 1e6, report: 'silent', instances: 2, verify: 'full' }),
    [],
  )
  assert.equal(await messagesOf({ cache: undefined }), [])
  const [unknown, target, ...more] = await messagesOf({
    target: ['wasm'],
    targets: ['webgpu'],
    instances: 0,
    verify: 'quick',
    cache: true,
    report: 'html',
    cacheBytes: -1,
  })
  assert.match(unknown!, /no option 'target'; did you mean 'targets'\?/)
  assert.match(target!, /'targets' must be 'auto', or one or a list of different targets among 'native', .*'wasm', 'interpreter'/)
  assert.is(more.length, 5)
  assert.match((await messagesOf({ zzzzzz: 1 }))[0]!, /options are targets, cache/)
  assert.match((await messagesOf('table' as never))[0]!, /must be an object/)
})

test.after(cleanUp)
test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inputName, printGraph } from '../../compiler/graph/index.ts'
import { extractModule, transformModule } from '../../plugin/extract/index.ts'
import { extractProject } from './project.ts'

const imports = "import { add, gather, model, relu, tensor, weights } from 'glowplug'"

/** What is told about a model file as `code text-of-the-place`, and the messages. */
async function told(source: string) {
  const { models, diagnostics } = await extractProject({ 'm.model.ts': source })
  const lines = source.split('\n')
  const places = diagnostics.map(({ code, span }) => {
    assert.is(span?.file, 'm.model.ts')
    const { line, column, endLine, endColumn } = span!
    const text = lines[line - 1]!.slice(column - 1, endLine === line ? endColumn! - 1 : undefined)
    return `${code} ${text}`
  })
  return { models, places, messages: diagnostics.map(({ message }) => message) }
}

test('every entry becomes a graph, in order, whatever the entries are made of', async () => {
  const { models, places } = await told(`${imports}
import { relu as rectify } from 'glowplug'
const x = tensor('f32', [4])
const entry = (size: number) => ({ inputs: { x: tensor('f32', [size]) }, forward: ({ x }: any) => ({ y: rectify(x) }) })
class Step {
  static inputs = { x, pos: tensor('i64', [1]) }
}
const bySize = Object.fromEntries([1, 2].map((size) => [\`size\${size}\`, entry(size)]))
export default model({
  name: 'm',
  entries: { ...bySize, step: { inputs: Step.inputs, forward({ x, pos }) { return { y: gather(x, pos) } } } },
})`)
  assert.equal(places, [])
  assert.equal(
    models[0]!.model.entries.map(({ name, graph }) => [name, graph.name, ...graph.inputs.map(inputName)]),
    [
      ['size1', 'm', 'x'],
      ['size2', 'm', 'x'],
      ['step', 'm', 'x', 'pos'],
    ],
  )
  assert.match(printGraph(models[0]!.model.entries[1]!.graph), 'relu(%0) : f32[2]')
})

test('mistakes in the object of entries are told together, each at its place', async () => {
  const { places, messages } = await told(`${imports}
const inputs = { x: tensor('f32', [4]) }
const forward = ({ x }: any) => ({ y: relu(x) })
export default model({
  name: 'm',
  inputs,
  forward: forward,
  entries: {
    'my step': { inputs, forward },
    list: [1],
    lazy: { inputs },
    open: { forward },
    extra: { inputs, forward, size: 3 },
    plain: { inputs: { 'an x': 4 }, forward },
  },
  size: 4,
} as any)`)
  assert.equal(places, [
    'bad-model inputs',
    'bad-model forward: forward',
    "bad-name 'my step': { inputs, forward }",
    'bad-model list: [1]',
    'bad-model lazy: { inputs }',
    'bad-model open: { forward }',
    'bad-model size: 3',
    "bad-model 'an x': 4",
    "bad-name 'an x': 4",
    'bad-model size: 4',
  ])
  assert.equal(messages, [
    'model(): inputs stands beside entries; a model with entries has it in each of them',
    'model(): forward stands beside entries; a model with entries has it in each of them',
    messages[2],
    "model(): entry 'list' must be an object with inputs and forward, got an array of 1",
    "model(): entry 'lazy': forward must be a function, got undefined",
    "model(): entry 'open': inputs must be an object of tensor() descriptions, got undefined",
    `model(): entry 'extra' has no property "size"; it takes inputs and forward`,
    "model(): entry 'plain': input 'an x' must be described by tensor(dtype, shape), got 4",
    messages[8],
    'model() has no property "size"; it takes name, entries and state',
  ])
  assert.match(messages[2]!, 'the name of an entry must consist of letters')
  assert.match(messages[8]!, 'the name of an input must consist of letters')
})

test('no entries, and entries that are none', async () => {
  for (const [entries, message] of [
    ['{}', 'model(): entries must have at least one entry, got an empty object'],
    ['[]', 'model(): entries must be an object of { inputs, forward }, got an array of 0'],
    ['undefined', 'model(): entries must be an object of { inputs, forward }, got undefined'],
    ['() => {}', 'model(): entries must be an object of { inputs, forward }, got a function'],
  ]) {
    const { places, messages } = await told(`${imports}\nexport default model({ name: 'm', entries: ${entries} } as any)`)
    assert.equal([places, messages], [[`bad-model entries: ${entries}`], [message]])
  }
})

test('every forward is read, also when another fails: what it throws, what it depends on, what it returns', async () => {
  const { models, places, messages } = await told(`${imports}
const inputs = { x: tensor('f32', [4]), y: tensor('f32', [3]) }
export default model({
  name: 'm',
  entries: {
    throws: { inputs, forward() { throw new Error('not yet') } },
    unknown: { inputs, forward: ({ x }) => ({ z: process.env.FAST ? x : relu(x) }) },
    shapes: { inputs, forward: ({ x, y }) => ({ z: add(x, y as any) }) },
    nothing: { inputs, forward: () => ({}) },
    fine: { inputs, forward: ({ x, y }) => ({ x, y }) },
    unused: { inputs, forward: ({ x }) => ({ z: relu(x) }) },
  },
})`)
  assert.equal(models, [])
  assert.equal(places, [
    "input-unused y: tensor('f32', [3])",
    "user-throw throw new Error('not yet')",
    'unknown-global process',
    'shape-mismatch add(x, y as any)',
    'bad-model forward: () => ({})',
  ])
  assert.is(messages.at(-1), "model(): entry 'nothing': forward must return at least one named tensor, got an empty object")
  assert.is(messages[0], "input 'y' of entry 'unused' of model 'm' does not influence any output")
})

test('a tensor of one forward does not reach another', async () => {
  const { places, messages } = await told(`${imports}
const inputs = { x: tensor('f32', [4]) }
let kept: any
export default model({
  name: 'm',
  entries: {
    first: { inputs, forward({ x }) { kept = relu(x); return { y: kept } } },
    second: { inputs, forward: ({ x }) => ({ y: add(x, kept) }) },
  },
})`)
  assert.equal(places, ['bad-operand add(x, kept)'])
  assert.equal(messages, ['add: right belongs to another forward()'])
})

test('entries share the data of their weights', async () => {
  const file = `${process.env.GLOWPLUG_ROOT}/fixtures/stories260k/stories260k.model.ts`
  const { models } = await extractModule(file, { root: process.env.GLOWPLUG_ROOT! })
  const [prefill, step] = models[0]!.model.entries.map(({ graph }) =>
    graph.nodes.flatMap(({ data }) => (data?.label.endsWith('.weight') ? [data] : [])),
  )
  assert.is(prefill!.length, 47)
  assert.equal(new Set([...prefill!, ...step!]).size, 47)
})

test('running an entry where the model is built is an error', async () => {
  const { places } = await told(`${imports}
const inputs = { x: tensor('f32', [4]) }
const net = model({ name: 'm', entries: { step: { inputs, forward: ({ x }) => ({ y: relu(x) }) } } })
const size = net.entries.step.info.inputs.length
export default net
export const other = model({ name: 'n', inputs: { x: tensor('f32', [size]) }, forward: ({ x }) => ({ y: relu(x) }) })`)
  assert.equal(places, ['model-at-build net.entries'])
})

test('a call with entries is replaced whole; forward functions, weights and helpers fall out', async () => {
  const source = `${imports}
import { block } from './block.ts'
const w = weights(new URL('./w.safetensors', import.meta.url), { ignore: ['*'] })
const inputs = { x: tensor('f32', [4]) }
const twice = (x: any) => block(block(x))
export const stepSize = 1
export const net = model({
  name: 'm',
  entries: { step: { inputs, forward: ({ x }) => ({ y: twice(x) }) }, again: { inputs, forward: ({ x }) => ({ y: relu(x) }) } },
})
`
  const extraction = await extractProject({
    'm.model.ts': source,
    'block.ts': "import { exp } from 'glowplug'\nexport const block = (x: any) => exp(x)",
  })
  const { code } = transformModule(source, 'm.model.ts', extraction, {
    header: "import { open } from 'glowplug/runtime'",
    expressionFor: ({ model }) => `open('${model.entries.map(({ name }) => name).join(' ')}')`,
  })
  assert.is(
    code.replaceAll(/\n+/g, '\n'),
    "\nimport { open } from 'glowplug/runtime'\nexport const stepSize = 1\nexport const net = open('step again')\n".trimStart(),
  )
})

test.run()

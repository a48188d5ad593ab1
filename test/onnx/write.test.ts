import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { writeSource } from '../../dsl/onnx/write/index.ts'
import { draw } from '../support/draw.ts'
import { mulberry } from '../support/randomGraph.ts'
import { modelText } from '../support/sameGraph.ts'
import { checkSources } from './written/check.ts'
import { networks } from './written/networks.ts'
import { hostileNames, randomNetwork } from './written/random.ts'
import { image, type Network, readSource, record } from './written/record.ts'

const folder = join(process.env.GLOWPLUG_ROOT!, 'test/onnx/written')
const update = process.env.GLOWPLUG_UPDATE === '1'

// What is written lies beside its test as a model like any other, so that the compiler and the linter of this repository read it.
for (const [name, entries] of Object.entries(networks)) {
  test(`${name}: the source is the expected one, and reading it gives the graph that was recorded`, async () => {
    const { recordings, graph, weights } = record(name, entries, [
      `imported from ${name}.onnx`,
      'producer pytorch 2.4, IR version 8, ai.onnx 17',
    ])
    const source = writeSource(recordings, { weightsFile: `./${name}.safetensors` })
    const file = join(folder, `${name}.model.ts`)
    if (update) writeFileSync(file, source)
    assert.ok(existsSync(file), 'run with --update')
    assert.fixture(source, readFileSync(file, 'utf8'))
    assert.fixture(await readSource(source, name, weights), modelText(graph))
    assert.is(writeSource(recordings, { weightsFile: `./${name}.safetensors` }), source)
  })
}

const { seed, numRuns } = draw(11, 36)

/** Code is ASCII; comments may have letters of all languages, and nothing that steers. */
function assertPlain(source: string): void {
  for (const line of source.split('\n'))
    assert.match(line, line.startsWith('// ') ? /^[\x20-\x7e\p{L}\p{M}\p{N}]*$/u : /^[\x20-\x7e]*$/)
}

/** What the tests make, for the compiler and the linter to read at once. */
const sources = new Map<string, string>()

test('random networks: the source gives the graph that was recorded', async () => {
  for (let run = 0; run < numRuns; run++) {
    const names = run % 3 === 0 ? hostileNames : ['conv', 'layer1.0.weight', 'dense/kernel']
    const network = randomNetwork(seed * 1000 + run, 2 + (run % 12), names)
    const { recordings, graph, weights } = record('random', { main: network }, ['imported from x.onnx', ...hostileNames])
    const source = writeSource(recordings, { weightsFile: './random.safetensors' })
    assertPlain(source)
    assert.fixture(await readSource(source, 'random', weights), modelText(graph))
    sources.set(`random${run}`, source)
  }
})

test('text of the file is text in the source: names as literals, the header as comments', async () => {
  const network: Network = {
    inputs: { x: image(1, 4) },
    make: ({ d, weight }, { x }) => ({ y: hostileNames.reduce((sum, name) => d.add(sum, weight(name, 4)), x) }),
  }
  const { recordings, graph, weights } = record('hostile', { main: network }, hostileNames)
  const source = writeSource(recordings, { weightsFile: "./'+process.exit(1)+'.safetensors" })
  assertPlain(source)
  assert.not.match(source, /^\/\/\s*@/m)
  assert.not.match(source, /<\/script/)
  assert.not.match(source, /^\/\/.*\*\//m)
  const written = writeSource(recordings, { weightsFile: './hostile.safetensors' })
  assert.fixture(await readSource(written, 'hostile', weights), modelText(graph))
})

test('names of inputs, outputs and entries that are taken by something else', async () => {
  const taken = ['relu', 'w', 'name', 'tensor', 'Tensor', 'x', 'y', 'made', 'model', 'undefined_', 'weights']
  const network: Network = {
    inputs: Object.fromEntries(taken.map((name) => [name, image(1, 4)])),
    make: ({ d, weight }, inputs) =>
      Object.fromEntries(
        taken.map((name, i) => [`${name}_out`, d.relu(d.linear(inputs[name], weight(`layers.${i}.weight`, 4, 4)))]),
      ),
  }
  const { recordings, graph, weights } = record('taken', { model: network, forward: network })
  const source = writeSource(recordings, { weightsFile: './taken.safetensors' })
  assert.fixture(await readSource(source, 'taken', weights), modelText(graph))
  sources.set('taken', source)
})

test('thousands of calls, alike or not: written in little more than linear time, so that the compiler does not overflow', async () => {
  const count = 3000
  const layers: Network = {
    inputs: { x: image(1, 8) },
    make({ d, weight }, { x }) {
      for (let i = 0; i < count / 5; i++) {
        const y = d.relu(d.linear(x, weight(`layers.${i}.up.weight`, 16, 8), weight(`layers.${i}.up.bias`, 16)))
        x = d.add(x, d.linear(d.mul(y, d.sigmoid(y)), weight(`layers.${i}.down.weight`, 8, 16)))
      }
      return { y: x }
    },
  }
  const tangled: Network = {
    inputs: { x: image(4) },
    make({ d }, { x }) {
      const random = mulberry(5)
      const made = [x]
      for (let i = 0; i < count; i++) {
        const [a, b] = [made.at(-1), made[Math.max(0, made.length - 1 - Math.floor(random() * 20))]]
        made.push([d.relu, d.tanh, d.exp][i % 3]!(i % 7 === 0 ? d.mul(a, i) : random() < 0.5 ? d.add(a, b) : d.sub(b, a)))
      }
      return { y: made.at(-1) }
    },
  }
  for (const [name, network] of Object.entries({ layers, tangled })) {
    const { recordings, graph, weights } = record(name, { main: network })
    const source = writeSource(recordings, { weightsFile: `./${name}.safetensors` })
    assert.is(await readSource(source, name, weights), modelText(graph))
    sources.set(name, source)
  }
  assert.ok(sources.get('layers')!.split('\n').length < 40)
})

test('compiler, linter and formatter have nothing to say about any of these', () => {
  assert.ok(sources.size > 36)
  checkSources(sources)
})

test.run()

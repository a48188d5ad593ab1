import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { presets } from '../../targets/platform/index.ts'
import { cleanUp, runAlone } from '../esbuild/support.ts'
import { bundlers, createProject } from './support.ts'

test.after(cleanUp)

const model = `import { constant, linear, model, relu, tensor } from 'glowplug'
const layer = (seed: number) => constant('f32', [16, 16], Array.from({ length: 256 }, (_, i) => ((i * seed) % 11) / 11 - 0.5))
export default model({
  name: 'layers',
  inputs: { x: tensor('f32', [2, 16]) },
  forward({ x }) {
    return { y: linear(relu(linear(relu(linear(x, layer(3))), layer(5))), layer(7)) }
  },
})
`
/** Two cards, neither of which has room for three layers. */
const platform = structuredClone(presets['six-cards']) as any
platform.cards[0].count = 2
platform.types['M.2 card'].memory = [{ name: 'DRAM', bytes: 2700, bytesPerSecond: 1e9 }]

for (const [name, bundler] of Object.entries(bundlers))
  test(`${name}: the module of a model on two cards serves it (PA-06)`, async () => {
    const project = createProject({
      'layers.model.ts': model,
      'main.js': `import layers from './layers.model.ts'
const { y } = await layers.run({ x: Array.from({ length: 32 }, (_, i) => i / 32) })
console.log(JSON.stringify([layers.info.cards.map(({ parts }) => parts), y.data.length, y.data.every(Number.isFinite)]))
await layers.close()
`,
    })
    const outcome = await bundler.build(project, { entry: { main: './main.js' } }, { targets: ['interpreter'], platform })
    assert.is(outcome.error, undefined)
    assert.equal(JSON.parse(runAlone(join(project, 'out'), 'main.mjs')), [[['stage0'], ['stage1']], 32, true])
  })

test.run()

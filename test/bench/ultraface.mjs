// UltraFace on one thread: glowplug's wasm against onnxruntime-web, interleaved in one process, outputs compared first.
// `npm ci && node ultraface.mjs [--runs 40] [--json FILE]`, after `npm ci` at the top of the repository.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as ort from 'onnxruntime-web/wasm'
import { buildDist } from '../../plugin/build.mjs'
import { initializersAsConstants } from './onnx.mjs'

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '40' }, json: { type: 'string' } } })
const runs = Number(options.runs)
const fixture = fileURLToPath(new URL('../../fixtures/ultraface-rfb-320/', import.meta.url))
const index = JSON.parse(readFileSync(`${fixture}index.json`, 'utf8'))
const cases = index.cases.filter((entry) => entry.model === 'model.onnx')

const floats = (file) => new Float32Array(new Uint8Array(readFileSync(file)).buffer)
const images = cases.map((entry) => floats(`${fixture}${entry.inputs[0].file}`))

await buildDist()
const { compile, extract } = await import('../../dist/compiler.js')
const { open } = await import('../../dist/runtime.js')

const { models } = await extract(`${fixture}ultraface-rfb-320.model.ts`)
const { graph } = models.find((model) => model.exportName === 'default')
const face = open(await compile(graph, { target: 'wasm' }))
await face.ready()
const bound = face.bind()
const [inputName] = Object.keys(bound.inputs)

ort.env.wasm.numThreads = 1
ort.env.logLevel = 'fatal'
const session = await ort.InferenceSession.create(initializersAsConstants(readFileSync(`${fixture}model.onnx`)), {
  executionProviders: ['wasm'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 4,
})

const runOurs = (image) => {
  bound.inputs[inputName].set(image)
  bound.run()
  return bound.outputs
}
const runPeer = (image) => session.run({ input: new ort.Tensor('float32', image, [1, 3, 240, 320]) })

for (const [i, image] of images.entries()) {
  const ours = runOurs(image)
  const peer = await runPeer(image)
  for (const { name, tolerance } of cases[i].outputs) {
    const expected = peer[name].data
    const worst = expected.reduce(
      (most, value, k) => Math.max(most, Math.abs(ours[name][k] - value) - tolerance.rtol * Math.abs(value)),
      0,
    )
    if (!(worst <= tolerance.atol)) throw new Error(`${cases[i].id}: output ${name} differs from the peer by ${worst}`)
  }
}

const time = async (run, image) => {
  const start = performance.now()
  await run(image)
  return performance.now() - start
}
for (let i = 0; i < 10; i++) for (const run of [runOurs, runPeer]) await run(images[i % images.length])
const samples = []
for (let i = 0; i < runs; i++) {
  const image = images[i % images.length]
  // Who goes first alternates, so that neither always inherits the other's cache.
  const pair =
    i % 2
      ? [await time(runOurs, image), await time(runPeer, image)]
      : [await time(runPeer, image), await time(runOurs, image)].reverse()
  samples.push({ ours: pair[0], peer: pair[1], ratio: pair[0] / pair[1] })
}

const median = (key) => samples.map((sample) => sample[key]).sort((a, b) => a - b)[samples.length >> 1]
const spread = (key) => samples.map((sample) => sample[key]).sort((a, b) => a - b)
const row = (key) => `${median(key).toFixed(2)} (${spread(key)[0].toFixed(2)} … ${spread(key).at(-1).toFixed(2)})`
console.log(`ultraface-rfb-320, one thread, ${runs} interleaved pairs, median (min … max)`)
console.log(`glowplug wasm    ${row('ours')} ms`)
console.log(`onnxruntime-web  ${row('peer')} ms`)
console.log(`ratio            ${row('ratio')}`)
if (options.json) writeFileSync(options.json, `${JSON.stringify({ samples, ratio: median('ratio') }, null, 2)}\n`)
process.exit(0)

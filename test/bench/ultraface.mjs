// UltraFace on one thread: glowplug's native code against onnxruntime-node, its wasm against onnxruntime-web, interleaved in one process,
// outputs compared first. `npm ci && node ultraface.mjs [--target native|wasm] [--runs 40] [--json FILE]`, after `npm ci` at the top.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expectClose, openModel, openPeer, readOptions, report, timePairs, writeResults } from './compare.mjs'
import { initializersAsConstants } from './onnx.mjs'

const { runs, targets, json } = readOptions(40)
const fixture = fileURLToPath(new URL('../../fixtures/ultraface-rfb-320/', import.meta.url))
const index = JSON.parse(readFileSync(`${fixture}index.json`, 'utf8'))
const cases = index.cases.filter((entry) => entry.model === 'model.onnx')
const images = cases.map((entry) => new Float32Array(new Uint8Array(readFileSync(`${fixture}${entry.inputs[0].file}`)).buffer))

const results = []
for (const target of targets) {
  const face = await openModel(`${fixture}ultraface-rfb-320.model.ts`, target)
  const bound = face.bind()
  const [inputName] = Object.keys(bound.inputs)
  const { name, ort, session } = await openPeer(target, initializersAsConstants(readFileSync(`${fixture}model.onnx`)))
  const ours = (image) => {
    bound.inputs[inputName].set(image)
    bound.run()
    return bound.outputs
  }
  const peer = (image) => session.run({ input: new ort.Tensor('float32', image, [1, 3, 240, 320]) })
  for (const [i, image] of images.entries()) {
    const [own, other] = [ours(image), await peer(image)]
    for (const output of cases[i].outputs)
      expectClose(`${cases[i].id}: ${output.name}`, own[output.name], other[output.name].data, output.tolerance)
  }
  const samples = await timePairs({ ours, peer, runs, of: (i) => images[i % images.length] })
  results.push(report('ultraface-rfb-320', { ours: `glowplug ${target} (${face.info.level})`, peer: name }, samples))
}
writeResults(json, results)
process.exit(0)

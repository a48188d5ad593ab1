// Steps of stories260k on one thread: the greedy story told by both token by token, glowplug's native code against onnxruntime-node and its
// wasm against onnxruntime-web, interleaved in one process, logits compared at every token. What carries the caches from one step to the
// next is part of a step. `npm ci && node stories.mjs [--target native|wasm] [--runs 200] [--json FILE]`, after `npm ci` at the top.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expectClose, openModel, openPeer, readOptions, report, timePairs, writeResults } from './compare.mjs'
import { initializersAsConstants } from './onnx.mjs'

const { runs, targets, json } = readOptions(200)
const fixture = fileURLToPath(new URL('../../fixtures/stories260k/', import.meta.url))
const shape = [5, 4, 512, 8]
const size = shape.reduce((a, b) => a * b)
/** Positions until the story starts anew. */
const length = 256
const beginning = 1
const tolerance = { atol: 1e-3, rtol: 1e-3 }
const best = (logits) => logits.reduce((found, value, i) => (value > logits[found] ? i : found), 0)

const results = []
for (const target of targets) {
  const model = await openModel(`${fixture}stories260k.model.ts`, target)
  const bound = model.entries.step.bind()
  const { name, ort, session } = await openPeer(target, initializersAsConstants(readFileSync(`${fixture}step.onnx`)))
  let token = beginning
  let caches
  let answers = {}
  const restart = () => {
    token = beginning
    for (const cache of ['k_cache', 'v_cache']) bound.inputs[cache].fill(0)
    caches = [0, 1].map(() => new ort.Tensor('float32', new Float32Array(size), shape))
  }
  const ours = (position) => {
    bound.inputs.token[0] = BigInt(token)
    bound.inputs.pos[0] = BigInt(position)
    bound.run()
    bound.inputs.k_cache.set(bound.outputs.k_cache_out)
    bound.inputs.v_cache.set(bound.outputs.v_cache_out)
    answers.ours = bound.outputs.logits
  }
  const peer = async (position) => {
    const integer = (value, dims) => new ort.Tensor('int64', BigInt64Array.of(BigInt(value)), dims)
    const feeds = { token: integer(token, [1, 1]), pos: integer(position, [1]), k_cache: caches[0], v_cache: caches[1] }
    const found = await session.run(feeds)
    caches = [found.k_cache_out, found.v_cache_out]
    answers.peer = found.logits.data
  }
  restart()
  const samples = await timePairs({
    ours,
    peer,
    runs,
    warmup: 20,
    of: (i) => i % length,
    between(i) {
      expectClose(`logits at ${i % length}`, answers.ours, answers.peer, tolerance)
      token = best(answers.peer)
      answers = {}
      if (i % length === length - 1) restart()
    },
  })
  results.push(report('stories260k step', { ours: `glowplug ${target} (${model.info.level})`, peer: name }, samples))
}
writeResults(json, results)
process.exit(0)

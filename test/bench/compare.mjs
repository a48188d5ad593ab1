// What the benchmarks share: a model compiled for a target and opened from a folder, and two ways to compute the same timed in turn.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildDist } from '../../plugin/build.mjs'

/** `--runs 40 --target native --json FILE`; without a target both. */
export function readOptions(runs) {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: String(runs) }, target: { type: 'string' }, json: { type: 'string' } },
  })
  return { runs: Number(values.runs), targets: values.target ? [values.target] : ['native', 'wasm'], json: values.json }
}

await buildDist()
const { compile, extract, writeBundle } = await import('../../dist/compiler.js')
const { open } = await import('../../dist/runtime.js')

/** The model that a file exports, compiled for one target and loaded; its folder is gone when the process ends. */
export async function openModel(file, target) {
  const { models } = await extract(file)
  const { model: found } = models.find(({ exportName }) => exportName === 'default')
  const folder = mkdtempSync(join(tmpdir(), 'glowplug-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  await writeBundle(await compile(found, { target }), folder)
  const model = open(folder, { target })
  await model.ready()
  return model
}

/** Throws where an output is further from the peer's than the tolerance allows. */
export function expectClose(label, ours, peer, { atol, rtol }) {
  for (let i = 0; i < peer.length; i++) {
    const error = Math.abs(ours[i] - peer[i]) - rtol * Math.abs(peer[i])
    if (!(error <= atol) || ours.length !== peer.length) throw new Error(`${label}[${i}] is ${ours[i]}, the peer's ${peer[i]}`)
  }
}

const time = async (run, input) => {
  const start = performance.now()
  await run(input)
  return performance.now() - start
}

/**
 * Pairs of runs of `ours` and `peer` on the input `of(i)`. Who goes first alternates, so that neither always inherits the other's cache;
 * `between` comes after each pair.
 */
export async function timePairs({ ours, peer, of, runs, warmup = 10, between = () => {} }) {
  const samples = []
  for (let i = 0; i < warmup + runs; i++) {
    const input = of(i)
    const order = i % 2 ? [ours, peer] : [peer, ours]
    const times = [await time(order[0], input), await time(order[1], input)]
    if (!(i % 2)) times.reverse()
    await between(i)
    if (i >= warmup) samples.push({ ours: times[0], peer: times[1], ratio: times[0] / times[1] })
  }
  return samples
}

/** Prints medians with quartiles, and gives what a file of results holds. */
export function report(title, names, samples) {
  const quantile = (key, q) => samples.map((sample) => sample[key]).sort((a, b) => a - b)[Math.floor((samples.length - 1) * q)]
  const row = (key, digits) => {
    const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(key, q).toFixed(digits))
    return `${middle} (${low} … ${high})`
  }
  const width = Math.max(...Object.values(names).map((name) => name.length)) + 2
  console.log(`${title}, one thread, ${samples.length} interleaved pairs, median (quartiles)`)
  for (const key of ['ours', 'peer']) console.log(`  ${names[key].padEnd(width)}${row(key, 3)} ms`)
  console.log(`  ${'ratio'.padEnd(width)}${row('ratio', 3)}`)
  return { title, names, ratio: quantile('ratio', 0.5), ours: quantile('ours', 0.5), peer: quantile('peer', 0.5) }
}

export const writeResults = (file, results) => {
  if (file) writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}

/** The runtime against which a target is measured, and a session of it on one thread. */
export async function openPeer(target, model) {
  const threads = { intraOpNumThreads: 1, interOpNumThreads: 1 }
  const common = { graphOptimizationLevel: 'all', logSeverityLevel: 4 }
  if (target === 'native') {
    const { default: ort } = await import('onnxruntime-node')
    return { name: 'onnxruntime-node', ort, session: await ort.InferenceSession.create(model, { ...common, ...threads }) }
  }
  const ort = await import('onnxruntime-web/wasm')
  ort.env.wasm.numThreads = 1
  ort.env.logLevel = 'fatal'
  const session = await ort.InferenceSession.create(model, { ...common, executionProviders: ['wasm'] })
  return { name: 'onnxruntime-web', ort, session }
}

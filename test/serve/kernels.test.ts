// TO-10: native code that was built for traces tells the time of each of its kernels, by the line of the model that it comes from.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelGraph } from '../../compiler/graph/index.ts'
import { compile } from '../../plugin/compile.ts'
import { extractModule } from '../../plugin/extract/index.ts'
import { type Bundle, open } from '../../targets/runtime/index.ts'
import type { PlacedEntry } from '../../targets/runtime/plan.ts'
import { recordTrace, type ServeOptions, serve, type TraceEvent, traceLevels } from '../../targets/runtime/serve/index.ts'
import { readTimes, withTimes } from '../../targets/runtime/serve/watch/times.ts'
import { codeOf, folderOf, newFolder, unavailable } from './support.ts'

const source = `import { matmul, model, relu, softmax, tensor } from 'glowplug'
export default model({
  name: 'lines',
  inputs: { x: tensor('f32', [256, 256]), y: tensor('f32', [256, 256]) },
  forward({ x, y }) {
    const product = matmul(x, y)
    const bent = relu(matmul(product, y))
    return { z: softmax(bent, { axis: 1 }) }
  },
})
`
const lines = [6, 7, 8]

async function extract(): Promise<ModelGraph> {
  const folder = newFolder()
  const file = join(folder, 'lines.model.ts')
  writeFileSync(file, source)
  const { models, diagnostics } = await extractModule(file, { root: folder })
  assert.equal(diagnostics, [])
  return models[0]!.model
}

let model: Promise<ModelGraph> | undefined
const bundles = new Map<boolean, Promise<Bundle>>()
/** The model, built for traces or not. */
async function built(trace: boolean): Promise<Bundle> {
  model ??= extract()
  const bundle =
    bundles.get(trace) ?? compile(await model, { target: trace ? ['native', 'wasm'] : 'native', ...(trace && { trace }) })
  bundles.set(trace, bundle)
  return bundle
}

const inputs = (seed: number) => ({
  x: Float32Array.from({ length: 65536 }, (_, i) => Math.sin(i * seed)),
  y: Float32Array.from({ length: 65536 }, (_, i) => Math.cos(i + seed) / 16),
})

/** The events of the kernels of each of `count` requests. */
async function kernelsOf(folder: string, options: ServeOptions, count: number) {
  const server = serve<any, any>(folder, { cards: 1, ...options })
  try {
    await server.ready()
    const recording = recordTrace(server, { levels: traceLevels.runtime + traceLevels.operator })
    const outputs = []
    for (let i = 0; i < count; i++) outputs.push(await server.run(inputs(i + 1)))
    recording.stop()
    const events = recording.trace().traceEvents
    const of = (cat: string) =>
      Array.from({ length: count }, (_, i) => events.filter((event) => event.cat === cat && event.args.request === i))
    return { kernels: of('operator'), commands: of('runtime'), outputs }
  } finally {
    await server.close()
  }
}

const within = ({ ts, dur }: TraceEvent, outer: TraceEvent) => {
  const slack = 0.002
  assert.ok(ts >= outer.ts - slack && ts + dur! <= outer.ts + outer.dur! + slack, `${ts} ${dur} in ${outer.ts} ${outer.dur}`)
}

if (unavailable) test.skip(`native code: ${unavailable}`, () => {})
else {
  test('kernels stand inside their command, in the order and at the lines of the model, on every device and with teams', async () => {
    const traced = folderOf(await built(true))
    const plain = open<any>(folderOf(await built(false)))
    for (const options of [{}, { device: 'process' }, { threads: 2 }] as const) {
      const { kernels, commands, outputs } = await kernelsOf(traced, options, 3)
      for (const [i, list] of kernels.entries()) {
        const found = list.map(({ args }) => Number(/^lines\.model\.ts:(\d+)/.exec(String(args.at))?.[1]))
        assert.equal(
          [...new Set(found.filter((line) => !Number.isNaN(line)))],
          lines,
          list.map(({ name, args }) => `${name} ${args.at}`).join(),
        )
        const command = commands[i]!.find(({ ph }) => ph === 'X')!
        for (const [k, kernel] of list.entries()) {
          within(kernel, command)
          if (k > 0) assert.ok(kernel.ts >= list[k - 1]!.ts)
        }
        const expected = await plain.run(inputs(i + 1))
        assert.equal(outputs[i].z.data, expected.z!.data)
      }
    }
    await plain.close()
  })

  test('callers do not see what tells the times, and other code tells none', async () => {
    const bundle = await built(true)
    const [native, wasm] = [
      ...bundle.manifest.codes.filter(({ target }) => target === 'native').slice(0, 1),
      bundle.manifest.codes.at(-1)!,
    ]
    assert.ok(native!.entries[0]!.times!.steps.length >= 3)
    assert.is(wasm!.entries[0]!.times, undefined)
    assert.equal(
      bundle.manifest.entries[0]!.outputs.map(({ name }) => name),
      ['z'],
    )
    const folder = folderOf(bundle)
    const opened = open<any>(folder)
    assert.equal(Object.keys(await opened.run(inputs(1))), ['z'])
    await opened.close()
    const { kernels, outputs } = await kernelsOf(folder, { target: 'wasm' }, 1)
    assert.equal(kernels, [[]])
    assert.equal(Object.keys(outputs[0]), ['z'])
  })

  test('without being asked for, no code tells times', async () => {
    const { codes } = (await built(false)).manifest
    assert.ok(codes.every(({ entries }) => entries.every(({ times }) => times === undefined)))
  })
}

const entry = (times: unknown): PlacedEntry =>
  ({
    name: 'main',
    export: 'e',
    regions: { constants: 0, mutable: 64, activations: 0, lowerBound: 0 },
    inputs: [],
    outputs: [],
    faults: [],
    times,
  }) as never

test('times that do not lie in their region are damage', async () => {
  const steps = [{ name: 'a_b', at: '' }]
  assert.equal(withTimes(entry({ offset: 40, steps })).outputs, [
    { name: 'times', dtype: 'i64', shape: [3], offset: 40, bytes: 24 },
  ])
  for (const times of [
    ...[48, 44, -8, 2 ** 32, 1.5, '0', undefined].map((offset) => ({ offset, steps })),
    { offset: 0, steps: Array(7).fill(steps[0]) },
    { offset: 0, steps: [{ name: 1, at: '' }] },
    { offset: 0, steps: [null] },
    { offset: 0, steps: 'ab' },
    null,
    7,
  ])
    assert.is(await codeOf(() => withTimes(entry(times))), 'bundle-malformed', JSON.stringify(times))
})

test('a run that did not come to its end tells nothing', () => {
  const placed = withTimes(entry({ offset: 0, steps: [{ name: 'a_b', at: 'm.ts:1:2' }] }))
  assert.equal(readTimes(placed, [BigInt64Array.of(0n, 5n, 9n)]), [])
  assert.equal(readTimes(placed, [BigInt64Array.of(2n, 5_000_000n, 9_000_000n)]), [
    { name: 'a_b', at: 'm.ts:1:2', time: 5, milliseconds: 4 },
  ])
})

test.run()

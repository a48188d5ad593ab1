import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inputName, verifyGraph } from '../../compiler/graph/index.ts'
import { secondsOfNodes } from '../../compiler/partition/roofline.ts'
import { findCompiler, nativeAvailable } from '../../targets/native/index.ts'
import { platforms } from '../../targets/native/levels.ts'
import { describePlatform, PlatformError } from '../../targets/platform/index.ts'
import { cachesHere, describeMachine, measureMachine, type Probed, works } from '../../targets/platform/probe/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'glowplug-probe-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

const probed: Probed = {
  name: 'this machine',
  processors: 4,
  threads: 2,
  cards: 2,
  device: 'worker',
  machine: {
    f32: 1e11,
    int8: 4e11,
    memory: [
      { name: 'L2', bytes: 2 ** 20, bytesPerSecond: 1e11 },
      { name: 'memory', bytes: 2 ** 34, bytesPerSecond: 2e10 },
    ],
    rows: 1e10,
    together: { arithmetic: 0.97, memory: 0.6 },
  },
  kinds: [
    { kind: 'linear', operations: 9e8, seconds: 1e-2, runs: 10 },
    { kind: 'conv 3x3', operations: 1e9, seconds: 5e-3, runs: 10 },
    { kind: 'conv 3x3', operations: 3e9, seconds: 1.5e-2, runs: 10 },
  ],
  serving: { launchSeconds: 2e-5, wakeSeconds: 3e-4, bytesPerSecond: 1e10, runs: 100 },
}

test('what was measured becomes a platform that plans are made for, each figure with where it comes from', () => {
  const { platform, provenance } = describePlatform(JSON.parse(JSON.stringify(describeMachine(probed))))
  assert.is(platform.cards.length, 2)
  const [card] = platform.cards
  assert.equal(card!.operationsPerSecond, { int8: 8e11, f16: 2e11, f32: 2e11 })
  assert.equal(card!.utilisation, { arithmetic: 0.9, lookups: 0.5, kinds: { linear: 0.9, 'conv 3x3': 2 } })
  assert.equal(platform.sharing, { arithmetic: 0.97, memory: 0.6, processors: probed.processors })
  assert.is(card!.launchSeconds, 2e-5)
  assert.is(card!.wakeSeconds, 3e-4)
  const kind = provenance.get('types.worker.utilisation.kinds.conv 3x3')!
  assert.is(kind.certainty, 'measured')
  assert.match(kind.source, /glowplug probe, 2 compiled graphs, 20 runs/)
  // One card shares with nobody.
  assert.is(describePlatform(describeMachine({ ...probed, cards: 1 })).platform.sharing, undefined)
})

test('shares of kinds are bounded, as everything that a file says', () => {
  const file = describeMachine(probed)
  const worker = file.types.worker!
  for (const kinds of [{ 'conv\n': 1 }, { conv: 17 }, { conv: 0 }])
    assert.throws(
      () => describePlatform({ ...file, types: { worker: { ...worker, utilisation: { arithmetic: 1, lookups: 1, kinds } } } }),
      (error: Error) => error instanceof PlatformError,
    )
})

test('graphs of known work are right, each of a kind, and take what they were measured to take', () => {
  const card = describePlatform(describeMachine(probed)).platform.cards[0]!
  const found = works.map((make) => make())
  assert.ok(found.length > 15)
  for (const { graph, kind, operations } of found) {
    verifyGraph(graph)
    assert.ok(operations > 0, kind)
    const nodes = graph.nodes.filter(({ data, op }) => !data && op !== 'input')
    // A kind that is known by its time has that time in the model.
    const share = 0.25
    const kinds = { [kind]: share }
    const modelled = secondsOfNodes(nodes, { ...card, utilisation: { ...card.utilisation, kinds } })
    assert.ok(modelled >= (operations / (card.operationsPerSecond.f32 * share)) * (1 - 1e-9), kind)
    assert.ok(graph.inputs.every((input) => inputName(input).length > 0))
  }
  assert.ok(new Set(found.map(({ kind }) => kind)).has('conv 3x3 grouped'))
})

test('caches are those that the system tells of', () => {
  const cache = join(folder, 'cache')
  const write = (index: number, type: string, level: number, size: string) => {
    const home = join(cache, `index${index}`)
    mkdirSync(home, { recursive: true })
    for (const [name, text] of Object.entries({ type, level: String(level), size })) writeFileSync(join(home, name), `${text}\n`)
  }
  write(0, 'Data', 1, '32K')
  write(1, 'Instruction', 1, '32K')
  write(2, 'Unified', 2, '1M')
  write(3, 'Unified', 3, 'many')
  assert.equal(cachesHere(cache), [
    { name: 'L1', bytes: 2 ** 15 },
    { name: 'L2', bytes: 2 ** 20 },
  ])
  assert.ok(cachesHere(join(folder, 'nothing')).length > 0)
})

const { ok } = await nativeAvailable()
const native = ok ? test : test.skip

native('the machine is measured by a C program: memory is slower the larger it is, arithmetic is known', async () => {
  const platform = Object.values(platforms).find(({ name }) => name === `${process.platform}-${process.arch}`)!
  const [compiler, ...given] = (await findCompiler(platform.name)).command
  const said: string[] = []
  const rates = await measureMachine({
    folder,
    threads: 1,
    update: (what) => said.push(what),
    async compile(source, program) {
      // Of the least level: every machine runs it.
      const flags = ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-ffp-contract=fast', ...platform.levels.at(-1)!.flags]
      await promisify(execFile)(compiler!, [...given, ...flags, source, '-o', program])
    },
  })
  assert.ok(rates.f32 > 1e8)
  const speeds = rates.memory.map(({ bytesPerSecond }) => bytesPerSecond)
  assert.equal(
    speeds,
    [...speeds].sort((a, b) => b - a),
  )
  assert.ok(speeds.at(-1)! > 1e8)
  assert.ok(rates.rows > 1e6)
  assert.ok(!existsSync(join(folder, 'rows')))
  assert.equal(rates.together, { arithmetic: 1, memory: 1 })
  assert.ok(said.includes('memory'))
})

test.run()

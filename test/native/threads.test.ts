// Threads within a run, as JavaScript sees them: several addons, instances, environments, and runs whose environment ends.
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { entries, loadAddon, makeAddon, makeRegion, onPool, openInstance, weights, weightsPath } from './handmade.ts'
import { needsCompiler } from './harness.ts'

await needsCompiler('threads within a run')
const paths = [await makeAddon('one'), await makeAddon('two')]
const expected = (value: number) => weights.map((weight) => weight * value)

test('any number of threads gives the same, on the calling thread and on the pool', async () => {
  const addon = loadAddon(paths[0]!)
  for (const threads of [undefined, 0, 1, 2, 2.5, 3, 64, 1e9, Number.POSITIVE_INFINITY, Number.NaN]) {
    const instance = openInstance(addon, threads)
    for (let round = 0; round < 50; round++) {
      const { region, start, output } = makeRegion(addon, round)
      const run =
        round % 2
          ? addon.run(instance, entries.together, region, start)
          : await onPool(addon, instance, entries.together, region, start)
      assert.is(run, 0)
      assert.equal(output(), expected(round), `${threads} threads`)
      // Entries without anything to divide run alone.
      assert.is(addon.run(instance, entries.scale, region, start), 0)
      assert.equal(output(), expected(round))
    }
    addon.close(instance)
  }
})

test('many instances of two addons on one pool, more than it has threads, never wait for each other for ever', async () => {
  const addons = paths.map(loadAddon)
  const work = async (k: number) => {
    const addon = addons[k % 2]!
    const instance = openInstance(addon, 2 + (k % 3))
    for (let round = 0; round < 60; round++) {
      const { region, start, output } = makeRegion(addon, round + k)
      assert.is(await onPool(addon, instance, entries.together, region, start), 0)
      assert.equal(output(), expected(round + k))
    }
    // Closed while it runs: it goes on to its end.
    const { region, start } = makeRegion(addon, 1)
    const last = onPool(addon, instance, entries.together, region, start)
    addon.close(instance)
    await last
  }
  const deadline = Array.from({ length: 10 }, (_, k) => work(k))
  const { region, start, output } = makeRegion(addons[0]!, 3)
  const own = openInstance(addons[0]!, 2)
  for (let round = 0; round < 200; round++) {
    assert.is(addons[0]!.run(own, entries.together, region, start), 0)
    assert.equal(output(), expected(3))
  }
  addons[0]!.close(own)
  await Promise.all(deadline)
})

test('workers that are ended amid runs of several threads leave the others theirs', async () => {
  const inWorker = (path: string, body: string) =>
    new Worker(
      `const addon = require(${JSON.stringify(path)})
      const { parentPort } = require('node:worker_threads')
      const open = (threads) => addon.open(${JSON.stringify(weightsPath())}, 128, 64, 64, 64, threads)
      const region = new ArrayBuffer(256), start = addon.lead(region)
      ${body}`,
      { eval: true },
    )
  for (let round = 0; round < 4; round++)
    await Promise.all(
      Array.from({ length: 6 }, async (_, k) => {
        const worker = inWorker(
          paths[k % 2]!,
          `const again = (instance) => addon.start(instance, 4, region, start, () => again(instance))
          for (let i = 0; i < 4; i++) again(open(2 + i))
          parentPort.postMessage('started')
          ${k % 3 === 0 ? 'const mine = open(2); for (;;) addon.run(mine, 4, region, start)' : ''}`,
        )
        const exited = new Promise((resolve) => worker.once('exit', resolve))
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        await worker.terminate()
        await exited
      }),
    )
  const addon = loadAddon(paths[0]!)
  const instance = openInstance(addon, 2)
  const { region, start, output } = makeRegion(addon, 2)
  assert.is(await onPool(addon, instance, entries.together, region, start), 0)
  assert.equal(output(), expected(2))
  addon.close(instance)
})

test.run()

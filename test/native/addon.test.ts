import { closeSync, copyFileSync, fstatSync, ftruncateSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checksumOf } from '../../plugin/bundle/checksum.ts'
import { entries, loadAddon, makeAddon, makeRegion, onPool, openInstance, regions, weights, weightsPath } from './handmade.ts'
import { needsCompiler, regionOf, writeFile } from './harness.ts'

await needsCompiler('the addon')
const path = await makeAddon('first')
const addon = loadAddon(path)
const expected = (value: number) => weights.map((weight) => weight * value)

/** What a call throws: its class, code and message. */
function thrown(call: () => unknown): { readonly name: string; readonly code: string; readonly message: string } {
  try {
    call()
  } catch (error) {
    return { name: (error as Error).name, code: (error as { code: string }).code, message: (error as Error).message }
  }
  throw new Error('nothing was thrown')
}

test('runs on the calling thread and on the pool give the same, without blocking the event loop', async () => {
  const instance = openInstance(addon)
  const { region, start, output } = makeRegion(addon, 2)
  assert.is(addon.run(instance, entries.scale, region, start), 0)
  assert.equal(output(), expected(2))
  const slow = makeRegion(addon, 60)
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  assert.is(await onPool(addon, instance, entries.slow, slow.region, slow.start), 0)
  clearInterval(timer)
  assert.equal(slow.output(), expected(60))
  assert.ok(ticks > 3, `the event loop turned ${ticks} times`)
  addon.close(instance)
})

test('a fault is the number that the code returns', async () => {
  const instance = openInstance(addon)
  const { region, start } = makeRegion(addon, 7)
  assert.is(addon.run(instance, entries.fault, region, start), 7)
  assert.is(await onPool(addon, instance, entries.fault, region, start), 7)
  addon.close(instance)
})

test('regions start at multiples of 64 bytes, wherever their buffer lies', () => {
  const instance = openInstance(addon)
  for (let bytes = 128; bytes < 200; bytes++) {
    const { region, start } = regionOf(addon, bytes)
    assert.ok(start >= 0 && start < 64)
    assert.is(addon.run(instance, entries.scale, region, start), 0)
  }
  addon.close(instance)
})

test('a checksum is that of the build, in whatever slices, and shows each byte', () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * i * 7) >>> 3)
  const sum = (content: Uint8Array, slice: number) => {
    const state = new ArrayBuffer(64)
    for (let done = 0; done < content.length; done += slice) {
      const part = content.subarray(done, done + slice)
      addon.addToChecksum(state, part)
    }
    return Buffer.from(state).toString('hex')
  }
  const long = new Uint8Array(40_000).map((_, i) => bytes[i % 999]!)
  assert.is(sum(long, 64), checksumOf(long))
  for (const length of [0, 1, 63, 64, 65, 1000]) {
    const content = bytes.subarray(0, length)
    assert.is(sum(content, 64), checksumOf(content), `${length} bytes`)
    assert.is(sum(content, 640), checksumOf(content), `${length} bytes`)
  }
  const known = checksumOf(bytes)
  for (const at of [0, 63, 64, 500, 999])
    for (const bit of [1, 128]) {
      const changed = bytes.slice()
      changed[at]! ^= bit
      assert.is.not(checksumOf(changed), known, `byte ${at}`)
    }
})

test('arguments that are none are refused before anything is touched', () => {
  const instance = openInstance(addon)
  const { region, start } = makeRegion(addon, 1)
  const any = addon as any
  const refusals: [string, () => unknown][] = [
    ['TypeError', () => any.open()],
    ['TypeError', () => any.addToChecksum()],
    ['TypeError', () => any.addToChecksum(new ArrayBuffer(60), new Uint8Array(64))],
    ['TypeError', () => any.addToChecksum(new ArrayBuffer(64), new ArrayBuffer(64))],
    ['TypeError', () => any.addToChecksum(new ArrayBuffer(64), new Int16Array(64))],
    ['TypeError', () => any.open(1, 128, 64, 64, 64)],
    ['TypeError', () => any.open(`${weightsPath()}\0x`, 128, 64, 64, 64)],
    ['TypeError', () => any.open(weightsPath(), 128, 64, 64)],
    ['TypeError', () => any.open(weightsPath(), 128.5, 64, 64, 64)],
    ['TypeError', () => any.open(weightsPath(), 128, -64, 64, 64)],
    ['TypeError', () => any.open(weightsPath(), 128, 64, Number.NaN, 64)],
    ['TypeError', () => any.open(weightsPath(), 128, 64, 64, 2 ** 60)],
    ['RangeError', () => any.open(weightsPath(), 128, 64, 128, 64)],
    ['RangeError', () => any.open(weightsPath(), 128, 192, 0, 64)],
    ['RangeError', () => any.open(weightsPath(), 128, 32, 64, 64)],
    ['RangeError', () => any.open(weightsPath(), 128, 64, 32, 64)],
    ['RangeError', () => any.open(weightsPath(), 128, 64, 64, 32)],
    ['TypeError', () => any.lead()],
    ['TypeError', () => any.lead(new Uint8Array(8))],
    ['TypeError', () => any.lead(new SharedArrayBuffer(8))],
    ['TypeError', () => any.run()],
    ['TypeError', () => any.run({}, 0, region, start)],
    ['TypeError', () => any.run(Object.create(instance), 0, region, start)],
    ['RangeError', () => any.run(instance, 5, region, start)],
    ['RangeError', () => any.run(instance, -1, region, start)],
    ['RangeError', () => any.run(instance, '0', region, start)],
    ['RangeError', () => any.run(instance, 2 ** 32, region, start)],
    ['TypeError', () => any.run(instance, 0, new Uint8Array(region), start)],
    ['TypeError', () => any.run(instance, 0, new SharedArrayBuffer(256), 0)],
    ['RangeError', () => any.run(instance, 0, region, start + 64)],
    ['RangeError', () => any.run(instance, 0, region, start + 4)],
    ['RangeError', () => any.run(instance, 0, region, -64)],
    ['RangeError', () => any.run(instance, 0, region, 2 ** 53)],
    ['RangeError', () => any.run(instance, 0, region)],
    ['RangeError', () => any.run(instance, 0, new ArrayBuffer(0), 0)],
    ['RangeError', () => any.run(instance, entries.large, region, start)],
    ['TypeError', () => any.start(instance, 0, region, start)],
    ['TypeError', () => any.start(instance, 0, region, start, {})],
    ['TypeError', () => any.close()],
    ['TypeError', () => any.close(17)],
  ]
  for (const [name, call] of refusals) assert.is(thrown(call).name, name, String(call))
  const detached = makeRegion(addon, 1)
  structuredClone(detached.region, { transfer: [detached.region] })
  assert.is(thrown(() => addon.run(instance, 0, detached.region, 0)).name, 'RangeError')
  assert.is(addon.run(instance, 0, region, start), 0)
  addon.close(instance)
})

test('files that cannot be mapped are errors with the codes of fs', () => {
  assert.equal(
    thrown(() => addon.open('/nonexistent/weights.bin', 128, 64, 64, 64)),
    { name: 'Error', code: 'ENOENT', message: "ENOENT: cannot map '/nonexistent/weights.bin'" },
  )
  assert.is(thrown(() => addon.open(`/${'x'.repeat(5000)}`, 128, 64, 64, 64)).code, 'ENAMETOOLONG')
  assert.is(thrown(() => addon.open(`${weightsPath()}/x`, 128, 64, 64, 64)).code, 'ENOTDIR')
  assert.equal(
    thrown(() => addon.open(weightsPath(), 256, 64, 64, 64)),
    { name: 'Error', code: 'size', message: '128' },
  )
  assert.equal(
    thrown(() => addon.open(weightsPath(), 128, 64, 64, 2 ** 52)),
    { name: 'RangeError', code: 'memory', message: 'no memory for the weights and activations of a model' },
  )
})

test('weights may lie anywhere in a file, aligned to 64 bytes, and a file name in any script', () => {
  const file = new Uint8Array(200_000)
  file.set(new Uint8Array(weights.buffer), 131072 + 4096 + 64)
  const named = `${writeFile(file, 'bin')}-größe-重.bin`
  copyFileSync(named.slice(0, -'-größe-重.bin'.length), named)
  const instance = addon.open(named, file.length, 131072 + 4096 + 64, 64, 64)
  const { region, start, output } = makeRegion(addon, 3)
  addon.run(instance, entries.scale, region, start)
  assert.equal(output(), expected(3))
  addon.close(instance)
})

test('handles of another addon, and closed ones, are refused', () => {
  const copy = `${path}-copy.node`
  copyFileSync(path, copy)
  const other = loadAddon(copy)
  const [mine, theirs] = [openInstance(addon), openInstance(other)]
  const { region, start } = makeRegion(addon, 1)
  assert.is(thrown(() => addon.run(theirs, 0, region, start)).message, 'not an instance of this addon')
  assert.is(thrown(() => addon.close(theirs)).name, 'TypeError')
  assert.is(other.run(theirs, 0, region, start), 0)
  other.close(theirs)
  addon.close(mine)
  for (const call of [
    () => addon.run(mine, 0, region, start),
    () => addon.start(mine, 0, region, start, () => undefined),
    () => addon.close(mine),
  ])
    assert.is(thrown(call).code, 'closed')
})

test('one run at a time: an instance that is running refuses another, and may be closed', async () => {
  const instance = openInstance(addon)
  const { region, start, output } = makeRegion(addon, 30)
  const done = onPool(addon, instance, entries.slow, region, start)
  assert.is(thrown(() => addon.run(instance, 0, region, start)).code, 'busy')
  assert.is(thrown(() => addon.start(instance, 0, region, start, () => undefined)).code, 'busy')
  addon.close(instance)
  assert.is(thrown(() => addon.run(instance, 0, region, start)).code, 'closed')
  assert.is(await done, 0)
  assert.equal(output(), expected(30))
})

const collect = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()
/** Mappings of the weights file in this process. */
const mappings = () =>
  readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => line.endsWith(weightsPath())).length

test('what is closed, or forgotten, holds no memory (any add/remove/run sequence ends with zero held)', async () => {
  collect()
  await new Promise((resolve) => setTimeout(resolve, 20))
  const before = mappings()
  const kept = Array.from({ length: 20 }, () => openInstance(addon))
  assert.is(mappings(), before + 20)
  for (const instance of kept) addon.close(instance)
  assert.is(mappings(), before)
  for (let i = 0; i < 50; i++) openInstance(addon)
  assert.is(mappings(), before + 50)
  for (let i = 0; i < 50 && mappings() > before; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.is(mappings(), before)
})

test('a handle that is forgotten during its run lives until the run has ended', async () => {
  const slow = makeRegion(addon, 40)
  const done = onPool(addon, openInstance(addon), entries.slow, slow.region, slow.start)
  for (let i = 0; i < 5; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.is(await done, 0)
  assert.equal(slow.output(), expected(40))
})

test('memory that is shared is the same to all who map it, and of the size that it was made with', async () => {
  const bytes = 3 * 65536
  const file = addon.share(bytes)
  assert.is(fstatSync(file).size, bytes)
  for (const size of [0, 2 * bytes]) assert.is(thrown(() => ftruncateSync(file, size)).code, 'EPERM')
  const mine = new Uint8Array(addon.map(file, 0, bytes, true))
  assert.ok(mine.every((byte) => byte === 0))
  const reader = openSync(`/proc/self/fd/${file}`, 'r')
  const theirs = new Uint8Array(addon.map(reader, 65536, 65536, false))
  mine[65536] = 7
  assert.is(theirs[0], 7)
  assert.is(thrown(() => addon.map(reader, 0, bytes, true)).code, 'EACCES')
  // Descriptors may be closed as soon as all is mapped.
  closeSync(file)
  closeSync(reader)
  mine[65537] = 8
  assert.is(theirs[1], 8)
  addon.unmap(mine.buffer)
  assert.equal([mine.length, mine.buffer.byteLength, theirs[1]], [0, 0, 8])
  // What is empty may be given back again.
  addon.unmap(mine.buffer)
  addon.unmap(theirs.buffer)
})

test('models run on memory that is shared, which is not given back meanwhile', async () => {
  const file = addon.share(regions.mutable)
  const memory = addon.map(file, 0, regions.mutable, true)
  closeSync(file)
  assert.is(addon.lead(memory), 0)
  const instance = openInstance(addon)
  new Float32Array(memory, 0, 16).fill(20)
  assert.is(addon.run(instance, entries.scale, memory, 0), 0)
  assert.equal([...new Float32Array(memory, 64, 16)], [...expected(20)])
  const done = onPool(addon, instance, entries.slow, memory, 0)
  assert.is(thrown(() => addon.unmap(memory)).code, 'busy')
  await done
  addon.unmap(memory)
  assert.is(thrown(() => addon.run(instance, entries.scale, memory, 0)).name, 'RangeError')
  addon.close(instance)
})

test('memory that is forgotten is given back, and what is no memory is refused', async () => {
  const any = addon as any
  const file = addon.share(65536)
  const short = openSync(writeFile(new Uint8Array(10), 'bin'), 'r')
  const refusals: [string, () => unknown][] = [
    ['TypeError', () => any.share()],
    ['TypeError', () => any.share(0)],
    ['TypeError', () => any.share(-1)],
    ['TypeError', () => any.share(1.5)],
    ['TypeError', () => any.share(2 ** 60)],
    ['TypeError', () => any.map()],
    ['TypeError', () => any.map(-1, 0, 10, true)],
    ['TypeError', () => any.map(2 ** 31, 0, 10, true)],
    ['TypeError', () => any.map(file, 0, 10)],
    ['TypeError', () => any.map(file, 0, '10', true)],
    ['RangeError', () => any.map(file, 0, 0, true)],
    ['RangeError', () => any.map(file, 0, 2 ** 32, true)],
    ['Error', () => any.map(file, 0, 65537, true)],
    ['Error', () => any.map(file, 65536, 1, true)],
    ['Error', () => any.map(file, 100, 10, true)],
    ['Error', () => any.map(short, 0, 4096, false)],
    ['Error', () => any.map(2 ** 20, 0, 10, true)],
    ['TypeError', () => any.unmap()],
    ['TypeError', () => any.unmap(new Uint8Array(8))],
    ['TypeError', () => any.endWithParent()],
    ['TypeError', () => any.endWithParent(1.5)],
  ]
  for (const [name, call] of refusals) assert.is(thrown(call).name, name, String(call))
  assert.is(thrown(() => addon.map(short, 0, 4096, false)).code, 'EINVAL')
  assert.is(thrown(() => addon.map(2 ** 20, 0, 10, true)).code, 'EBADF')
  const shared = () =>
    readFileSync('/proc/self/maps', 'latin1')
      .split('\n')
      .filter((line) => line.includes('memfd:glowplug')).length
  // Earlier tests have given theirs back, which the collector does after a turn.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const before = shared()
  for (let i = 0; i < 20; i++) addon.map(file, 0, 65536, i % 2 === 0)
  assert.is(shared(), before + 20)
  for (let i = 0; i < 50 && shared() > before; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.is(shared(), before)
  closeSync(file)
  closeSync(short)
})

const poolThreads = () =>
  readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'latin1') === 'glowplug\n'
    } catch {
      // A thread of Node that has ended meanwhile.
      return false
    }
  })

test('addons built apart share one pool, no larger than the processors that may be used', async () => {
  const others = await Promise.all(['second', 'third', 'fourth'].map((marker) => makeAddon(marker)))
  const all = [addon, ...others.map(loadAddon)]
  const runs = all.flatMap((each) => {
    const { region, start, output } = makeRegion(each, 5)
    return [1, 2, 3].map(async () => {
      const instance = openInstance(each)
      assert.is(await onPool(each, instance, entries.slow, region, start), 0)
      assert.equal(output(), expected(5))
      each.close(instance)
    })
  })
  await Promise.all(runs)
  const threads = poolThreads()
  assert.ok(threads.length >= 1 && threads.length <= availableParallelism(), `${threads.length} threads`)
  // Signals of the program are none of theirs: SIGINT, SIGTERM.
  for (const id of threads) {
    const blocked = BigInt(`0x${/^SigBlk:\s*(\w+)/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'latin1'))![1]}`)
    for (const signal of [2n, 15n]) assert.is((blocked >> (signal - 1n)) & 1n, 1n)
  }
})

test('many runs of many instances are all answered', async () => {
  const instances = Array.from({ length: 32 }, () => openInstance(addon))
  await Promise.all(
    instances.map(async (instance, i) => {
      const { region, start, output } = makeRegion(addon, i)
      for (let n = 0; n < 50; n++) assert.is(await onPool(addon, instance, entries.scale, region, start), 0)
      assert.equal(output(), expected(i))
      addon.close(instance)
    }),
  )
})

test('code that the processor cannot run says what is lacking, and opens nothing', async () => {
  const lacking = loadAddon(await makeAddon('lacking', process.arch === 'x64' ? 'sse3 avx1024 ' : 'avx1024 '))
  assert.is(lacking.lacks, 'avx1024')
  assert.is(thrown(() => openInstance(lacking)).code, 'lacks')
})

test.run()

// What is measured of serving: each row by itself in a fresh process.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { open } from '../../../targets/runtime/index.ts'
import { type ServeOptions, serve } from '../../../targets/runtime/serve/index.ts'
import { quantile } from '../statistics.ts'

export interface Row {
  readonly unit: string
  /** What it is of, in words. */
  readonly about: string
  /** What it must reach, where it must. */
  readonly must?: { readonly least?: number; readonly most?: number } | undefined
  /** The model: its inputs are zeros. */
  readonly model: 'tiny' | 'resnet50'
  readonly kind: 'native' | 'wasm'
  measure(folder: string, seconds: number): Promise<{ readonly value: number; readonly note: string }>
}

type Inputs = Record<string, Float32Array>
const tiny = (): Inputs => ({ x: new Float32Array(16).fill(1) })
const image = (): Inputs => ({ image: new Float32Array(3 * 224 * 224).fill(0.5) })
const median = (sorted: readonly number[]) => quantile(sorted, 0.5)
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const microseconds = (milliseconds: number) => `${(milliseconds * 1000).toFixed(1)} µs`

/** Milliseconds of each of many calls, one after the other, for so long. */
async function time(seconds: number, call: () => unknown): Promise<number[]> {
  const times: number[] = []
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    const began = performance.now()
    await call()
    times.push(performance.now() - began)
  }
  return times.sort((a, b) => a - b)
}

/** Milliseconds of a bare kernel of the model: the middle of many calls that hand nothing over. */
async function kernelTime(folder: string): Promise<number> {
  const model = open(folder)
  await model.ready()
  const bound = model.bind()
  const calls = 200
  const times = await time(0.5, () => {
    for (let i = 0; i < calls; i++) bound.run()
  })
  await model.close()
  return median(times) / calls
}

const overhead = (device: 'worker' | 'process', kind: 'native' | 'wasm', most?: number): Row => ({
  unit: 'µs',
  about: 'one request after the other with tensors of 64 bytes: the middle of latencies, less that of the kernel',
  ...(most !== undefined && { must: { most } }),
  ...{ model: 'tiny', kind },
  async measure(folder, seconds) {
    const kernel = await kernelTime(folder)
    const server = serve(folder, { cards: 1, device })
    await server.ready()
    const inputs = tiny()
    const into = { y: new Float32Array(16) }
    await time(Math.min(1, seconds / 4), () => server.run(inputs, { into }))
    const times = await time(seconds, () => server.run(inputs, { into }))
    await server.close()
    const value = (median(times) - kernel) * 1000
    return { value, note: `p99 ${microseconds(quantile(times, 0.99))}, the kernel ${microseconds(kernel)}` }
  },
})

const idle = (device: 'worker' | 'process'): Row => ({
  unit: 'µs',
  about: 'the same after 20 ms in which nothing happened',
  ...{ model: 'tiny', kind: 'native' },
  async measure(folder, seconds) {
    const server = serve(folder, { cards: 1, device })
    await server.ready()
    const times: number[] = []
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      await pause(20)
      const began = performance.now()
      await server.run(tiny())
      times.push(performance.now() - began)
    }
    await server.close()
    times.sort((a, b) => a - b)
    return { value: median(times) * 1000, note: `p99 ${microseconds(quantile(times, 0.99))}` }
  },
})

/** Keeps so many requests under way for so long; how many were answered in a second. */
async function throughput(run: () => Promise<unknown>, atOnce: number, seconds: number): Promise<number> {
  let answered = 0
  const began = performance.now()
  const end = began + seconds * 1000
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < end) {
        await run()
        answered++
      }
    }),
  )
  return answered / ((performance.now() - began) / 1000)
}

const twoCards: Row = {
  unit: '×',
  about: 'ResNet-50: answers a second of two cards of one thread each, over those of one, in turns',
  ...{ must: { least: 1.85 }, model: 'resnet50', kind: 'native' },
  async measure(folder, seconds) {
    const servers = [1, 2].map((cards) => serve(folder, { cards, threads: 1 }))
    await Promise.all(servers.map((server) => server.ready()))
    const inputs = image()
    const turns = Math.max(3, Math.round(seconds / 1.2))
    const ratios: number[] = []
    const rates: number[][] = [[], []]
    /** Milliseconds of processors for an answer: what else this machine does lengthens the time of answers, and hardly this. */
    const costs: number[][] = [[], []]
    for (let turn = 0; turn < turns; turn++) {
      const found = [0, 0]
      for (const i of turn % 2 === 0 ? [0, 1] : [1, 0]) {
        const [before, began] = [process.cpuUsage(), performance.now()]
        found[i] = await throughput(() => servers[i]!.run(inputs), 2 * (i + 1), 0.6)
        const { user, system } = process.cpuUsage(before)
        costs[i]!.push((user + system) / 1000 / (found[i]! * ((performance.now() - began) / 1000)))
        rates[i]!.push(found[i]!)
      }
      ratios.push(found[1]! / found[0]!)
    }
    await Promise.all(servers.map((server) => server.close()))
    const [one, two] = rates.map((list) =>
      quantile(
        list.sort((a, b) => a - b),
        0.75,
      ),
    ) as [number, number]
    const [first, second] = costs.map((list) => median(list.sort((a, b) => a - b))) as [number, number]
    return {
      value: quantile(
        ratios.sort((a, b) => a - b),
        0.5,
      ),
      note: `${one.toFixed(1)} and ${two.toFixed(1)} a second, ${first.toFixed(1)} and ${second.toFixed(1)} ms of processors each`,
    }
  },
}

const loopDelay = (device: 'worker' | 'process'): Row => ({
  unit: 'ms',
  about: 'by how much the event loop is late at p99 while a card is busy with ResNet-50',
  ...{ must: { most: 2 }, model: 'resnet50', kind: 'native' },
  async measure(folder, seconds) {
    const server = serve(folder, { cards: 1, device })
    await server.ready()
    const resolution = 1
    const delay = monitorEventLoopDelay({ resolution })
    const late = (share: number) => Math.max(0, delay.percentile(share) / 1e6 - resolution)
    const inputs = image()
    await server.run(inputs)
    // What the machine does to a loop that has nothing to do.
    delay.enable()
    await pause(seconds * 500)
    const alone = late(99)
    delay.reset()
    const rate = await throughput(() => server.run(inputs), 2, seconds)
    delay.disable()
    await server.close()
    return { value: late(99), note: `${alone.toFixed(2)} ms without requests, ${rate.toFixed(1)} answers a second` }
  },
})

/** Resident, once what nobody holds is given back: V8 lets that grow as it pleases. MiB. */
function memory(): number {
  ;(globalThis as { gc?: () => void }).gc!()
  return process.memoryUsage.rss() / 2 ** 20
}

/** Growth in percent from the second quarter of samples to the last. */
function growth(samples: readonly number[]): { readonly value: number; readonly note: string } {
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const middle = (list: readonly number[]) => median([...list].sort((a, b) => a - b))
  const [early, late] = [middle(samples.slice(quarter, 2 * quarter)), middle(samples.slice(-quarter))]
  return { value: (late / early - 1) * 100, note: `${early.toFixed(1)} to ${late.toFixed(1)} MiB` }
}

const cycles = (options: ServeOptions, kind: 'native' | 'wasm', count: number): Row => ({
  unit: '%',
  about: `by how much memory grows over ${count} times of loading, one request and closing`,
  ...{ must: { most: 5 }, model: 'tiny', kind },
  async measure(folder) {
    const samples: number[] = []
    for (let cycle = 0; cycle < count; cycle++) {
      const server = serve(folder, { cards: 1, ...options })
      await server.ready()
      await server.run(tiny())
      await server.close()
      if (cycle % 10 === 9) samples.push(memory())
    }
    return growth(samples)
  },
})

const underLoad: Row = {
  unit: '%',
  about: 'by how much memory grows under load, for 10 minutes unless told',
  ...{ must: { most: 5 }, model: 'tiny', kind: 'native' },
  async measure(folder, seconds) {
    const server = serve(folder, { cards: 2 })
    await server.ready()
    const samples: number[] = []
    const timer = setInterval(() => samples.push(memory()), 1000)
    await throughput(() => server.run(tiny()), 16, seconds)
    clearInterval(timer)
    await server.close()
    return growth(samples)
  },
}

export const rows: Readonly<Record<string, Row>> = {
  'overhead-worker-native': overhead('worker', 'native', 25),
  'overhead-worker-wasm': overhead('worker', 'wasm'),
  'overhead-process-native': overhead('process', 'native'),
  'overhead-process-wasm': overhead('process', 'wasm'),
  'idle-worker': idle('worker'),
  'idle-process': idle('process'),
  'two-cards': twoCards,
  'event-loop-worker': loopDelay('worker'),
  'event-loop-process': loopDelay('process'),
  'cycles-worker-native': cycles({}, 'native', 1000),
  'cycles-worker-wasm': cycles({}, 'wasm', 1000),
  'cycles-process-native': cycles({ device: 'process' }, 'native', 1000),
  'load-memory': underLoad,
}

/** Seconds that a row takes unless told; memory needs longer to tell. */
export const usualSeconds = (name: string): number => (name === 'load-memory' ? 600 : 5)

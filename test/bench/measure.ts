import { join } from 'node:path'
import { type ChildOptions, runChild } from './child.ts'
import type { CallTask } from './children/call.ts'
import type { CompileTask, CompileTimes } from './children/compile.ts'
import type { PrepareTask } from './children/prepare.ts'
import type { Started, StartTask } from './children/start.ts'
import type { Timed, TimeTask } from './children/time.ts'
import type { PreparedModel } from './drivers/driver.ts'
import type { OurTarget } from './ours.ts'
import type { Peak, Peaks } from './probes.ts'
import type { Measurement } from './results.ts'
import type { Row } from './rows.ts'
import { comparePairs, type Spread, spreadOf } from './statistics.ts'
import { type Workload, type WorkloadName, workloads } from './workloads.ts'

/** What rows are measured with. */
export interface Bench {
  /** Root of the repository, folder of the benchmark, of its bundled processes, and of what is prepared. */
  readonly root: string
  readonly home: string
  readonly built: string
  readonly folder: string
  readonly threads: readonly number[]
  readonly seconds: number
  readonly level?: string | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly peaks: Peaks
  readonly progress: (text: string) => void
}

const limits = { prepare: 900_000, time: 600_000, start: 120_000, compile: 300_000 }
/** Fresh processes for each side of what can be done but once in a process. */
const trials = 5
const megabyte = 1e6

type Prepared = readonly PreparedModel[]
type Child = 'prepare' | 'time' | 'start' | 'compile' | 'call'

export function createMeasurer(bench: Bench) {
  const { root, home, built, threads, seconds, level, environment, peaks, progress } = bench
  const prepared = new Map<string, Promise<Prepared>>()
  const started = new Map<string, Promise<readonly Measurement[]>>()

  const child = <Result>(name: Child, task: object, limit: number, options: Partial<ChildOptions> = {}): Promise<Result> =>
    runChild<Result>(join(built, `${name}.js`), task, { limit, progress, environment, ...options })

  function prepare(name: WorkloadName, target: OurTarget): Promise<Prepared> {
    const key = `${name}-${target}`
    const workload: Workload = workloads[name]
    // A level is one of native code.
    const task: PrepareTask = {
      ...{ workload, target, folder: join(bench.folder, key), root },
      ...(target === 'native' && { level }),
    }
    const known = prepared.get(key) ?? child<Prepared>('prepare', task, limits.prepare)
    prepared.set(key, known)
    return known
  }

  async function measurePairs(row: string, { workload: name, target, peer }: Row & { kind: 'pairs' }) {
    const workload: Workload = workloads[name]
    const models = await prepare(name, target)
    const counts = target === 'wasm' ? [1] : threads
    const found: Measurement[] = []
    for (const count of counts) {
      const task: TimeTask = { workload, models, target, peer, threads: count, home, seconds }
      const say = (text: string) => progress(`${count} thread${count === 1 ? '' : 's'}, ${text}`)
      const { comparison, error } = await child<Timed>('time', task, limits.time + seconds * 2000, { progress: say })
      const { ratio, ours, peer: theirs, pairs } = comparison
      found.push({
        ...{ row, title: target === 'wasm' ? `${workload.title}, wasm` : workload.title, metric: 'ratio', threads: count },
        ...{ value: ratio.median, spread: ratio, ours: ours.median, peer: theirs.median, pairs },
        error: { found: error, allowed: workload.tolerance },
        ofPeak: target === 'wasm' ? undefined : shareOfPeak(workload, models, count, ours, theirs),
        note: sizesOf(models),
      })
    }
    return found
  }

  function shareOfPeak({ bound }: Workload, models: Prepared, count: number, ours: Spread, peer: Spread) {
    if (!bound) return undefined
    const of: Peak = typeof bound === 'string' ? bound : 'bandwidth'
    const work = typeof bound === 'string' ? models.reduce((sum, { operations }) => sum + operations, 0) : bound.bytes
    const peak = peaks[of]?.get(count)
    const share = ({ median }: Spread) => work / (median / 1000) / peak!
    return peak === undefined ? undefined : { share: share(ours), peer: share(peer), of }
  }

  /** Processes of either side take turns. */
  async function measureStart(name: WorkloadName): Promise<readonly Measurement[]> {
    const workload: Workload = workloads[name]
    const models = await prepare(name, 'native')
    const found: Measurement[] = []
    for (const count of threads) {
      const common = { workload, models, target: 'native', peer: 'onnxruntime-node', threads: count, home } as const
      const start = (side: StartTask['side'], call: StartTask['call']) =>
        child<Started>('start', { ...common, side, call } satisfies StartTask, limits.start)
      const ours: Started[] = []
      const quick: Started[] = []
      const peer: Started[] = []
      // The first of each finds its files on the disk, later ones in memory: it does not count.
      for (let trial = 0; trial <= trials; trial++) {
        progress(`${count} thread${count === 1 ? '' : 's'}, start ${trial} of ${trials}`)
        ours.push(await start('ours', 'run'))
        peer.push(await start('peer', 'run'))
        quick.push(await start('ours', 'runSync'))
      }
      const later = <T>(list: readonly T[]): readonly T[] => list.slice(1)
      const middle = (list: readonly Started[], key: keyof Started) => spreadOf(later(list).map((each) => each[key])).median
      const pairs = later(ours).map(({ answered }, i) => ({ ours: answered, peer: later(peer)[i]!.answered }))
      const { ratio, ours: own, peer: theirs } = comparePairs(pairs)
      const milliseconds = (list: readonly Started[], key: keyof Started) => `${middle(list, key).toFixed(1)} ms`
      found.push({
        ...{ row: `start-${name}`, title: `${workload.title}: start to first answer`, metric: 'ratio', threads: count },
        ...{ value: ratio.median, spread: ratio, ours: own.median, peer: theirs.median, pairs: pairs.length },
        note: `to have it open ${milliseconds(ours, 'opened')}, peer ${milliseconds(peer, 'opened')}; by runSync the first answer after ${milliseconds(quick, 'answered')}`,
      })
      const [least, most] = [middle(ours, 'peak'), middle(peer, 'peak')]
      found.push({
        ...{ row: `memory-${name}`, title: `${workload.title}: peak memory`, metric: 'memory', threads: count },
        ...{ value: least / most, ours: least, peer: most, note: sizesOf(models) },
      })
    }
    return found
  }

  function startOf(name: WorkloadName): Promise<readonly Measurement[]> {
    const known = started.get(name) ?? measureStart(name)
    started.set(name, known)
    return known
  }

  async function measureCompile(row: string, name: WorkloadName): Promise<readonly Measurement[]> {
    const workload: Workload = workloads[name]
    // Weights are there before the clock starts.
    await prepare(name, 'native')
    const task: CompileTask = { file: join(root, workload.models[0]!.file), level }
    const times: CompileTimes[] = []
    for (let trial = 0; trial < 3; trial++) {
      progress(`compilation ${trial + 1} of 3`)
      times.push(await child<CompileTimes>('compile', task, limits.compile))
    }
    const [fastest] = [...times].sort((a, b) => a.total - b.total)
    const { total, read, compile, write, toolchain } = fastest!
    const parts = Object.entries({ read, compile, write }).map(([part, time]) => `${part} ${time.toFixed(2)} s`)
    const title = `${workload.title}: native compile, one level`
    return [{ row, title, metric: 'seconds', value: total, note: `${parts.join(', ')}; ${toolchain}` }]
  }

  async function measureCall(row: string, { kind, workload: name }: Row & { kind: 'call' | 'open' }) {
    const [model] = await prepare(name, 'native')
    const task: CallTask = { what: kind, model: model!, target: 'native' }
    const spreads: Spread[] = []
    for (let trial = 0; trial < trials; trial++) spreads.push(await child<Spread>('call', task, limits.start))
    const spread = spreadOf(spreads.map(({ median }) => median))
    const title =
      kind === 'call' ? 'one call on bound buffers' : `a bundle of ${(model!.bundleBytes / megabyte).toFixed(0)} MB opened`
    const metric = kind === 'call' ? 'microseconds' : 'milliseconds'
    return [{ row, title, metric, value: spread.median, spread } as const]
  }

  /** All that a row has to say. Rejects where it cannot be measured. */
  return async function measure(name: string, row: Row): Promise<readonly Measurement[]> {
    if (row.kind === 'pairs') return measurePairs(name, row)
    if (row.kind === 'compile') return measureCompile(name, row.workload)
    if (row.kind === 'call' || row.kind === 'open') return measureCall(name, { ...row, kind: row.kind })
    return (await startOf(row.workload)).filter((measurement) => measurement.row === name)
  }
}

const sizesOf = (models: Prepared): string => {
  const sum = (key: 'bundleBytes' | 'onnxBytes') =>
    `${(models.reduce((total, model) => total + model[key], 0) / megabyte).toFixed(1)} MB`
  return `bundle ${sum('bundleBytes')}, ONNX file ${sum('onnxBytes')}`
}

import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createBuilder, inputName } from '../../compiler/graph/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { CompilerMissing, findCompiler } from '../../targets/native/index.ts'
import { lackingHere } from '../../targets/native/lacking.ts'
import { platforms } from '../../targets/native/levels.ts'
import { inScratch } from '../../targets/native/scratch.ts'
import { valueOf } from '../../targets/platform/figure.ts'
import type { Figure, PlatformFile } from '../../targets/platform/index.ts'
import {
  type DeviceRates,
  describeMachine,
  type KindRate,
  measureMachine,
  type Work,
  works,
} from '../../targets/platform/probe/index.ts'
import { serve } from '../../targets/runtime/serve/index.ts'
import { writeBundle, writeWhole } from '../bundle/write.ts'
import { compile } from '../compile.ts'
import { createPause } from '../inspect/reference.ts'
import { openStepper } from '../inspect/stepper.ts'
import { findLevel, readNumber } from './source.ts'
import { Failure, formatTable, printJson, UsageError, withProgress } from './terminal.ts'

export interface ProbeOptions {
  readonly cards?: unknown
  readonly threads?: unknown
  readonly device?: unknown
  readonly out?: unknown
  readonly json?: boolean
}

const execute = promisify(execFile)

function countOf(value: unknown, option: string, fallback: number): number {
  const count = readNumber(value, option, fallback)
  if (count < 1 || count > 64)
    throw new UsageError(`${option} '${value}' is no number from 1 to 64`, `write ${option} ${fallback}`)
  return count
}

/** `glowplug probe`: measures this machine, and describes it as a platform for `plan`. */
export async function probe(options: ProbeOptions): Promise<void> {
  const processors = availableParallelism()
  const threads = countOf(options.threads, '--threads', 1)
  const cards = countOf(options.cards, '--cards', Math.max(1, Math.min(6, Math.floor(processors / threads))))
  const device = String(options.device ?? 'worker')
  if (device !== 'worker' && device !== 'process')
    throw new UsageError(`there is no device '${device}'`, 'devices are worker and process')
  await inScratch(async (folder) => {
    const file = await withProgress('measuring', async (update) => {
      const machine = await machineRates(folder, cards, update)
      const kinds = await kindRates(update)
      update(`serving on a ${device}`)
      const serving = await servingRates(folder, device)
      return describeMachine({ name: 'this machine', processors, threads, cards, device, machine, kinds, serving })
    })
    if (options.out !== undefined) await writeWhole(String(options.out), `${JSON.stringify(file, undefined, 2)}\n`)
    if (options.json) return printJson(file)
    process.stdout.write(describe(file, device))
    if (options.out !== undefined) process.stdout.write(`written to ${options.out}\n`)
  }, 'glowplug-probe-')
}

async function machineRates(folder: string, threads: number, update: (what: string) => void) {
  const platform = Object.values(platforms).find(({ name }) => name === `${process.platform}-${process.arch}`)
  if (!platform) throw new Failure(`${process.platform}-${process.arch} cannot be measured: there is no native code for it`)
  try {
    const { command } = await findCompiler(platform.name)
    const level = platform.levels.find((each) => lackingHere(platform.name, each).length === 0)
    if (!level) throw new Failure('this processor runs none of the levels of native code')
    const [compiler, ...given] = command
    return await measureMachine({
      folder,
      threads,
      update,
      async compile(source, program) {
        await execute(compiler!, [...given, '-O2', '-std=gnu11', '-ffp-contract=fast', ...level.flags, source, '-o', program])
      },
    })
  } catch (error) {
    if (error instanceof CompilerMissing) throw new Failure(error.message)
    throw error
  }
}

/** Rounds, and runs of each graph in a round, of which the low quartile counts; of rounds the median: what programs meet as well. */
const rounds = 4
const runsOfRound = 12
const runs = rounds * runsOfRound
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!
const lowQuartile = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 2]!

/** A compiled graph, its inputs in place. */
interface Prepared {
  readonly work: Work
  readonly run: () => void
  readonly close: () => Promise<void>
}

async function prepare(work: Work, target: Target): Promise<Prepared> {
  const { graph } = work
  const { program } = compileGraph(graph, { target, evaluate })
  const stepper = await openStepper(program, target, { whole: true })
  const instance = stepper.instantiate()
  const byName = new Map(program.inputs.map((id) => [program.buffers.get(id)!.name, id]))
  for (const input of graph.inputs) {
    const { buffer, byteOffset, byteLength } = instance.bytes(byName.get(inputName(input))!)
    const numbers = new Float32Array(buffer, byteOffset, byteLength / 4)
    for (let i = 0; i < numbers.length; i++) numbers[i] = ((i % 31) - 15) / 16
  }
  return {
    work,
    run: () => instance.run(),
    close: () => stepper.close(),
  }
}

/** Seconds for which this process had a processor. */
const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** How fast compiled graphs are, one thread each. */
async function kindRates(update: (what: string) => void): Promise<readonly KindRate[]> {
  const target = await findLevel('probe', { target: 'native' }, { file: '' })
  const prepared: Prepared[] = []
  const pause = createPause()
  try {
    for (const make of works) {
      const work = make()
      update(`compiling ${work.kind}, ${prepared.length + 1} of ${works.length}`)
      prepared.push(await prepare(work, target))
    }
    const seconds = prepared.map((): number[] => [])
    for (let round = 0; round < rounds; round++)
      for (const [i, { work, run }] of prepared.entries()) {
        update(`${work.kind}, round ${round + 1} of ${rounds}`)
        // Short graphs run several times between two looks at the clock, which counts microseconds.
        const repeats = Math.max(1, Math.ceil(3e7 / work.operations))
        const times: number[] = []
        for (let at = 0; at <= runsOfRound; at++) {
          const started = processorSeconds()
          for (let repeat = 0; repeat < repeats; repeat++) run()
          if (at > 0) times.push((processorSeconds() - started) / repeats)
        }
        seconds[i]!.push(lowQuartile(times))
        await pause()
      }
    return prepared.map(
      ({ work: { kind, operations } }, i): KindRate => ({ kind, operations, seconds: median(seconds[i]!), runs }),
    )
  } finally {
    for (const { close } of prepared) await close()
  }
}

/** What a request costs that does next to nothing, and what its bytes cost. */
async function servingRates(folder: string, device: 'worker' | 'process'): Promise<DeviceRates> {
  const [servings, served] = [8, 100]
  /** Seconds of a run, of each one after the other or of each after a pause. */
  const timeOf = async (elements: number, pauseMilliseconds = 0): Promise<number> => {
    const b = createBuilder()
    const x = b.input('x', { dtype: 'f32', shape: [elements] })
    const some = b.add('slice', { input: x }, { start: [0], size: [16], step: [1] })
    const graph = b.finish(`probe${elements}`, [x], [{ name: 'y', value: b.add('relu', { input: some }) }])
    const place = join(folder, String(elements))
    await writeBundle(await compile(graph, { target: 'native' }), place)
    const server = serve(place, { cards: 1, device, active: 1 })
    try {
      await server.ready()
      const values = new Float32Array(elements)
      let best = Number.POSITIVE_INFINITY
      for (let serving = 0; serving < servings; serving++) {
        const times: number[] = []
        for (let run = 0; run < served; run++) {
          if (pauseMilliseconds > 0) await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds))
          const started = performance.now()
          await server.run({ x: values })
          times.push((performance.now() - started) / 1e3)
        }
        best = Math.min(best, lowQuartile(times))
        // Others who want the processor are not in all of them.
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      return best
    } finally {
      await server.close()
    }
  }
  const [few, many] = [16, 2 ** 18]
  const launchSeconds = await timeOf(few)
  const more = Math.max(1e-9, (await timeOf(many)) - launchSeconds)
  const wakeSeconds = Math.max(0, (await timeOf(few, 4)) - launchSeconds)
  return { launchSeconds, wakeSeconds, bytesPerSecond: (4 * (many - few)) / more, runs: servings * served }
}

const giga = (figure: Figure, digits = 1): string => (valueOf(figure) / 1e9).toFixed(digits)

function describe({ types, cards, sharing }: PlatformFile, device: string): string {
  const { operationsPerSecond, memory, utilisation, launchSeconds, wakeSeconds, link } = types[device]!
  const { kinds = {}, lookups } = utilisation!
  const [{ count }] = cards as [PlatformFile['cards'][number]]
  const rows = [
    ['cards', String(valueOf(count)), ''],
    ['f32', giga(operationsPerSecond.f32), 'G operations a second'],
    ['int8', giga(operationsPerSecond.int8), 'G operations a second'],
    ...memory.map(({ name, bytes, bytesPerSecond }) => [
      name,
      giga(bytesPerSecond),
      `GB a second, of ${valueOf(bytes) >= 2 ** 20 ? `${Math.round(valueOf(bytes) / 2 ** 20)} MiB` : `${Math.round(valueOf(bytes) / 2 ** 10)} KiB`}`,
    ]),
    ['look-ups', valueOf(lookups).toFixed(2), 'of the rate of memory'],
    ...Object.entries(kinds).map(([kind, share]) => [kind, valueOf(share).toFixed(2), 'of the arithmetic']),
    ['launch', (valueOf(launchSeconds) * 1e6).toFixed(1), 'µs a request'],
    ['wake', (valueOf(wakeSeconds!) * 1e6).toFixed(1), 'µs more after a pause'],
    ['inputs', giga(link.bytesPerSecond), 'GB a second'],
    ...(sharing
      ? [
          ['all at once', valueOf(sharing.arithmetic).toFixed(2), 'of the arithmetic that each has alone'],
          ['', valueOf(sharing.memory).toFixed(2), 'of the memory'],
        ]
      : []),
  ]
  return `a card is a ${device}. All figures are measured.\n${formatTable(rows, [1])}`
}

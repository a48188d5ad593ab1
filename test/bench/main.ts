// Measures us against other engines; see README.md. `run.mjs` bundles this and the processes it starts.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createMeasurer } from './measure.ts'
import { demands, metrics } from './numbers.ts'
import { chooseRows, type Options, readOptions, UsageError, usage } from './options.ts'
import { peerVersion } from './peer.ts'
import { describePeaks, measurePeaks, type Peak } from './probes.ts'
import { type Broken, describeFailure, digits, failuresOf, type Measurement, sideOf, table } from './results.ts'
import { rows } from './rows.ts'
import { type Workload, workloads } from './workloads.ts'

export interface Places {
  readonly root: string
  readonly home: string
  readonly built: string
}

const list = (): string =>
  [...rows.keys()]
    .map((name) => {
      const demand = demands[name]
      const bound = demand && metrics[demand.metric].better === 'less' ? '≤ ' : ''
      const told = demand ? `must ${bound}${demand.must} ${metrics[demand.metric].unit}, aim ${bound}${demand.aim}` : 'no demand'
      return `${name.padEnd(26)}${told}`
    })
    .join('\n')

/** Which peaks the chosen rows are held against. */
function peaksOf(names: readonly string[]): readonly Peak[] {
  const peaks = names.flatMap((name): Peak[] => {
    const row = rows.get(name)!
    const { bound }: Workload = workloads[row.workload]
    if (row.kind !== 'pairs' || row.target === 'wasm' || !bound) return []
    return [typeof bound === 'string' ? bound : 'bandwidth']
  })
  return [...new Set(peaks)]
}

/** Progress on one line of a terminal, and in other outputs on none. */
function createProgress() {
  const live = process.stderr.isTTY === true
  const show = (text: string) => live && process.stderr.write(`\r\x1b[K${text}`)
  return { show, done: () => show('') }
}

function quote(measurement: Measurement): string {
  const { value, metric, spread, ofPeak, ours, peer, note } = measurement
  return [
    `${digits(value)} ${metrics[metric].unit}`,
    ...(spread ? [`(${digits(spread.low)} … ${digits(spread.high)})`] : []),
    ...(ours !== undefined && peer !== undefined ? [`${sideOf(measurement, ours)} against ${sideOf(measurement, peer)}`] : []),
    ...(ofPeak ? [`${Math.round(ofPeak.share * 100)} % of ${ofPeak.of}, peer ${Math.round(ofPeak.peer * 100)} %`] : []),
    ...(note ? [note] : []),
  ].join('; ')
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.${process.pid}.tmp`, text)
  renameSync(`${file}.${process.pid}.tmp`, file)
}

/** What numbers depend on beside the code. */
function machineOf(home: string) {
  const processors = cpus()
  const version = (name: 'onnxruntime-node' | 'onnxruntime-web') => `${name} ${peerVersion(home, name)}`
  return {
    processor: `${processors[0]?.model.trim() ?? process.arch}, ${processors.length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${process.arch}, Node ${process.versions.node}`,
    peers: [version('onnxruntime-node'), version('onnxruntime-web')],
  }
}

async function bench(options: Options, { root, home, built }: Places): Promise<number> {
  const names = chooseRows(options.only, [...rows.keys()])
  const progress = createProgress()
  const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'glowplug-bench-'))
  mkdirSync(folder, { recursive: true })
  try {
    const environment: Record<string, string> = options.compiler === undefined ? {} : { CC: options.compiler }
    Object.assign(process.env, environment)
    progress.show('measuring what this machine can do')
    const { level, threads, seconds } = options
    const { peaks, without } = await measurePeaks(home, folder, level, threads, peaksOf(names))
    progress.done()
    const machine = machineOf(home)
    console.log(`${machine.processor}, ${machine.memory}; ${machine.system}; ${machine.peers.join(', ')}`)
    console.log(without ? `without % of peak: ${without}` : describePeaks(peaks))

    let now = ''
    const measure = createMeasurer({
      ...{ root, home, built, folder, threads, seconds, level, environment, peaks },
      progress: (text) => progress.show(`${now}: ${text}`),
    })
    const measured: Measurement[] = []
    const broken: Broken[] = []
    for (const name of names) {
      now = name
      progress.show(name)
      try {
        const found = await measure(name, rows.get(name)!)
        progress.done()
        for (const each of found) console.log(`${name}${each.threads ? ` ×${each.threads}` : ''}: ${quote(each)}`)
        measured.push(...found)
      } catch (error) {
        progress.done()
        const reason = (error as Error).message
        console.log(`${name}: could not be measured: ${reason}`)
        broken.push({ row: name, reason })
      }
    }

    const failed = failuresOf(measured, broken)
    const markdown = table(measured)
    console.log(`\n${markdown}\n`)
    console.log(
      failed.length === 0 ? 'all musts are met' : `failed:\n${failed.map((each) => `  ${describeFailure(each)}`).join('\n')}`,
    )
    const peakRates = Object.fromEntries(Object.entries(peaks).map(([peak, rates]) => [peak, Object.fromEntries(rates)]))
    if (options.json)
      writeWhole(options.json, `${JSON.stringify({ machine, peaks: peakRates, measured, broken, failed }, undefined, 2)}\n`)
    if (options.markdown) writeWhole(options.markdown, `${markdown}\n`)
    return failed.length === 0 && broken.length === 0 ? 0 : 1
  } finally {
    if (options.keep === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs the benchmark; gives the exit status: 1 where a must is missed, 2 where what was asked for makes no sense. */
export async function main(argv: readonly string[], places: Places): Promise<number> {
  try {
    const options = readOptions(argv)
    if (options.help) console.log(usage)
    else if (options.list) console.log(list())
    else return await bench(options, places)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    return 2
  }
}

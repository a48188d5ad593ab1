import { demands, type Metric, meets, metrics } from './numbers.ts'
import type { Spread } from './statistics.ts'

/** One number that a row gave. Rows of several threads give one for each. */
export interface Measurement {
  readonly row: string
  readonly title: string
  readonly metric: Metric
  readonly value: number
  readonly spread?: Spread | undefined
  readonly threads?: number | undefined
  /** Milliseconds, or MB of `memory`, where both sides have some. */
  readonly ours?: number | undefined
  readonly peer?: number | undefined
  readonly pairs?: number | undefined
  /** Of the peak that was measured on this machine with as many threads, and which peak. */
  readonly ofPeak?: { readonly share: number; readonly peer: number; readonly of: string } | undefined
  /** How far apart outputs were, as a share of the largest of the peer's; what was allowed. */
  readonly error?: { readonly found: number; readonly allowed: number } | undefined
  /** Anything else worth knowing, one line. */
  readonly note?: string | undefined
}

/** A row that gave none. */
export interface Broken {
  readonly row: string
  readonly threads?: number | undefined
  readonly reason: string
}

export interface Failure {
  readonly row: string
  readonly threads?: number | undefined
  readonly must: number
  /** `reason` says why there is none. */
  readonly value?: number
  readonly reason?: string
}

/** What misses its must, and rows that must reach something and could not be measured. */
export function failuresOf(measured: readonly Measurement[], broken: readonly Broken[]): readonly Failure[] {
  const at = (threads: number | undefined) => (threads === undefined ? {} : { threads })
  const missed = measured.flatMap(({ row, threads, metric, value }): Failure[] => {
    const demand = demands[row]
    return demand && !meets(metric, value, demand.must) ? [{ row, ...at(threads), must: demand.must, value }] : []
  })
  const lost = broken.flatMap(({ row, threads, reason }): Failure[] => {
    const demand = demands[row]
    return demand ? [{ row, ...at(threads), must: demand.must, reason }] : []
  })
  return [...missed, ...lost]
}

/** Three significant digits, and no exponent. */
export function digits(value: number): string {
  const places = value === 0 || !Number.isFinite(value) ? 0 : 2 - Math.floor(Math.log10(Math.abs(value)))
  return value.toFixed(Math.min(8, Math.max(0, places)))
}

/** Milliseconds in the unit that suits them. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1e-3) return `${digits(milliseconds * 1e6)} ns`
  if (milliseconds < 1) return `${digits(milliseconds * 1e3)} µs`
  return milliseconds < 1e4 ? `${digits(milliseconds)} ms` : `${digits(milliseconds / 1e3)} s`
}

/** What a side of a measurement took. */
export const sideOf = ({ metric }: Pick<Measurement, 'metric'>, number: number): string =>
  metric === 'memory' ? `${digits(number)} MB` : duration(number)

const verdictOf = ({ row, metric, value }: Measurement): string => {
  const demand = demands[row]
  if (!demand) return ''
  if (meets(metric, value, demand.aim)) return 'aim'
  return meets(metric, value, demand.must) ? 'must' : 'misses'
}

const columns = ['', 'threads', 'ours', 'peer', 'ratio', 'quartiles', '% of peak', 'must', 'aim', 'reaches'] as const

function cellsOf(measurement: Measurement): readonly string[] {
  const { row, title, metric, value, spread, threads, ours, peer, ofPeak } = measurement
  const { unit } = metrics[metric]
  const demand = demands[row]
  const counted = (number: number | undefined) => (number === undefined ? '' : sideOf(measurement, number))
  const bound = (number: number | undefined) =>
    number === undefined ? '' : metrics[metric].better === 'less' ? `≤ ${number} ${unit}` : `${number}`
  return [
    title,
    threads === undefined ? '' : String(threads),
    counted(ours),
    counted(peer),
    `${digits(value)} ${unit}`,
    spread ? `${digits(spread.low)} … ${digits(spread.high)}` : '',
    ofPeak ? `${Math.round(ofPeak.share * 100)} % ${ofPeak.of}` : '',
    bound(demand?.must),
    bound(demand?.aim),
    verdictOf(measurement),
  ]
}

/** A table in Markdown, columns lined up; columns that no row fills are left out. */
export function table(measured: readonly Measurement[]): string {
  const rows = measured.map(cellsOf)
  const shown = columns.map((_, i) => i).filter((i) => i === 0 || rows.some((row) => row[i] !== ''))
  const all = [columns as readonly string[], ...rows].map((row) => shown.map((i) => row[i]!))
  const widths = shown.map((_, i) => Math.max(3, ...all.map((row) => row[i]!.length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  const [head, ...body] = all.map(line)
  return [head!, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n')
}

export const describeFailure = ({ row, threads, must, value, reason }: Failure): string => {
  const name = threads === undefined ? row : `${row}, ${threads} thread${threads === 1 ? '' : 's'}`
  return value === undefined ? `${name}: ${reason}` : `${name}: ${digits(value)}, must be ${must}`
}

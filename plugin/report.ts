/** What one model became, for one target. Sizes in bytes. */
export interface ModelSummary {
  /** The model file, relative to the project. */
  readonly file: string
  readonly model: string
  readonly target: string
  readonly level: string
  readonly code: number
  readonly weights: number
  /** Memory of the activations of the largest entry, and what no allocation could go below. */
  readonly activations: number
  readonly lowerBound: number
  /** Reading and compiling the file, or finding it in the cache; in milliseconds. */
  readonly milliseconds: number
  readonly cached: boolean
}

export interface Summary {
  readonly models: readonly ModelSummary[]
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `0 B`, `1023 B`, `1.0 KiB`, `1.4 MiB`: below one of the next unit, with one digit after the point from KiB on. */
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  // 1023.95 KiB would be printed as 1024.0 KiB.
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

const formatTime = (milliseconds: number) =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`

const columns: readonly (readonly [title: string, cell: (row: ModelSummary) => string])[] = [
  ['model', (row) => row.model],
  ['target', (row) => (row.level === 'any' ? row.target : `${row.target} ${row.level}`)],
  ['code', (row) => formatBytes(row.code)],
  ['weights', (row) => formatBytes(row.weights)],
  ['activations', (row) => formatBytes(row.activations)],
  ['lower bound', (row) => formatBytes(row.lowerBound)],
  ['time', (row) => `${formatTime(row.milliseconds)}${row.cached ? ' (cached)' : ''}`],
]

/** The summary as lines of text: names to the left, numbers to the right. Empty without models. */
export function formatReport({ models }: Summary): string {
  if (models.length === 0) return ''
  const cells = [columns.map(([title]) => title), ...models.map((row) => columns.map(([, cell]) => cell(row)))]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)))
  const lines = cells.map((row) =>
    row
      .map((text, i) => (i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  return `glowplug\n${lines.map((line) => `  ${line}\n`).join('')}`
}

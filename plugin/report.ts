import type { Bundle } from '../targets/runtime/bundle.ts'

/** What one model became, for one target at one level. Sizes in bytes. */
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
  /** The same for each entry. A model with one `forward` has the one entry `main`. */
  readonly entries: readonly { readonly name: string; readonly activations: number; readonly lowerBound: number }[]
  /** Why the model was compiled without native code although the targets are `auto`. */
  readonly omitted?: string
  /** Reading and compiling the file, or finding it in the cache; in milliseconds. */
  readonly milliseconds: number
  readonly cached: boolean
}

/** One summary for each code of a bundle. */
export const summariesOf = (
  { manifest }: Bundle,
  { file, milliseconds, omitted }: Pick<ModelSummary, 'file' | 'milliseconds'> & { readonly omitted?: string | undefined },
): ModelSummary[] =>
  manifest.codes.map(({ target, level, bytes, weights, entries }) => {
    const sizes = entries.map(({ name, regions: { activations, lowerBound } }) => ({ name, activations, lowerBound }))
    const { activations, lowerBound } = sizes.reduce((a, b) => (b.activations > a.activations ? b : a))
    return {
      file,
      model: manifest.model,
      target,
      level,
      code: bytes,
      weights: weights.bytes,
      activations,
      lowerBound,
      entries: sizes,
      ...(omitted !== undefined && { omitted }),
      milliseconds,
      cached: false,
    }
  })

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
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

const formatTime = (milliseconds: number) =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`

const titles = ['model', 'target', 'code', 'weights', 'activations', 'lower bound', 'time']

/** The cells of a model at one level, and below them those of its entries where it has several. */
function rowsOf(summary: ModelSummary): string[][] {
  const { model, target, level, code, weights, activations, lowerBound, entries, milliseconds, cached } = summary
  const name = level === 'any' ? target : `${target} ${level}`
  const time = `${formatTime(milliseconds)}${cached ? ' (cached)' : ''}`
  const memory = (sizes: { readonly activations: number; readonly lowerBound: number }) => [
    formatBytes(sizes.activations),
    formatBytes(sizes.lowerBound),
  ]
  if (entries.length === 1)
    return [[model, name, formatBytes(code), formatBytes(weights), ...memory({ activations, lowerBound }), time]]
  return [
    [model, name, formatBytes(code), formatBytes(weights), '', '', time],
    ...entries.map((entry) => [`  ${entry.name}`, '', '', '', ...memory(entry), '']),
  ]
}

/** The summary as lines of text: names to the left, numbers to the right. Empty without models. */
export function formatReport({ models }: Summary): string {
  if (models.length === 0) return ''
  const cells = [titles, ...models.flatMap(rowsOf)]
  const widths = titles.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)))
  const lines = cells.map((row) =>
    row
      .map((text, i) => (i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  const omitted = new Set(models.flatMap((summary) => summary.omitted ?? []))
  return `glowplug\n${[...lines, ...omitted].map((line) => `  ${line}\n`).join('')}`
}

import type { Bundle } from '../targets/runtime/bundle.ts'
import type { Manifest } from '../targets/runtime/manifest.ts'
import type { PlacedModel } from '../targets/runtime/serve/readPlacement.ts'
import { formatBytes, type ModelSummary, summariesOf } from './report.ts'

/** A part of a placed model by the code that the loader tries first; in bytes, of the entry that needs most. */
export interface PartSummary {
  readonly part: string
  readonly on: 'host' | readonly number[]
  readonly target: string
  readonly code: number
  readonly weights: number
  readonly activations: number
  /** Inputs and outputs of one request. */
  readonly exchanged: number
}

/** What a card holds, in bytes: inputs and outputs for each request that is under way. */
export interface CardSummary {
  readonly card: string
  readonly parts: readonly string[]
  readonly weights: number
  readonly activations: number
  readonly exchanged: number
}

const manifestOf = ({ files }: PlacedModel, file: string): Manifest => JSON.parse(new TextDecoder().decode(files.get(file)!))

/** A summary for each code of each part; equal parts have one. */
export function placedSummaries(model: PlacedModel, about: Parameters<typeof summariesOf>[1]): readonly ModelSummary[] {
  const names = new Set(model.placement.parts.map(({ bundle }) => bundle.file))
  return [...names].flatMap((file) => summariesOf({ manifest: manifestOf(model, file) } as Bundle, about))
}

/** What of a model is where. */
export function describePlaced(model: PlacedModel): {
  readonly parts: readonly PartSummary[]
  readonly cards: readonly CardSummary[]
} {
  const parts = model.placement.parts.map(({ name, on, bundle }): PartSummary => {
    const [first] = manifestOf(model, bundle.file).codes as readonly [Manifest['codes'][number]]
    const most = (region: 'activations' | 'mutable') => Math.max(...first.entries.map(({ regions }) => regions[region]))
    const [activations, exchanged] = [most('activations'), most('mutable')]
    return { part: name, on, target: first.target, code: first.bytes, weights: first.weights.bytes, activations, exchanged }
  })
  const cards = model.placement.cards.map((card, index): CardSummary => {
    const own = parts.filter(({ on }) => on !== 'host' && on.includes(index))
    const sum = (field: 'weights' | 'activations' | 'exchanged') => own.reduce((total, part) => total + part[field], 0)
    return {
      card,
      parts: own.map(({ part }) => part),
      weights: sum('weights'),
      activations: sum('activations'),
      exchanged: sum('exchanged'),
    }
  })
  return { parts, cards }
}

function formatRows(rows: readonly (readonly string[])[], texts: number): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row.map((text, i) => (i < texts ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  ')
  return rows.map((row) => `  ${line(row).trimEnd()}\n`).join('')
}

const isSame = (a: CardSummary, b: CardSummary): boolean => `${a.parts}` === `${b.parts}`

/** The cards by what they hold; neighbours that hold the same parts are one line. */
export function formatPlaced(model: PlacedModel): string {
  const { parts, cards } = describePlaced(model)
  const where = ({ on }: PartSummary) =>
    on === 'host' ? 'host' : on.length > 1 && on.length === cards.length ? 'each card' : `card ${on.join(', ')}`
  const partRows = parts.map((part) => [
    part.part,
    where(part),
    part.target,
    formatBytes(part.code),
    formatBytes(part.weights),
    formatBytes(part.activations),
    formatBytes(part.exchanged),
  ])
  const runs: CardSummary[][] = []
  for (const card of cards) {
    const last = runs.at(-1)
    if (last && isSame(last[0]!, card)) last.push(card)
    else runs.push([card])
  }
  const cardRows = runs.map((run) => {
    const [first] = run as [CardSummary]
    const name = run.length === 1 ? first.card : `${first.card} … ${run.at(-1)!.card}`
    const { weights, activations, exchanged } = first
    return [name, first.parts.join(', ') || 'nothing', ...[weights, activations, exchanged].map(formatBytes)]
  })
  return [
    `${model.name} on ${model.placement.platform}\n`,
    formatRows([['part', 'on', 'target', 'code', 'weights', 'activations', 'a request'], ...partRows], 3),
    cards.length > 0 ? `\n${formatRows([['card', 'holds', 'weights', 'activations', 'a request'], ...cardRows], 2)}` : '',
  ].join('')
}

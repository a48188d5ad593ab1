// A list of passes is data; its text form is what `--passes` takes and what a reproducer carries.
import { type Pass, passes } from '../passes/index.ts'

export type PassEntry =
  | { readonly kind: 'pass'; readonly pass: Pass; readonly because?: string }
  /** The entries again and again until none changes anything, `limit` times at most. */
  | { readonly kind: 'untilStable'; readonly limit: number; readonly entries: readonly PassEntry[] }

export type PassList = readonly PassEntry[]

/** An entry of a list; `because` says why it stands where it stands. */
export const once = (pass: Pass, because?: string): PassEntry => ({
  kind: 'pass',
  pass,
  ...(because !== undefined && { because }),
})
export const untilStable = (entries: PassList, limit = 12): PassEntry => ({ kind: 'untilStable', limit, entries })

/** `fold-constants, until-stable(8)[simplify-pad, sink-reshape]` */
export const printPassList = (list: PassList): string =>
  list
    .map((entry) => (entry.kind === 'pass' ? entry.pass.name : `until-stable(${entry.limit})[${printPassList(entry.entries)}]`))
    .join(', ')

/** A list of passes as text that cannot be read. */
export class PassListError extends Error {
  override readonly name = 'PassListError'
}

/** Reads the text form; throws PassListError, with the nearest name where a pass is unknown. */
export function parsePassList(text: string): PassList {
  const tokens = text.match(/[A-Za-z-]+|\d+|[^\s]/g) ?? []
  let at = 0
  const expect = (token: string) => {
    if (tokens[at] !== token) throw new PassListError(`expected ${token}, found ${tokens[at] ?? 'the end'}`)
    at++
  }
  const entry = (depth: number): PassEntry => {
    const name = tokens[at++] ?? ''
    if (name !== 'until-stable') return once(passNamed(name))
    if (depth > 4) throw new PassListError('until-stable is nested too deeply')
    expect('(')
    const limit = Number(tokens[at++])
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new PassListError('until-stable takes a limit of 1 to 100')
    expect(')')
    expect('[')
    const entries = list(depth + 1)
    expect(']')
    return untilStable(entries, limit)
  }
  const list = (depth: number): PassEntry[] => {
    const entries = [entry(depth)]
    while (tokens[at] === ',') {
      at++
      entries.push(entry(depth))
    }
    return entries
  }
  if (tokens.length === 0) return []
  const result = list(0)
  if (at < tokens.length) throw new PassListError(`unexpected ${tokens[at]}`)
  return result
}

function passNamed(name: string): Pass {
  const all: readonly Pass[] = Object.values(passes)
  const found = all.find((pass) => pass.name === name)
  if (found) return found
  const nearest = nearestName(
    name,
    all.map((pass) => pass.name),
  )
  throw new PassListError(`unknown pass '${name}'${nearest ? `; did you mean '${nearest}'?` : ''}`)
}

/** The name with the fewest edits, if they are few for its length. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const ranked = names.map((other) => ({ other, distance: editDistance(name, other) })).sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, best.other.length / 3) ? best.other : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

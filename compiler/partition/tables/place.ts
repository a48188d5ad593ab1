import { improve } from './improve.ts'
import { bytesOf, cut, type Part, pieceOf, secondsOf } from './piece.ts'
import type { TablePlacement, TableProblem, TooLarge } from './problem.ts'
import { newState, type State, total } from './state.ts'

/** Tables from this size on go where most bytes are free, before the others go where least is to do (Glow's partitioner, 100 MiB). */
const bigTable = 100 * 2 ** 20

/** Loads within this of each other's mean are balanced: a table is not cut for less. */
const permitted = 1.05

/** Cuts in a row that lower no peak, after which no more are tried. */
const patience = 12

/** Takes parts one by one to the holder that `rank` likes best, of those with room. Returns whether all found one. */
function place(state: State, parts: readonly number[], rank: (holder: number, part: number) => number): boolean {
  for (const part of parts) {
    let best = -1
    for (let holder = 0; holder < state.holders; holder++)
      if (state.bytes[part]! <= state.free[holder]! && (best < 0 || rank(holder, part) < rank(best, part))) best = holder
    if (best < 0) return false
    state.put(part, best)
  }
  return true
}

const byFalling = (indices: readonly number[], value: (index: number) => number): readonly number[] =>
  [...indices].sort((a, b) => value(b) - value(a) || a - b)

/** A place for each part, or undefined where neither order finds one. */
function distribute({ holders }: TableProblem, parts: readonly Part[]): State | undefined {
  const all = parts.map((_, i) => i)
  const begin = () =>
    newState(
      holders,
      parts.map(bytesOf),
      parts.map((part) => holders.map((holder) => secondsOf(part, holder))),
    )
  const balanced = begin()
  const isBig = (i: number) => balanced.bytes[i]! > bigTable
  const load = (state: State) => (holder: number, part: number) => state.load[holder]! + state.seconds[part]![holder]!
  const least = (part: number) => Math.min(...balanced.seconds[part]!)
  if (
    place(
      balanced,
      byFalling(all.filter(isBig), (i) => balanced.bytes[i]!),
      (holder) => -balanced.free[holder]!,
    ) &&
    place(
      balanced,
      byFalling(
        all.filter((i) => !isBig(i)),
        least,
      ),
      load(balanced),
    )
  )
    return balanced
  // Whatever is to do where: the largest first, where most is free, packs tightest.
  const packed = begin()
  return place(
    packed,
    byFalling(all, (i) => packed.bytes[i]!),
    (holder) => -packed.free[holder]!,
  )
    ? packed
    : undefined
}

/** The part of a table that takes longest on the fullest holder, of tables that can be cut once more. */
function hottest(state: State, parts: readonly Part[], counts: ReadonlyMap<string, number>): string | undefined {
  const fullest = state.load.indexOf(Math.max(...state.load))
  let best: number | undefined
  parts.forEach(({ table }, i) => {
    if (state.at[i] !== fullest || counts.get(table.name)! >= Math.min(state.holders, table.rows)) return
    if (best === undefined || state.seconds[i]![fullest]! > state.seconds[best]![fullest]!) best = i
  })
  return best === undefined ? undefined : parts[best]!.table.name
}

/**
 * Places tables on holders so that the one with most to do has as little to do as can be found, within the bytes of each: by falling cost to
 * who then has least to do, then by moving and exchanging. Tables that no holder has room for, and those so hot that nothing balances them,
 * are cut, the hottest first, into as many parts as there are holders at most. Equal problems have equal placements.
 */
export function placeTables(problem: TableProblem): TablePlacement | TooLarge {
  const { tables, holders } = problem
  const largest = Math.max(0, ...holders.map(({ bytes }) => bytes))
  const counts = new Map(tables.map((table) => [table.name, fewestParts(table, largest, holders.length)]))
  const partsNow = () => tables.flatMap((table) => cut(table, counts.get(table.name)!))
  let best: { readonly state: State; readonly parts: readonly Part[] } | undefined
  for (let idle = 0; idle <= patience; idle++) {
    const parts = partsNow()
    const state = distribute(problem, parts)
    if (state) improve(state)
    if (!state) idle = 0
    else if (!best || peak(state) < peak(best.state)) {
      best = { state, parts }
      idle = 0
    }
    const balanced = state && peak(state) <= permitted * (total(state) / holders.length)
    const next = balanced ? undefined : state ? hottest(state, parts, counts) : bulkiest(parts, counts, holders.length)
    if (next === undefined) break
    counts.set(next, counts.get(next)! + 1)
  }
  if (!best)
    return {
      tables: tables.length,
      needed: partsNow().reduce((sum, part) => sum + bytesOf(part), 0),
      available: holders.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  const { parts, state } = best
  return { pieces: parts.map((part, i) => pieceOf(part, holders[state.at[i]!]!)) }
}

const peak = ({ load }: State): number => Math.max(...load)

/** Parts of a table, so that each fits where nothing else is. */
function fewestParts(table: TableProblem['tables'][number], largest: number, holders: number): number {
  for (let count = 1; count < Math.min(holders, table.rows); count++)
    if (cut(table, count).every((part) => bytesOf(part) <= largest)) return count
  return Math.max(1, Math.min(holders, table.rows))
}

/** The largest part, where there is no room for all, of a table that can be cut once more. */
function bulkiest(parts: readonly Part[], counts: ReadonlyMap<string, number>, holders: number): string | undefined {
  let best: Part | undefined
  for (const part of parts)
    if (counts.get(part.table.name)! < Math.min(holders, part.table.rows) && (!best || bytesOf(part) > bytesOf(best))) best = part
  return best?.table.name
}

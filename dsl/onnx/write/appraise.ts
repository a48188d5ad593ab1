import { abstractScalars } from './abstraction.ts'
import type { Factory, Item, Value } from './program.ts'
import { resultWord } from './vocabulary.ts'
import { isConnected, isWhole, spansParts } from './whole.ts'
import { leastCall, leastHelper, type Window } from './windows.ts'

/** Windows that a helper may replace. */
export interface Repeat {
  readonly windows: readonly Window[]
  readonly length: number
  readonly saving: number
  readonly items: readonly (readonly Item[])[]
  /** For each operand of the helper the tensor that each window gives. */
  readonly operands: readonly (readonly Value[])[]
  /** Results that are used outside, as places in the window. */
  readonly results: readonly { readonly item: number; readonly part: number }[]
}

/** The best helper for windows of equal patterns that saves more than `toBeat`. */
export function examine(
  candidates: readonly Window[],
  length: number,
  lists: readonly (readonly Item[])[],
  uses: ReadonlyMap<Value, number>,
  factory: Factory,
  toBeat: number,
): Repeat | undefined {
  const overlap = candidates.some(
    ({ list, start }, i) => i > 0 && candidates[i - 1]!.list === list && start - candidates[i - 1]!.start < length,
  )
  const itemsOf = ({ list, start }: Window) => lists[list]!.slice(start, start + length)
  let best: Repeat | undefined
  // Where windows overlap, what repeats can be cut in several ways; numbers and names tell where one begins.
  for (const cutBy of overlap ? [() => '', tellingOf, namesOf] : [() => '']) {
    const parts = new Map<string, Window[]>()
    for (const window of candidates) {
      const key = cutBy(itemsOf(window))
      const part = parts.get(key)
      if (part) part.push(window)
      else parts.set(key, [window])
    }
    for (const part of parts.values()) {
      if (part.length < 2) continue
      for (const group of disjoint(part, length, itemsOf)) {
        const repeat = appraise(group, length, uses, factory, best?.saving ?? toBeat)
        if (repeat) best = repeat
      }
    }
  }
  return best
}

interface Placed {
  readonly window: Window
  readonly items: readonly Item[]
}

/** Windows that do not overlap, the first first, by how their calls are wired. */
function disjoint(windows: readonly Window[], length: number, itemsOf: (window: Window) => readonly Item[]): readonly Placed[][] {
  const groups = new Map<string, Placed[]>()
  let [list, end] = [-1, 0]
  for (const window of windows) {
    if (window.list === list && window.start < end) continue
    const items = itemsOf(window)
    const key = wiringOf(items)
    ;[list, end] = [window.list, window.start + length]
    const group = groups.get(key)
    if (group) group.push({ window, items })
    else groups.set(key, [{ window, items }])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}

/** Kernels and the like, as far as they are known. */
const tellingOf = (items: readonly Item[]): string =>
  items
    .map(({ pattern, scalars }) =>
      scalars.map(({ kind, key }, s) => (kind === 'number' && pattern.roles[s] === 'kernel' ? key : '')).join(' '),
    )
    .join('|')

/** How much of its name each weight has in common with the one before. */
function namesOf(items: readonly Item[]): string {
  const names = items.flatMap(({ scalars }) => scalars.filter(({ kind }) => kind === 'text').map(({ key }) => key.split(/[./]/)))
  return names
    .map((name, i) => {
      if (i === 0) return ''
      const before = names[i - 1]!
      const differs = name.findIndex((part, k) => part !== before[k])
      return differs < 0 ? name.length : differs
    })
    .join(' ')
}

/** Tensors that all windows give in one place, as a key. */
export const keyOf = (column: readonly Value[]): string => column.map(({ id }) => id).join(' ')

/** Patterns of the calls, and which of their tensors come from which of them. */
function wiringOf(items: readonly Item[]): string {
  const places = new Map<Value, string>()
  const parts: string[] = []
  for (const [i, item] of items.entries()) {
    parts.push(`|${item.pattern.id}`)
    for (const value of item.values) parts.push(places.get(value) ?? 'x')
    for (const [part, result] of item.results.entries()) places.set(result, `${i}.${part}`)
  }
  return parts.join(' ')
}

function appraise(
  group: readonly Placed[],
  length: number,
  uses: ReadonlyMap<Value, number>,
  factory: Factory,
  toBeat: number,
): Repeat | undefined {
  const items = group.map((one) => one.items)
  const all = items.reduce((sum, window) => sum + costOf(window), 0)
  const body = costOf(items[0]!)
  if (all - body - leastHelper - leastCall * group.length <= toBeat || !isConnected(items[0]!)) return undefined
  const operands = new Map<string, readonly Value[]>()
  const inner = new Set(items[0]!.flatMap((item) => item.results))
  for (const [k, item] of items[0]!.entries())
    for (const [h, value] of item.values.entries()) {
      if (inner.has(value)) continue
      const column = items.map((window) => window[k]!.values[h]!)
      operands.set(keyOf(column), column)
    }
  const results: { item: number; part: number }[] = []
  for (const [k, item] of items[0]!.entries())
    for (const part of item.results.keys()) {
      const isUsed = group.some(({ window, items: own }) => (uses.get(own[k]!.results[part]!) ?? -1) >= window.start + length)
      if (isUsed) results.push({ item: k, part })
    }
  if (results.length === 0 || operands.size > 8 + length / 16 || results.length > 4 + length / 16) return undefined

  const abstraction = abstractScalars(items, factory)
  if (!abstraction) return undefined
  const { parameters, given } = abstraction
  if (parameters.length > (group.length < 8 ? 8 : 10)) return undefined
  // People end blocks with their activation.
  const isCutOff = resultWord(items[0]![0]!.pattern.call) === 'activated' ? 30 : 0
  const call =
    14 +
    isCutOff +
    3 * operands.size +
    25 * Math.max(0, operands.size - 1) +
    30 * (results.length - 1) +
    20 * Math.max(0, parameters.length - 4)
  const calls = given.reduce((sum, cells) => sum + call + cells.reduce((width, cell) => width + cell.key.length + 2, 0), 0)
  const saving = all - body - leastHelper - 14 * parameters.length - calls
  // Two of a kind may stand side by side; a helper for them must be a real gain.
  if (saving <= toBeat || (group.length === 2 && saving < all / 6) || !isWhole(items[0]!, abstraction)) return undefined
  if (group.length <= 3 && spansParts(items[0]!, abstraction)) return undefined
  return { windows: group.map(({ window }) => window), length, saving, items, operands: [...operands.values()], results }
}

/** Characters of source, roughly. */
export const costOf = (items: readonly Item[]): number =>
  items.reduce((sum, item) => sum + item.pattern.cost + item.scalars.reduce((width, scalar) => width + scalar.key.length, 0), 0)

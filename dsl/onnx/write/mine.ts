import { type Abstraction, abstractScalars } from './abstraction.ts'
import { inWritingOrder } from './order.ts'
import { type Body, type Factory, type Item, type Parameter, type Pattern, type Scalar, substitute, type Template, type Value } from './program.ts'
import { resultWord } from './vocabulary.ts'
import { leastCall, leastHelper, repeatedWindows, type Window } from './windows.ts'

/** A list of calls that may hold repeated ones: the body of an entry or of a helper. */
interface Sequence {
  readonly owner: { items: readonly Item[] }
  readonly outputs: readonly Value[]
  readonly isHelper: boolean
}

/** Rounds after which what is left is written out: none of the networks seen needed half of them. */
const maximumRounds = 80

/**
 * Turns repeated calls of bodies and helpers into helpers, those that save most first, until none saves anything. Changes the items of
 * `bodies` and `given`; returns all helpers.
 */
export function extractHelpers(bodies: readonly Body[], given: readonly Template[], factory: Factory): Template[] {
  const templates = [...given]
  const sequences: Sequence[] = bodies.map((body) => ({
    owner: body,
    outputs: body.outputs.map(({ value }) => value),
    isHelper: false,
  }))
  for (const template of given) sequences.push(sequenceOf(template))
  const size = sequences.reduce((sum, { owner }) => sum + costOf(owner.items), 0)
  const budget = { steps: maximumSteps }
  for (let round = 0; round < maximumRounds && budget.steps > 0; round++) {
    const best = bestRepeat(sequences, factory, Math.max(minimumSaving, size * smallestShare), budget)
    if (!best) break
    const { template, replace } = best
    replace()
    templates.push(template)
    sequences.push(sequenceOf(template))
  }
  return templates
}

const sequenceOf = (template: Template): Sequence => ({
  owner: {
    get items() {
      return template.body
    },
    set items(items) {
      template.body = items
    },
  },
  outputs: template.results,
  isHelper: true,
})

interface Found {
  readonly template: Template
  readonly replace: () => void
}

function bestRepeat(sequences: readonly Sequence[], factory: Factory, atLeast: number, budget: { steps: number }): Found | undefined {
  const lists = sequences.map(({ owner }) => owner.items)
  const uses = lastUses(sequences)
  let best: Repeat | undefined
  // Looking for candidates goes over all calls some dozens of times, quickly.
  budget.steps -= searchSteps * lists.reduce((sum, { length }) => sum + length, 0)
  for (const candidate of repeatedWindows(lists, sequences.map(({ isHelper }) => isHelper), atLeast)) {
    // Candidates come with what they can save at most, the largest first.
    if ((best && candidate.bound <= best.saving) || budget.steps <= 0) break
    budget.steps -= candidate.windows.length * candidate.length
    best = examine(candidate.windows, candidate.length, lists, uses, factory, best?.saving ?? atLeast) ?? best
  }
  return best && realise(best, sequences, factory)
}

/** Characters that a helper must save to be worth its name, and the share of a large program. */
const minimumSaving = 60
const smallestShare = 1 / 300

/** Calls looked at before what is left is written out, so that no file can make the search long. */
const maximumSteps = 1_500_000
const searchSteps = 4

interface Repeat {
  readonly windows: readonly Window[]
  readonly length: number
  readonly saving: number
  readonly items: readonly (readonly Item[])[]
  /** For each operand of the helper the tensor that each window gives. */
  readonly operands: readonly (readonly Value[])[]
  /** Results that are used outside, as places in the window. */
  readonly results: readonly { readonly item: number; readonly part: number }[]
}

/** Where each tensor is used last: the place of the call in its list, infinite where it is an output. */
function lastUses(sequences: readonly Sequence[]): Map<Value, number> {
  const last = new Map<Value, number>()
  for (const { owner, outputs } of sequences) {
    for (const [i, item] of owner.items.entries()) for (const value of item.values) last.set(value, i)
    for (const output of outputs) last.set(output, Number.POSITIVE_INFINITY)
  }
  return last
}

function examine(
  candidates: readonly Window[],
  length: number,
  lists: readonly (readonly Item[])[],
  uses: ReadonlyMap<Value, number>,
  factory: Factory,
  toBeat: number,
): Repeat | undefined {
  const overlap = candidates.some(({ list, start }, i) => i > 0 && candidates[i - 1]!.list === list && start - candidates[i - 1]!.start < length)
  const itemsOf = ({ list, start }: Window) => lists[list]!.slice(start, start + length)
  let best: Repeat | undefined
  // Where windows overlap, what repeats can be cut in several ways; numbers and names tell where one begins.
  for (const keyOf of overlap ? [() => '', tellingOf, namesOf] : [() => '']) {
    const parts = new Map<string, Window[]>()
    for (const window of candidates) {
      const key = keyOf(itemsOf(window))
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
  items.map(({ pattern, scalars }) => scalars.map(({ kind, key }, s) => (kind === 'number' && pattern.roles[s] === 'kernel' ? key : '')).join(' ')).join('|')

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
      operands.set(column.map(({ id }) => id).join(' '), column)
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
  const call = 14 + isCutOff + 3 * operands.size + 25 * Math.max(0, operands.size - 1) + 30 * (results.length - 1) + 20 * Math.max(0, parameters.length - 4)
  const calls = given.reduce((sum, cells) => sum + call + cells.reduce((width, cell) => width + cell.key.length + 2, 0), 0)
  const saving = all - body - leastHelper - 14 * parameters.length - calls
  // Two of a kind may stand side by side; a helper for them must be a real gain.
  if (saving <= toBeat || (group.length === 2 && saving < all / 6) || !isWhole(items[0]!, abstraction)) return undefined
  if (group.length <= 3 && spansParts(items[0]!, abstraction)) return undefined
  return { windows: group.map(({ window }) => window), length, saving, items, operands: [...operands.values()], results }
}

/**
 * Whether a window is more than the same thing several times, which is for a loop to say: where it falls into equal parts, neighbouring parts
 * must differ in something that is the same in all occurrences, as the two convolutions of a separable block differ in their kernels.
 */
function isWhole(items: readonly Item[], { inside }: Abstraction): boolean {
  const flat = items.flatMap((item, k) => flattened(item, inside[k]!))
  const tokens = flat.map(({ pattern }) => pattern.id)
  const isAlike = (a: number, b: number) => !differ(flat[a]!, flat[b]!) && !shareName(flat[a]!.scalars, flat[b]!.scalars)
  for (let period = 1; period * 2 <= flat.length; period++) {
    let start = 0
    for (let i = 0; i <= flat.length - period; i++) {
      if (i < flat.length - period && tokens[i] === tokens[i + period]) continue
      const end = i + period
      if (end - start >= Math.max(2 * period, flat.length * mostRepeated))
        for (let part = start; part + 2 * period <= end; part += period)
          if (Array.from({ length: period }, (_, k) => part + k).every((k) => isAlike(k, k + period))) return false
      start = i + 1
    }
  }
  return true
}

/** A window of which more than this is one thing several times is a run with something beside it. */
const mostRepeated = 0.6

/**
 * Whether a window takes in several parts of the network, which are told apart by the names of their weights, and something three times: the
 * parts are what repeats.
 */
function spansParts(items: readonly Item[], { parameters, inside }: Abstraction): boolean {
  const counts = new Map<Pattern, number>()
  for (const { pattern, scalars } of items)
    if (scalars.some(({ kind }) => kind === 'text')) counts.set(pattern, (counts.get(pattern) ?? 0) + 1)
  if (Math.max(0, ...counts.values()) < 3) return false
  const isShifted = (scalar: Scalar): boolean =>
    scalar.kind === 'arithmetic'
      ? scalar.left.kind === 'parameter' && isName(scalar.left.parameter)
      : scalar.kind === 'text' && scalar.parts.some((part) => typeof part === 'object' && isShifted(part))
  return parameters.filter(isName).length > 1 || inside.some((scalars) => scalars.some(isShifted))
}

/** What makes calls of one function different things. Strides and sizes vary within what repeats. */
const telling = new Set(['kernel', 'groups', 'window', 'dilation'])

/** Whether a telling number is another, whatever a helper is given. */
const differ = (a: Flat, b: Flat): boolean =>
  a.scalars.some((scalar, s) => {
    const other = b.scalars[s]!
    return telling.has(a.pattern.roles[s]!) && scalar.kind === 'number' && other.kind === 'number' && scalar.key !== other.key
  })

/** Whether two calls belong to one part of the network by the names of their weights. */
function shareName(a: readonly Scalar[], b: readonly Scalar[]): boolean {
  const names = new Set(a.flatMap(namesIn))
  return b.flatMap(namesIn).some((name) => names.has(name))
}

const namesIn = (scalar: Scalar): Parameter[] => {
  if (scalar.kind === 'text') return scalar.parts.flatMap((part) => (typeof part === 'object' && part.kind === 'parameter' ? [part.parameter] : []))
  return scalar.kind === 'parameter' && isName(scalar.parameter) ? [scalar.parameter] : []
}
const isName = ({ kind, roles }: Parameter): boolean => kind === 'text' || roles.some((role) => role.startsWith('index:'))

interface Flat {
  readonly pattern: Pattern
  readonly scalars: readonly Scalar[]
}

/** The calls that a call comes to, helpers looked into. */
function flattened({ pattern }: Item, scalars: readonly Scalar[]): Flat[] {
  const { template } = pattern
  if (!template) return [{ pattern, scalars }]
  const given = new Map(template.parameters.map((parameter, i) => [parameter, scalars[i]!]))
  return template.body.flatMap((inner) => flattened(inner, inner.scalars.map((scalar) => substitute(scalar, given))))
}

/** Whether calls hang together by tensors that they make, or read together. */
function isConnected(items: readonly Item[]): boolean {
  const leader = items.map((_, i) => i)
  const find = (i: number): number => {
    while (leader[i] !== i) i = leader[i] = leader[leader[i]!]!
    return i
  }
  const seen = new Map<Value, number>()
  for (const [i, item] of items.entries())
    for (const value of [...item.values, ...item.results]) {
      const first = seen.get(value)
      if (first === undefined) seen.set(value, i)
      else leader[find(i)] = find(first)
    }
  const root = find(0)
  return items.every((_, i) => find(i) === root)
}

const costOf = (items: readonly Item[]): number =>
  items.reduce((sum, item) => sum + item.pattern.cost + item.scalars.reduce((width, scalar) => width + scalar.key.length, 0), 0)

function realise(repeat: Repeat, sequences: readonly Sequence[], factory: Factory): Found {
  const { items, windows, operands, results, length } = repeat
  const { parameters, inside, given } = abstractScalars(items, factory)!
  const renamed = new Map<Value, Value>()
  const own = operands.map(([first]) => {
    const value = factory.value(first!.dtype)
    renamed.set(first!, value)
    return value
  })
  const body = items[0]!.map((item, k) => {
    const values = item.values.map((value) => renamed.get(value)!)
    const fresh = item.results.map((result) => {
      const value = factory.value(result.dtype)
      renamed.set(result, value)
      return value
    })
    const origins = items.flatMap((window) => window[k]!.origins)
    return { ...item, values, scalars: inside[k]!, results: fresh, origins }
  })
  const made = results.map(({ item, part }) => body[item]!.results[part]!)
  const template: Template = {
    id: factory.nextTemplate(),
    operands: own,
    parameters,
    results: made,
    body: inWritingOrder(body, made),
  }
  const pattern = factory.callOf(template)
  const replace = () => {
    const starts = new Map(windows.map((window, o) => [`${window.list} ${window.start}`, o]))
    for (const [list, { owner }] of sequences.entries()) {
      const rewritten: Item[] = []
      for (let i = 0; i < owner.items.length; ) {
        const o = starts.get(`${list} ${i}`)
        if (o === undefined) {
          rewritten.push(owner.items[i++]!)
          continue
        }
        const window = items[o]!
        rewritten.push({
          pattern,
          values: operands.map((column) => column[o]!),
          scalars: given[o]!,
          results: results.map(({ item, part }) => window[item]!.results[part]!),
          origins: window.flatMap(({ origins }) => origins),
        })
        i += length
      }
      owner.items = rewritten
    }
  }
  return { template, replace }
}

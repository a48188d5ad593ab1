import { abstractScalars } from './abstraction.ts'
import { costOf, examine, keyOf, type Repeat } from './appraise.ts'
import { inWritingOrder } from './order.ts'
import type { Body, Factory, Item, Template, Value } from './program.ts'
import { repeatedWindows } from './windows.ts'

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

function bestRepeat(
  sequences: readonly Sequence[],
  factory: Factory,
  atLeast: number,
  budget: { steps: number },
): Found | undefined {
  const lists = sequences.map(({ owner }) => owner.items)
  const uses = lastUses(sequences)
  let best: Repeat | undefined
  // Looking for candidates goes over all calls some dozens of times, quickly.
  budget.steps -= searchSteps * lists.reduce((sum, { length }) => sum + length, 0)
  for (const candidate of repeatedWindows(
    lists,
    sequences.map(({ isHelper }) => isHelper),
    atLeast,
  )) {
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

/** Where each tensor is used last: the place of the call in its list, infinite where it is an output. */
function lastUses(sequences: readonly Sequence[]): Map<Value, number> {
  const last = new Map<Value, number>()
  for (const { owner, outputs } of sequences) {
    for (const [i, item] of owner.items.entries()) for (const value of item.values) last.set(value, i)
    for (const output of outputs) last.set(output, Number.POSITIVE_INFINITY)
  }
  return last
}

function realise(repeat: Repeat, sequences: readonly Sequence[], factory: Factory): Found {
  const { items, windows, operands, results, length } = repeat
  const { parameters, inside, given } = abstractScalars(items, factory)!
  const renamed = new Map<Value, Value>()
  const own = operands.map(([first]) => factory.value(first!.dtype))
  // By all that is given, not by what the first gives: it may give one tensor for two operands.
  const places = new Map(operands.map((column, i) => [keyOf(column), own[i]!]))
  const body = items[0]!.map((item, k) => {
    const values = item.values.map(
      (value, h) => renamed.get(value) ?? places.get(keyOf(items.map((window) => window[k]!.values[h]!)))!,
    )
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

import { type Body, type Factory, type Item, isKnown, type Template, type Value } from './program.ts'
import { stepsOf } from './runs.ts'

/** A forward of more calls than this is cut into functions. */
const longest = 70
/** Calls of one such function. */
const [fewest, most] = [20, 60]
/** Tensors that may pass from one function to those behind it. */
const widest = 6

/** What a long list of calls without repetition is cut into, where few tensors pass: a function for each part. Changes the items of `body`. */
export function cutIntoSections(body: Body, factory: Factory): Template[] {
  // A loop is one statement.
  const steps = stepsOf(body.items).map((step) => (step.kind === 'call' ? [step.item] : step.items))
  if (steps.length <= longest) return []
  const items = steps.flat()
  const ends = steps.map(
    (
      (end) => (step) =>
        (end += step.length)
    )(0),
  )
  const last = new Map<Value, number>()
  for (const [i, item] of items.entries()) for (const value of item.values) last.set(value, i)
  for (const { value } of body.outputs) last.set(value, Number.POSITIVE_INFINITY)
  const templates: Template[] = []
  const rewritten: Item[] = []
  let [start, first] = [0, 0]
  while (steps.length - first > fewest) {
    const next = narrowest(items, ends, last, first)
    const end = ends[next - 1]!
    const window = items.slice(start, end)
    const section = sectionOf(window, last, end, factory)
    rewritten.push(...(section ? [section.item] : window))
    if (section) templates.push(section.template)
    ;[start, first] = [end, next]
  }
  body.items = [...rewritten, ...items.slice(start)]
  return templates
}

/** The step before which a part ends best: the fewest tensors made in it are needed behind it. */
function narrowest(items: readonly Item[], ends: readonly number[], last: ReadonlyMap<Value, number>, first: number): number {
  const limit = Math.min(ends.length, first + most)
  let [best, fewestLive] = [limit, Number.POSITIVE_INFINITY]
  const live = new Set<Value>()
  for (let next = first + 1; next <= limit; next++) {
    const end = ends[next - 1]!
    for (const item of items.slice(next === 1 ? 0 : ends[next - 2]!, end)) for (const result of item.results) live.add(result)
    for (const value of [...live]) if ((last.get(value) ?? -1) < end) live.delete(value)
    if (next - first < fewest || live.size > fewestLive) continue
    ;[best, fewestLive] = [next, live.size]
  }
  return best
}

function sectionOf(window: readonly Item[], last: ReadonlyMap<Value, number>, end: number, factory: Factory) {
  const made = new Set(window.flatMap((item) => item.results))
  const operands = [...new Set(window.flatMap((item) => item.values).filter((value) => !made.has(value)))]
  const results = [...made].filter((value) => (last.get(value) ?? -1) >= end)
  if (operands.length > widest || results.length === 0 || results.length > widest) return undefined
  if (!window.every(({ scalars }) => scalars.every(isKnown))) return undefined
  const renamed = new Map([...operands, ...made].map((value) => [value, factory.value(value.dtype)]))
  const of = (value: Value) => renamed.get(value)!
  const template: Template = {
    id: factory.nextTemplate(),
    role: 'section',
    operands: operands.map(of),
    parameters: [],
    results: results.map(of),
    body: window.map((item) => ({ ...item, values: item.values.map(of), results: item.results.map(of) })),
  }
  const item: Item = {
    pattern: factory.callOf(template),
    values: operands,
    scalars: [],
    results,
    origins: window.flatMap(({ origins }) => origins),
  }
  return { template, item }
}

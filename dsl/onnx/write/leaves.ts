import type { Factory, Form, Item, Value } from './program.ts'
import { costOf, createReading } from './reading.ts'

/**
 * Calls of weights and literals alone that one other call uses, such as the `dequantize` of a weight, written inside of that call: they are
 * part of what it does.
 */
export function withLeavesInside(items: readonly Item[], outputs: ReadonlySet<Value>, factory: Factory): readonly Item[] {
  const uses = new Map<Value, number>()
  for (const { values } of items) for (const value of values) uses.set(value, (uses.get(value) ?? 0) + 1)
  const leaves = new Map<Value, Item>()
  const kept: Item[] = []
  for (const item of items) {
    const merged = item.values.some((value) => leaves.has(value)) ? withInner(item, leaves, factory) : item
    const [result] = merged.results
    const isLeaf = merged.values.length === 0 && merged.pattern.returns === 'one' && merged.scalars.length <= maximumInside
    if (isLeaf && uses.get(result!) === 1 && !outputs.has(result!)) leaves.set(result!, merged)
    else kept.push(merged)
  }
  return kept
}

/** Numbers and names that a call may bring along into another. */
const maximumInside = 12

function withInner(item: Item, leaves: ReadonlyMap<Value, Item>, factory: Factory): Item {
  const reading = createReading()
  const origins = [...item.origins]
  const copy = (form: Form, from: Item): Form => {
    switch (form.kind) {
      case 'text':
        return form
      case 'value': {
        const value = from.values[form.index]!
        const leaf = leaves.get(value)
        if (!leaf) return reading.value(value)
        origins.push(...leaf.origins)
        return copy(leaf.pattern.form, leaf)
      }
      case 'scalar':
        return reading.scalar(from.scalars[form.index]!, from.pattern.roles[form.index]!)
      case 'call':
        return { ...form, parts: form.parts.map((part) => copy(part, from)) }
      case 'list':
        return { ...form, items: form.items.map((inner) => copy(inner, from)) }
      case 'object':
        return { ...form, entries: form.entries.map((entry) => ({ ...entry, form: copy(entry.form, from) })) }
    }
  }
  const form = copy(item.pattern.form, item)
  const { call, results, returns } = item.pattern
  const operands = reading.values.map(({ dtype }) => dtype)
  const pattern = factory.pattern({
    call,
    form,
    roles: reading.roles,
    operands,
    results,
    returns,
    cost: costOf(form),
    template: undefined,
  })
  return { pattern, values: reading.values, scalars: reading.scalars, results: item.results, origins }
}

import type { Item, Value } from './program.ts'

/**
 * Calls in the order in which people would write them: what a call needs stands right before it, the longest way first, so that what
 * belongs together is together however the file sorted it. What many calls far apart need stands in front.
 */
export function inWritingOrder(items: readonly Item[], outputs: readonly Value[]): Item[] {
  const producer = producers(items)
  const depth = new Map<Item, number>()
  for (const item of items) depth.set(item, 1 + Math.max(0, ...item.values.map((value) => depth.get(producer.get(value)!) ?? 0)))
  const depthOf = (value: Value) => depth.get(producer.get(value)!) ?? 0

  const order: Item[] = []
  const placed = new Set<Item>()
  const place = (root: Item) => {
    const stack: { readonly item: Item; readonly operands: readonly Value[]; next: number }[] = []
    const enter = (item: Item) => {
      if (placed.has(item)) return
      placed.add(item)
      // Sorting is stable: of equally long ways the first argument's stands first.
      stack.push({ item, operands: [...item.values].sort((a, b) => depthOf(b) - depthOf(a)), next: 0 })
    }
    enter(root)
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const operand = top.operands[top.next++]
      if (operand === undefined) {
        order.push(top.item)
        stack.pop()
      } else {
        const item = producer.get(operand)
        if (item) enter(item)
      }
    }
  }
  for (const item of sharedEarly(items, producer)) place(item)
  for (const output of [...outputs].sort((a, b) => depthOf(b) - depthOf(a))) {
    const item = producer.get(output)
    if (item) place(item)
  }
  return order
}

/** The order of the file, but that what many calls far apart need stands in front. */
export function inFileOrder(items: readonly Item[]): Item[] {
  const producer = producers(items)
  const early = new Set<Item>()
  const add = (item: Item) => {
    if (early.has(item)) return
    for (const value of item.values) {
      const inner = producer.get(value)
      if (inner) add(inner)
    }
    early.add(item)
  }
  for (const item of sharedEarly(items, producer)) add(item)
  return [...early, ...items.filter((item) => !early.has(item))]
}

function producers(items: readonly Item[]): Map<Value, Item> {
  return new Map(items.flatMap((item) => item.results.map((result) => [result, item] as const)))
}

/** Calls that come before a side computation is too long to stand in front of everything. */
const maximumAncestors = 24

/** Side computations that three or more calls far apart need, such as a mask for all layers. */
function sharedEarly(items: readonly Item[], producer: ReadonlyMap<Value, Item>): Item[] {
  const far = Math.max(12, Math.min(60, items.length / 8))
  const position = new Map(items.map((item, i) => [item, i]))
  const users = new Map<Item, number[]>()
  for (const [i, item] of items.entries())
    for (const value of new Set(item.values)) {
      const from = producer.get(value)
      if (from) users.set(from, [...(users.get(from) ?? []), i].slice(-64))
    }
  const ancestors = new Map<Item, ReadonlySet<Item> | undefined>()
  for (const item of items) {
    let all: Set<Item> | undefined = new Set()
    for (const value of item.values) {
      const from = producer.get(value)
      if (!from) continue
      const inner = ancestors.get(from)
      if (!inner || !all) all = undefined
      else for (const one of [from, ...inner]) all.add(one)
      if (all && all.size > maximumAncestors) all = undefined
    }
    ancestors.set(item, all)
  }
  return items.filter((item) => {
    const used = users.get(item)
    if (!used || used.length < 3 || !ancestors.get(item)) return false
    return used.at(-1)! - position.get(item)! > far && used.at(-1)! - used[1]! > far / 2
  })
}

import type { Surroundings } from './calls.ts'
import { type Expression, referencesOf } from './expression.ts'
import type { Form, Item, Value } from './program.ts'
import type { Loop } from './runs.ts'

/** A statement whose tensors have no names yet. */
export type Binding =
  | { readonly kind: 'const'; readonly item: Item; readonly expression: Expression; readonly reads: readonly Value[] }
  | {
      readonly kind: 'loop'
      readonly loop: Loop
      readonly reads: readonly Value[]
      readonly initial: readonly (Expression | undefined)[]
    }

/** A tensor that is needed for more statements than this has a name of its own. */
const longestHeld = 3

/** Chains of tensors of which each is used for the last time where the next is made: one variable holds them. */
export function chainsOf(bindings: readonly Binding[], last: ReadonlyMap<Value, number>): Map<Value, Value[]> {
  const chains = new Map<Value, Value[]>()
  const made = new Map<Value, number>()
  for (const [i, binding] of bindings.entries()) {
    if (binding.kind === 'loop') {
      const finals = binding.loop.items.at(-1)!.results
      for (const value of finals) made.set(value, i)
      for (const [a, result] of binding.loop.carried.entries()) {
        if (typeof result !== 'number') continue
        const value = finals[result]!
        const initial = binding.initial[a]!
        const from = referencesOf(initial).find(
          (read) =>
            last.get(read) === i &&
            i - (made.get(read) ?? i) <= longestHeld &&
            chains.get(read)?.at(-1) === read &&
            read.dtype === value.dtype &&
            // Another variable may start from it, or the turns read it.
            binding.reads.filter((one) => one === read).length === 1,
        )
        const before = from && chains.get(from)
        const chain = before ?? []
        chain.push(value)
        chains.set(value, chain)
      }
      continue
    }
    const { item } = binding
    for (const value of item.results) made.set(value, i)
    if (item.results.length !== 1) continue
    const [value] = item.results
    const from = binding.reads.find(
      (read) =>
        last.get(read) === i &&
        i - made.get(read)! <= longestHeld &&
        chains.get(read)?.at(-1) === read &&
        read.dtype === value!.dtype,
    )
    const chain = (from && chains.get(from)) ?? []
    chain.push(value!)
    chains.set(value!, chain)
  }
  return chains
}

/** Tensors that are given by name: `{ initialHidden: … }`. */
const optionValues = (form: Form, values: readonly Value[]): (readonly [Value, string])[] => {
  if (form.kind === 'call') return form.parts.flatMap((part) => optionValues(part, values))
  if (form.kind !== 'object') return []
  return form.entries.flatMap(({ key, form: inner }) => (inner.kind === 'value' ? [[values[inner.index]!, key] as const] : []))
}

/** Names that helpers and options have for what they are given. */
export function hintsFor(bindings: readonly Binding[], around: Surroundings): Map<Value, string[]> {
  const hints = new Map<Value, string[]>()
  for (const binding of bindings) {
    const item = binding.kind === 'loop' ? binding.loop.items[0]! : binding.item
    const { template, form } = item.pattern
    if (!template) {
      for (const [value, key] of optionValues(form, item.values)) hints.set(value, [key])
      continue
    }
    const { operands } = around.helperOf(template)
    for (const [a, value] of item.values.entries()) {
      const name = operands.get(template.operands[a]!)!
      if (name.length > 2 && name !== 'other') hints.set(value, [name])
    }
  }
  return hints
}

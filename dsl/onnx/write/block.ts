import { callExpression, isWeighted, memberOf, type Surroundings } from './calls.ts'
import type { Binding } from './chains.ts'
import { depthOf, type Expression, referencesOf, widthOfExpression } from './expression.ts'
import { inWritingOrder } from './order.ts'
import type { Item, Parameter, Scalar, Value } from './program.ts'
import { stepsOf, usesOf } from './runs.ts'
import { scalarExpression } from './scalars.ts'
import { type Block, nameAndPrint } from './statements.ts'
import type { Scope } from './text.ts'

/** Expressions longer than this get a name instead of standing inside of others. */
const widestNested = 108
const deepest = 4

/** The statements of a function over its calls. `names` holds what its tensors from outside are called. */
export function writeBlock(
  items: readonly Item[],
  outputs: readonly { readonly value: Value; readonly words: readonly string[] }[],
  names: Map<Value, string>,
  scope: Scope,
  parameterName: (parameter: Parameter) => string,
  around: Surroundings,
): Block {
  const outputValues = outputs.map(({ value }) => value)
  const steps = stepsOf(inWritingOrder(items, outputValues))
  const uses = usesOf(steps, outputValues)
  const nested = new Map<
    Value,
    { readonly item: Item; readonly expression: Expression; readonly access?: string; readonly isWeighted: boolean }
  >()
  const wasWeighted = new Set<Value>()
  const bindings: Binding[] = []
  const isBound = new Set<Value>(names.keys())
  const scalar = (value: Scalar) => scalarExpression(value, parameterName)

  const bind = (item: Item, expression: Expression) => {
    bindings.push({ kind: 'const', item, expression, reads: referencesOf(expression) })
    for (const result of item.results) isBound.add(result)
  }
  const settle = (value: Value) => {
    const found = nested.get(value)
    if (!found) return
    nested.delete(value)
    bind(found.item, found.expression)
  }
  const read = (value: Value): Expression => {
    const found = nested.get(value)
    if (!found) return { kind: 'reference', value }
    return found.access === undefined ? found.expression : { kind: 'member', of: found.expression, access: found.access }
  }

  /** The expression of a call, with what is used here alone inside where it is short. */
  const compose = (item: Item): Expression => {
    const build = () => callExpression(item, read, scalar, around)
    let expression = build()
    const inner = [...new Set(item.values)].filter((value) => nested.has(value))
    const width = (value: Value) => widthOfExpression(nested.get(value)!.expression)
    if (isWeighted(item))
      for (const value of inner) {
        const found = nested.get(value)
        // One layer on a line.
        if (!found?.isWeighted) continue
        settle(value)
        expression = build()
      }
    // The widest go first, but those that go stand in the order of the arguments.
    const left = inner.filter((value) => nested.has(value)).sort((a, b) => width(b) - width(a))
    const settled = new Set<Value>()
    for (let total = widthOfExpression(expression); total > widestNested && left.length > 0; ) {
      const value = left.shift()!
      settled.add(value)
      total -= width(value) - 6
    }
    for (const value of inner) if (settled.has(value)) settle(value)
    if (settled.size > 0) expression = build()
    for (const value of left) {
      if (depthOf(expression) <= deepest) break
      settle(value)
      expression = build()
    }
    // What was settled stands on a line of its own and weighs no more.
    for (const value of item.values) if (!nested.has(value)) wasWeighted.delete(value)
    for (const value of inner) nested.delete(value)
    return expression
  }

  for (const [i, step] of steps.entries()) {
    if (step.kind === 'loop') {
      const [first] = step.items
      const initial = first!.values.map((value, a) => (typeof step.carried[a] === 'number' ? read(value) : undefined))
      const others = step.carried.flatMap((from, a) =>
        typeof from === 'number' ? [] : step.items.slice(0, from === 'each' ? undefined : 1).map(({ values }) => values[a]!),
      )
      for (const value of others) settle(value)
      for (const value of first!.values) nested.delete(value)
      const reads = [...others, ...initial.flatMap((expression) => (expression ? referencesOf(expression) : []))]
      bindings.push({ kind: 'loop', loop: step, reads, initial })
      continue
    }
    const { item } = step
    const expression = compose(item)
    const [result] = item.results
    const used = item.results.filter((value) => uses.has(value))
    const [only] = used
    const places = only ? uses.get(only)! : []
    if (used.length === 1 && places.length === 1 && places[0]!.step > i && widthOfExpression(expression) <= widestNested) {
      const access = only === result && item.pattern.returns === 'one' ? undefined : memberOf(item, item.results.indexOf(only!))
      const weighted = isWeighted(item) || item.values.some((value) => wasWeighted.has(value))
      if (weighted) wasWeighted.add(only!)
      nested.set(only!, { item, expression, isWeighted: weighted, ...(access !== undefined && { access }) })
    } else bind(item, expression)
  }
  const [single] = outputValues
  const final = bindings.at(-1)
  if (
    outputValues.length === 1 &&
    final?.kind === 'const' &&
    final.item.results[0] === single &&
    final.item.pattern.returns === 'one'
  ) {
    // What is returned needs no name, however long it is.
    bindings.pop()
    nested.set(single!, { ...final, isWeighted: true })
  }
  const returned = outputValues.map((value) => read(value))

  return nameAndPrint(bindings, returned, outputs, uses, names, scope, scalar, around)
}

import { languageError, type Session } from '../session.ts'
import type { ts } from '../syntax.ts'
import { describeValue } from './convert.ts'
import { ArrayValue, IteratorValue, isObject, MapValue, SetValue, Unknown, type Value } from './value.ts'

/** The elements that `for…of`, spread and array patterns see, or why they cannot be known. */
export function iterate(session: Session, value: Value, node: ts.Node): Iterable<Value> | Unknown {
  if (value instanceof Unknown) return value
  if (typeof value === 'string') return value
  if (isObject(value)) {
    if (value.taint) return value.taint
    if (value instanceof ArrayValue) return value.items
    if (value instanceof SetValue) return value.members
    if (value instanceof MapValue) return entryPairs(value.entries)
    if (value instanceof IteratorValue) return { [Symbol.iterator]: () => value.steps }
  }
  return languageError(session, node, 'TypeError', 'not-iterable', `${describeValue(value)} is not iterable`)
}

export function* entryPairs(entries: Iterable<readonly [Value, Value]>): Generator<Value> {
  for (const [key, value] of entries) yield new ArrayValue([key, value])
}

/** All elements at once, counted against the budget. */
export function listOf(session: Session, value: Value, node: ts.Node): Value[] | Unknown {
  const elements = iterate(session, value, node)
  if (elements instanceof Unknown) return elements
  const list: Value[] = []
  for (const element of elements) {
    list.push(element)
    session.budget.elements(1, list.length)
  }
  return list
}

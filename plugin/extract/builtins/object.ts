import type { Session } from '../session.ts'
import { toKey, toText } from '../values/convert.ts'
import { iterate, listOf } from '../values/iterate.ts'
import { define, getProperty, hasOwn, ownNames, setProperty } from '../values/property.ts'
import {
  ArrayValue,
  BuiltinFunction,
  ErrorValue,
  FunctionValue,
  IteratorValue,
  isNullish,
  isObject,
  MapValue,
  ObjectValue,
  SetValue,
  Unknown,
  type Value,
} from '../values/value.ts'
import { callbackOf, failBuiltin, known, members, refuseBuiltin } from './define.ts'

/** Names and values of what `Object.keys` and its kin are given; texts count as lists of characters. */
function entriesOf(session: Session, value: Value): [string, Value][] {
  const source = known(session, value)
  if (isNullish(source)) return failBuiltin(session, 'TypeError', 'Cannot convert undefined or null to object')
  if (typeof source === 'string') return Object.entries(source)
  if (!isObject(source)) return []
  const names = ownNames(source)
  session.budget.elements(names.length, names.length)
  return names.map((name) => [name, getProperty(session, session.at, source, name)])
}

const array = (session: Session, items: Value[]): ArrayValue => {
  session.budget.elements(items.length, items.length)
  return new ArrayValue(items)
}

export const objectStatics = members({
  keys: [
    1,
    (session, _self, [value]) =>
      array(
        session,
        entriesOf(session, value).map(([name]) => name),
      ),
  ],
  values: [
    1,
    (session, _self, [value]) =>
      array(
        session,
        entriesOf(session, value).map(([, content]) => content),
      ),
  ],
  entries: [
    1,
    (session, _self, [value]) =>
      array(
        session,
        entriesOf(session, value).map((entry) => new ArrayValue(entry)),
      ),
  ],
  fromEntries: [
    1,
    (session, _self, [entries]) => {
      const result = new ObjectValue()
      const list = listOf(session, entries, session.at)
      if (list instanceof Unknown) return list
      for (const entry of list) {
        if (!isObject(known(session, entry))) return failBuiltin(session, 'TypeError', 'Iterator value is not an entry object')
        define(
          session,
          result,
          toKey(session, getProperty(session, session.at, entry, 0)),
          getProperty(session, session.at, entry, 1),
        )
      }
      return result
    },
  ],
  assign: [
    2,
    (session, _self, [target, ...sources]) => {
      if (isNullish(known(session, target)))
        return failBuiltin(session, 'TypeError', 'Cannot convert undefined or null to object')
      if (!isObject(target)) return refuseBuiltin(session, 'the build does not make objects around primitive values')
      for (const source of sources) {
        if (source instanceof Unknown) {
          target.taint ??= source
          return source
        }
        if (isNullish(source)) continue
        for (const [name, value] of entriesOf(session, source)) setProperty(session, session.at, target, name, value)
      }
      return target
    },
  ],
  freeze: [
    1,
    (_session, _self, [value]) => {
      if (isObject(value)) value.frozen = true
      return value
    },
  ],
  isFrozen: [1, (session, _self, [value]) => !isObject(known(session, value)) || (value as ObjectValue).frozen],
  is: [2, (session, _self, [left, right]) => Object.is(known(session, left), known(session, right))],
  hasOwn: [2, (session, _self, [value, key]) => owns(session, value, key)],
  groupBy: [
    2,
    (session, _self, [items, callback]) => {
      const call = callbackOf(session, callback)
      const result = new ObjectValue()
      for (const [key, values] of grouped(session, items, (value, i) => toKey(session, call(value, i))))
        define(session, result, key, array(session, values))
      return result
    },
  ],
})

export function grouped<K>(session: Session, items: Value, keyOf: (value: Value, index: number) => K): Map<K, Value[]> {
  const elements = iterate(session, items, session.at)
  const groups = new Map<K, Value[]>()
  if (elements instanceof Unknown) {
    known(session, elements)
    return groups
  }
  let index = 0
  for (const element of elements) {
    const key = keyOf(element, index++)
    const group = groups.get(key)
    if (group) group.push(element)
    else groups.set(key, [element])
  }
  return groups
}

function owns(session: Session, value: Value, key: Value): boolean {
  const target = known(session, value)
  if (isNullish(target)) return failBuiltin(session, 'TypeError', 'Cannot convert undefined or null to object')
  const name = toKey(session, key)
  if (typeof target === 'string') return Object.hasOwn(Object(target), name)
  if (target instanceof FunctionValue && (name === 'name' || name === 'length')) return true
  return isObject(target) && hasOwn(target, name)
}

/** What every object has. */
export const objectMembers = members({
  toString: [0, (session, self) => (self instanceof ErrorValue ? errorText(session, self) : `[object ${tagOf(self)}]`)],
  toLocaleString: [0, (session, self) => toText(session, self)],
  valueOf: [0, (_session, self) => self],
  hasOwnProperty: [1, (session, self, [key]) => owns(session, self, key)],
  propertyIsEnumerable: [
    1,
    (session, self, [key]) => owns(session, self, key) && !(isObject(self) && self.hidden?.has(toKey(session, key))),
  ],
})

const tagOf = (value: Value): string => {
  if (value === undefined || value === null) return value === null ? 'Null' : 'Undefined'
  if (value instanceof ArrayValue) return 'Array'
  if (value instanceof MapValue) return 'Map'
  if (value instanceof SetValue) return 'Set'
  if (value instanceof FunctionValue) return 'Function'
  if (value instanceof IteratorValue) return `${value.source} Iterator`
  return 'Object'
}

function errorText(session: Session, error: ErrorValue): string {
  const read = (name: string, fallback: string) => {
    const value = getProperty(session, session.at, error, name)
    return value === undefined ? fallback : toText(session, value)
  }
  const name = read('name', 'Error')
  const message = read('message', '')
  if (name === '') return message
  return message === '' ? name : `${name}: ${message}`
}

/** `Object(value)`, for values that are objects already. */
export const objectFunction = new BuiltinFunction(
  'Object',
  1,
  (session, _self, [value]) => {
    if (isNullish(known(session, value))) return new ObjectValue()
    return isObject(value) ? value : refuseBuiltin(session, 'the build does not make objects around primitive values')
  },
  { construct: () => new ObjectValue(), isInstance: () => true },
)

import type { Session } from '../session.ts'
import { entryPairs, iterate } from '../values/iterate.ts'
import { getProperty } from '../values/property.ts'
import {
  ArrayValue,
  BuiltinFunction,
  IteratorValue,
  isNullish,
  isObject,
  MapValue,
  ObjectValue,
  SetValue,
  Unknown,
  type Value,
} from '../values/value.ts'
import { callbackOf, failBuiltin, known, members, withStatics } from './define.ts'
import { grouped } from './object.ts'

function mapOf(session: Session, self: Value): MapValue {
  return self instanceof MapValue ? self : failBuiltin(session, 'TypeError', 'Map method called on something else')
}

function setOf(session: Session, self: Value): SetValue {
  return self instanceof SetValue ? self : failBuiltin(session, 'TypeError', 'Set method called on something else')
}

/** Keys are compared, so one that is unknown leaves the whole collection unknown. */
const key = known

export const mapMembers = members({
  get: [1, (session, self, [name]) => mapOf(session, self).entries.get(key(session, name))],
  has: [1, (session, self, [name]) => mapOf(session, self).entries.has(key(session, name))],
  set: [
    2,
    (session, self, [name, value]) => {
      const { entries } = mapOf(session, self)
      entries.set(key(session, name), value)
      session.budget.elements(1, entries.size)
      return self
    },
  ],
  delete: [1, (session, self, [name]) => mapOf(session, self).entries.delete(key(session, name))],
  clear: [0, (session, self) => mapOf(session, self).entries.clear() as undefined],
  forEach: [
    1,
    (session, self, [callback, thisArgument]) => {
      const call = callbackOf(session, callback, thisArgument)
      mapOf(session, self).entries.forEach((value, name) => void call(value, name, self))
      return undefined
    },
  ],
  keys: [0, (session, self) => new IteratorValue(mapOf(session, self).entries.keys(), 'Map')],
  values: [0, (session, self) => new IteratorValue(mapOf(session, self).entries.values(), 'Map')],
  entries: [0, (session, self) => new IteratorValue(entryPairs(mapOf(session, self).entries), 'Map')],
})

function* pairs(members: Iterable<Value>): Generator<Value> {
  for (const member of members) yield new ArrayValue([member, member])
}

export const setMembers = members({
  has: [1, (session, self, [value]) => setOf(session, self).members.has(key(session, value))],
  add: [
    1,
    (session, self, [value]) => {
      const { members: contents } = setOf(session, self)
      contents.add(key(session, value))
      session.budget.elements(1, contents.size)
      return self
    },
  ],
  delete: [1, (session, self, [value]) => setOf(session, self).members.delete(key(session, value))],
  clear: [0, (session, self) => setOf(session, self).members.clear() as undefined],
  forEach: [
    1,
    (session, self, [callback, thisArgument]) => {
      const call = callbackOf(session, callback, thisArgument)
      setOf(session, self).members.forEach((value) => void call(value, value, self))
      return undefined
    },
  ],
  keys: [0, (session, self) => new IteratorValue(setOf(session, self).members.values(), 'Set')],
  values: [0, (session, self) => new IteratorValue(setOf(session, self).members.values(), 'Set')],
  entries: [0, (session, self) => new IteratorValue(pairs(setOf(session, self).members), 'Set')],
})

export const iteratorMembers = members({
  next: [
    0,
    (_session, self) => {
      const step = (self as IteratorValue).steps.next()
      const result = new ObjectValue()
      result.properties.set('value', step.done ? undefined : step.value).set('done', step.done === true)
      return result
    },
  ],
})

/** Elements given to a constructor; nothing for undefined and null. */
function* given(session: Session, source: Value): Generator<Value> {
  if (isNullish(source)) return
  const elements = iterate(session, source, session.at)
  if (elements instanceof Unknown) known(session, elements)
  else yield* elements
}

const needsNew = (name: string) => (session: Session) =>
  failBuiltin(session, 'TypeError', `Constructor ${name} requires 'new'`, 'not-a-function')

export const mapFunction = withStatics(
  new BuiltinFunction('Map', 0, needsNew('Map'), {
    isInstance: (value) => value instanceof MapValue,
    construct: (session, [source]) => {
      const map = new MapValue()
      for (const entry of given(session, source)) {
        if (!isObject(known(session, entry))) return failBuiltin(session, 'TypeError', 'Iterator value is not an entry object')
        map.entries.set(key(session, getProperty(session, session.at, entry, 0)), getProperty(session, session.at, entry, 1))
        session.budget.elements(1, map.entries.size)
      }
      return map
    },
  }),
  members({
    groupBy: [
      2,
      (session, _self, [items, callback]) => {
        const call = callbackOf(session, callback)
        const map = new MapValue()
        for (const [name, values] of grouped(session, items, (value, i) => key(session, call(value, i))))
          map.entries.set(name, new ArrayValue(values))
        return map
      },
    ],
  }),
)

export const setFunction = new BuiltinFunction('Set', 0, needsNew('Set'), {
  isInstance: (value) => value instanceof SetValue,
  construct: (session, [source]) => {
    const set = new SetValue()
    for (const value of given(session, source)) {
      set.members.add(key(session, value))
      session.budget.elements(1, set.members.size)
    }
    return set
  },
})

import { builtinMember } from '../builtins/index.ts'
import { escape } from '../evaluate/effects.ts'
import { callFunction } from '../evaluate/invoke.ts'
import { readHost } from '../model/host.ts'
import { demand, languageError, mayThrow, type Session, unknown } from '../session.ts'
import type { ts } from '../syntax.ts'
import { describeValue, toKey, toNumber } from './convert.ts'
import { Accessor, ArrayValue, HostValue, isObject, type ObjectValue, type Property, Unknown, type Value } from './value.ts'

const isIndexName = (name: string) => /^(0|[1-9]\d{0,9})$/.test(name)

/** The position that a key means in an array, or -1. */
export function indexOfKey(key: Value): number {
  if (typeof key === 'number') return Number.isInteger(key) && key >= 0 && key < 2 ** 32 - 1 ? key : -1
  return typeof key === 'string' && isIndexName(key) && Number(key) < 2 ** 32 - 1 ? Number(key) : -1
}

/** `target[key]` */
export function getProperty(session: Session, node: ts.Node, target: Value, key: Value): Value {
  if (target instanceof ArrayValue && typeof key === 'number' && !target.taint) {
    const item = target.items[key]
    if (item !== undefined || key in target.items) return item
  }
  if (target instanceof Unknown) return mayThrow(session, target, node)
  if (key instanceof Unknown) return key
  if (target === undefined || target === null) {
    const message = `Cannot read properties of ${target} (reading '${isObject(key) ? '…' : String(key)}')`
    return languageError(session, node, 'TypeError', 'undefined-property', message)
  }
  return getNamed(session, node, target, toKey(session, key), target)
}

/** As getProperty, for a getter that sees `self` as `this`. */
export function getNamed(
  session: Session,
  node: ts.Node,
  target: Exclude<Value, Unknown | null | undefined>,
  name: string,
  self: Value,
): Value {
  if (typeof target === 'string') {
    const index = indexOfKey(name)
    if (index >= 0 && index < target.length) return target[index]
    if (name === 'length') return target.length
  }
  if (isObject(target)) {
    if (target.taint) return target.taint
    if (target instanceof HostValue) return readHost(session, node, target, name)
    for (let holder: ObjectValue | undefined = target; holder; holder = holder.prototype) {
      if (holder.taint) return holder.taint
      const own = ownProperty(holder, name)
      if (own instanceof Accessor) return own.get === undefined ? undefined : callFunction(session, own.get, self, [], node)
      if (own !== undefined || hasOwn(holder, name)) return own as Value
    }
  }
  return builtinMember(session, node, target, name)
}

export function ownProperty(target: ObjectValue, name: string): Property {
  if (target instanceof ArrayValue) {
    if (name === 'length') return target.items.length
    const index = indexOfKey(name)
    if (index >= 0) return target.items[index]
  }
  return target.properties.get(name)
}

export function hasOwn(target: ObjectValue, name: string): boolean {
  if (target instanceof ArrayValue) {
    if (name === 'length') return true
    const index = indexOfKey(name)
    if (index >= 0) return index in target.items
  }
  return target.properties.has(name)
}

/** Own names that enumeration shows, positions first, as the language orders them. */
export function ownNames(target: ObjectValue, hidden = false): string[] {
  const positions = target instanceof ArrayValue ? Object.keys(target.items) : []
  const names = [...target.properties.keys()].filter((name) => hidden || !target.hidden?.has(name))
  const indices = names.filter(isIndexName)
  if (indices.length === 0) return positions.length > 0 ? [...positions, ...names] : names
  indices.sort((a, b) => Number(a) - Number(b))
  return [...positions, ...indices, ...names.filter((name) => !isIndexName(name))]
}

/** `target[key] = value` */
export function setProperty(session: Session, node: ts.Node, target: Value, key: Value, value: Value): void {
  if (target instanceof Unknown) {
    escape(session, value, node, target)
    if (session.building) demand(session, target, node, 'it is assigned here while the model is built')
    return
  }
  if (key instanceof Unknown) {
    if (isObject(target)) target.taint ??= key
    return
  }
  if (!isObject(target)) {
    const fault =
      target === undefined || target === null ? `set properties of ${target}` : `create property on ${describeValue(target)}`
    languageError(session, node, 'TypeError', 'undefined-property', `Cannot ${fault} (setting '${toKey(session, key)}')`)
    return
  }
  if (target.taint) return
  const name = toKey(session, key)
  if (name === '__proto__' && !hasOwn(target, name)) {
    target.taint = unknown(session, node, 'unsupported-reflection', 'assigning to __proto__ changes the class of an object')
    return
  }
  for (let holder: ObjectValue | undefined = target; holder; holder = holder.prototype) {
    const own = holder.properties.get(name)
    if (!(own instanceof Accessor)) continue
    if (own.set === undefined) readOnly(session, node, `Cannot set property ${name} of #<Object> which has only a getter`)
    else callFunction(session, own.set, target, [value], node)
    return
  }
  if (target.frozen) {
    const message =
      hasOwn(target, name) || target instanceof HostValue
        ? `Cannot assign to read only property '${name}'`
        : `Cannot add property ${name}, object is not extensible`
    readOnly(session, node, message)
    return
  }
  if (target instanceof ArrayValue && setInArray(session, node, target, name, value)) return
  define(session, target, name, value)
}

const readOnly = (session: Session, node: ts.Node, message: string) =>
  languageError(session, node, 'TypeError', 'read-only', message)

/** Gives an object an own property, whatever its class says about the name. */
export function define(session: Session, target: ObjectValue, name: string, property: Property): void {
  if (target instanceof ArrayValue && !(property instanceof Accessor) && setInArray(session, session.at, target, name, property))
    return
  if (!target.properties.has(name)) session.budget.elements(1, target.properties.size + 1)
  target.properties.set(name, property)
}

function setInArray(session: Session, node: ts.Node, target: ArrayValue, name: string, value: Value): boolean {
  const index = indexOfKey(name)
  if (index >= 0) {
    session.budget.elements(Math.max(0, index + 1 - target.items.length), index + 1)
    target.items[index] = value
    return true
  }
  if (name !== 'length') return false
  if (value instanceof Unknown) {
    target.taint = value
    return true
  }
  const length = toNumber(session, value)
  if (!Number.isInteger(length) || length < 0 || length >= 2 ** 32)
    languageError(session, node, 'RangeError', 'bad-argument', 'Invalid array length')
  else {
    session.budget.elements(Math.max(0, length - target.items.length), length)
    target.items.length = length
  }
  return true
}

/** `delete target[key]` */
export function deleteProperty(session: Session, node: ts.Node, target: Value, key: Value): Value {
  if (target instanceof Unknown) return target
  if (!isObject(target)) return target === undefined || target === null ? getProperty(session, node, target, key) : true
  if (key instanceof Unknown) {
    target.taint ??= key
    return key
  }
  const name = toKey(session, key)
  if (target.frozen && hasOwn(target, name)) return readOnly(session, node, `Cannot delete property '${name}'`)
  if (target instanceof ArrayValue && indexOfKey(name) >= 0) delete target.items[indexOfKey(name)]
  target.properties.delete(name)
  return true
}

/** `key in target`, without the members that only built-in classes have. */
export function hasProperty(session: Session, node: ts.Node, target: ObjectValue, key: Value): Value {
  if (key instanceof Unknown) return key
  const name = toKey(session, key)
  if (target instanceof HostValue) return readHost(session, node, target, name) !== undefined
  for (let holder: ObjectValue | undefined = target; holder; holder = holder.prototype) {
    if (holder.taint) return holder.taint
    if (hasOwn(holder, name)) return true
  }
  return builtinMember(session, node, target, name) !== undefined
}

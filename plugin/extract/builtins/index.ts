import { type Session, unknown } from '../session.ts'
import type { ts } from '../syntax.ts'
import {
  ArrayValue,
  BuiltinFunction,
  ErrorValue,
  FunctionValue,
  IteratorValue,
  isObject,
  MapValue,
  SetValue,
  type Unknown,
  UrlValue,
  type Value,
} from '../values/value.ts'
import { arrayMembers } from './array.ts'
import { iteratorMembers, mapMembers, setMembers } from './collection.ts'
import type { Members } from './define.ts'
import { urlMembers, urlParts } from './error.ts'
import { functionMembers } from './function.ts'
import { globalName } from './global.ts'
import { bigintMembers, booleanMembers, numberMembers } from './number.ts'
import { objectMembers } from './object.ts'
import { stringMembers } from './string.ts'

/** A built-in class: the members that are supported, and the host's, which tell whether a name means anything. */
interface Builtin {
  readonly name: string
  readonly members: Members
  readonly host: object
}

const classes = {
  string: { name: 'String', members: stringMembers, host: String.prototype },
  number: { name: 'Number', members: numberMembers, host: Number.prototype },
  bigint: { name: 'BigInt', members: bigintMembers, host: BigInt.prototype },
  boolean: { name: 'Boolean', members: booleanMembers, host: Boolean.prototype },
  array: { name: 'Array', members: arrayMembers, host: Array.prototype },
  map: { name: 'Map', members: mapMembers, host: Map.prototype },
  set: { name: 'Set', members: setMembers, host: Set.prototype },
  iterator: { name: 'Iterator', members: iteratorMembers, host: Object.getPrototypeOf(Object.getPrototypeOf([].values())) },
  url: { name: 'URL', members: urlMembers, host: URL.prototype },
  function: { name: 'Function', members: functionMembers, host: Function.prototype },
  object: { name: 'Object', members: objectMembers, host: Object.prototype },
} as const satisfies Readonly<Record<string, Builtin>>

function classOf(target: Value): Builtin {
  if (!isObject(target)) return classes[typeof target as 'string' | 'number' | 'bigint' | 'boolean']
  if (target instanceof ArrayValue) return classes.array
  if (target instanceof FunctionValue) return classes.function
  if (target instanceof MapValue) return classes.map
  if (target instanceof SetValue) return classes.set
  if (target instanceof IteratorValue) return classes.iterator
  if (target instanceof UrlValue) return classes.url
  return classes.object
}

/** Properties that are computed from what a value holds. */
function computed(target: Value, name: string): { readonly value: Value } | undefined {
  if (target instanceof FunctionValue) {
    if (name === 'name') return { value: target.name }
    if (name === 'length') return { value: target.length }
  }
  if (name === 'size' && target instanceof MapValue) return { value: target.entries.size }
  if (name === 'size' && target instanceof SetValue) return { value: target.members.size }
  if (target instanceof UrlValue && urlParts.has(name)) return { value: target.url[name as 'href'] }
  return undefined
}

/** Names that lead from a value to its class, and from there to anything. */
const reflective = new Set([
  'constructor',
  '__proto__',
  '__defineGetter__',
  '__defineSetter__',
  '__lookupGetter__',
  '__lookupSetter__',
  'caller',
  'callee',
])

/** What a value has because of what it is, after its own properties: a method, undefined, or unknown where the language has more than the build. */
export function builtinMember(
  session: Session,
  node: ts.Node,
  target: Exclude<Value, Unknown | null | undefined>,
  name: string,
): Value {
  const known = computed(target, name)
  if (known) return known.value
  const builtin = classOf(target)
  const member = builtin.members.get(name) ?? classes.object.members.get(name)
  if (member) return member
  if (reflective.has(name)) return unknown(session, node, 'unsupported-reflection', `the build does not follow .${name}`)
  if (target instanceof ErrorValue && name === 'stack')
    return unknown(session, node, 'unsupported-builtin', 'the stack of an error is another one when the program runs')
  if (name in builtin.host || name in Object.prototype) {
    return unknown(session, node, 'unsupported-builtin', `the build does not know ${builtin.name}.prototype.${name}`)
  }
  return staticMember(session, node, target, name)
}

function staticMember(session: Session, node: ts.Node, target: Value, name: string): Value {
  if (target instanceof BuiltinFunction && name === 'prototype')
    return unknown(session, node, 'unsupported-reflection', 'the build does not read prototypes of built-in classes')
  const owner = isObject(target) ? globalName(target) : undefined
  const host = owner === undefined ? undefined : (globalThis as unknown as Record<string, object>)[owner]
  if (host && name in host) return unknown(session, node, 'unsupported-builtin', `the build does not know ${owner}.${name}`)
  return undefined
}

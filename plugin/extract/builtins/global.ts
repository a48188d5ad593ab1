import type { Session } from '../session.ts'
import { isTruthy, toInteger, toText } from '../values/convert.ts'
import { listOf } from '../values/iterate.ts'
import { getProperty, ownNames } from '../values/property.ts'
import {
  ArrayValue,
  BuiltinFunction,
  ErrorValue,
  FunctionValue,
  HostValue,
  IteratorValue,
  isObject,
  MapValue,
  ObjectValue,
  SetValue,
  Unknown,
  type Value,
} from '../values/value.ts'
import { mapFunction, setFunction } from './collection.ts'
import { callbackOf, failBuiltin, known, members, withStatics } from './define.ts'
import { errorFunctions, urlFunction } from './error.ts'
import { jsonObject } from './json.ts'
import { mathObject } from './math.ts'
import { numberConstants, numberStatics, parsers, toBigintFunction, toNumberFunction } from './number.ts'
import { objectFunction, objectStatics } from './object.ts'
import { stringStatics } from './string.ts'

/** `Array(3)` and `Array(1, 2)` */
function makeArray(session: Session, args: readonly Value[]): Value {
  const [length] = args
  if (args.length !== 1 || typeof known(session, length) !== 'number') return new ArrayValue([...args])
  const count = length as number
  if (!Number.isInteger(count) || count < 0 || count >= 2 ** 32) return failBuiltin(session, 'RangeError', 'Invalid array length')
  session.budget.elements(count, count)
  return new ArrayValue(new Array<Value>(count))
}

/** `Array.from(iterable, map)` and `Array.from({ length }, map)` */
function arrayFrom(session: Session, source: Value, map: Value, self: Value): Value {
  const node = session.at
  const given = known(session, source)
  const call = map === undefined ? undefined : callbackOf(session, map, self)
  const iterable =
    typeof given === 'string' ||
    given instanceof ArrayValue ||
    given instanceof MapValue ||
    given instanceof SetValue ||
    given instanceof IteratorValue
  let items: Value[]
  if (iterable) {
    const list = listOf(session, given, node)
    if (list instanceof Unknown) return list
    items = list
  } else {
    if (given === undefined || given === null)
      return failBuiltin(session, 'TypeError', `${given} is not iterable`, 'not-iterable')
    const length = isObject(given) ? toInteger(session, getProperty(session, node, given, 'length')) : 0
    session.budget.elements(Math.max(0, length), length)
    items = Array.from({ length: Math.max(0, length) }, (_, i) => getProperty(session, node, given, i))
  }
  return new ArrayValue(call ? items.map((item, i) => call(item, i)) : items)
}

const arrayFunction = withStatics(
  new BuiltinFunction('Array', 1, (session, _self, args) => makeArray(session, args), {
    construct: makeArray,
    isInstance: (value) => value instanceof ArrayValue,
  }),
  members({
    isArray: [1, (session, _self, [value]) => known(session, value) instanceof ArrayValue],
    of: [0, (_session, _self, args) => new ArrayValue([...args])],
    from: [1, (session, _self, [source, map, self]) => arrayFrom(session, source, map, self)],
  }),
)

const consoleObject = withStatics(
  new ObjectValue(),
  members(
    Object.fromEntries(
      'log error warn info debug trace table dir group groupCollapsed groupEnd time timeEnd timeLog count countReset assert'
        .split(' ')
        .map((name) => [name, [0, () => undefined] as const]),
    ),
  ),
)

function clone(session: Session, value: Value, made: Map<Value, Value>, depth: number): Value {
  const source = known(session, value)
  if (!isObject(source)) return source
  const copied = made.get(source)
  if (copied !== undefined) return copied
  if (source instanceof FunctionValue || source instanceof HostValue || depth > 400) {
    return failBuiltin(session, 'TypeError', 'structuredClone takes plain data, not nested too deep')
  }
  session.budget.elements(1, 1)
  const inner = (part: Value) => clone(session, part, made, depth + 1)
  if (source instanceof ArrayValue) {
    const copy = new ArrayValue([])
    made.set(source, copy)
    source.items.forEach((item, i) => {
      copy.items[i] = inner(item)
    })
    return copy
  }
  if (source instanceof MapValue) {
    const copy = new MapValue()
    made.set(source, copy)
    for (const [key, item] of source.entries) copy.entries.set(inner(key), inner(item))
    return copy
  }
  if (source instanceof SetValue) {
    const copy = new SetValue()
    made.set(source, copy)
    for (const item of source.members) copy.members.add(inner(item))
    return copy
  }
  const copy = source instanceof ErrorValue ? new ErrorValue(source.prototype) : new ObjectValue()
  if (source instanceof ErrorValue && source.hidden) copy.hidden = new Set(source.hidden)
  made.set(source, copy)
  for (const name of ownNames(source, source instanceof ErrorValue))
    copy.properties.set(name, inner(getProperty(session, session.at, source, name)))
  return copy
}

/** Globals that are nothing but functions. */
const functions = members({
  Boolean: [1, (session, _self, [value]) => isTruthy(session, value)],
  BigInt: [1, toBigintFunction],
  structuredClone: [1, (session, _self, [value]) => clone(session, value, new Map(), 0)],
})

const values = new Map<string, Value>([
  ...functions,
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['Object', withStatics(objectFunction, objectStatics)],
  ['Array', arrayFunction],
  [
    'String',
    withStatics(
      new BuiltinFunction('String', 1, (session, _self, args) => (args.length === 0 ? '' : toText(session, args[0]))),
      stringStatics,
    ),
  ],
  ['Number', withStatics(new BuiltinFunction('Number', 1, toNumberFunction), numberStatics, numberConstants)],
  ['Map', mapFunction],
  ['Set', setFunction],
  ['Math', mathObject],
  ['JSON', jsonObject],
  ['URL', urlFunction],
  ['console', consoleObject],
  ...parsers,
  ...errorFunctions.map((constructor) => [constructor.name, constructor] as const),
])

/** The value of a global name that the build knows; undefined for all others, which is not the same as the value undefined. */
export function globalValue(name: string): { readonly known: Value } | undefined {
  return values.has(name) ? { known: values.get(name) } : undefined
}

/** The name of a built-in object that has members of its own. */
export function globalName(value: ObjectValue): string | undefined {
  if (value instanceof BuiltinFunction) return values.get(value.name) === value ? value.name : undefined
  for (const name of ['Math', 'JSON', 'console']) if (values.get(name) === value) return name
  return undefined
}

import { ModelProblem } from '../../../compiler/graph/index.ts'
import { specOf } from '../../../dsl/model.ts'
import { isWeights, weightsPath } from '../../../dsl/weights.ts'
import { callFunction } from '../evaluate/invoke.ts'
import { demand, diagnosticAt, poison, type Session, unknown } from '../session.ts'
import type { ts } from '../syntax.ts'
import { getProperty, ownNames } from '../values/property.ts'
import {
  ArrayValue,
  BuiltinFunction,
  FunctionValue,
  HostValue,
  isObject,
  MapValue,
  ObjectValue,
  SetValue,
  Unknown,
  UrlValue,
  type Value,
} from '../values/value.ts'

/**
 * The bridge between values of the model file and the real functions of the DSL. Plain data is copied in both directions; tensors,
 * weights files and models cross as handles of which only the properties that the DSL gave them can be read.
 */

/** Ends a function of the DSL that called back into the model and got something unknown. */
class Poisoned {
  readonly cause: Unknown
  constructor(cause: Unknown) {
    this.cause = cause
  }
}

export function wrapHost(session: Session, host: unknown, name = ''): Value {
  if (host === null || (typeof host !== 'object' && typeof host !== 'function'))
    return typeof host === 'symbol' ? undefined : (host as Value)
  const known = session.wrapped.get(host)
  if (known) return known
  const value = wrapNew(session, host, name)
  session.wrapped.set(host, value)
  return value
}

function wrapNew(session: Session, host: object, name: string): ObjectValue {
  if (Array.isArray(host)) {
    const list = new ArrayValue(host.map((item) => wrapHost(session, item)))
    list.frozen = Object.isFrozen(host)
    return list
  }
  if (typeof host === 'function') {
    return new BuiltinFunction(name, host.length, (_session, self, args) =>
      callHost(session, host as HostFunction, name, self, args),
    )
  }
  return new HostValue(host)
}

type HostFunction = (...args: readonly unknown[]) => unknown

/** Steps that an operation of the DSL is worth: it checks its operands and makes a node. */
const callCost = 150

function callHost(session: Session, host: HostFunction, name: string, self: Value, args: readonly Value[]): Value {
  const node = session.at
  session.budget.spend(callCost)
  const converted = args.map((argument) => toHost(session, argument, node))
  const missing = converted.filter((argument) => argument instanceof Unknown)
  if (missing.length > 0) {
    for (const cause of missing) demand(session, cause, node, `${name}() needs it here`)
    return missing[0] as Unknown
  }
  session.at = node
  let result: unknown
  try {
    result = host.apply(self instanceof HostValue ? self.host : undefined, converted)
  } catch (error) {
    if (error instanceof Poisoned) return error.cause
    if (error instanceof ModelProblem) return poison(session, diagnosticAt(session, node, error.code, error.message))
    throw error
  }
  // A list of results under names, such as that of `lstm`, is plain data of the model file.
  const value = specOf(result) !== undefined || isWeights(result) ? wrapHost(session, result) : wrapPlain(session, result)
  if (value instanceof HostValue) {
    if (specOf(value.host) !== undefined) session.models.push({ value, spec: args[0], node })
    if (isWeights(value.host)) {
      session.weights.push({ value, node })
      session.weightFiles.add(weightsPath(value.host))
    }
  }
  return value
}

const maximumDepth = 100

/** A copy for the DSL; unknown when anything in it is. */
export function toHost(session: Session, value: Value, node: ts.Node, depth = 0): unknown {
  if (!isObject(value)) return value
  if (value.taint) return value.taint
  if (depth > maximumDepth)
    return unknown(session, node, 'size-limit', `objects are nested more than ${maximumDepth} deep, or hold themselves`)
  if (value instanceof HostValue) return value.host
  if (value instanceof UrlValue) return new URL(value.url)
  if (value instanceof FunctionValue) return hostFunction(session, value)
  if (value instanceof ArrayValue) {
    session.budget.spend(value.items.length)
    return firstUnknown(value.items.map((item) => toHost(session, item, node, depth + 1)))
  }
  if (value instanceof MapValue) return new Map()
  if (value instanceof SetValue) return new Set()
  const names = ownNames(value)
  session.budget.spend(names.length)
  const contents = names.map((name) => toHost(session, getProperty(session, node, value, name), node, depth + 1))
  const cause = firstUnknown(contents)
  if (cause instanceof Unknown) return cause
  // An instance of a class must not pass for a plain object.
  const copy: object = value.prototype ? Object.create({}) : {}
  for (const [i, name] of names.entries()) {
    Object.defineProperty(copy, name, { value: contents[i], enumerable: true, configurable: true, writable: true })
  }
  session.wrapped.set(copy, value)
  return copy
}

const firstUnknown = (list: unknown[]): unknown => list.find((item) => item instanceof Unknown) ?? list

function hostFunction(session: Session, value: FunctionValue): HostFunction {
  return function (this: unknown, ...args) {
    const node = session.at
    const self = typeof this === 'object' && this !== null ? wrapHost(session, this) : undefined
    const plain = args.map((argument) => wrapPlain(session, argument))
    const result = callFunction(session, value, self, plain, node)
    const converted = toHost(session, result, node)
    if (!(converted instanceof Unknown)) return converted
    demand(session, converted, node, 'the model depends on it here')
    throw new Poisoned(converted)
  }
}

/** The object of inputs that `forward` receives is plain data, although its tensors are not. */
function wrapPlain(session: Session, host: unknown): Value {
  if (typeof host !== 'object' || host === null || Object.getPrototypeOf(host) !== Object.prototype)
    return wrapHost(session, host)
  const object = new ObjectValue()
  for (const [name, value] of Object.entries(host)) object.properties.set(name, wrapHost(session, value))
  return object
}

/** A property that the DSL gave to one of its values; never what the host's classes have. */
export function readHost(session: Session, node: ts.Node, target: HostValue, name: string): Value {
  const { host } = target
  if (!Object.hasOwn(host, name)) return undefined
  if (specOf(host) !== undefined && name !== 'name') {
    return unknown(session, node, 'model-at-build', `${name} of a model needs the running program`)
  }
  return wrapHost(session, (host as Readonly<Record<string, unknown>>)[name], name)
}

export { Poisoned }

import type { Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts'
import type { Session } from '../session.ts'

/**
 * What the values of a model file are while the build reads it. Primitives stand for themselves; everything else is one of the classes
 * below. No object of the host is ever reachable from them: properties live in maps, built-in methods in tables of this room.
 */
export type Primitive = undefined | null | boolean | number | string | bigint
export type Value = Primitive | ObjectValue | Unknown

/** A value that cannot be known, and why. Operations on it give it back; it becomes an error when the model depends on it. */
export class Unknown {
  readonly diagnostic: Diagnostic
  /** Set once its reason is in the list of diagnostics, after which it spreads in silence. */
  reported = false
  constructor(diagnostic: Diagnostic) {
    this.diagnostic = diagnostic
  }
}

export class Accessor {
  readonly get: Value
  readonly set: Value
  constructor(get: Value, set: Value) {
    this.get = get
    this.set = set
  }
}

export type Property = Value | Accessor

/** A plain object or the instance of a class of the model's own; the base of all others. */
export class ObjectValue {
  readonly properties = new Map<string, Property>()
  prototype: ObjectValue | undefined
  /** Names that enumeration leaves out: methods of classes, `message` of errors. */
  hidden: Set<string> | undefined
  /** Values of `#private` names, by the name's identity. */
  privates: Map<object, Property> | undefined
  frozen = false
  /** Set when code that cannot be read may have changed the object: nothing about it is known any more. */
  taint: Unknown | undefined
  constructor(prototype?: ObjectValue) {
    this.prototype = prototype
  }
}

export class ArrayValue extends ObjectValue {
  readonly items: Value[]
  constructor(items: Value[]) {
    super()
    this.items = items
  }
}

export class MapValue extends ObjectValue {
  readonly entries = new Map<Value, Value>()
}

export class SetValue extends ObjectValue {
  readonly members = new Set<Value>()
}

/** What `entries()`, `keys()` and `values()` return. */
export class IteratorValue extends ObjectValue {
  readonly steps: Iterator<Value>
  readonly source: 'Array' | 'Map' | 'Set'
  constructor(steps: Iterator<Value>, source: 'Array' | 'Map' | 'Set') {
    super()
    this.steps = steps
    this.source = source
  }
}

export class ErrorValue extends ObjectValue {}

export class UrlValue extends ObjectValue {
  readonly url: URL
  constructor(url: URL) {
    super()
    this.url = url
  }
}

/** A value of the DSL: a tensor, a weights file, a model. Read through the bridge in host.ts, never changed. */
export class HostValue extends ObjectValue {
  readonly host: object
  constructor(host: object) {
    super()
    this.host = host
    this.frozen = true
  }
}

/** Anything that can be called: closures of the model file, built-ins, functions of the DSL. */
export abstract class FunctionValue extends ObjectValue {
  /** Anonymous functions take the name of the property they are put into. */
  name: string
  readonly length: number
  constructor(name: string, length: number) {
    super()
    this.name = name
    this.length = length
  }
}

export type Invoke = (session: Session, self: Value, args: readonly Value[]) => Value

export class BuiltinFunction extends FunctionValue {
  readonly invoke: Invoke
  /** What `new` does; without it the function is no constructor. */
  readonly construct: ((session: Session, args: readonly Value[]) => Value) | undefined
  /** What `instanceof` asks. */
  readonly isInstance: ((value: ObjectValue) => boolean) | undefined
  /** Given to instances of classes that extend this one. */
  readonly instancePrototype: ObjectValue | undefined
  constructor(
    name: string,
    length: number,
    invoke: Invoke,
    more: Partial<Pick<BuiltinFunction, 'construct' | 'isInstance' | 'instancePrototype'>> = {},
  ) {
    super(name, length)
    this.invoke = invoke
    this.construct = more.construct
    this.isInstance = more.isInstance
    this.instancePrototype = more.instancePrototype
    this.frozen = true
  }
}

export const isNullish = (value: Value): value is undefined | null => value === undefined || value === null
export const isObject = (value: Value): value is ObjectValue => value instanceof ObjectValue

/** What `typeof` says. */
export function typeName(value: Exclude<Value, Unknown>): string {
  if (value instanceof FunctionValue) return 'function'
  if (value === null || value instanceof ObjectValue) return 'object'
  return typeof value
}

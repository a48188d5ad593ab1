import type { DiagnosticCode } from '../../../compiler/diagnostics/catalogue.ts'
import { callFunction } from '../evaluate/invoke.ts'
import { abandon, languageError, type Session, unknown } from '../session.ts'
import { describeValue } from '../values/convert.ts'
import { BuiltinFunction, FunctionValue, type Invoke, isObject, type ObjectValue, Unknown, type Value } from '../values/value.ts'

/** Members of a built-in class, by name. */
export type Members = ReadonlyMap<string, BuiltinFunction>

/** A table of methods; the second entry of a row is the function's `length`. */
export const members = <Name extends string>(rows: { readonly [N in Name]: readonly [number, Invoke] }): Members =>
  new Map(
    Object.entries<readonly [number, Invoke]>(rows).map(([name, [length, invoke]]) => [
      name,
      new BuiltinFunction(name, length, invoke),
    ]),
  )

/** A built-in object or function with members of its own. */
export function withStatics<T extends ObjectValue>(
  target: T,
  statics: Members,
  constants: Readonly<Record<string, Value>> = {},
): T {
  for (const [name, member] of statics) target.properties.set(name, member)
  for (const [name, value] of Object.entries(constants)) target.properties.set(name, value)
  target.hidden = new Set(target.properties.keys())
  target.frozen = true
  return target
}

/** Throws an error of the language that ends the built-in. */
export function failBuiltin(
  session: Session,
  name: 'TypeError' | 'RangeError' | 'SyntaxError' | 'URIError',
  message: string,
  code: DiagnosticCode = 'bad-argument',
): never {
  return abandon(session, languageError(session, session.at, name, code, message), session.at, 'it is needed here')
}

/** Ends a built-in with something that the language has and the build does not. */
export const refuseBuiltin = (session: Session, message: string): never =>
  abandon(session, unknown(session, session.at, 'unsupported-builtin', message), session.at, 'it is needed here')

/** The function given to a built-in, ready to be called with the built-in's call as its place. */
export function callbackOf(session: Session, callback: Value, self?: Value): (...args: Value[]) => Value {
  const node = session.at
  if (callback instanceof Unknown) return (...args) => callFunction(session, callback, self, args, node)
  if (!(callback instanceof FunctionValue)) {
    return failBuiltin(session, 'TypeError', `${describeValue(callback)} is not a function`, 'not-a-function')
  }
  return (...args) => {
    const result = callFunction(session, callback, self, args, node)
    session.at = node
    return result
  }
}

/** A value that must be known and primitive conversions apply to. */
export function known(session: Session, value: Value): Exclude<Value, Unknown> {
  if (value instanceof Unknown) return abandon(session, value, session.at, 'its value is needed here')
  if (isObject(value) && value.taint) return abandon(session, value.taint, session.at, 'its value is needed here')
  return value
}

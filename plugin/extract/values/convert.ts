import { ModelProblem } from '../../../compiler/graph/index.ts'
import { Dimension } from '../../../dsl/dimension.ts'
import { callFunction } from '../evaluate/invoke.ts'
import { abandon, languageError, type Session, unknown } from '../session.ts'
import { getProperty } from './property.ts'
import { FunctionValue, HostValue, isObject, type ObjectValue, type Primitive, Unknown, type Value } from './value.ts'

/**
 * The conversions of the language. Where the outcome hangs on an unknown value they abandon the running function; operators look for
 * unknown operands before they convert.
 */
export function toPrimitive(session: Session, value: Value, hint: 'number' | 'string' | 'default' = 'default'): Primitive {
  if (value instanceof Unknown) return abandon(session, value, session.at, 'its value is needed here')
  if (!isObject(value)) return value
  if (value.taint) return abandon(session, value.taint, session.at, 'its value is needed here')
  if (value instanceof HostValue && value.host instanceof Dimension) return sizeOf(session, value.host, hint)
  if (value instanceof HostValue) return abandon(session, hostInExpression(session), session.at, 'its value is needed here')
  for (const name of hint === 'string' ? ['toString', 'valueOf'] : ['valueOf', 'toString']) {
    const method = getProperty(session, session.at, value, name)
    if (!(method instanceof FunctionValue)) continue
    const result = callFunction(session, method, value, [], session.at)
    if (result instanceof Unknown) return abandon(session, result, session.at, 'its value is needed here')
    if (!isObject(result)) return result
  }
  const error = languageError(session, session.at, 'TypeError', 'bad-conversion', 'Cannot convert object to primitive value')
  return abandon(session, error, session.at, 'its value is needed here')
}

/** The size that the model is being built for. */
function sizeOf(session: Session, dimension: Dimension, hint: string): Primitive {
  try {
    return dimension[Symbol.toPrimitive](hint)
  } catch (error) {
    if (!(error instanceof ModelProblem)) throw error
    return abandon(session, unknown(session, session.at, error.code, error.message), session.at, 'its value is needed here')
  }
}

export const hostInExpression = (session: Session): Unknown =>
  unknown(
    session,
    session.at,
    'tensor-in-expression',
    'a tensor, a model or a weights file stands where a number or a text is needed',
  )

export function toNumber(session: Session, value: Value): number {
  if (typeof value === 'number') return value
  const primitive = toPrimitive(session, value, 'number')
  if (typeof primitive === 'bigint') return mixedBigint(session)
  return Number(primitive)
}

function mixedBigint(session: Session): never {
  const error = languageError(session, session.at, 'TypeError', 'bad-conversion', 'Cannot convert a BigInt value to a number')
  return abandon(session, error, session.at, 'its value is needed here')
}

/** Truncated, with NaN as 0: how built-ins read counts and positions. */
export function toInteger(session: Session, value: Value): number {
  const number = Math.trunc(toNumber(session, value))
  return Number.isNaN(number) ? 0 : number
}

export function toText(session: Session, value: Value): string {
  if (typeof value === 'string') return value
  return String(toPrimitive(session, value, 'string'))
}

export const toKey = (session: Session, value: Value): string => toText(session, value)

export function isTruthy(session: Session, value: Value): boolean {
  if (value instanceof Unknown) return abandon(session, value, session.at, 'a condition depends on it here')
  return isObject(value) || Boolean(value)
}

export function looselyEqual(session: Session, left: Value, right: Value): boolean {
  if (isObject(left) && isObject(right)) return left === right
  if (left === null || left === undefined || right === null || right === undefined) {
    // biome-ignore lint/suspicious/noDoubleEquals: this is what the operator means
    return !isObject(left) && !isObject(right) && left == right
  }
  // biome-ignore lint/suspicious/noDoubleEquals: this is what the operator means
  return toPrimitive(session, left) == toPrimitive(session, right)
}

/** How a message calls a value. */
export function describeValue(value: Value): string {
  if (value instanceof Unknown) return 'an unknown value'
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'bigint') return `${value}n`.slice(0, 40)
  if (value instanceof FunctionValue) return value.name ? `the function ${value.name}` : 'a function'
  if (isObject(value)) return describeObject(value)
  return String(value)
}

const describeObject = (value: ObjectValue): string => {
  const name = value.constructor.name.replace('Value', '').toLowerCase()
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name === 'host' ? 'value of the DSL' : name}`
}

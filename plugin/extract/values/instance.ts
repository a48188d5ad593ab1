import { languageError, type Session } from '../session.ts'
import type { ts } from '../syntax.ts'
import { describeValue } from './convert.ts'
import { getProperty } from './property.ts'
import { BuiltinFunction, FunctionValue, isObject, Unknown, type Value } from './value.ts'

/** `value instanceof constructor` */
export function isInstance(session: Session, node: ts.Node, value: Value, constructor: Value): Value {
  if (constructor instanceof BuiltinFunction && constructor.isInstance) return isObject(value) && constructor.isInstance(value)
  if (!(constructor instanceof FunctionValue)) {
    const message = `Right-hand side of 'instanceof' is not callable: ${describeValue(constructor)}`
    return languageError(session, node, 'TypeError', 'not-a-function', message)
  }
  const prototype = getProperty(session, node, constructor, 'prototype')
  if (prototype instanceof Unknown) return prototype
  if (!isObject(value)) return false
  for (let holder = value.prototype; holder; holder = holder.prototype) if (holder === prototype) return true
  return false
}

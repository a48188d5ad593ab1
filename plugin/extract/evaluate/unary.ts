import { ts } from '../syntax.ts'
import { isTruthy, toNumber, toPrimitive } from '../values/convert.ts'
import { Unknown, type Value } from '../values/value.ts'
import type { Code, Evaluator } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { prepareReference } from './targets.ts'

const K = ts.SyntaxKind

/** `!x`, `-x`, `+x`, `~x`, `++x` */
export function prepareUnary(node: ts.PrefixUnaryExpression, code: Code): Evaluator {
  const { session } = code
  if (node.operator === K.PlusPlusToken || node.operator === K.MinusMinusToken)
    return prepareStep(node.operand, node.operator, code, true)
  const operand = prepareExpression(node.operand, code)
  const apply = unary(node)
  return (frame) => {
    const value = operand(frame)
    if (value instanceof Unknown) return value
    session.at = node
    return apply(value)
  }

  function unary(syntax: ts.PrefixUnaryExpression): (value: Value) => Value {
    switch (syntax.operator) {
      case K.ExclamationToken:
        return (value) => !isTruthy(session, value)
      case K.PlusToken:
        return (value) => toNumber(session, value)
      case K.MinusToken:
        return (value) => {
          const number = toPrimitive(session, value, 'number')
          return typeof number === 'bigint' ? -number : -Number(number)
        }
      default:
        return (value) => {
          const number = toPrimitive(session, value, 'number')
          return typeof number === 'bigint' ? ~number : ~Number(number)
        }
    }
  }
}

/** `++` and `--`, before and behind. */
export function prepareStep(operand: ts.Expression, operator: ts.SyntaxKind, code: Code, before: boolean): Evaluator {
  const { session } = code
  const { locate, read, write } = prepareReference(operand, code)
  const by = operator === K.PlusPlusToken ? 1 : -1
  return (frame) => {
    const place = locate(frame)
    const value = read(frame, place)
    if (value instanceof Unknown) return value
    session.at = operand
    const primitive = toPrimitive(session, value, 'number')
    const old = typeof primitive === 'bigint' ? primitive : Number(primitive)
    const next = typeof old === 'bigint' ? old + BigInt(by) : old + by
    write(frame, place, next)
    return before ? next : old
  }
}

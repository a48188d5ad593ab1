import { unknown } from '../session.ts'
import { ts } from '../syntax.ts'
import { assignedOperator, type Operator, operatorOf } from '../values/operators.ts'
import { isNullish, isObject, Unknown, type Value } from '../values/value.ts'
import type { Code, Evaluator } from './code.ts'
import { taintNode } from './effects.ts'
import { prepareExpression } from './expressions.ts'
import { prepareNamed } from './patterns.ts'
import { hasPrivate } from './privates.ts'
import { prepareReference, prepareTarget, privateSlot } from './targets.ts'

const K = ts.SyntaxKind

const shortCuts = new Map<ts.SyntaxKind, (value: Value) => boolean>([
  [K.AmpersandAmpersandToken, (value) => isObject(value) || Boolean(value)],
  [K.BarBarToken, (value) => !(isObject(value) || Boolean(value))],
  [K.QuestionQuestionToken, isNullish],
])
const assignedShortCuts = new Map<ts.SyntaxKind, ts.SyntaxKind>([
  [K.AmpersandAmpersandEqualsToken, K.AmpersandAmpersandToken],
  [K.BarBarEqualsToken, K.BarBarToken],
  [K.QuestionQuestionEqualsToken, K.QuestionQuestionToken],
])

/** Operators with two sides: values, short cuts, assignments. */
export function prepareBinary(node: ts.BinaryExpression, code: Code): Evaluator {
  const { session } = code
  const kind = node.operatorToken.kind
  const goesOn = shortCuts.get(kind)
  if (goesOn) return prepareShortCut(node, goesOn, code)
  if (kind === K.CommaToken) {
    const left = prepareExpression(node.left, code)
    const right = prepareExpression(node.right, code)
    return (frame) => {
      left(frame)
      return right(frame)
    }
  }
  if (kind === K.EqualsToken) return prepareAssignment(node, code)
  const inner = assignedOperator(kind)
  if (inner) return prepareCompound(node, inner, code)
  const assigned = assignedShortCuts.get(kind)
  if (assigned !== undefined) return prepareShortAssignment(node, shortCuts.get(assigned)!, code)
  if (kind === K.InKeyword && ts.isPrivateIdentifier(node.left)) {
    const name = privateSlot(node.left, code)
    const target = prepareExpression(node.right, code)
    return (frame) => hasPrivate(session, node, target(frame), name(frame))
  }
  return prepareOperators(node, code)
}

/** `a + b + c + …` leans to the left as deep as it is long; walking the spine keeps the host's stack flat. */
function prepareOperators(node: ts.BinaryExpression, code: Code): Evaluator {
  const steps: { node: ts.BinaryExpression; apply: Operator; right: Evaluator }[] = []
  let first: ts.Expression = node
  while (ts.isBinaryExpression(first)) {
    const apply = operatorOf(first.operatorToken.kind)
    if (!apply || (ts.isPrivateIdentifier(first.left) && first !== node)) break
    steps.push({ node: first, apply, right: prepareExpression(first.right, code) })
    first = first.left
  }
  steps.reverse()
  const start = prepareExpression(first, code)
  const { session } = code
  const [only] = steps
  if (!only)
    return () =>
      unknown(session, node, 'unsupported-syntax', `the build does not read the operator ${node.operatorToken.getText()}`)
  if (steps.length === 1) {
    const { apply, right } = only
    const fast = numeric.get(node.operatorToken.kind)
    if (fast) {
      return (frame) => {
        const a = start(frame)
        const b = right(frame)
        return typeof a === 'number' && typeof b === 'number' ? fast(a, b) : apply(session, node, a, b)
      }
    }
    return (frame) => apply(session, node, start(frame), right(frame))
  }
  return (frame) => {
    let value = start(frame)
    for (const step of steps) value = step.apply(session, step.node, value, step.right(frame))
    return value
  }
}

/** What most operators meet. */
const numeric = new Map<ts.SyntaxKind, (a: number, b: number) => Value>([
  [K.PlusToken, (a, b) => a + b],
  [K.MinusToken, (a, b) => a - b],
  [K.AsteriskToken, (a, b) => a * b],
  [K.SlashToken, (a, b) => a / b],
  [K.PercentToken, (a, b) => a % b],
  [K.LessThanToken, (a, b) => a < b],
  [K.GreaterThanToken, (a, b) => a > b],
  [K.LessThanEqualsToken, (a, b) => a <= b],
  [K.GreaterThanEqualsToken, (a, b) => a >= b],
])

function prepareShortCut(node: ts.BinaryExpression, goesOn: (value: Value) => boolean, code: Code): Evaluator {
  const left = prepareExpression(node.left, code)
  const right = prepareExpression(node.right, code)
  return (frame) => {
    const value = left(frame)
    if (value instanceof Unknown) {
      taintNode(code.session, node.right, code.scope, frame, value)
      return value
    }
    return goesOn(value) ? right(frame) : value
  }
}

function prepareAssignment(node: ts.BinaryExpression, code: Code): Evaluator {
  const left = ts.isParenthesizedExpression(node.left) ? node.left.expression : node.left
  const right = prepareNamed(node.right, code, left)
  if (ts.isPropertyAccessExpression(left) || ts.isElementAccessExpression(left)) {
    const { locate, write } = prepareReference(left, code)
    return (frame) => {
      const place = locate(frame)
      const value = right(frame)
      write(frame, place, value)
      return value
    }
  }
  const assign = prepareTarget(left, code)
  return (frame) => {
    const value = right(frame)
    assign(frame, value)
    return value
  }
}

function prepareCompound(node: ts.BinaryExpression, apply: Operator, code: Code): Evaluator {
  const { session } = code
  const { locate, read, write } = prepareReference(node.left, code)
  const right = prepareExpression(node.right, code)
  return (frame) => {
    const place = locate(frame)
    const value = apply(session, node, read(frame, place), right(frame))
    write(frame, place, value)
    return value
  }
}

function prepareShortAssignment(node: ts.BinaryExpression, goesOn: (value: Value) => boolean, code: Code): Evaluator {
  const { locate, read, write } = prepareReference(node.left, code)
  const right = prepareNamed(node.right, code, node.left)
  return (frame) => {
    const place = locate(frame)
    const before = read(frame, place)
    if (before instanceof Unknown) {
      taintNode(code.session, node, code.scope, frame, before)
      return before
    }
    if (!goesOn(before)) return before
    const value = right(frame)
    write(frame, place, value)
    return value
  }
}

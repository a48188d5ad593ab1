import { languageError, type Session } from '../session.ts'
import { ts } from '../syntax.ts'
import { describeValue, looselyEqual, toPrimitive } from './convert.ts'
import { isInstance } from './instance.ts'
import { hasProperty } from './property.ts'
import { isObject, type Primitive, Unknown, type Value } from './value.ts'

export type Operator = (session: Session, node: ts.Node, left: Value, right: Value) => Value
type Numeric = number | bigint
type Arithmetic = {
  readonly number: (a: number, b: number) => number
  readonly bigint: (a: bigint, b: bigint, session: Session) => bigint | string
}

const width = (value: bigint) => (value < 0n ? -value : value).toString(16).length * 4

/** Both kinds of numbers. A bigint function answers with a text when the language answers with a RangeError. */
const arithmetic: Readonly<Record<string, Arithmetic>> = {
  '-': { number: (a, b) => a - b, bigint: (a, b) => a - b },
  '*': {
    number: (a, b) => a * b,
    bigint(a, b, session) {
      session.budget.bits(width(a) + width(b))
      return a * b
    },
  },
  '/': { number: (a, b) => a / b, bigint: (a, b) => (b === 0n ? 'Division by zero' : a / b) },
  '%': { number: (a, b) => a % b, bigint: (a, b) => (b === 0n ? 'Division by zero' : a % b) },
  '**': {
    number: (a, b) => a ** b,
    bigint(a, b, session) {
      if (b < 0n) return 'Exponent must be non-negative'
      if (a !== 0n && a !== 1n && a !== -1n) session.budget.bits(width(a) * Number(b))
      return a ** b
    },
  },
  '&': { number: (a, b) => a & b, bigint: (a, b) => a & b },
  '|': { number: (a, b) => a | b, bigint: (a, b) => a | b },
  '^': { number: (a, b) => a ^ b, bigint: (a, b) => a ^ b },
  '<<': {
    number: (a, b) => a << b,
    bigint(a, b, session) {
      if (b > 0n && a !== 0n) session.budget.bits(width(a) + Number(b))
      return a << b
    },
  },
  '>>': {
    number: (a, b) => a >> b,
    bigint(a, b, session) {
      if (b < 0n && a !== 0n) session.budget.bits(width(a) + Number(-b))
      return a >> b
    },
  },
}

const numericOf = (value: Primitive): Numeric => (typeof value === 'bigint' ? value : Number(value))
const mixed = 'Cannot mix BigInt and other types, use explicit conversions'

function compute(session: Session, node: ts.Node, rule: Arithmetic, left: Primitive, right: Primitive): Value {
  const a = numericOf(left)
  const b = numericOf(right)
  if (typeof a === 'number' && typeof b === 'number') return rule.number(a, b)
  if (typeof a !== 'bigint' || typeof b !== 'bigint') return languageError(session, node, 'TypeError', 'bad-conversion', mixed)
  const result = rule.bigint(a, b, session)
  return typeof result === 'bigint' ? result : languageError(session, node, 'RangeError', 'bad-argument', result)
}

const arithmeticOperator =
  (symbol: string): Operator =>
  (session, node, left, right) =>
    compute(session, node, arithmetic[symbol]!, toPrimitive(session, left, 'number'), toPrimitive(session, right, 'number'))

const add: Operator = (session, node, left, right) => {
  const a = toPrimitive(session, left)
  const b = toPrimitive(session, right)
  if (typeof a === 'string' || typeof b === 'string') return concatenate(session, String(a), String(b))
  return compute(session, node, { number: (x, y) => x + y, bigint: (x, y) => x + y }, a, b)
}

/** Long texts share storage with their parts, so only the shorter side costs. */
export function concatenate(session: Session, left: string, right: string): string {
  session.budget.characters(Math.min(left.length, right.length))
  if (left.length + right.length > 1_000_000) session.budget.characters(left.length + right.length)
  return left + right
}

const comparison =
  (compare: (a: string | number | bigint, b: string | number | bigint) => boolean): Operator =>
  (session, _node, left, right) => {
    const a = toPrimitive(session, left, 'number')
    const b = toPrimitive(session, right, 'number')
    const plain = (value: Primitive) => (typeof value === 'string' || typeof value === 'bigint' ? value : Number(value))
    return compare(plain(a), plain(b))
  }

const membership: Operator = (session, node, key, target) => {
  if (!isObject(target)) {
    return languageError(
      session,
      node,
      'TypeError',
      'bad-conversion',
      `Cannot use 'in' operator to search for a key in ${describeValue(target)}`,
    )
  }
  return target.taint ?? hasProperty(session, node, target, key)
}

const K = ts.SyntaxKind
const table: readonly (readonly [ts.SyntaxKind, Operator])[] = [
  [K.PlusToken, add],
  [K.MinusToken, arithmeticOperator('-')],
  [K.AsteriskToken, arithmeticOperator('*')],
  [K.SlashToken, arithmeticOperator('/')],
  [K.PercentToken, arithmeticOperator('%')],
  [K.AsteriskAsteriskToken, arithmeticOperator('**')],
  [K.AmpersandToken, arithmeticOperator('&')],
  [K.BarToken, arithmeticOperator('|')],
  [K.CaretToken, arithmeticOperator('^')],
  [K.LessThanLessThanToken, arithmeticOperator('<<')],
  [K.GreaterThanGreaterThanToken, arithmeticOperator('>>')],
  [
    K.GreaterThanGreaterThanGreaterThanToken,
    (session, node, left, right) => {
      const a = numericOf(toPrimitive(session, left, 'number'))
      const b = numericOf(toPrimitive(session, right, 'number'))
      if (typeof a === 'number' && typeof b === 'number') return a >>> b
      const message = typeof a === typeof b ? 'BigInts have no unsigned right shift, use >> instead' : mixed
      return languageError(session, node, 'TypeError', 'bad-conversion', message)
    },
  ],
  [K.LessThanToken, comparison((a, b) => a < b)],
  [K.GreaterThanToken, comparison((a, b) => a > b)],
  [K.LessThanEqualsToken, comparison((a, b) => a <= b)],
  [K.GreaterThanEqualsToken, comparison((a, b) => a >= b)],
  [K.EqualsEqualsEqualsToken, (_session, _node, left, right) => left === right],
  [K.ExclamationEqualsEqualsToken, (_session, _node, left, right) => left !== right],
  [K.EqualsEqualsToken, (session, _node, left, right) => looselyEqual(session, left, right)],
  [K.ExclamationEqualsToken, (session, _node, left, right) => !looselyEqual(session, left, right)],
  [K.InKeyword, membership],
  [K.InstanceOfKeyword, (session, node, left, right) => isInstance(session, node, left, right)],
]

/** From here on, what an operator does with a text takes longer than the operator itself. */
const longText = 4_096

const operators = new Map<ts.SyntaxKind, Operator>(
  table.map(([kind, apply]) => [
    kind,
    (session, node, left, right) => {
      if (left instanceof Unknown) return left
      if (right instanceof Unknown) return right
      session.at = node
      if (typeof left === 'string' && left.length > longText) session.budget.spend(left.length >> 4)
      return apply(session, node, left, right)
    },
  ]),
)

/** The function of a binary operator without assignment and without short cut. */
export const operatorOf = (kind: ts.SyntaxKind): Operator | undefined => operators.get(kind)

const assignments = new Map<ts.SyntaxKind, ts.SyntaxKind>([
  [K.PlusEqualsToken, K.PlusToken],
  [K.MinusEqualsToken, K.MinusToken],
  [K.AsteriskEqualsToken, K.AsteriskToken],
  [K.SlashEqualsToken, K.SlashToken],
  [K.PercentEqualsToken, K.PercentToken],
  [K.AsteriskAsteriskEqualsToken, K.AsteriskAsteriskToken],
  [K.AmpersandEqualsToken, K.AmpersandToken],
  [K.BarEqualsToken, K.BarToken],
  [K.CaretEqualsToken, K.CaretToken],
  [K.LessThanLessThanEqualsToken, K.LessThanLessThanToken],
  [K.GreaterThanGreaterThanEqualsToken, K.GreaterThanGreaterThanToken],
  [K.GreaterThanGreaterThanGreaterThanEqualsToken, K.GreaterThanGreaterThanGreaterThanToken],
])

/** The operator inside `+=` and its kin. */
export const assignedOperator = (kind: ts.SyntaxKind): Operator | undefined => {
  const inner = assignments.get(kind)
  return inner === undefined ? undefined : operators.get(inner)
}

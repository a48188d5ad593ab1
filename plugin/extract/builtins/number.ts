import type { Session } from '../session.ts'
import { toInteger, toNumber, toPrimitive, toText } from '../values/convert.ts'
import type { Invoke, Value } from '../values/value.ts'
import { failBuiltin, known, members } from './define.ts'

const numberOf = (session: Session, self: Value): number =>
  typeof self === 'number' ? self : failBuiltin(session, 'TypeError', 'Number method called on something else')

/** A method whose argument is a count within a range. */
const digits =
  (name: 'toFixed' | 'toPrecision' | 'toExponential', least: number, most: number): Invoke =>
  (session, self, [count]) => {
    const subject = numberOf(session, self)
    if (count === undefined && name !== 'toFixed') return subject[name]()
    const places = toInteger(session, count)
    if (Number.isFinite(subject) && (places < least || places > most)) {
      return failBuiltin(session, 'RangeError', `${name}() argument must be between ${least} and ${most}`)
    }
    return Number.isFinite(subject) ? subject[name](places) : String(subject)
  }

function radixOf(session: Session, radix: Value): number {
  const base = radix === undefined ? 10 : toInteger(session, radix)
  return base >= 2 && base <= 36 ? base : failBuiltin(session, 'RangeError', 'toString() radix must be between 2 and 36')
}

export const numberMembers = members({
  toFixed: [1, digits('toFixed', 0, 100)],
  toPrecision: [1, digits('toPrecision', 1, 100)],
  toExponential: [1, digits('toExponential', 0, 100)],
  toString: [1, (session, self, [radix]) => numberOf(session, self).toString(radixOf(session, radix))],
  valueOf: [0, numberOf],
})

export const bigintMembers = members({
  toString: [1, (session, self, [radix]) => (self as bigint).toString(radixOf(session, radix))],
  valueOf: [0, (_session, self) => self],
})

export const booleanMembers = members({
  toString: [0, (_session, self) => String(self)],
  valueOf: [0, (_session, self) => self],
})

const test =
  (check: (value: unknown) => boolean): Invoke =>
  (session, _self, [value]) =>
    check(known(session, value))

export const parsers = members({
  parseFloat: [1, (session, _self, [text]) => Number.parseFloat(toText(session, text))],
  parseInt: [
    2,
    (session, _self, [text, radix]) =>
      Number.parseInt(toText(session, text), radix === undefined ? undefined : toInteger(session, radix)),
  ],
  isNaN: [1, (session, _self, [value]) => Number.isNaN(toNumber(session, value))],
  isFinite: [1, (session, _self, [value]) => Number.isFinite(toNumber(session, value))],
})

export const numberStatics = new Map([
  ...members({
    isInteger: [1, test(Number.isInteger)],
    isSafeInteger: [1, test(Number.isSafeInteger)],
    isNaN: [1, test(Number.isNaN)],
    isFinite: [1, test(Number.isFinite)],
  }),
  ['parseFloat', parsers.get('parseFloat')!] as const,
  ['parseInt', parsers.get('parseInt')!] as const,
])

export const numberConstants = {
  MAX_SAFE_INTEGER: Number.MAX_SAFE_INTEGER,
  MIN_SAFE_INTEGER: Number.MIN_SAFE_INTEGER,
  MAX_VALUE: Number.MAX_VALUE,
  MIN_VALUE: Number.MIN_VALUE,
  EPSILON: Number.EPSILON,
  POSITIVE_INFINITY: Number.POSITIVE_INFINITY,
  NEGATIVE_INFINITY: Number.NEGATIVE_INFINITY,
  NaN: Number.NaN,
}

export const toNumberFunction: Invoke = (session, _self, args) => {
  if (args.length === 0) return 0
  const primitive = toPrimitive(session, args[0], 'number')
  return Number(primitive)
}

export const toBigintFunction: Invoke = (session, _self, [value]) => {
  const primitive = toPrimitive(session, value, 'number')
  if (typeof primitive === 'number' && !Number.isInteger(primitive)) {
    return failBuiltin(
      session,
      'RangeError',
      `The number ${primitive} cannot be converted to a BigInt because it is not an integer`,
    )
  }
  if (primitive === undefined || primitive === null)
    return failBuiltin(session, 'TypeError', `Cannot convert ${primitive} to a BigInt`)
  if (typeof primitive !== 'string') return BigInt(primitive)
  session.budget.bits(primitive.length * 4)
  const text = primitive.trim()
  if (/^([+-]?\d+|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)?$/.test(text)) return BigInt(text)
  return failBuiltin(session, 'SyntaxError', `Cannot convert ${text} to a BigInt`)
}

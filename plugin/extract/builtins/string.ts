import { limits } from '../budget.ts'
import type { Session } from '../session.ts'
import { unknown } from '../session.ts'
import { toInteger, toNumber, toText } from '../values/convert.ts'
import { ArrayValue, FunctionValue, type Invoke, isNullish, Unknown, type Value } from '../values/value.ts'
import { callbackOf, failBuiltin, known, members } from './define.ts'

const textOf = (session: Session, self: Value): string => {
  if (isNullish(self)) return failBuiltin(session, 'TypeError', `String method called on ${self}`)
  return toText(session, self)
}

type Convert = (session: Session, value: Value) => unknown
const integer: Convert = (session, value) => (value === undefined ? undefined : toInteger(session, value))
const number: Convert = (session, value) => (value === undefined ? undefined : toNumber(session, value))
const text: Convert = (session, value) => toText(session, value)

/** A method of the host, given converted arguments; those left out stay out. */
const host =
  (name: keyof string & string, ...converts: Convert[]): Invoke =>
  (session, self, args) => {
    const subject = textOf(session, self)
    session.budget.spend(subject.length >> 4)
    const given = converts.slice(0, args.length).map((convert, i) => convert(session, args[i]))
    const method = String.prototype[name as 'slice'] as unknown as (...list: unknown[]) => Value
    return counted(session, method.apply(subject, given))
  }

function counted(session: Session, value: Value): Value {
  if (typeof value === 'string') session.budget.characters(value.length)
  return value
}

const padded =
  (name: 'padStart' | 'padEnd'): Invoke =>
  (session, self, [length, fill]) => {
    const subject = textOf(session, self)
    const target = toInteger(session, length)
    if (target > subject.length) session.budget.characters(target)
    return subject[name](target, fill === undefined ? undefined : toText(session, fill))
  }

const replacing =
  (name: 'replace' | 'replaceAll'): Invoke =>
  (session, self, [search, replacement]) => {
    const subject = textOf(session, self)
    const pattern = toText(session, search)
    if (replacement instanceof FunctionValue || replacement instanceof Unknown) {
      const call = callbackOf(session, replacement)
      return counted(
        session,
        subject[name](pattern, (match, offset: number) => toText(session, call(match, offset, subject))),
      )
    }
    const text = toText(session, replacement)
    // Each match may grow by the replacement, which may itself quote the text around it.
    const matches = name === 'replace' ? 1 : pattern.length === 0 ? subject.length + 1 : subject.split(pattern).length
    const quotes = text.split('$').length
    if (matches * (text.length + quotes * subject.length) > limits.characters)
      session.budget.characters(matches * text.length * quotes)
    return counted(session, subject[name](pattern, text))
  }

export const stringMembers = members({
  at: [1, host('at', integer)],
  charAt: [1, host('charAt', integer)],
  charCodeAt: [1, host('charCodeAt', integer)],
  codePointAt: [1, host('codePointAt', integer)],
  concat: [
    1,
    (session, self, args) =>
      [textOf(session, self), ...args.map((part) => toText(session, part))].reduce((a, b) => counted(session, a + b) as string),
  ],
  endsWith: [1, host('endsWith', text, integer)],
  includes: [1, host('includes', text, integer)],
  indexOf: [1, host('indexOf', text, integer)],
  lastIndexOf: [1, host('lastIndexOf', text, number)],
  padEnd: [2, padded('padEnd')],
  padStart: [2, padded('padStart')],
  repeat: [
    1,
    (session, self, [count]) => {
      const subject = textOf(session, self)
      const times = toInteger(session, count)
      if (times < 0 || times === Number.POSITIVE_INFINITY)
        return failBuiltin(session, 'RangeError', `Invalid count value: ${times}`)
      session.budget.characters(subject.length * times)
      return subject.repeat(times)
    },
  ],
  replace: [2, replacing('replace')],
  replaceAll: [2, replacing('replaceAll')],
  slice: [2, host('slice', integer, integer)],
  split: [
    2,
    (session, self, [separator, limit]) => {
      const subject = textOf(session, self)
      const most = limit === undefined ? undefined : toInteger(session, limit)
      session.budget.elements(0, separator === '' ? subject.length : 0)
      const parts: Value[] =
        separator === undefined ? subject.split(undefined as never, most) : subject.split(toText(session, separator), most)
      session.budget.elements(parts.length, parts.length)
      return new ArrayValue(parts)
    },
  ],
  startsWith: [1, host('startsWith', text, integer)],
  substring: [2, host('substring', integer, integer)],
  substr: [2, host('substr', integer, integer)],
  toLowerCase: [0, host('toLowerCase')],
  toUpperCase: [0, host('toUpperCase')],
  toString: [0, host('toString')],
  trim: [0, host('trim')],
  trimEnd: [0, host('trimEnd')],
  trimStart: [0, host('trimStart')],
  valueOf: [0, host('valueOf')],
  localeCompare: [
    1,
    (session) =>
      unknown(session, session.at, 'unsupported-builtin', 'localeCompare depends on the machine', 'compare with < and >'),
  ],
})

export const stringStatics = members({
  fromCharCode: [1, (session, _self, args) => String.fromCharCode(...args.map((code) => toNumber(session, code)))],
  fromCodePoint: [
    1,
    (session, _self, args) => {
      const codes = args.map((code) => toNumber(session, code))
      const bad = codes.find((code) => !Number.isInteger(code) || code < 0 || code > 0x10ffff)
      return bad === undefined ? String.fromCodePoint(...codes) : failBuiltin(session, 'RangeError', `Invalid code point ${bad}`)
    },
  ],
  raw: [
    1,
    (session, _self, [strings, ...values]) => {
      const raw = strings instanceof ArrayValue ? strings.properties.get('raw') : undefined
      if (!(raw instanceof ArrayValue)) return failBuiltin(session, 'TypeError', 'String.raw needs a template')
      return raw.items
        .map(
          (piece, i) =>
            toText(session, piece) +
            (i < raw.items.length - 1 && i < values.length ? toText(session, known(session, values[i])) : ''),
        )
        .join('')
    },
  ],
})

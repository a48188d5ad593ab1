import { unknown } from '../session.ts'
import { toNumber } from '../values/convert.ts'
import { ObjectValue } from '../values/value.ts'
import { members, withStatics } from './define.ts'

const functions = [
  'abs',
  'acos',
  'acosh',
  'asin',
  'asinh',
  'atan',
  'atan2',
  'atanh',
  'cbrt',
  'ceil',
  'clz32',
  'cos',
  'cosh',
  'exp',
  'expm1',
  'floor',
  'fround',
  'hypot',
  'imul',
  'log',
  'log10',
  'log1p',
  'log2',
  'max',
  'min',
  'pow',
  'round',
  'sign',
  'sin',
  'sinh',
  'sqrt',
  'tan',
  'tanh',
  'trunc',
] as const
const constants = ['E', 'LN10', 'LN2', 'LOG10E', 'LOG2E', 'PI', 'SQRT1_2', 'SQRT2'] as const

const mathMembers = members({
  ...Object.fromEntries(
    functions.map((name) => {
      const apply = Math[name] as (...args: number[]) => number
      const taken = ['max', 'min', 'hypot'].includes(name) ? Number.POSITIVE_INFINITY : apply.length
      return [
        name,
        [
          apply.length,
          (session, _self, args) => apply(...args.slice(0, taken).map((argument) => toNumber(session, argument))),
        ] as const,
      ]
    }),
  ),
  random: [
    0,
    (session) =>
      unknown(
        session,
        session.at,
        'unknown-global',
        'Math.random() gives another value at each build',
        'write the values as constants',
      ),
  ],
})

export const mathObject = withStatics(
  new ObjectValue(),
  mathMembers,
  Object.fromEntries(constants.map((name) => [name, Math[name]])),
)

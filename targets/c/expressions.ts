import { type DType, dtypeFacts, isFloat } from '../../compiler/graph/dtype.ts'
import type { Attributes } from '../../compiler/graph/node.ts'
import { computeType, isNarrow } from './scalar.ts'

/** A value that an expression takes: a variable's name or a constant's text; `literal` is the number where it is known at build. */
export interface Argument {
  readonly text: string
  readonly dtype: DType
  readonly literal?: number
}

/**
 * An elementwise op as C. `scalar` works on the compute types of its operands; `vector` on vectors of f32 and on masks (0 or -1 in each
 * lane) for bool, and is absent, or gives nothing, where there is no such form: lanes are then computed one by one.
 */
export interface Expression {
  readonly kind: 'expression'
  readonly scalar: (args: readonly Argument[], result: DType, attributes: Attributes) => string
  readonly vector?: (args: readonly Argument[], result: DType, attributes: Attributes) => string | undefined
}

type Text = (...args: string[]) => string
const all = (args: readonly Argument[], write: Text) => write(...args.map((argument) => argument.text))
const isSingle = (args: readonly Argument[]) => args.every((argument) => argument.dtype === 'f32')

/** Unsigned type in which arithmetic of an integer dtype wraps without undefined behaviour. */
const wrapType = (dtype: DType) => (dtypeFacts[dtype].bytes === 8 ? 'u64' : 'u32')
const wrapped = (dtype: DType, write: Text, args: readonly Argument[]) =>
  `(${computeType(dtype)})(${write(...args.map((argument) => `(${wrapType(dtype)})${argument.text}`))})`

/** `float` for all floats, `integer` for all integers; the operands decide. */
function arithmetic(float: Text, integer: (args: readonly Argument[], dtype: DType) => string, vector: Text = float): Expression {
  return {
    kind: 'expression',
    scalar: (args) => (isFloat(args[0]!.dtype) ? all(args, float) : integer(args, args[0]!.dtype)),
    vector: (args) => (isSingle(args) ? all(args, vector) : undefined),
  }
}
const wrapping = (write: Text): Expression => arithmetic(write, (args, dtype) => wrapped(dtype, write, args))

/** A float function known by name: `gp_NAME_v` on vectors, `gp_NAME_f64` on doubles; single floats use a lane of the former. */
const elementary = (name: string): Expression => ({
  kind: 'expression',
  scalar: (args) =>
    computeType(args[0]!.dtype) === 'f64'
      ? `gp_${name}_f64(${args[0]!.text})`
      : `gp_${name}_v(${args.map((argument) => `SPLAT(${argument.text})`).join(', ')})[0]`,
  vector: (args) => (isSingle(args) ? `gp_${name}_v(${args[0]!.text})` : undefined),
})
const throughDouble =
  (name: string): Expression['scalar'] =>
  (args, result) => {
    const call = `gp_${name}_f64(${args.map((argument) => argument.text).join(', ')})`
    return result === 'f64' ? call : `(f32)${call}`
  }
const instruction = (name: string, vector: string): Expression => ({
  kind: 'expression',
  scalar: (args) =>
    computeType(args[0]!.dtype) === 'f64' ? `__builtin_${name}(${args[0]!.text})` : `__builtin_${name}f(${args[0]!.text})`,
  vector: (args) => (isSingle(args) ? `${vector}(${args[0]!.text})` : undefined),
})

const comparison = (operator: '==' | '<' | '<='): Expression => ({
  kind: 'expression',
  scalar: ([a, b]) => `(bool8)(${a!.text} ${operator} ${b!.text})`,
  vector: (args) => {
    const [a, b] = args
    if (args.every((argument) => argument.dtype === 'bool')) return operator === '==' ? `~(${a!.text} ^ ${b!.text})` : undefined
    return isSingle(args) ? `(vi)(${a!.text} ${operator} ${b!.text})` : undefined
  },
})
const logical = (operator: '&' | '|' | '^'): Expression => ({
  kind: 'expression',
  scalar: ([a, b]) => `(bool8)(${a!.text} ${operator} ${b!.text})`,
  vector: ([a, b]) => `${a!.text} ${operator} ${b!.text}`,
})
const bitwise = (operator: '&' | '|' | '^'): Expression => ({
  kind: 'expression',
  scalar: ([a, b], result) => `(${computeType(result)})(${a!.text} ${operator} ${b!.text})`,
})

/** The larger (`>`) or smaller (`<`) of two; NaN where either is. Against a known number one instruction is enough. */
const extreme = (operator: '>' | '<'): Expression => {
  const [any, known] = operator === '>' ? ['gp_max_v', 'gp_above_v'] : ['gp_min_v', 'gp_below_v']
  const isNumber = (argument: Argument) => argument.literal !== undefined && !Number.isNaN(argument.literal)
  return {
    kind: 'expression',
    scalar: ([a, b]) =>
      isFloat(a!.dtype)
        ? `(${a!.text} ${operator} ${b!.text} || ${a!.text} != ${a!.text} ? ${a!.text} : ${b!.text})`
        : `(${a!.text} ${operator} ${b!.text} ? ${a!.text} : ${b!.text})`,
    vector: (args) => {
      const [a, b] = args as readonly [Argument, Argument]
      if (!isSingle(args)) return undefined
      if (isNumber(b)) return `${known}(${a.text}, ${b.text})`
      if (isNumber(a)) return `${known}(${b.text}, ${a.text})`
      return `${any}(${a.text}, ${b.text})`
    },
  }
}

/** Quotient truncated to zero, and floored remainder; 0 for a divisor of 0, wrapping where the quotient does not fit. */
function integerDivision([a, b]: readonly Argument[], dtype: DType): string {
  const type = computeType(dtype)
  if (dtypeFacts[dtype].kind === 'unsigned') return `(${b!.text} == 0 ? (${type})0 : (${type})(${a!.text} / ${b!.text}))`
  return `(${b!.text} == 0 ? (${type})0 : ${b!.text} == -1 ? (${type})(0 - (${wrapType(dtype)})${a!.text}) : (${type})(${a!.text} / ${b!.text}))`
}
function integerRemainder([a, b]: readonly Argument[], dtype: DType): string {
  const type = computeType(dtype)
  if (dtypeFacts[dtype].kind === 'unsigned') return `(${b!.text} == 0 ? (${type})0 : (${type})(${a!.text} % ${b!.text}))`
  const rest = `${a!.text} % ${b!.text}`
  return `(${b!.text} == 0 || ${b!.text} == -1 ? (${type})0 : (${type})(${rest} + (${rest} != 0 && (${rest} < 0) != (${b!.text} < 0) ? ${b!.text} : 0)))`
}

/** Integers up to this exponent are multiplied out: the same value as `pow` to within its bound, much sooner. */
function smallPower(base: string, exponent: number | undefined): string | undefined {
  if (exponent === 1) return base
  if (exponent === 2) return `${base} * ${base}`
  if (exponent === 3) return `${base} * ${base} * ${base}`
  return undefined
}

const bounds: Readonly<Partial<Record<DType, readonly [low: string, high: string, least: string, most: string]>>> = {
  i8: ['-128.0', '127.0', '-128', '127'],
  u8: ['0.0', '255.0', '0', '255'],
  i16: ['-32768.0', '32767.0', '-32768', '32767'],
  u16: ['0.0', '65535.0', '0', '65535'],
  i32: ['-2147483648.0', '2147483647.0', '(-2147483647 - 1)', '2147483647'],
  u32: ['0.0', '4294967295.0', '0u', '4294967295u'],
  i64: ['-9223372036854775808.0', '9223372036854775808.0', '(-9223372036854775807ll - 1)', '9223372036854775807ll'],
  u64: ['0.0', '18446744073709551616.0', '0ull', '18446744073709551615ull'],
}

function castText({ text, dtype: from }: Argument, to: DType): string {
  if (from === to) return text
  if (to === 'bool') return `(bool8)(${text} != 0)`
  if (isNarrow(to)) {
    if (computeType(from) === 'f32' || from === 'bool') return `(f32)${text}`
    if (from === 'i64' || from === 'u64') return `gp_odd_${from}(${text})`
    return `gp_odd_f64((f64)${text})`
  }
  if (isFloat(to) || !isFloat(from)) return `(${computeType(to)})${text}`
  const [low, high, least, most] = bounds[to]!
  const type = computeType(to)
  return `(${text} != ${text} ? (${type})0 : (f64)${text} <= ${low} ? (${type})${least} : (f64)${text} >= ${high} ? (${type})${most} : (${type})${text})`
}

/** C for every elementwise op of the graph language that targets must implement. */
export const expressions = {
  negate: arithmetic(
    (a) => `-${a}`,
    (args, dtype) => wrapped(dtype, (a) => `0 - ${a}`, args),
  ),
  abs: {
    kind: 'expression',
    scalar: ([a]) => {
      const { kind } = dtypeFacts[a!.dtype]
      if (kind === 'float') return computeType(a!.dtype) === 'f64' ? `__builtin_fabs(${a!.text})` : `__builtin_fabsf(${a!.text})`
      return kind === 'unsigned'
        ? a!.text
        : `(${a!.text} < 0 ? (${computeType(a!.dtype)})(0 - (${wrapType(a!.dtype)})${a!.text}) : ${a!.text})`
    },
    vector: ([a]) => (a!.dtype === 'f32' ? `(vf)((vi)${a!.text} & 0x7fffffff)` : undefined),
  },
  sign: {
    kind: 'expression',
    scalar: ([a], result) => {
      const type = computeType(result)
      if (dtypeFacts[result].kind === 'unsigned') return `(${type})(${a!.text} != 0)`
      const rest = isFloat(result) ? a!.text : `(${type})0`
      return `(${a!.text} > 0 ? (${type})1 : ${a!.text} < 0 ? (${type})-1 : ${rest})`
    },
    vector: ([a]) =>
      a!.dtype === 'f32'
        ? `gp_select_v(${a!.text} > SPLAT(0.0f), SPLAT(1.0f), gp_select_v(${a!.text} < SPLAT(0.0f), SPLAT(-1.0f), ${a!.text}))`
        : undefined,
  },
  floor: instruction('floor', 'gp_floor_v'),
  ceil: instruction('ceil', 'gp_ceil_v'),
  round: instruction('rint', 'gp_round_v'),
  sqrt: instruction('sqrt', 'gp_sqrt_v'),
  exp: elementary('exp'),
  log: elementary('log'),
  sin: { ...elementary('sin'), scalar: throughDouble('sin') },
  cos: { ...elementary('cos'), scalar: throughDouble('cos') },
  erf: elementary('erf'),
  tanh: elementary('tanh'),
  sigmoid: elementary('sigmoid'),
  not: { kind: 'expression', scalar: ([a]) => `(bool8)!${a!.text}`, vector: ([a]) => `~${a!.text}` },
  isNaN: {
    kind: 'expression',
    scalar: ([a]) => `(bool8)(${a!.text} != ${a!.text})`,
    vector: ([a]) => (a!.dtype === 'f32' ? `(vi)(${a!.text} != ${a!.text})` : undefined),
  },
  cast: {
    kind: 'expression',
    scalar: ([a], result) => castText(a!, result),
    vector: ([a], result) => {
      if (a!.dtype === result) return a!.text
      if (a!.dtype === 'bool') return `(vf)(${a!.text} & (vi)SPLAT(1.0f))`
      return result === 'bool' ? `(vi)(${a!.text} != SPLAT(0.0f))` : undefined
    },
  },

  add: wrapping((a, b) => `${a} + ${b}`),
  sub: wrapping((a, b) => `${a} - ${b}`),
  mul: wrapping((a, b) => `${a} * ${b}`),
  div: arithmetic((a, b) => `${a} / ${b}`, integerDivision),
  pow: {
    kind: 'expression',
    scalar: (args, result, attributes) =>
      smallPower(args[0]!.text, args[1]!.literal) ?? throughDouble('pow')(args, result, attributes),
    vector: (args) =>
      isSingle(args)
        ? (smallPower(args[0]!.text, args[1]!.literal) ?? `gp_pow_v(${args[0]!.text}, ${args[1]!.text})`)
        : undefined,
  },
  mod: {
    kind: 'expression',
    scalar: (args, result, attributes) =>
      isFloat(result) ? throughDouble('mod')(args, result, attributes) : integerRemainder(args, result),
    vector: (args) => (isSingle(args) ? `gp_mod_v(${args[0]!.text}, ${args[1]!.text})` : undefined),
  },
  minimum: extreme('<'),
  maximum: extreme('>'),

  equal: comparison('=='),
  less: comparison('<'),
  lessOrEqual: comparison('<='),
  and: logical('&'),
  or: logical('|'),
  xor: logical('^'),
  bitwiseAnd: bitwise('&'),
  bitwiseOr: bitwise('|'),
  bitwiseXor: bitwise('^'),
  where: {
    kind: 'expression',
    scalar: ([c, a, b]) => `(${c!.text} ? ${a!.text} : ${b!.text})`,
    vector: ([c, a, b], result) =>
      result === 'f32'
        ? `gp_select_v(${c!.text}, ${a!.text}, ${b!.text})`
        : `((${c!.text} & ${a!.text}) | (~${c!.text} & ${b!.text}))`,
  },
} as const satisfies Readonly<Record<string, Expression>>

import { type DType, dtypeFacts, isFloat } from '../../compiler/graph/dtype.ts'
import type { Attributes } from '../../compiler/graph/node.ts'
import { computeType, isNarrow, laneKind } from './scalar.ts'

/** A value that an expression takes: a variable's name or a constant's text; `literal` is the number where it is known at build. */
export interface Argument {
  readonly text: string
  readonly dtype: DType
  readonly literal?: number
}

/**
 * An elementwise op as C. `scalar` works on the compute types of its operands; `vector` on vectors as `laneKind` says: of f32, of integers
 * and of masks (0 or -1 in each lane) for bool. It is absent, or gives nothing, where there is no such form: lanes are then computed one
 * by one.
 */
export interface Expression {
  readonly kind: 'expression'
  readonly scalar: (args: readonly Argument[], result: DType, attributes: Attributes) => string
  readonly vector?: (args: readonly Argument[], result: DType, attributes: Attributes) => string | undefined
  /** On floats it ends in a multiplication, which compilers of native code merge with an addition that follows. */
  readonly multiplies?: boolean
}

type Text = (...args: string[]) => string
const all = (args: readonly Argument[], write: Text) => write(...args.map((argument) => argument.text))
const isSingle = (args: readonly Argument[]) => args.every((argument) => argument.dtype === 'f32')
/** Whether all are integers that stand in vectors. */
const isWhole = (args: readonly Argument[]) => args.every((argument) => laneKind(argument.dtype) === 'whole')

/** Lanes of i32 brought into the range of an integer dtype, keeping their low bits. */
function wrappedLanes(dtype: DType, text: string): string {
  const { bytes, kind } = dtypeFacts[dtype]
  if (bytes === 4) return text
  const spare = 32 - 8 * bytes
  return kind === 'unsigned' ? `(${text} & ${2 ** (8 * bytes) - 1})` : `((vi)((vu)${text} << ${spare}) >> ${spare})`
}
/** Wrapping arithmetic on lanes. */
const wholeLanes = (dtype: DType, write: Text, args: readonly Argument[]) =>
  wrappedLanes(dtype, `(vi)(${write(...args.map((argument) => `(vu)${argument.text}`))})`)

/** Unsigned type in which arithmetic of an integer dtype wraps without undefined behaviour. */
const wrapType = (dtype: DType) => (dtypeFacts[dtype].bytes === 8 ? 'u64' : 'u32')
const wrapped = (dtype: DType, write: Text, args: readonly Argument[]) =>
  `(${computeType(dtype)})(${write(...args.map((argument) => `(${wrapType(dtype)})${argument.text}`))})`

/** `float` for all floats, `integer` for all integers; the operands decide. */
function arithmetic(
  float: Text,
  integer: (args: readonly Argument[], dtype: DType) => string,
  whole?: (args: readonly Argument[], dtype: DType) => string,
): Expression {
  return {
    kind: 'expression',
    scalar: (args) => (isFloat(args[0]!.dtype) ? all(args, float) : integer(args, args[0]!.dtype)),
    vector: (args) => (isSingle(args) ? all(args, float) : isWhole(args) ? whole?.(args, args[0]!.dtype) : undefined),
  }
}
const wrapping = (float: Text, integer: Text = float): Expression =>
  arithmetic(
    float,
    (args, dtype) => wrapped(dtype, integer, args),
    (args, dtype) => wholeLanes(dtype, integer, args),
  )

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
/** Computed in double, lane by lane. */
const lanes = (name: string): Expression => ({ ...elementary(name), scalar: throughDouble(name) })
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
    return isSingle(args) || isWhole(args) ? `(vi)(${a!.text} ${operator} ${b!.text})` : undefined
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
  vector: (args) => (isWhole(args) ? `(${args[0]!.text} ${operator} ${args[1]!.text})` : undefined),
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
      if (isWhole(args)) return `${operator === '>' ? 'gp_max_i' : 'gp_min_i'}(${a.text}, ${b.text})`
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

function integerPower([a, b]: readonly Argument[], dtype: DType): string {
  const wide = dtypeFacts[dtype].kind === 'signed' ? 'i64' : 'u64'
  return `(${computeType(dtype)})gp_pow_${wide}((${wide})${a!.text}, (${wide})${b!.text})`
}

/** Negative amounts are large ones without a sign. */
const beyond = ({ text, dtype }: Argument) =>
  `(u64)${dtypeFacts[dtype].kind === 'signed' ? '(i64)' : ''}${text} >= ${dtypeFacts[dtype].bytes * 8}u`

function shiftedLeft([a, b]: readonly Argument[], dtype: DType): string {
  const type = computeType(dtype)
  return `(${beyond(b!)} ? (${type})0 : (${type})((${wrapType(dtype)})${a!.text} << ${b!.text}))`
}

function shiftedRight([a, b]: readonly Argument[], dtype: DType): string {
  const type = computeType(dtype)
  const most = dtypeFacts[dtype].bytes * 8 - 1
  const out = dtypeFacts[dtype].kind === 'signed' ? `(${type})(${a!.text} >> ${most})` : `(${type})0`
  return `(${beyond(b!)} ? ${out} : (${type})(${a!.text} >> ${b!.text}))`
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

/** A conversion between vectors, where both dtypes have them. */
function castLanes({ text, dtype: from }: Argument, to: DType): string | undefined {
  const [have, want] = [laneKind(from), laneKind(to)]
  if (!have || !want) return undefined
  if (from === to) return text
  if (want === 'mask') return have === 'single' ? `(vi)(${text} != SPLAT(0.0f))` : `(vi)(${text} != SPLAT_I(0))`
  if (have === 'mask') return want === 'single' ? `(vf)(${text} & (vi)SPLAT(1.0f))` : `(${text} & 1)`
  if (want === 'single') return `__builtin_convertvector(${text}, vf)`
  return have === 'single' ? `gp_cast_${to}_v(${text})` : wrappedLanes(to, text)
}

/** C for every elementwise op of the graph language that targets must implement. */
export const expressions = {
  negate: wrapping(
    (a) => `-${a}`,
    (a) => `0 - ${a}`,
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
  sin: lanes('sin'),
  cos: lanes('cos'),
  tan: lanes('tan'),
  asin: lanes('asin'),
  acos: lanes('acos'),
  atan: lanes('atan'),
  sinh: lanes('sinh'),
  cosh: lanes('cosh'),
  asinh: lanes('asinh'),
  acosh: lanes('acosh'),
  atanh: lanes('atanh'),
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
    vector: ([a], result) => castLanes(a!, result),
  },

  add: wrapping((a, b) => `${a} + ${b}`),
  sub: wrapping((a, b) => `${a} - ${b}`),
  mul: { ...wrapping((a, b) => `${a} * ${b}`), multiplies: true },
  div: arithmetic((a, b) => `${a} / ${b}`, integerDivision),
  pow: {
    kind: 'expression',
    multiplies: true,
    scalar: (args, result, attributes) => {
      if (!isFloat(result)) return integerPower(args, result)
      return smallPower(args[0]!.text, args[1]!.literal) ?? throughDouble('pow')(args, result, attributes)
    },
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
  shiftLeft: { kind: 'expression', scalar: shiftedLeft },
  shiftRight: { kind: 'expression', scalar: shiftedRight },
  where: {
    kind: 'expression',
    scalar: ([c, a, b]) => `(${c!.text} ? ${a!.text} : ${b!.text})`,
    vector: ([c, a, b], result) =>
      result === 'f32'
        ? `gp_select_v(${c!.text}, ${a!.text}, ${b!.text})`
        : `((${c!.text} & ${a!.text}) | (~${c!.text} & ${b!.text}))`,
  },
} as const satisfies Readonly<Record<string, Expression>>

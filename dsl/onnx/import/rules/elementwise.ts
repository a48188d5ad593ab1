import { isFloat } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { asFloat, castTo, dtypeAttribute, inputAs, scalarOf } from './shared.ts'

type Unary = (d: OpContext['d'], x: Value) => Value
type Binary = (d: OpContext['d'], left: Value, right: Value) => Value

const unary =
  (apply: Unary): OpRule =>
  (c) =>
    apply(c.d, c.input(0))
const binary =
  (apply: Binary): OpRule =>
  (c) =>
    apply(c.d, c.input(0), c.input(1))
/** One to many operands, combined from the left. */
const variadic =
  (apply: Binary): OpRule =>
  (c) => {
    let result = c.input(0)
    for (let i = 1; i < c.inputCount; i++) result = apply(c.d, result, c.input(i))
    return result
  }

/** ONNX Clip 6 says the limits in attributes, 11 and later in inputs. Where they cross, the upper one wins, as there. */
const clip: OpRule = (c) => {
  const x = c.input(0)
  const attributes = c.node.attributes
  const known = c.opset < 11 || ((!c.has(1) || c.known(1)) && (!c.has(2) || c.known(2)))
  if (!known) {
    const raised = c.has(1) ? c.d.maximum(x, c.input(1)) : x
    return c.has(2) ? c.d.minimum(raised, c.input(2)) : raised
  }
  const limit = (name: string, i: number) => (c.opset < 11 ? (attributes.has(name) ? c.float(name) : undefined) : scalarOf(c, i))
  const [minimum, maximum] = [bound(limit('min', 1), 'least'), bound(limit('max', 2), 'most')]
  if (minimum === undefined && maximum === undefined) return x
  if (minimum === 0 && maximum === undefined) return c.d.relu(x)
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) return c.d.minimum(c.d.maximum(x, minimum), maximum)
  return c.d.clamp(x, { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) })
}

/** Exporters write the largest float for "no limit". */
function bound(value: number | undefined, end: 'least' | 'most'): number | undefined {
  const limit = end === 'least' ? -3.4028234663852886e38 : 3.4028234663852886e38
  return value === undefined || (end === 'least' ? value <= limit : value >= limit) ? undefined : value
}

/** The exponent may have another element type than the base, which is that of the result (ONNX Pow 12). */
const pow: OpRule = (c) => {
  const base = c.input(0)
  const { dtype } = c.typeOf(1)
  if (isFloat(base.dtype) || !isFloat(dtype)) return c.d.pow(base, inputAs(c, 1, base.dtype))
  return castTo(c, c.d.pow(castTo(c, base, dtype), c.input(1)), base.dtype)
}

const mod: OpRule = (c) => (c.int('fmod', 0) === 1 ? c.d.fmod(c.input(0), c.input(1)) : c.d.mod(c.input(0), c.input(1)))

const isInf: OpRule = (c) => {
  const x = c.input(0)
  const [negative, positive] = [c.int('detect_negative', 1) !== 0, c.int('detect_positive', 1) !== 0]
  if (negative && positive) return c.d.isInf(x)
  return c.d.isInf(x, { negative, positive })
}

const bitShift: OpRule = (c) => {
  const direction = c.text('direction')
  if (direction === 'LEFT') return c.d.shiftLeft(c.input(0), c.input(1))
  if (direction === 'RIGHT') return c.d.shiftRight(c.input(0), c.input(1))
  return c.unsupported(`direction '${direction}' is unknown`)
}

const selu: OpRule = (c) => {
  const x = c.input(0)
  const [alpha, gamma] = [c.float('alpha', 1.6732632), c.float('gamma', 1.050701)]
  if (Math.abs(alpha - 1.6732632) < 1e-6 && Math.abs(gamma - 1.050701) < 1e-6) return c.d.selu(x)
  return c.d.mul(c.d.elu(x, { alpha }), gamma)
}

/** Up to opset 21 the slope of a channel may stand as `[channels]` or `[channels, 1, 1]`; both broadcast from the right. */
const prelu: OpRule = (c) => {
  const x = c.input(0)
  return asFloat(c, x, (float) => c.d.prelu(float, castTo(c, c.input(1), float.dtype)))
}

/** Floats that overflow an 8-bit float become its largest finite value, unless `saturate` is 0 (ONNX Cast 19). */
const largest: Readonly<Record<string, number>> = { f8e4m3: 448, f8e5m2: 57344 }
function cast(c: OpContext, dtype: Value['dtype']): Value {
  const x = c.input(0)
  const limit = largest[dtype]
  const saturated = limit !== undefined && isFloat(x.dtype) && largest[x.dtype] === undefined && c.int('saturate', 1) !== 0
  return castTo(c, saturated ? c.d.clamp(x, { minimum: -limit, maximum: limit }) : x, dtype)
}

const gelu: OpRule = (c) => {
  const approximate = c.text('approximate', 'none')
  if (approximate === 'none') return c.d.gelu(c.input(0))
  return approximate === 'tanh' ? c.d.gelu(c.input(0), { approximate }) : c.unsupported(`approximate '${approximate}' is unknown`)
}

const option = (c: OpContext, name: string, fallback: number): number | undefined => {
  const value = c.float(name, fallback)
  return value === fallback ? undefined : value
}

/** An operator that gives its input through under another name. */
export const identity: OpRule = (c) => c.input(0)

export const elementwise: OpRules = {
  Identity: identity,
  Abs: unary((d, x) => (x.dtype === 'bool' ? x : d.abs(x))),
  Neg: unary((d, x) => d.negate(x)),
  Sign: unary((d, x) => d.sign(x)),
  Floor: unary((d, x) => d.floor(x)),
  Ceil: unary((d, x) => d.ceil(x)),
  Round: unary((d, x) => d.round(x)),
  Sqrt: unary((d, x) => d.sqrt(x)),
  Reciprocal: unary((d, x) => d.reciprocal(x)),
  Exp: unary((d, x) => d.exp(x)),
  Log: unary((d, x) => d.log(x)),
  Sin: unary((d, x) => d.sin(x)),
  Cos: unary((d, x) => d.cos(x)),
  Tan: unary((d, x) => d.tan(x)),
  Asin: unary((d, x) => d.asin(x)),
  Acos: unary((d, x) => d.acos(x)),
  Atan: unary((d, x) => d.atan(x)),
  Sinh: unary((d, x) => d.sinh(x)),
  Cosh: unary((d, x) => d.cosh(x)),
  Asinh: unary((d, x) => d.asinh(x)),
  Acosh: unary((d, x) => d.acosh(x)),
  Atanh: unary((d, x) => d.atanh(x)),
  Erf: (c) => asFloat(c, c.input(0), (x) => c.d.erf(x)),
  Tanh: unary((d, x) => d.tanh(x)),
  Sigmoid: unary((d, x) => d.sigmoid(x)),
  IsNaN: unary((d, x) => d.isNaN(x)),
  IsInf: isInf,
  Not: unary((d, x) => d.not(x)),

  Add: binary((d, a, b) => d.add(a, b)),
  Sub: binary((d, a, b) => d.sub(a, b)),
  Mul: binary((d, a, b) => d.mul(a, b)),
  Div: binary((d, a, b) => d.div(a, b)),
  Pow: pow,
  Mod: mod,
  Sum: variadic((d, a, b) => d.add(a, b)),
  Min: variadic((d, a, b) => d.minimum(a, b)),
  Max: variadic((d, a, b) => d.maximum(a, b)),
  Mean(c) {
    let total = c.input(0)
    for (let i = 1; i < c.inputCount; i++) total = c.d.add(total, c.input(i))
    return c.inputCount === 1 ? total : c.d.div(total, c.inputCount)
  },

  Equal: binary((d, a, b) => d.equal(a, b)),
  Less: binary((d, a, b) => d.less(a, b)),
  LessOrEqual: binary((d, a, b) => d.lessOrEqual(a, b)),
  Greater: binary((d, a, b) => d.greater(a, b)),
  GreaterOrEqual: binary((d, a, b) => d.greaterOrEqual(a, b)),
  And: binary((d, a, b) => d.and(a, b)),
  Or: binary((d, a, b) => d.or(a, b)),
  Xor: binary((d, a, b) => d.xor(a, b)),
  BitwiseAnd: binary((d, a, b) => d.bitwiseAnd(a, b)),
  BitwiseOr: binary((d, a, b) => d.bitwiseOr(a, b)),
  BitwiseXor: binary((d, a, b) => d.bitwiseXor(a, b)),
  BitwiseNot: unary((d, x) => d.bitwiseNot(x)),
  BitShift: bitShift,
  Where: (c) => c.d.where(c.input(0), c.input(1), c.input(2)),

  Clip: clip,
  Relu: unary((d, x) => d.relu(x)),
  LeakyRelu: (c) => c.d.leakyRelu(c.input(0), { slope: option(c, 'alpha', 0.01) } as { slope?: number }),
  PRelu: prelu,
  Elu: (c) => c.d.elu(c.input(0), { alpha: option(c, 'alpha', 1) } as { alpha?: number }),
  Celu: (c) => c.d.celu(c.input(0), { alpha: option(c, 'alpha', 1) } as { alpha?: number }),
  Selu: selu,
  Gelu: gelu,
  ThresholdedRelu: (c) => c.d.thresholdedRelu(c.input(0), { threshold: c.float('alpha', 1) }),
  Shrink: (c) => asFloat(c, c.input(0), (x) => c.d.shrink(x, { threshold: c.float('lambd', 0.5), bias: c.float('bias', 0) })),
  Softplus: unary((d, x) => d.softplus(x)),
  Softsign: unary((d, x) => d.softsign(x)),
  Mish: unary((d, x) => d.mish(x)),
  HardSigmoid: (c) => c.d.hardSigmoid(c.input(0), { slope: c.float('alpha', 0.2), offset: c.float('beta', 0.5) }),
  HardSwish: unary((d, x) => d.hardSwish(x)),
  Swish(c) {
    const [x, alpha] = [c.input(0), c.float('alpha', 1)]
    return alpha === 1 ? c.d.silu(x) : c.d.mul(x, c.d.sigmoid(c.d.mul(x, alpha)))
  },

  Cast: (c) => cast(c, dtypeAttribute(c, 'to')),
  CastLike: (c) => cast(c, c.typeOf(1).dtype),
  BitCast: (c) => {
    const to = dtypeAttribute(c, 'to')
    const x = c.input(0)
    if (to === x.dtype) return x
    const bytes = x.dtype === 'bool' ? castTo(c, x, 'u8') : x
    if (to === 'bool') return castTo(c, bytes.dtype === 'u8' ? bytes : c.d.bitCast(bytes, 'u8'), 'bool')
    return to === bytes.dtype ? bytes : c.d.bitCast(bytes, to)
  },
}

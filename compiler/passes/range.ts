import { type DType, dtypeFacts, type Node } from '../graph/index.ts'
import { asOp, uniformValue } from './match.ts'
import { decodedNumber, decodedOf, integersOf } from './quantized/encoding.ts'

/** Values lie in low … high, or are NaN. */
export interface Range {
  readonly low: number
  readonly high: number
}

const everything: Range = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
const fromZero: Range = { low: 0, high: Number.POSITIVE_INFINITY }
const unit: Range = { low: 0, high: 1 }
const signedUnit: Range = { low: -1, high: 1 }

const fixed: Readonly<Record<string, Range>> = {
  sigmoid: unit,
  hardSigmoid: unit,
  softmax: unit,
  tanh: signedUnit,
  erf: signedUnit,
  sin: signedUnit,
  cos: signedUnit,
  sign: signedUnit,
  softsign: signedUnit,
  exp: fromZero,
  sqrt: fromZero,
  softplus: fromZero,
  reduceL2: fromZero,
  variance: fromZero,
}

/** Ops whose results are among their operand's elements. */
const choosing: ReadonlySet<string> = new Set([
  'reshape',
  'transpose',
  'slice',
  'expand',
  'gather',
  'maxPool',
  'reduceMax',
  'reduceMin',
])

const maximumDepth = 8

/** What a dtype holds; the ends of 64-bit integers are rounded outwards. */
const rangeOfDType = (dtype: DType): Range =>
  dtypeFacts[dtype].kind === 'float' || dtype === 'bool' ? everything : integersOf(dtype)

/** What stored integers with one scale can stand for. */
function rangeOfDecoded(node: Node): Range | undefined {
  const decoded = decodedOf(node)
  if (!decoded || decoded.quantization.axis !== undefined) return undefined
  const { low, high } = integersOf(decoded.dtype)
  return { low: decodedNumber(low, decoded.quantization), high: decodedNumber(high, decoded.quantization) }
}

/** What is known about a value's elements without computing them. */
export function rangeOf(node: Node, depth = 0): Range {
  const known = fixed[node.op]
  if (known) return known
  const value = uniformValue(node)
  if (value !== undefined) return { low: value, high: value }
  const type = rangeOfDecoded(node) ?? rangeOfDType(node.type.dtype)
  if (depth === maximumDepth) return type
  const of = (index: number) => rangeOf(node.operands[index]!, depth + 1)
  if (choosing.has(node.op)) return of(0)
  if (node.op === 'relu') return { low: Math.max(0, of(0).low), high: Math.max(0, of(0).high) }
  if (node.op === 'concat')
    return node.operands.map((_, i) => of(i)).reduce((a, b) => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) }))
  if (node.op === 'maximum' || node.op === 'minimum') {
    const choose = node.op === 'maximum' ? Math.max : Math.min
    return { low: choose(of(0).low, of(1).low), high: choose(of(0).high, of(1).high) }
  }
  const clamp = asOp(node, 'clamp')
  if (!clamp) return type
  const limit = (value: number) => Math.min(clamp.attributes.maximum, Math.max(clamp.attributes.minimum, value))
  return { low: limit(of(0).low), high: limit(of(0).high) }
}

import { type DType, dtypeFacts, type Node } from '../graph/index.ts'
import { along, type LoweringRule, type Scope } from './scope.ts'

/** One entry as a number; several as a vector along their axis. */
function spread(
  g: Scope,
  values: readonly number[],
  axis: number | undefined,
  { shape }: Node['type'],
  dtype: DType,
  label: string,
): Node | number {
  if (axis === undefined) return values[0]!
  const first = values[0]
  if (first !== undefined && values.every((value) => value === first)) return first
  return g.constant({ dtype, shape: along(axis, shape.length, values.length) }, values, label)
}

const added = (g: Scope, input: Node, offset: Node | number): Node => (offset === 0 ? input : g.add(input, offset))

/** A cast of float to integer saturates, and makes 0 of NaN. */
const rounded = (g: Scope, quotient: Node, zeroPoint: Node | number, dtype: DType): Node =>
  g.cast(added(g, g.node('round', { input: quotient }, {}), zeroPoint), dtype)

const quantize: LoweringRule<'quantize'> = ({ input }, { dtype, scale, zeroPoint, axis }, g) =>
  rounded(
    g,
    g.div(input, spread(g, scale, axis, input.type, 'f32', 'scale')),
    spread(g, zeroPoint, axis, input.type, 'f32', 'zero point'),
    dtype,
  )

/** Differences of up to 16 bits are exact in f32, those of 32 bits are taken before. */
const dequantize: LoweringRule<'dequantize'> = ({ input }, { scale, zeroPoint, axis }, g) => {
  const exact = dtypeFacts[input.type.dtype].bytes <= 2 ? g.cast(input, 'f32') : input
  const offset = spread(g, zeroPoint, axis, input.type, exact.type.dtype, 'zero point')
  const difference = offset === 0 ? exact : g.sub(exact, offset)
  return g.mul(g.cast(difference, 'f32'), spread(g, scale, axis, input.type, 'f32', 'scale'))
}

const requantize: LoweringRule<'requantize'> = ({ input }, { dtype, inputScale, scale, zeroPoint, axis }, g) => {
  const multiplier = inputScale.map((value) => Math.fround(value / scale))
  return rounded(g, g.mul(g.cast(input, 'f32'), spread(g, multiplier, axis, input.type, 'f32', 'multiplier')), zeroPoint, dtype)
}

export const quantizedRules = { quantize, dequantize, requantize }

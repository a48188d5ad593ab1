import { isFloat, type Node, type TensorType } from '../graph/index.ts'
import { resolveAxes } from '../graph/ops/shared.ts'
import { inFloat32, type LoweringRule, type Scope } from './scope.ts'

const countOver = ({ shape }: TensorType, axes: readonly number[]): number =>
  resolveAxes(axes, shape.length, 'reduce').reduce((count, axis) => count * shape[axis]!, 1)

/** Σx / n: one rounding less than Σx · (1/n). */
export const meanOf = (g: Scope, input: Node, axes: readonly number[], keepDims: boolean): Node =>
  g.div(g.sum(input, axes, keepDims), countOver(input.type, axes))

/** x − mean(x), for sums of squares that do not cancel as E[x²] − mean² does. */
export const centred = (g: Scope, input: Node, axes: readonly number[]): Node => g.sub(input, meanOf(g, input, axes, true))

export const square = (g: Scope, input: Node): Node => g.mul(input, input)

/** Integers are summed where their sum fits. */
const reduceMean = inFloat32<'reduceMean'>(({ input }, { axes, keepDims }, g, { dtype }) => {
  if (isFloat(dtype)) return meanOf(g, input, axes, keepDims)
  return g.cast(meanOf(g, g.cast(input, dtype === 'u64' ? 'u64' : 'i64'), axes, keepDims), dtype)
})
const reduceL1 = inFloat32<'reduceL1'>(({ input }, { axes, keepDims }, g) => g.sum(g.abs(input), axes, keepDims))
const reduceL2 = inFloat32<'reduceL2'>(({ input }, { axes, keepDims }, g) => g.sqrt(g.sum(square(g, input), axes, keepDims)))
const reduceSumSquare = inFloat32<'reduceSumSquare'>(({ input }, { axes, keepDims }, g) =>
  g.sum(square(g, input), axes, keepDims),
)

/** m + log Σ e^(x − m) with m the maximum, or 0 where that is infinite: −∞ − −∞ would be NaN. */
const reduceLogSumExp = inFloat32<'reduceLogSumExp'>(({ input }, { axes, keepDims }, g, type) => {
  const largest = g.node('reduceMax', { input }, { axes: [...axes], keepDims: true })
  const finite = g.where(g.equal(g.abs(largest), Number.POSITIVE_INFINITY), 0, largest)
  const total = g.log(g.sum(g.exp(g.sub(input, finite)), axes, keepDims))
  return g.add(total, keepDims ? finite : g.reshape(finite, type.shape))
})

/** As in PyTorch, dividing by n − correction, or by 0 where that is negative. */
const variance = inFloat32<'variance'>(({ input }, { axes, keepDims, correction }, g) => {
  const divisor = Math.max(0, countOver(input.type, axes) - correction)
  return g.div(g.sum(square(g, centred(g, input, axes)), axes, keepDims), divisor)
})

export const reduceRules: {
  readonly [K in 'reduceMean' | 'reduceL1' | 'reduceL2' | 'reduceSumSquare' | 'reduceLogSumExp' | 'variance']: LoweringRule<K>
} = {
  reduceMean,
  reduceL1,
  reduceL2,
  reduceSumSquare,
  reduceLogSumExp,
  variance,
}

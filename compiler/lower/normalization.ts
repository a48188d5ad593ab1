import { elementCount, type Node } from '../graph/index.ts'
import { centred, meanOf, square } from './reduce.ts'
import { along, inFloat32, type LoweringRule, type Scope } from './scope.ts'

/** 1 / √(x + epsilon), computed on the small tensor of statistics. */
const inverseRoot = (g: Scope, input: Node, epsilon: number): Node => g.div(1, g.sqrt(g.add(input, epsilon)))
const perChannel = (g: Scope, parameter: Node, rank: number): Node =>
  g.reshape(parameter, along(1, rank, parameter.type.shape[0]!))

function scaleAndShift(g: Scope, input: Node, scale: Node | undefined, shift: Node | undefined): Node {
  const scaled = scale ? g.mul(input, scale) : input
  return shift ? g.add(scaled, shift) : scaled
}

/** (x − mean) / √(mean((x − mean)²) + epsilon) over `axes`. */
function normalised(g: Scope, input: Node, axes: readonly number[], epsilon: number): Node {
  const distance = centred(g, input, axes)
  return g.mul(distance, inverseRoot(g, meanOf(g, square(g, distance), axes, true), epsilon))
}

const lastAxes = (count: number): number[] => Array.from({ length: count }, (_, i) => i - count)

/** x · a + b with a = scale / √(variance + epsilon) and b = shift − mean · a, both of one element for each channel. */
const batchNorm = inFloat32<'batchNorm'>(({ input, scale, shift, mean, variance }, { epsilon }, g, { shape }) => {
  const factor = g.mul(scale, inverseRoot(g, variance, epsilon))
  const offset = g.sub(shift, g.mul(mean, factor))
  return scaleAndShift(g, input, perChannel(g, factor, shape.length), perChannel(g, offset, shape.length))
})

const layerNorm = inFloat32<'layerNorm'>(({ input, scale, shift }, { dims, epsilon }, g) =>
  scaleAndShift(g, normalised(g, input, lastAxes(dims), epsilon), scale, shift),
)

const rmsNorm = inFloat32<'rmsNorm'>(({ input, scale }, { dims, epsilon }, g) =>
  scaleAndShift(g, g.mul(input, inverseRoot(g, meanOf(g, square(g, input), lastAxes(dims), true), epsilon)), scale, undefined),
)

const groupNorm = inFloat32<'groupNorm'>(({ input, scale, shift }, { groups, epsilon }, g, { shape }) => {
  const grouped = g.reshape(input, [shape[0]!, groups, elementCount(shape.slice(1)) / groups])
  const result = g.reshape(normalised(g, grouped, [2], epsilon), shape)
  return scaleAndShift(g, result, scale && perChannel(g, scale, shape.length), shift && perChannel(g, shift, shape.length))
})

export const normalizationRules: { readonly [K in 'batchNorm' | 'layerNorm' | 'rmsNorm' | 'groupNorm']: LoweringRule<K> } = {
  batchNorm,
  layerNorm,
  rmsNorm,
  groupNorm,
}

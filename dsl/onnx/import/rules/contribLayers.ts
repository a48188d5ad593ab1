import { elementCount } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { applyActivation } from './activation.ts'
import { fusedMatmul } from './product.ts'
import { axisIn, castTo, dimsOf, range, reshaped, scalarOf } from './shared.ts'

/** Softmax of scores and a bias that repeats along some dimensions, over all dimensions from `axis` on. */
const biasSoftmax: OpRule = (c) => {
  const x = c.input(0)
  const shape = dimsOf(x)
  const axis = axisIn(c, c.int('axis', 1), shape.length)
  const bias = c.input(1)
  const sum = c.d.add(x, bias) as Value
  if (axis === shape.length - 1) return c.d.softmax(sum, { axis })
  const flat = c.d.reshape(sum, [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))]) as Value
  return c.d.reshape(c.d.softmax(flat) as Value, [...shape])
}

const biasSplitGelu: OpRule = (c) => {
  const [left, right] = c.d.split(c.d.add(c.input(0), c.input(1)) as Value, 2, { axis: -1 }) as unknown as [Value, Value]
  return c.d.mul(left, c.d.gelu(right) as Value)
}

/** Group normalisation with channels last or not, then SiLU where asked for. */
function groupNormOf(c: OpContext, x: Value): Value {
  const shape = dimsOf(x)
  const last = c.int('channels_last', 1) !== 0
  const channels = last ? shape.at(-1)! : shape[1]!
  const parameter = (i: number) => castTo(c, reshaped(c, c.input(i), [channels]), x.dtype)
  const epsilon = c.float('epsilon', 1e-5)
  const toFront = [0, shape.length - 1, ...range(shape.length - 2).map((axis) => axis + 1)]
  const front = last ? (c.d.transpose(x, toFront) as Value) : x
  const options = { groups: c.int('groups'), ...(epsilon !== 1e-5 && { epsilon }) }
  const y = c.d.groupNorm(front, parameter(1), parameter(2), options) as Value
  const activated = c.int('activation', 0) === 1 ? (c.d.silu(y) as Value) : y
  return last ? (c.d.transpose(activated, [0, ...range(shape.length - 2).map((axis) => axis + 2), 1]) as Value) : activated
}

/** Inputs: x, gamma, beta, skip, bias?; the second result is what was normalised. */
const skipGroupNorm: OpRule = (c) => {
  const [x, given] = [c.input(0), c.input(3)]
  const skip =
    dimsOf(given).length === 2
      ? reshaped(c, given, [
          dimsOf(given)[0]!,
          ...dimsOf(x)
            .slice(1, -1)
            .map(() => 1),
          dimsOf(given)[1]!,
        ])
      : given
  const sum = c.d.add(x, skip) as Value
  const bias = c.optional(4)
  const whole = bias ? (c.d.add(sum, bias) as Value) : sum
  return [groupNormOf(c, whole), whole]
}

/** Distances between the rows of two matrices. */
const distances: OpRule = (c) => {
  const [a, b] = [c.input(0), c.input(1)]
  const metric = c.text('metric', 'sqeuclidean')
  const [rows, columns, width] = [dimsOf(a)[0]!, dimsOf(b)[0]!, dimsOf(a)[1]!]
  const apart = c.d.sub(c.d.reshape(a, [rows, 1, width]) as Value, c.d.reshape(b, [1, columns, width]) as Value) as Value
  if (metric === 'sqeuclidean') return c.d.sumOfSquares(apart, { axes: -1 })
  return metric === 'euclidean' ? c.d.l2Norm(apart, { axes: -1 }) : c.unsupported(`metric '${metric}' is unknown`)
}

/** Products of complex numbers, whose parts lie along the last axis; the second may be conjugated. */
const complexProduct =
  (conjugated: boolean): OpRule =>
  (c) => {
    const parts = (i: number) => c.d.split(c.input(i), 2, { axis: -1 }) as unknown as [Value, Value]
    const [[a, b], [x, y]] = [parts(0), parts(1)]
    const { d } = c
    const multiply = (left: Value, right: Value) => d.mul(left, right) as Value
    const [ax, by, ay, bx] = [multiply(a, x), multiply(b, y), multiply(a, y), multiply(b, x)]
    const [real, imaginary] = conjugated ? [d.add(ax, by), d.sub(bx, ay)] : [d.sub(ax, by), d.add(ay, bx)]
    return d.concat([real as Value, imaginary as Value], { axis: -1 })
  }

/** Windows of one axis, which stand in a new last dimension (PyTorch's unfold). */
const unfold: OpRule = (c) => {
  const x = c.input(0)
  const shape = dimsOf(x)
  const axis = axisIn(c, c.int('dim', -1), shape.length)
  const [size, step] = [c.int('size'), c.int('step', 1)]
  if (!(size > 0 && step > 0)) return c.unsupported(`windows of ${size} every ${step} are none`)
  const count = Math.floor((shape[axis]! - size) / step) + 1
  if (!(count > 0)) return c.unsupported(`a window of ${size} does not fit an axis of ${shape[axis]}`)
  const places = range(count).flatMap((window) => range(size).map((i) => window * step + i))
  const windows = c.d.gather(x, c.literal('i64', [count, size], places), { axis }) as Value
  const order = range(shape.length + 1).filter((at) => at !== axis + 1)
  return c.d.transpose(windows, [...order, axis + 1])
}

/** How T5 counts how far apart two positions are: exactly up to half of the buckets, by logarithm beyond. */
function bucketOf(distance: number, buckets: number, farthest: number, both: boolean): number {
  const half = both ? buckets / 2 : buckets
  const base = both && distance > 0 ? half : 0
  const far = both ? Math.abs(distance) : Math.max(0, -distance)
  const exact = half / 2
  if (far < exact) return base + far
  const scaled = exact + Math.floor((Math.log(far / exact) / Math.log(farthest / exact)) * (half - exact))
  return base + Math.min(half - 1, scaled)
}

/** Entries of a table of positions. */
const mostPositions = 1 << 22

const relativePositions: OpRule = (c) => {
  const table = c.input(0)
  const [queries, keys] = [scalarOf(c, 1), scalarOf(c, 2)]
  if (queries === undefined || keys === undefined) return c.unsupported('it has no lengths')
  const [buckets, farthest, both] = [dimsOf(table)[0]!, c.int('max_distance'), c.int('is_bidirectional', 0) !== 0]
  if (!(queries * keys <= mostPositions)) return c.unsupported(`${queries} by ${keys} positions are too many`)
  const places = range(queries).flatMap((q) => range(keys).map((k) => bucketOf(k - q, buckets, farthest, both)))
  const picked = c.d.gather(table, c.literal('i64', [queries, keys], places)) as Value
  return c.d.unsqueeze(c.d.transpose(picked, [2, 0, 1]) as Value, { axes: 0 })
}

const sumOfIntegers: OpRule = (c) => {
  const x = castTo(c, c.input(0), 'i32')
  const axes = c.ints('axes') ?? c.unsupported('it has no axes')
  return c.d.sum(x, { axes: [...axes], ...(c.int('keepdims', 1) !== 0 && { keepDims: true }) })
}

const allFinite: OpRule = (c) => {
  const [infinities, nans] = [c.int('isnan_only', 0) === 0, c.int('isinf_only', 0) === 0]
  const tests = range(c.inputCount).map((i) => {
    const x = c.input(i)
    const found = [...(infinities ? [c.d.isInf(x)] : []), ...(nans ? [c.d.isNaN(x)] : [])] as Value[]
    const bad = found.reduce((left, right) => c.d.or(left, right) as Value)
    return c.d.max(c.d.cast(bad, 'u8') as Value) as Value
  })
  return c.d.equal(
    tests.reduce((left, right) => c.d.maximum(left, right) as Value),
    0,
  )
}

const gemmFastGelu: OpRule = (c) => {
  const product = c.d.matmul(c.input(0), c.input(1)) as Value
  const bias = c.optional(2)
  return c.d.gelu(bias ? (c.d.add(product, bias) as Value) : product, { approximate: 'tanh' })
}

/** Parameters of the activation have names of their own; one that has none takes what it is without. */
const fusedMatmulActivation: OpRule = (c) => {
  const parameter = (name: string) => (c.node.attributes.has(name) ? c.float(name) : undefined)
  return applyActivation(c, fusedMatmul(c) as Value, [parameter('activation_alpha'), parameter('activation_beta')])
}

export const contribLayers: OpRules = {
  BiasSoftmax: biasSoftmax,
  BiasSplitGelu: biasSplitGelu,
  CDist: distances,
  ComplexMul: complexProduct(false),
  ComplexMulConj: complexProduct(true),
  ExpandDims: (c) => {
    const x = c.input(0)
    return c.d.unsqueeze(x, { axes: axisIn(c, scalarOf(c, 1) ?? c.unsupported('it has no axis'), dimsOf(x).length + 1) })
  },
  FusedMatMulActivation: fusedMatmulActivation,
  GemmFastGelu: gemmFastGelu,
  GroupNorm: (c) => groupNormOf(c, c.input(0)),
  Inverse: (c) => c.d.inverse(c.input(0)) as Value,
  IsAllFinite: allFinite,
  ReduceSumInteger: sumOfIntegers,
  RelativePositionBias: relativePositions,
  SkipGroupNorm: skipGroupNorm,
  TorchEmbedding: (c) => c.d.embedding(c.input(1), c.input(0)),
  TransposeMatMul: fusedMatmul,
  UnfoldTensor: unfold,
}

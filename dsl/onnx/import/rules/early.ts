import { elementTypeNamed } from '../../proto/elements.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { castTo, dimsOf, range, reshaped, scalarOf } from './shared.ts'

/** An operator as files before a version have it; `later` is the rule from then on. */
interface Early {
  readonly before: number
  readonly rule: (c: OpContext, later: OpRule) => ReturnType<OpRule>
}

/** A node whose input 1 is another value. */
const withRight = (c: OpContext, right: Value): OpContext => ({
  ...c,
  input: (i) => (i === 1 ? right : c.input(i)),
  typeOf: (i) => (i === 1 ? { dtype: right.dtype, shape: dimsOf(right) } : c.typeOf(i)),
})

/** Before opset 7 the right operand is laid against the dimensions of the left from `axis` on. */
const broadcasting: Early = {
  before: 7,
  rule(c, later) {
    if (c.int('broadcast', 0) === 0 || !c.node.attributes.has('axis')) return later(c)
    const [left, right] = [c.typeOf(0).shape, c.input(1)]
    const given = c.int('axis')
    const axis = given < 0 ? given + left.length : given
    const behind = left.length - axis - dimsOf(right).length
    if (behind < 0) return c.unsupported(`axis ${given} does not fit [${left.join(', ')}] and [${dimsOf(right).join(', ')}]`)
    return later(withRight(c, reshaped(c, right, [...dimsOf(right), ...range(behind).map(() => 1)])))
  },
}

/** A slope for each channel is as long as dimension 1. */
const slopes: Early = {
  before: 7,
  rule(c, later) {
    const [shape, slope] = [c.typeOf(0).shape, c.input(1)]
    const [count] = dimsOf(slope)
    if (dimsOf(slope).length !== 1 || count === 1 || shape.length < 2) return later(c)
    return later(withRight(c, reshaped(c, slope, [count!, ...range(shape.length - 2).map(() => 1)])))
  },
}

const byOperator: Readonly<Record<string, Early>> = {
  ...Object.fromEntries(
    ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'And', 'Or', 'Xor', 'Equal', 'Greater', 'Less'].map((op) => [op, broadcasting]),
  ),
  PRelu: slopes,
  Cast: {
    before: 6,
    rule(c, later) {
      const to = c.node.attributes.get('to')
      if (to?.kind !== 'string') return later(c)
      const dtype =
        elementTypeNamed(to.value.toLowerCase())?.dtype ?? c.unsupported(`element type '${to.value}' is not supported`)
      return castTo(c, c.input(0), dtype)
    },
  },
  Pad: {
    before: 2,
    rule: (c, later) => later({ ...c, ints: (name) => c.ints(name === 'pads' ? 'paddings' : name) }),
  },
  Tile: {
    before: 6,
    rule(c) {
      const x = c.input(0)
      const [count, axis] = [scalarOf(c, 1), scalarOf(c, 2)]
      if (count === undefined || axis === undefined) return c.unsupported('it has no tiles or no axis')
      return c.d.tile(
        x,
        dimsOf(x).map((_, i) => (i === axis ? count : 1)),
      )
    },
  },
  Upsample: {
    before: 7,
    rule: (c, later) =>
      later({
        ...c,
        floats: (name) => (name === 'scales' ? [1, 1, c.float('height_scale'), c.float('width_scale')] : c.floats(name)),
      }),
  },
}

/** Rules that also read what files of the first versions say. */
export const withEarlyForms = (rules: OpRules): OpRules => ({
  ...rules,
  ...Object.fromEntries(
    Object.entries(byOperator).flatMap(([op, { before, rule }]) => {
      const later = rules[op]
      return later ? [[op, ((c) => (c.opset < before ? rule(c, later) : later(c))) satisfies OpRule]] : []
    }),
  ),
})

/** One number for each channel, in the shape in which it meets an image. */
const perChannel = (c: OpContext, values: readonly number[], x: Value): Value => c.literal(x.dtype, [values.length, 1, 1], values)

/** Operators that the first versions had for a while; converters of Core ML and of Windows ML wrote them, and onnxruntime still reads them. */
export const experimental: OpRules = {
  Affine: (c) => c.d.add(c.d.mul(c.input(0), c.float('alpha', 1)) as Value, c.float('beta', 0)),
  Crop(c) {
    const x = c.input(0)
    const [left = 0, top = 0, right = 0, bottom = 0] = c.ints('border') ?? []
    const [height, width] = c.ints('scale') ?? [dimsOf(x)[2]! - top - bottom, dimsOf(x)[3]! - left - right]
    return c.d.slice(x, [
      { axis: 2, start: top, stop: top + height! },
      { axis: 3, start: left, stop: left + width! },
    ])
  },
  ImageScaler(c) {
    const x = c.input(0)
    const scale = c.float('scale', 1)
    const bias = c.floats('bias') ?? []
    const scaled = scale === 1 ? x : (c.d.mul(x, scale) as Value)
    return bias.length === 0 ? scaled : c.d.add(scaled, perChannel(c, bias, x))
  },
  ParametricSoftplus: (c) =>
    c.d.mul(c.d.softplus(c.d.mul(c.input(0), c.float('beta', 1)) as Value) as Value, c.float('alpha', 1)),
  Scale: (c) => c.d.mul(c.input(0), c.float('scale', 1)),
  ScaledTanh: (c) => c.d.mul(c.d.tanh(c.d.mul(c.input(0), c.float('beta', 1)) as Value) as Value, c.float('alpha', 1)),
}

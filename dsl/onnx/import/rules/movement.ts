import { elementCount } from '../../../../compiler/graph/index.ts'
import type { OpRule, OpRules, Value } from '../context.ts'
import { axesOf, axisIn, broadcast, dimsOf, filled, range, reshaped, scalarOf, transposed } from './shared.ts'

/** 0 copies a dimension unless `allowzero`, −1 takes what the others leave. */
const reshape: OpRule = (c) => {
  const wanted = c.numbers(1) ?? c.ints('shape') ?? c.unsupported('it has no shape')
  const { shape } = c.typeOf(0)
  const copies = c.int('allowzero', 0) === 0
  const sizes = wanted.map((size, i) =>
    size === 0 && copies
      ? (shape[i] ??
        c.unsupported(`shape [${wanted.join(', ')}] copies dimension ${i}, which [${shape.join(', ')}] does not have`))
      : size,
  )
  const rest = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1)
  const filledIn = sizes.map((size) => (size === -1 ? (rest === 0 ? 0 : elementCount(shape) / rest) : size))
  return reshaped(c, c.input(0), filledIn)
}

const flatten: OpRule = (c) => {
  const x = c.input(0)
  const shape = dimsOf(x)
  const given = c.int('axis', 1)
  const axis = given === shape.length ? given : axisIn(c, given, shape.length)
  if (axis === 1 && shape.length > 2) return c.d.flatten(x)
  return reshaped(c, x, [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))])
}

const squeeze: OpRule = (c) => {
  const x = c.input(0)
  const axes = axesOf(c, 1, dimsOf(x).length)
  if (axes ? axes.length === 0 : !dimsOf(x).includes(1)) return x
  return axes ? c.d.squeeze(x, { axes }) : c.d.squeeze(x)
}

const unsqueeze: OpRule = (c) => {
  const x = c.input(0)
  const given = c.ints('axes') ?? c.numbers(1) ?? c.unsupported('it has no axes')
  if (given.length === 0) return x
  return c.d.unsqueeze(x, { axes: given.map((axis) => axisIn(c, axis, dimsOf(x).length + given.length)) })
}

const transpose: OpRule = (c) => {
  const x = c.input(0)
  const rank = dimsOf(x).length
  const order = c.ints('perm') ?? range(rank).reverse()
  return transposed(c, x, order)
}

const concat: OpRule = (c) => {
  const inputs = range(c.inputCount).map((i) => c.input(i))
  const axis = axisIn(c, c.int('axis', c.opset < 4 ? 1 : undefined), dimsOf(inputs[0]!).length)
  return inputs.length === 1 ? inputs[0]! : c.d.concat(inputs, { axis })
}

const split: OpRule = (c) => {
  const x = c.input(0)
  const axis = axisIn(c, c.int('axis', 0), dimsOf(x).length)
  const extent = dimsOf(x)[axis]!
  const sizes = c.ints('split') ?? c.numbers(1)
  const count = sizes?.length ?? c.int('num_outputs', c.outputCount)
  if (count !== c.outputCount) return c.unsupported(`${count} parts do not fit its ${c.outputCount} outputs`)
  if (count === 1) return [x]
  const equal = sizes ? sizes.every((size) => size === sizes[0]) : extent % count === 0
  if (equal) return c.d.split(x, count, { axis }) as readonly Value[]
  const chunk = Math.ceil(extent / count)
  return c.d.split(x, [...(sizes ?? range(count).map((i) => Math.min(chunk, Math.max(0, extent - i * chunk))))], {
    axis,
  }) as readonly Value[]
}

/** Positions of one axis as ONNX Slice counts them: negative ones from the end, then clamped to the axis. */
function sliceRange(start: number, end: number, step: number, extent: number) {
  const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value < 0 ? value + extent : value))
  if (step > 0) {
    const [from, to] = [clamp(start, 0, extent), clamp(end, 0, extent)]
    if (from >= to) return { start: 0, stop: 0 }
    // Where the first step leads beyond, there is one element.
    const [stop, stride] = step >= to - from ? [from + 1, 1] : [to, step]
    return { ...(from > 0 && { start: from }), ...(stop < extent && { stop }), ...(stride > 1 && { step: stride }) }
  }
  const [from, to] = [clamp(start, 0, extent - 1), clamp(end, -1, extent - 1)]
  if (from <= to || extent === 0) return { start: 0, stop: 0 }
  return { ...(from < extent - 1 && { start: from }), ...(to >= 0 && { stop: to }), step }
}

const slice: OpRule = (c) => {
  const x = c.input(0)
  const rank = dimsOf(x).length
  const attributes = c.opset < 10
  const starts = (attributes ? c.ints('starts') : c.numbers(1)) ?? c.unsupported('it has no starts')
  const ends = (attributes ? c.ints('ends') : c.numbers(2)) ?? c.unsupported('it has no ends')
  const axes = ((attributes ? c.ints('axes') : c.numbers(3)) ?? range(starts.length)).map((axis) => axisIn(c, axis, rank))
  const steps = (attributes ? undefined : c.numbers(4)) ?? starts.map(() => 1)
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    return c.unsupported(
      `starts, ends, axes and steps differ in length: ${starts.length}, ${ends.length}, ${axes.length}, ${steps.length}`,
    )
  if (steps.includes(0)) return c.unsupported('a step is 0')
  const ranges = axes
    .map((axis, i) => ({ axis, ...sliceRange(starts[i]!, ends[i]!, steps[i]!, dimsOf(x)[axis]!) }))
    .filter((range) => Object.keys(range).length > 1)
  if (ranges.length === 0) return x
  return c.d.slice(x, ranges.length === 1 ? ranges[0]! : ranges)
}

const expand: OpRule = (c) => {
  const x = c.input(0)
  const shape = broadcast(c, dimsOf(x), c.numbers(1) ?? c.unsupported('it has no shape'))
  return shape.join() === dimsOf(x).join() ? x : c.d.expand(x, shape)
}

const tile: OpRule = (c) => {
  const x = c.input(0)
  const repeats = c.numbers(1) ?? c.unsupported('it has no repeats')
  return repeats.every((count) => count === 1) ? x : c.d.tile(x, [...repeats])
}

/** At inference a dropout gives its input through; its mask then keeps everything (ONNX Dropout 7, 10, 12). */
const dropout: OpRule = (c) => {
  if (c.opset >= 12 && (scalarOf(c, 2) ?? 0) !== 0 && (scalarOf(c, 1) ?? 0.5) !== 0)
    return c.unsupported('training_mode is on', 'export the model for inference: model.eval(), or training=TrainingMode.EVAL')
  return [c.input(0), c.wantsOutput(1) ? filled(c, c.opset < 10 ? c.typeOf(0).dtype : 'bool', c.typeOf(0).shape, 1) : undefined]
}

const trilu: OpRule = (c) => {
  const x = c.input(0)
  const { shape } = c.typeOf(0)
  // Beyond the corners every diagonal does the same.
  const limit = Math.max(...shape.slice(-2), 0) + 1
  const diagonal = Math.min(limit, Math.max(-limit, scalarOf(c, 1) ?? 0))
  const options = diagonal === 0 ? undefined : { diagonal }
  return c.int('upper', 1) !== 0 ? c.d.triu(x, options) : c.d.tril(x, options)
}

export const movement: OpRules = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Expand: expand,
  Tile: tile,
  Dropout: dropout,
  Trilu: trilu,
  ReverseSequence(c) {
    const [x, lengths] = [c.input(0), c.known(1) && c.numbers(1)]
    const [axis, batchAxis] = [c.int('time_axis', 0), c.int('batch_axis', 1)]
    // All of one length: the axis is walked backwards.
    if (lengths?.every((length) => length === dimsOf(x)[axis])) return c.d.slice(x, { axis, step: -1 })
    return c.d.reverseSequence(x, c.input(1), { axis, batchAxis })
  },
}

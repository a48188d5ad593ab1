import { type AttributesOf, elementCount, type Node, type OperandsOf } from '../graph/index.ts'
import { along, inFloat32, type Scope } from './scope.ts'

type Transposed = AttributesOf<'convTranspose'>
type Operands = OperandsOf<'convTranspose'>

/** `size` elements from `start` on of each spatial dimension; zeros where there are fewer. */
function cut(g: Scope, input: Node, start: readonly number[], size: readonly number[]): Node {
  const { shape } = input.type
  const missing = size.map((n, i) => Math.max(0, start[i]! + n - shape[2 + i]!))
  const longer = missing.some((n) => n > 0)
    ? g.node('pad', { input }, { before: shape.map(() => 0), after: [0, 0, ...missing], value: 0 })
    : input
  if (start.every((n, i) => n === 0 && size[i] === longer.type.shape[2 + i])) return longer
  return g.node(
    'slice',
    { input: longer },
    { start: [0, 0, ...start], size: [...shape.slice(0, 2), ...size], step: shape.map(() => 1) },
  )
}

/** All dimensions from `first` on read backwards. */
function flipped(g: Scope, input: Node, axes: readonly number[]): Node {
  const { shape } = input.type
  if (axes.every((axis) => shape[axis] === 1)) return input
  const turned = (axis: number) => axes.includes(axis) && shape[axis]! > 1
  return g.node(
    'slice',
    { input },
    {
      start: shape.map((extent, axis) => (turned(axis) ? extent - 1 : 0)),
      size: [...shape],
      step: shape.map((_, axis) => (turned(axis) ? -1 : 1)),
    },
  )
}

const order = (...axes: number[]) => ({ order: axes })
const range = (from: number, count: number, step = 1) => Array.from({ length: count }, (_, i) => from + i * step)

/** Zeros between the elements of each spatial dimension. */
function spread(g: Scope, input: Node, stride: readonly number[]): Node {
  const { shape } = input.type
  if (stride.every((s) => s === 1)) return input
  const spatial = shape.slice(2)
  const apart = g.reshape(input, [...shape.slice(0, 2), ...spatial.flatMap((extent) => [extent, 1])])
  const after = [0, 0, ...stride.flatMap((s) => [0, s - 1])]
  const padded = g.node('pad', { input: apart }, { before: after.map(() => 0), after, value: 0 })
  return cut(
    g,
    g.reshape(padded, [...shape.slice(0, 2), ...spatial.map((extent, i) => extent * stride[i]!)]),
    spatial.map(() => 0),
    spatial.map((extent, i) => (extent - 1) * stride[i]! + 1),
  )
}

/** A convolution of the spread input with the flipped weight, whose channels change places within each group. */
function overSpread(g: Scope, { input, weight, bias }: Operands, a: Transposed, size: readonly number[]): Node {
  const [channels, perGroup, ...kernel] = weight.type.shape as [number, number, ...number[]]
  const reach = kernel.map((k, i) => a.dilation[i]! * (k - 1))
  const grouped = g.reshape(weight, [a.groups, channels / a.groups, perGroup, ...kernel])
  const swapped = g.node('transpose', { input: grouped }, order(0, 2, 1, ...range(3, kernel.length)))
  const turned = flipped(g, g.reshape(swapped, [a.groups * perGroup, channels / a.groups, ...kernel]), range(2, kernel.length))
  const before = reach.map((r, i) => r - a.before[i]!)
  const after = reach.map((r, i) => r - a.after[i]! + a.extra[i]!)
  const result = g.node(
    'conv',
    { input: spread(g, input, a.stride), weight: turned, bias },
    {
      stride: kernel.map(() => 1),
      before: before.map((n) => Math.max(0, n)),
      after: after.map((n) => Math.max(0, n)),
      dilation: a.dilation,
      groups: a.groups,
    },
  )
  return cut(
    g,
    result,
    before.map((n) => Math.max(0, -n)),
    size,
  )
}

/**
 * Result positions stride · q + r for one r are a convolution with the weights r, r + stride, …: all of them together are one with
 * stride times as many channels, whose results are then put side by side. No product has a zero of a spread input in it.
 */
function byPhases(g: Scope, { input, weight, bias }: Operands, a: Transposed, size: readonly number[]): Node {
  const [channels, perGroup, ...kernel] = weight.type.shape as [number, number, ...number[]]
  const count = kernel.length
  const { groups, stride } = a
  const tapsOf = kernel.map((k, i) => Math.ceil(k / stride[i]!))
  const phases = elementCount(stride)
  const filled = kernel.map((k, i) => tapsOf[i]! * stride[i]! - k)
  const longer = filled.some((n) => n > 0)
    ? g.node('pad', { input: weight }, { before: weight.type.shape.map(() => 0), after: [0, 0, ...filled], value: 0 })
    : weight
  // [group, in, out, taps, phase, taps, phase, …]; a single group has no dimension, for which three spatial axes would leave no room.
  const lead = groups > 1 ? [groups] : []
  const inner = lead.length
  const split = g.reshape(longer, [...lead, channels / groups, perGroup, ...tapsOf.flatMap((taps, i) => [taps, stride[i]!])])
  const turned = flipped(g, split, range(inner + 2, count, 2))
  const gathered = g.node(
    'transpose',
    { input: turned },
    order(...range(0, inner), inner + 1, ...range(inner + 3, count, 2), inner, ...range(inner + 2, count, 2)),
  )
  // Where zeros are put behind the result, the bias has to come after them.
  const early = size.every((n, i) => a.before[i]! + n <= (input.type.shape[2 + i]! + tapsOf[i]! - 1) * stride[i]!)
  const none = kernel.map(() => 1)
  const border = tapsOf.map((taps) => taps - 1)
  const phased = g.node(
    'conv',
    {
      input,
      weight: g.reshape(gathered, [groups * perGroup * phases, channels / groups, ...tapsOf]),
      bias: bias && early ? repeated(g, bias, phases) : undefined,
    },
    { stride: none, before: border, after: border, dilation: none, groups },
  )
  const [batch, , ...extents] = phased.type.shape as [number, number, ...number[]]
  const apart = g.reshape(phased, [batch, groups * perGroup, ...stride, ...extents])
  const together = g.node('transpose', { input: apart }, order(0, 1, ...range(0, count).flatMap((i) => [2 + count + i, 2 + i])))
  const whole = g.reshape(together, [batch, groups * perGroup, ...extents.map((extent, i) => extent * stride[i]!)])
  const result = cut(g, whole, a.before, size)
  return bias && !early ? g.add(result, g.reshape(bias, along(1, result.type.shape.length, groups * perGroup))) : result
}

/** The bias once for each phase. Elementwise, so that of a constant there is one in the end. */
const repeated = (g: Scope, bias: Node, phases: number): Node => {
  const { dtype, shape } = bias.type
  const ones = g.constant({ dtype, shape: [1, phases] }, new Array<number>(phases).fill(1), 'ones')
  return g.reshape(g.mul(g.reshape(bias, [shape[0]!, 1]), ones), [shape[0]! * phases])
}

const convTranspose = inFloat32<'convTranspose'>(({ input, weight, bias }, attributes, g, { shape }) => {
  const { stride, dilation, groups } = attributes
  const apart = stride.every((s) => s === 1) || dilation.some((d) => d > 1) || (groups > 1 && stride.length === 3)
  return (apart ? overSpread : byPhases)(g, { input, weight, bias }, attributes, shape.slice(2))
})

export const transposedRules = { convTranspose }

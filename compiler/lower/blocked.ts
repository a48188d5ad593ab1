import { blockedShape, elementCount, type Node, type Shape } from '../graph/index.ts'
import type { LoweringRule, Scope } from './scope.ts'

type Add = Scope['node']

const reshape = (add: Add, input: Node, shape: Shape): Node => add('reshape', { input }, { shape: [...shape] })

/** [batch, channels, …spatial] in blocks of channels; lanes without a channel are 0. */
export function blocked(add: Add, input: Node, block: number): Node {
  const { shape } = input.type
  const result = blockedShape(shape, block)
  const [batch, channels, ...spatial] = shape as [number, number, ...number[]]
  const missing = result[1]! * block - channels
  const after = shape.map((_, axis) => (axis === 1 ? missing : 0))
  const full = missing === 0 ? input : add('pad', { input }, { before: shape.map(() => 0), after, value: 0 })
  if (elementCount(spatial) === 1) return reshape(add, full, result)
  const order = [0, 1, ...spatial.map((_, i) => i + 3), 2]
  return add('transpose', { input: reshape(add, full, [batch, result[1]!, block, ...spatial]) }, { order })
}

/** The first `channels` channels of blocks as [batch, channels, …spatial]. */
export function unblocked(add: Add, input: Node, channels: number): Node {
  const { shape } = input.type
  const [batch, blocks, ...spatial] = shape.slice(0, -1) as [number, number, ...number[]]
  const last = shape.length - 1
  const order = [0, 1, last, ...spatial.map((_, i) => i + 2)]
  const turned = elementCount(spatial) === 1 ? input : add('transpose', { input }, { order })
  const whole = reshape(add, turned, [batch, blocks * shape[last]!, ...spatial])
  const size = [batch, channels, ...spatial]
  if (whole.type.shape[1] === channels) return whole
  return add('slice', { input: whole }, { start: size.map(() => 0), size, step: size.map(() => 1) })
}

/** The input of a blocked convolution without blocks, told by its rank. */
const plain = (add: Add, input: Node, { type: { shape } }: Node, groups: number): Node =>
  input.type.shape.length === shape.length ? input : unblocked(add, input, shape[1]! * groups)

const blockedConv: LoweringRule<'blockedConv'> = ({ input, weight, bias }, { block, ...attributes }, { node }) =>
  blocked(node, node('conv', { input: plain(node, input, weight, attributes.groups), weight, bias }, attributes), block)

const blockedConvInteger: LoweringRule<'blockedConvInteger'> = ({ input, weight, bias }, { block, ...attributes }, { node }) =>
  blocked(node, node('convInteger', { input: plain(node, input, weight, attributes.groups), weight, bias }, attributes), block)

export const blockedRules = { blockedConv, blockedConvInteger }

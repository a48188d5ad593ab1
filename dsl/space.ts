import { reject } from '../compiler/graph/index.ts'
import { readChoice, readInteger, readOptions } from './check.ts'
import { reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { shapeOf } from './tracer.ts'
import type { Div, Mul } from './types/arithmetic.ts'
import type { Guard } from './types/shape.ts'
import type { RankProblem } from './window.ts'

export interface SpaceOptions {
  /**
   * How the channels of an image count: 'DCR' (default), position in the block before channel, or 'CRD', channel before position in the
   * block, which is PyTorch's pixel shuffle.
   */
  readonly mode?: 'DCR' | 'CRD'
}

type Any = Tensor<any, any>

function readBlock(op: string, input: unknown, block: unknown, options: unknown) {
  const given = readOptions(op, options, ['mode'])
  const shape = shapeOf(input, op)
  if (shape.length !== 4)
    reject('rank-mismatch', `${op}: input must be [batch, channels, height, width], got [${shape.join(', ')}]`)
  return {
    shape: shape as readonly [number, number, number, number],
    size: readInteger(op, 'block', block, 1),
    mode: readChoice(op, 'mode', given.mode, ['DCR', 'CRD'], 'DCR'),
  }
}

type DeepShape<X, B> = X extends readonly [infer N, infer C, infer H, infer W]
  ? [Div<C, Mul<B, B>>, Mul<H, B>, Mul<W, B>] extends [infer D, infer I, infer J]
    ? [N, D, I, J]
    : never
  : [any, any, any, any]
/**
 * Channels rearranged into blocks of space: `[batch, channels, height, width]` becomes `[batch, channels / block², height · block, width · block]`.
 *
 * ONNX DepthToSpace 13.
 * @param input `[batch, channels, height, width]`, any element type; the channels divide by block²
 * @param block side of a block
 * @param options `mode`, default 'DCR'
 */
export function depthToSpace<X extends Tensor, const B extends number>(
  input: Guard<RankProblem<'depthToSpace', 2, X['shape']>, X>,
  block: B,
  options?: SpaceOptions,
): Tensor<X['dtype'], DeepShape<X['shape'], B>> {
  const { shape, size, mode } = readBlock('depthToSpace', input, block, options)
  const [batch, channels, height, width] = shape
  const rest = channels / (size * size)
  if (!Number.isInteger(rest))
    reject('shape-mismatch', `depthToSpace: ${channels} channels do not divide by ${size}² = ${size * size}`)
  const cut = mode === 'DCR' ? [batch, size, size, rest, height, width] : [batch, rest, size, size, height, width]
  const order = mode === 'DCR' ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]
  const moved = transpose(reshape(input as Any, cut) as Any, order)
  return reshape(moved as Any, [batch, rest, height * size, width * size]) as never
}

type FlatShape<X, B> = X extends readonly [infer N, infer C, infer H, infer W]
  ? [Mul<C, Mul<B, B>>, Div<H, B>, Div<W, B>] extends [infer D, infer I, infer J]
    ? [N, D, I, J]
    : never
  : [any, any, any, any]
/**
 * Blocks of space rearranged into channels: `[batch, channels, height, width]` becomes `[batch, channels · block², height / block, width / block]`.
 *
 * ONNX SpaceToDepth 13, whose order is 'DCR'.
 * @param input `[batch, channels, height, width]`, any element type; height and width divide by block
 * @param block side of a block
 * @param options `mode`, default 'DCR'
 */
export function spaceToDepth<X extends Tensor, const B extends number>(
  input: Guard<RankProblem<'spaceToDepth', 2, X['shape']>, X>,
  block: B,
  options?: SpaceOptions,
): Tensor<X['dtype'], FlatShape<X['shape'], B>> {
  const { shape, size, mode } = readBlock('spaceToDepth', input, block, options)
  const [batch, channels, height, width] = shape
  if (height % size !== 0 || width % size !== 0)
    reject('shape-mismatch', `spaceToDepth: [${shape.join(', ')}] does not divide into blocks of ${size} × ${size}`)
  const [rows, columns] = [height / size, width / size]
  const cut = reshape(input as Any, [batch, channels, rows, size, columns, size])
  const moved = transpose(cut as Any, mode === 'DCR' ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4])
  return reshape(moved as Any, [batch, channels * size * size, rows, columns]) as never
}

/**
 * Channels dealt out anew: the first of each group, then the second of each, and so on.
 *
 * ShuffleNet's shuffle, torch.nn.ChannelShuffle; Glow ChannelShuffle with axis 1.
 * @param input `[batch, channels, …]`, any element type
 * @param groups into which the channels divide evenly
 */
export function channelShuffle<X extends Tensor>(input: X, groups: number): X {
  const op = 'channelShuffle'
  const shape = shapeOf(input, op)
  const [batch, channels, ...rest] = shape
  if (batch === undefined || channels === undefined)
    return reject('rank-mismatch', `${op}: input must be [batch, channels, …], got [${shape.join(', ')}]`)
  const count = readInteger(op, 'groups', groups, 1)
  if (channels % count !== 0) reject('shape-mismatch', `${op}: ${channels} channels do not divide into ${count} groups`)
  const inner = rest.reduce((a, b) => a * b, 1)
  const apart = reshape(input as Any, [batch, count, channels / count, inner])
  return reshape(transpose(apart as Any, [0, 2, 1, 3]) as Any, [...shape]) as never
}

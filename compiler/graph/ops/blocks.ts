// Weights in blocks of small integers, each block with its own scale: what 4-bit networks consist of.
import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, type TensorType } from '../type.ts'
import { integer, one, optional, positive, requireRank, requireSameDType, withShape } from './shared.ts'

const scales = ['f32', 'f16', 'bf16'] as const
const block = {
  /** Bits of an integer. */
  bits: z.union([z.literal(2), z.literal(4), z.literal(8)]),
  /** Integers that share a scale, along the last dimension. */
  blockSize: positive,
  /** Whether integers are in two's complement. */
  signed: z.boolean().default(false),
  /** The integer that stands for 0 where no operand says it. */
  zero: integer.default(0),
}

interface Given {
  readonly bits: 2 | 4 | 8
  readonly blockSize: number
  readonly zero: number
  readonly signed: boolean
}

/** Rows of `size` integers and the parameters of their blocks. */
function requireBlocks(
  op: string,
  packed: TensorType,
  scale: TensorType,
  zeroPoint: TensorType | undefined,
  size: number,
  { bits, blockSize, zero, signed }: Given,
): void {
  const rank = packed.shape.length
  if (rank < 1) reject('rank-mismatch', `${op}: packed integers need at least one dimension, got ${printType(packed)}`)
  const bytes = Math.ceil((size * bits) / 8)
  if (packed.shape[rank - 1] !== bytes)
    reject('shape-mismatch', `${op}: ${size} integers of ${bits} bits take ${bytes} bytes, got ${printType(packed)}`)
  const expected = [...packed.shape.slice(0, -1), Math.ceil(size / blockSize)]
  for (const [name, type] of [
    ['scale', scale],
    ['zeroPoint', zeroPoint],
  ] as const)
    if (type && (type.shape.length !== rank || type.shape.some((extent, i) => extent !== expected[i])))
      reject(
        'shape-mismatch',
        `${op}: ${name} must be [${expected.join(', ')}], one for each block of ${blockSize}, got ${printType(type)}`,
      )
  const [low, high] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]
  if (zero < low || zero > high)
    reject('bad-attribute', `${op}: zero ${zero} is no integer of ${bits} bits, which hold ${low} to ${high}`)
  if (zeroPoint && zeroPoint.dtype !== 'u8' && zeroPoint.dtype !== 'i8')
    requireSameDType(scale, zeroPoint, op, ['scale', 'zeroPoint'])
}

const parameters = {
  scale: one('[…, blocks], what a step of one stands for', scales),
  zeroPoint: optional('[…, blocks], what stands for 0, as integers or as numbers like scale', ['u8', 'i8', ...scales]),
}

/**
 * Numbers that small integers stand for, several to a byte: (q − zeroPoint) · scale, in f32, rounded to the type of scale. Integer j of a row
 * has the bits from `bits · j` on, counted from the low end of the row's first byte; rows begin at a byte.
 *
 * - `size`: integers in a row.
 */
export const dequantizeBlocks = composite({
  name: 'dequantizeBlocks',
  summary: 'The numbers that small integers in blocks stand for, several integers to a byte: (q − zeroPoint) · scale',
  operands: { packed: one('[…, bytes]', ['u8']), ...parameters },
  attributes: z.strictObject({ ...block, size: positive }),
  traits: ['pure', 'decoding', 'anchor'],
  infer: ({ packed, scale, zeroPoint }, attributes) => {
    requireBlocks('dequantizeBlocks', packed, scale, zeroPoint, attributes.size, attributes)
    return withShape(scale, [...packed.shape.slice(0, -1), attributes.size])
  },
})

/** `linear` with the weight that dequantizeBlocks would give, which is decoded as it is multiplied (ONNX com.microsoft MatMulNBits). */
export const blockLinear = composite({
  name: 'blockLinear',
  summary: 'Input times transposed weight, which is small integers in blocks, several to a byte',
  operands: { input: one('[…, in]', scales), weight: one('[out, bytes]', ['u8']), ...parameters },
  attributes: z.strictObject(block),
  traits: ['pure', 'anchor'],
  infer: ({ input, weight, scale, zeroPoint }, attributes) => {
    const op = 'blockLinear'
    if (input.shape.length < 1) reject('rank-mismatch', `${op}: input needs at least one dimension`)
    requireRank(weight, 2, op, 'weight', '[out, bytes]')
    requireBlocks(op, weight, scale, zeroPoint, input.shape.at(-1)!, attributes)
    requireSameDType(input, scale, op, ['input', 'scale'])
    return withShape(input, [...input.shape.slice(0, -1), weight.shape[0]!])
  },
})

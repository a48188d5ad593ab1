// Weights of few bits, which stay packed in the bundle: as exporters of language models write them, and as the standard does.
import { elementCount, elementsOf } from '../../../../compiler/graph/index.ts'
import type { Known, OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, range, reshaped } from './shared.ts'

type Bits = 2 | 4 | 8

const product = (shape: readonly number[]): number => elementCount(shape)
const without = (shape: readonly number[], axis: number): number[] => shape.filter((_, i) => i !== axis)

/** Whole bytes as rows of integers of `bits`, the first of a row in the low bits of its first byte. */
function packed({ type, bytes }: Known, bits: Bits): Known {
  const size = type.shape.at(-1)!
  const [rows, width] = [product(type.shape.slice(0, -1)), Math.ceil((size * bits) / 8)]
  const result = new Uint8Array(rows * width)
  const [each, mask] = [8 / bits, 2 ** bits - 1]
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < size; i++)
      result[row * width + Math.floor(i / each)]! |= (bytes[row * size + i]! & mask) << (bits * (i % each))
  return { type: { dtype: 'u8', shape: [...type.shape.slice(0, -1), width] }, bytes: result }
}

/** The first `size` integers of each row of `rows`, as whole bytes without a sign. */
function unpacked(bytes: Uint8Array, rows: number, size: number, bits: Bits): Uint8Array {
  const [each, mask, width] = [8 / bits, 2 ** bits - 1, Math.ceil((size * bits) / 8)]
  return Uint8Array.from({ length: rows * size }, (_, at) => {
    const [row, i] = [Math.floor(at / size), at % size]
    return (bytes[row * width + Math.floor(i / each)]! >> (bits * (i % each))) & mask
  })
}

/** Single bytes with an axis behind the others. */
function movedBehind({ type, bytes }: Known, axis: number): Known {
  const { shape } = type
  const [before, extent, after] = [product(shape.slice(0, axis)), shape[axis]!, product(shape.slice(axis + 1))]
  if (after === 1) return { type: { dtype: type.dtype, shape: [...without(shape, axis), extent] }, bytes }
  const result = new Uint8Array(bytes.length)
  for (let b = 0; b < before; b++)
    for (let i = 0; i < extent; i++)
      for (let a = 0; a < after; a++) result[(b * after + a) * extent + i] = bytes[(b * extent + i) * after + a]!
  return { type: { dtype: type.dtype, shape: [...without(shape, axis), extent] }, bytes: result }
}

/** Fewest bits that hold all integers of a constant. */
function bitsOf({ type, bytes }: Known): Bits {
  const elements = elementsOf(type.dtype, bytes)
  const signed = type.dtype === 'i8'
  let [low, high] = [0, 0]
  for (let i = 0; i < bytes.length; i++) {
    const value = elements.get(i)
    if (value < low) low = value
    else if (value > high) high = value
  }
  const fits = (bits: number) => (signed ? low >= -(2 ** (bits - 1)) && high < 2 ** (bits - 1) : high < 2 ** bits)
  return fits(2) ? 2 : fits(4) ? 4 : 8
}

/** Constants shorter than this are not worth packing. */
const leastBytes = 256

/**
 * ONNX DequantizeLinear of a constant of the file's integers of 4 or 2 bits, or of bytes that need no more, with a scale for each block, or for each
 * index of an axis: it stays packed. Undefined where it is another case.
 */
export function dequantizedBlocks(c: OpContext, axis: number, block: number, result: 'f32' | 'f16' | 'bf16'): Value | undefined {
  const { dtype, shape } = c.typeOf(0)
  if ((dtype !== 'u8' && dtype !== 'i8') || !c.isConstant(0) || shape.length < 2 || product(shape) < leastBytes) return undefined
  const own = c.typeOf(1).shape
  if (block === 0 && own.length !== 1) return undefined
  const known = c.known(0)!
  const bits = known.bits ?? (block > 0 ? bitsOf(known) : 8)
  if (bits === 8) return undefined
  const { d } = c
  // Blocks run along the last dimension: of an axis of its own, all others are one block.
  const along = block > 0 ? axis : undefined
  const rest = along === undefined ? product(without(shape, axis)) : shape[axis]!
  const rows = along === undefined ? [shape[axis]!] : without(shape, axis)
  const matrix =
    along === undefined ? { type: { dtype, shape: [...rows, rest] }, bytes: movedInFront(known, axis) } : movedBehind(known, axis)
  const order = range(shape.length)
  const behind = [...without(order, axis), axis]
  const parameter = (i: number): Value => {
    const value = i === 1 ? castTo(c, c.input(i), result) : c.input(i)
    if (along === undefined) return reshaped(c, value, [...rows, 1])
    return axis === shape.length - 1 ? value : (d.transpose(value, behind) as Value)
  }
  const numbers = d.dequantizeBlocks(
    c.madeOf(0, packed(matrix, bits)) as never,
    parameter(1) as never,
    (c.has(2) ? parameter(2) : undefined) as never,
    {
      ...(bits !== 4 && { bits }),
      blockSize: along === undefined ? rest : block,
      ...(dtype === 'i8' && { signed: true }),
      ...((rest * bits) % 8 !== 0 && { size: rest }),
    },
  ) as Value
  // And back to where the axis was.
  const moved = along === undefined ? [axis, ...without(order, axis)] : behind
  const wide = reshaped(
    c,
    numbers,
    moved.map((i) => shape[i]!),
  )
  return moved.every((from, i) => from === i)
    ? wide
    : (d.transpose(
        wide,
        order.map((i) => moved.indexOf(i)),
      ) as Value)
}

/** Single bytes with an axis in front of the others. */
function movedInFront({ type: { shape }, bytes }: Known, axis: number): Uint8Array {
  const [before, extent, after] = [product(shape.slice(0, axis)), shape[axis]!, product(shape.slice(axis + 1))]
  if (before === 1) return bytes
  const result = new Uint8Array(bytes.length)
  for (let i = 0; i < extent; i++)
    for (let b = 0; b < before; b++)
      result.set(bytes.subarray((b * extent + i) * after, (b * extent + i + 1) * after), (i * before + b) * after)
  return result
}

function bitsAttribute(c: OpContext): Bits {
  const bits = c.int('bits', 4)
  return bits === 2 || bits === 4 || bits === 8 ? bits : c.unsupported(`integers of ${bits} bits are not supported`)
}

/** Zero points of blocks, of input i: numbers, or integers that are packed like the weight. */
function zeroPoints(c: OpContext, i: number, rows: readonly number[], blocks: number, bits: Bits): Value | undefined {
  if (!c.has(i)) return undefined
  const shape = [...rows, blocks]
  const { dtype } = c.typeOf(i)
  if (dtype !== 'u8' || bits === 8) return reshaped(c, c.input(i), shape)
  const known = c.known(i) ?? c.unsupported('packed zero points that depend on data are not supported')
  return c.madeOf(i, { type: { dtype: 'u8', shape }, bytes: unpacked(known.bytes, product(rows), blocks, bits) })
}

/** Inputs group by group, where they stand in another order (act_order of GPTQ); undefined where they stand so. */
function groupOrder(c: OpContext, groups: readonly number[], blocks: number, blockSize: number): readonly number[] | undefined {
  if (groups.every((group, k) => group === Math.floor(k / blockSize))) return undefined
  const order = range(groups.length).sort((a, b) => groups[a]! - groups[b]! || a - b)
  if (!order.every((k, i) => groups[k] === Math.floor(i / blockSize)))
    return c.unsupported(
      `g_idx has groups of other sizes than ${blocks} of block_size ${blockSize}`,
      'export without act_order, or with groups of equal sizes',
    )
  return order
}

/** The packed rows of input 1 with their integers in another order. */
function reordered(c: OpContext, order: readonly number[], rows: number, bits: Bits): Value {
  const { bytes } = c.known(1) ?? c.unsupported('a weight that depends on data cannot be put into another order')
  const size = (bytes.length * 8) / bits / rows
  const whole = unpacked(bytes, rows, size, bits)
  const moved = new Uint8Array(rows * order.length)
  for (let row = 0; row < rows; row++)
    for (const [i, k] of order.entries()) moved[row * order.length + i] = whole[row * size + k]!
  return c.madeOf(1, packed({ type: { dtype: 'u8', shape: [rows, order.length] }, bytes: moved }, bits))
}

/** Inputs: A, B `[N, blocks, bytes]`, scales, zero points?, group of each input?, bias?. */
const matmulNBits: OpRule = (c) => {
  const { d } = c
  const bits = bitsAttribute(c)
  const [K, N, blockSize] = [c.int('K'), c.int('N'), c.int('block_size')]
  if (!(K > 0 && N > 0 && blockSize > 0)) return c.unsupported('K, N and block_size must be positive')
  const blocks = Math.ceil(K / blockSize)
  const order = c.has(4) ? groupOrder(c, c.numbers(4)!, blocks, blockSize) : undefined
  const bytes = Math.ceil((K * bits) / 8)
  const wide = order ? reordered(c, order, N, bits) : reshaped(c, c.input(1), [N, product(c.typeOf(1).shape) / N])
  const x = order ? (d.gather(c.input(0), c.literal('i64', [K], order), { axis: -1 }) as Value) : c.input(0)
  const weight = dimsOf(wide)[1] === bytes ? wide : (d.slice(wide, { axis: 1, stop: bytes }) as Value)
  const scale = castTo(c, reshaped(c, c.input(2), [N, blocks]), c.typeOf(0).dtype)
  const zero = zeroPoints(c, 3, [N], blocks, bits)
  const options = { ...(bits !== 4 && { bits }), blockSize, ...(!zero && { zero: 2 ** (bits - 1) }) }
  const sums = d.blockLinear(x as never, weight as never, scale as never, zero as never, options) as Value
  return c.has(5) ? (d.add(sums, c.input(5)) as Value) : sums
}

/** Inputs: table, indices, scales, zero points?. Rows are decoded once they are picked. */
const gatherBlockQuantized: OpRule = (c) => {
  const { d } = c
  const given = c.typeOf(0)
  const bytes = given.dtype === 'u8' && c.node.attributes.has('bits')
  const bits = bytes ? bitsAttribute(c) : 4
  const blockSize = c.int('block_size', 128)
  const rank = given.shape.length
  const axis = axisIn(c, c.int('gather_axis', 0), rank)
  const along = axisIn(c, c.int('quantize_axis', 1), rank)
  if (along !== rank - 1 || axis === along)
    return c.unsupported('blocks must run along the last dimension, and another one be picked from')
  const known = bytes ? undefined : (c.known(0) ?? c.unsupported('a table that depends on data is not supported'))
  const table = known ? c.madeOf(0, packed(known, 4)) : c.input(0)
  const size = known ? given.shape[along]! : (given.shape[along]! * 8) / bits
  const blocks = Math.ceil(size / blockSize)
  const pick = (value: Value) => d.gather(value, c.input(1) as never, { axis }) as Value
  const zero = bytes || !c.has(3) ? zeroPoints(c, 3, given.shape.slice(0, -1), blocks, bits) : c.input(3)
  return d.dequantizeBlocks(pick(table) as never, pick(c.input(2)) as never, (zero && pick(zero)) as never, {
    ...(bits !== 4 && { bits }),
    blockSize,
    ...(given.dtype === 'i8' && { signed: true }),
    ...(bytes && !zero && { zero: 2 ** (bits - 1) }),
    ...((size * bits) % 8 !== 0 && { size }),
  }) as Value
}

export const contribBlocks: OpRules = {
  MatMulNBits: matmulNBits,
  GatherBlockQuantized: gatherBlockQuantized,
}

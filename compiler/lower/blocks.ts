// Small integers, several to a byte.
import { isFloat, type Node } from '../graph/index.ts'
import type { LoweringRule, Scope } from './scope.ts'

const reshaped = (g: Scope, input: Node, shape: readonly number[]): Node =>
  shape.join() === input.type.shape.join() ? input : g.reshape(input, shape)

/** The first `size` integers of each row of bytes, the one in a byte's low bits first, as u8, or i8 in two's complement. */
export function unpack(g: Scope, packed: Node, bits: 2 | 4 | 8, signed: boolean, size: number): Node {
  const { shape } = packed.type
  const [lead, bytes] = [shape.slice(0, -1), shape.at(-1)!]
  const dtype = signed ? 'i8' : 'u8'
  const each = 8 / bits
  let integers = g.cast(packed, dtype)
  if (each > 1) {
    const single = g.reshape(integers, [...shape, 1])
    const shifts = Array.from({ length: each }, (_, i) => bits * i)
    const amounts = (values: readonly number[]) => g.constant({ dtype, shape: [each] }, values, 'bits')
    // Up to the high end first, so that coming down brings the sign, or zeros.
    const high = g.node('shiftLeft', { left: single, right: amounts(shifts.map((shift) => 8 - bits - shift)) }, {})
    const low = g.node('shiftRight', { left: high, right: g.constant({ dtype, shape: [] }, [8 - bits], 'bits') }, {})
    integers = g.reshape(low, [...lead, bytes * each])
  }
  if (bytes * each === size) return integers
  const zero = [...lead, 0].map(() => 0)
  return g.node('slice', { input: integers }, { start: zero, size: [...lead, size], step: zero.map(() => 1) })
}

/** One entry for each block as one for each integer of the first `size` of a row. */
function spread(g: Scope, entries: Node, blockSize: number, size: number): Node {
  const { shape } = entries.type
  const [lead, blocks] = [shape.slice(0, -1), shape.at(-1)!]
  const wide = g.node('expand', { input: g.reshape(entries, [...shape, 1]) }, { shape: [...shape, blockSize] })
  const flat = g.reshape(wide, [...lead, blocks * blockSize])
  if (blocks * blockSize === size) return flat
  const zero = shape.map(() => 0)
  return g.node('slice', { input: flat }, { start: zero, size: [...lead, size], step: zero.map(() => 1) })
}

const dequantizeBlocks: LoweringRule<'dequantizeBlocks'> = (
  { packed, scale, zeroPoint },
  { bits, blockSize, signed, zero, size },
  g,
  type,
) => {
  const integers = g.cast(unpack(g, packed, bits, signed, size), 'f32')
  const lead = packed.type.shape.slice(0, -1)
  const blocks = scale.type.shape.at(-1)!
  const even = blocks * blockSize === size
  // Rows of whole blocks are blocks in rows; the last block of others is cut off.
  const parameter = (entries: Node) =>
    even ? g.reshape(g.cast(entries, 'f32'), [...lead, blocks, 1]) : spread(g, g.cast(entries, 'f32'), blockSize, size)
  const numbers = even ? reshaped(g, integers, [...lead, blocks, blockSize]) : integers
  const offset = zeroPoint ? parameter(zeroPoint) : zero
  const difference = offset === 0 ? numbers : g.sub(numbers, offset)
  return g.cast(reshaped(g, g.mul(difference, parameter(scale)), type.shape), type.dtype)
}

/** Weights are rounded to no fewer bits than f32 has: products of 16-bit floats are computed in it. */
const blockLinear: LoweringRule<'blockLinear'> = ({ input, weight, scale, zeroPoint }, attributes, g, { dtype }) => {
  const size = input.type.shape.at(-1)!
  if (dtype !== 'f32') {
    const wide = (node: Node) => (isFloat(node.type.dtype) ? g.cast(node, 'f32') : node)
    const operands = { input: wide(input), weight, scale: wide(scale), zeroPoint: zeroPoint && wide(zeroPoint) }
    return g.cast(g.node('blockLinear', operands, attributes), dtype)
  }
  const decoded = g.node('dequantizeBlocks', { packed: weight, scale, zeroPoint }, { ...attributes, size })
  return g.node('linear', { input, weight: decoded }, {})
}

export const blockRules = { dequantizeBlocks, blockLinear }

import { reject } from '../compiler/graph/index.ts'
import { readBoolean, readDType, readInteger, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'

/** What the numbers of blocks may be. */
type Number = 'f32' | 'f16' | 'bf16'
type ZeroPoint = Tensor<'u8' | 'i8' | Number>

export interface BlockOptions {
  /** Bits of an integer: 2, 4 or 8. Default 4. */
  readonly bits?: 2 | 4 | 8
  /** Integers that share a scale, along the last dimension. */
  readonly blockSize: number
  /** Whether integers are in two's complement. Default false. */
  readonly signed?: boolean
  /** The integer that stands for 0 where no operand says it. Default 0. */
  readonly zero?: number
}

export interface DequantizeBlocksOptions extends BlockOptions {
  /** Integers in a row, where the last byte has room for more. Default: as many as there is room for. */
  readonly size?: number
}

function readBlocks(op: string, given: Readonly<Record<string, unknown>>) {
  const bits = given.bits === undefined ? 4 : readInteger(op, 'bits', given.bits, 1)
  if (bits !== 2 && bits !== 4 && bits !== 8) return reject('bad-attribute', `${op}: bits must be 2, 4 or 8, got ${bits}`)
  return {
    bits,
    blockSize: readInteger(op, 'blockSize', given.blockSize, 1),
    signed: readBoolean(op, 'signed', given.signed, false),
    zero: given.zero === undefined ? 0 : readInteger(op, 'zero', given.zero, -128),
  }
}

const keys = ['bits', 'blockSize', 'signed', 'zero'] as const

/**
 * The numbers that small integers in blocks stand for, several integers to a byte: (q − zeroPoint) · scale.
 *
 * In f32, rounded to the element type of scale. The first integer of a row has the low bits of its first byte, as in ONNX `int4` and `uint4`; rows begin
 * at a byte. Where a product, or rows that are picked by index, is all that reads it, integers are decoded as they are read, and stay packed in the bundle.
 *
 * @param packed `[…, bytes]`, u8
 * @param scale `[…, blocks]`, what a step of one stands for, f32, f16 or bf16
 * @param zeroPoint `[…, blocks]`, what stands for 0: `u8`, `i8`, or numbers like scale; default `zero` for all
 * @param options `bits`, 2, 4 (default) or 8; `blockSize`, integers that share a scale, along the last dimension; `signed`, in two's complement, default
 *   false; `zero`, default 0; `size`, integers in a row, default as many as fit its bytes
 */
export function dequantizeBlocks<S extends Tensor<Number>>(
  packed: Tensor<'u8'>,
  scale: S,
  zeroPoint: ZeroPoint | undefined,
  options: DequantizeBlocksOptions,
): Tensor<S['dtype'], any> {
  const op = 'dequantizeBlocks'
  const given = readOptions(op, options, [...keys, 'size'])
  const attributes = readBlocks(op, given)
  const { shape } = nodeOf(packed, op, 'packed').type
  const room = ((shape.at(-1) ?? 0) * 8) / attributes.bits
  const size = given.size === undefined ? room : readInteger(op, 'size', given.size, 1)
  return call(op, { packed, scale, zeroPoint }, { ...attributes, size })
}

type Outputs<X, W> = X extends readonly [...infer Lead, any] ? (W extends readonly [infer N, any] ? [...Lead, N] : any) : any
/**
 * Input times transposed weight, which is small integers in blocks, several to a byte.
 *
 * `linear(input, dequantizeBlocks(weight, scale, zeroPoint, options))` without the decoded weight ever being stored (ONNX com.microsoft MatMulNBits); sums in
 * f32.
 *
 * @param input `[…, in]`, f32, f16 or bf16
 * @param weight `[out, bytes]`, u8, as for dequantizeBlocks
 * @param scale `[out, blocks]`, the element type of input
 * @param zeroPoint `[out, blocks]`, `u8`, `i8`, or the element type of input; default `zero` for all
 * @param options `bits`, default 4; `blockSize`; `signed`, default false; `zero`, default 0
 */
export function blockLinear<X extends Tensor<Number>, W extends Tensor<'u8'>>(
  input: X,
  weight: W,
  scale: Tensor<Number>,
  zeroPoint: ZeroPoint | undefined,
  options: BlockOptions,
): Tensor<X['dtype'], Outputs<X['shape'], W['shape']>> {
  const op = 'blockLinear'
  return call(op, { input, weight, scale, zeroPoint }, readBlocks(op, readOptions(op, options, keys)))
}

type Bits = 'f32' | 'f64' | 'f16' | 'bf16' | 'f8e4m3' | 'f8e5m2' | 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64'
/**
 * The same bytes, taken for elements of another dtype.
 *
 * Little end first, whatever the machine. Elements of fewer bytes make the last dimension longer, those of more bytes shorter, as PyTorch's
 * `Tensor.view(dtype)`; of equal size they are ONNX BitCast.
 *
 * @param input any shape, any element type but bool
 * @param dtype of the result, any but bool
 */
export function bitCast<D extends Bits>(input: Tensor<Bits>, dtype: D): Tensor<D, any> {
  return call('bitCast', { input }, { dtype: readDType('bitCast', dtype) })
}

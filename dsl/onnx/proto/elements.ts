import type { DType } from '../../../compiler/graph/index.ts'

/** How the elements of a `TensorProto.DataType` are stored, and what they are here. */
export interface ElementType {
  /** As ONNX spells it. */
  readonly name: string
  /** Absent where nothing here can hold such elements. */
  readonly dtype?: DType
  /** Bits of one element in `raw_data`; fewer than 8 are packed, the first element in the lowest bits, and become whole bytes. */
  readonly bits: number
}

const row = (name: string, bits: number, dtype?: DType): ElementType => ({ name, bits, ...(dtype && { dtype }) })

/** By number. Elements of 4 and 2 bits are read into whole bytes: no operation tells them from small bytes but storing them again. */
const types: ReadonlyMap<number, ElementType> = new Map([
  [1, row('float', 32, 'f32')],
  [2, row('uint8', 8, 'u8')],
  [3, row('int8', 8, 'i8')],
  [4, row('uint16', 16, 'u16')],
  [5, row('int16', 16, 'i16')],
  [6, row('int32', 32, 'i32')],
  [7, row('int64', 64, 'i64')],
  [8, row('string', 0)],
  [9, row('bool', 8, 'bool')],
  [10, row('float16', 16, 'f16')],
  [11, row('double', 64, 'f64')],
  [12, row('uint32', 32, 'u32')],
  [13, row('uint64', 64, 'u64')],
  [14, row('complex64', 64)],
  [15, row('complex128', 128)],
  [16, row('bfloat16', 16, 'bf16')],
  [17, row('float8e4m3fn', 8, 'f8e4m3')],
  [18, row('float8e4m3fnuz', 8)],
  [19, row('float8e5m2', 8, 'f8e5m2')],
  [20, row('float8e5m2fnuz', 8)],
  [21, row('uint4', 4, 'u8')],
  [22, row('int4', 4, 'i8')],
  [23, row('float4e2m1', 4)],
  [24, row('float8e8m0', 8)],
  [25, row('uint2', 2, 'u8')],
  [26, row('int2', 2, 'i8')],
])

export const elementType = (number: number): ElementType | undefined => types.get(number)

/** The element type that ONNX calls so. */
export const elementTypeNamed = (name: string): ElementType | undefined => [...types.values()].find((type) => type.name === name)

const numbers = new Map(
  [...types].filter(([, { dtype, bits }]) => dtype && bits >= 8).map(([number, { dtype }]) => [dtype!, number]),
)

/** The number of a `DType` in files. */
export const elementNumber = (dtype: DType): number => numbers.get(dtype)!

import { fail } from './error.ts'
import type { TensorSignature } from './manifest.ts'

const [U8, U16] = [Uint8Array, Uint16Array]

const arrays = {
  f32: Float32Array,
  f64: Float64Array,
  f16: U16,
  bf16: U16,
  f8e4m3: U8,
  f8e5m2: U8,
  i8: Int8Array,
  u8: U8,
  i16: Int16Array,
  u16: U16,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  bool: U8,
} as const

export type TensorArray = InstanceType<(typeof arrays)[keyof typeof arrays]>

/** A tensor with its shape; what runs return. `data` is dense and row-major. */
export interface TensorValue<A = TensorArray> {
  readonly data: A
  readonly shape: readonly number[]
}

/** The elements of an input: the typed array of its element type, or plain numbers. */
export type InputData = ArrayBufferView | readonly number[] | readonly bigint[] | readonly boolean[]
export type InputValue = InputData | TensorValue<InputData>

interface ArrayClass {
  readonly name: string
  readonly BYTES_PER_ELEMENT: number
  new (length: number): TensorArray
  new (buffer: ArrayBufferLike, offset: number, length?: number): TensorArray
}

export const dtypeNames: readonly string[] = Object.keys(arrays)
/** The typed array that holds elements of a dtype. */
export const arrayOf = (dtype: string): ArrayClass => arrays[dtype as keyof typeof arrays]
export const elementCount = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1)
export const byteSize = ({ dtype, shape }: TensorSignature): number => elementCount(shape) * arrayOf(dtype).BYTES_PER_ELEMENT

/** `Float32Array`, `Array`, `Null`. By name and not by class, so that arrays of another realm, such as a test runner's, pass. */
const kindOf = (value: unknown): string => ({}).toString.call(value).slice(8, -1)

/** The elements of a value that may be `{ data, shape }`, after comparing shape and length. */
function elementsOf(value: any, tensor: TensorSignature, what: 'input' | 'output', accepts: (kind: string) => boolean): any {
  const { name, shape } = tensor
  const refuse = (problem: 'missing' | 'type' | 'length', found: string) =>
    fail(
      `${what}-${problem}` as 'input-missing',
      `${what} '${name}' ${found}, expected ${arrayOf(tensor.dtype).name} for ${tensor.dtype}[${shape.join(', ')}]`,
    )
  const data = value?.data ?? value
  if (data === undefined) refuse('missing', 'is missing')
  if (!accepts(kindOf(data))) refuse('type', `is ${kindOf(data)}`)
  if (value.shape && `${value.shape}` !== `${shape}`) refuse('length', `has shape [${value.shape}]`)
  if (data.length !== elementCount(shape)) refuse('length', `has ${data.length} elements, not ${elementCount(shape)}`)
  return data
}

/** Copies an input to where the code reads it. `target` is the typed array of its dtype. */
export function copyInput(tensor: TensorSignature, value: unknown, target: any): void {
  const { name, dtype } = tensor
  const array = arrayOf(dtype)
  // What most callers give, without a further look: it means what it is.
  if (value instanceof array && value.length === target.length && dtype !== 'bool') {
    target.set(value)
    return
  }
  // BigInt64Array and BigUint64Array.
  const wide = array.name[0] === 'B'
  let bits = false
  const data = elementsOf(value, tensor, 'input', (kind) => {
    // Other arrays whose elements mean the same, bit for bit.
    bits = dtype !== 'bool' && (kind === array.name || kind === { f16: 'Float16Array', u8: 'Uint8ClampedArray' }[dtype])
    // Plain numbers for half floats could mean values or bits.
    return bits || kind === array.name || (kind === 'Array' && !/^b?f(16|8)/.test(dtype)) || (wide && kind === 'Int32Array')
  })
  if (bits) target.set(new array(data.buffer, data.byteOffset, data.length))
  for (let i = 0; !bits && i < data.length; i++) {
    const element = data[i]
    const flag = dtype === 'bool' && /number|boolean/.test(typeof element)
    const stored = flag ? Number(!!element) : wide && Number.isSafeInteger(element) ? BigInt(element) : element
    const fits = typeof stored === typeof target[i]
    if (fits) target[i] = stored
    if (dtype[0] === 'f' ? !fits : target[i] !== stored)
      fail('input-value', `input '${name}'[${i}] is ${kindOf(element)} ${String(element)}, which does not fit ${dtype}`)
  }
}

/** The caller's array for an output. */
export const outputArray = (tensor: TensorSignature, value: any): TensorArray =>
  value instanceof arrayOf(tensor.dtype) && value.length === elementCount(tensor.shape)
    ? value
    : elementsOf(value, tensor, 'output', (kind) => kind === arrayOf(tensor.dtype).name)

export function checkNames(given: unknown, tensors: readonly TensorSignature[], what: 'input' | 'output'): void {
  for (const name in given as object) {
    if (!tensors.some((tensor) => tensor.name === name))
      fail(`${what}-unknown`, `there is no ${what} '${name}'; the ${what}s are ${tensors.map((t) => t.name).join(', ')}`)
  }
}

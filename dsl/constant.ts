import { byteSize, dtypeFacts, elementCount, elementsOf, reject } from '../compiler/graph/index.ts'
import { isElement, maximumValues, readDType, readList, readShape } from './check.ts'
import { plainNumber } from './dimension.ts'
import type { DType, Open, Tensor } from './tensor.ts'
import { describe, literalOf } from './tracer.ts'

type Values = readonly (number | bigint | boolean)[]

/**
 * A small tensor written in the model.
 * @param dtype element type
 * @param shape sizes of its dimensions; `[]` for a single value
 * @param values its elements in row-major order; at most 2^20
 */
export function constant<D extends DType, S extends number[]>(
  dtype: D,
  shape: readonly [...S],
  values: Values,
): Tensor<D, Open<S>> {
  const type = readType('constant', dtype, shape)
  const count = elementCount(type.shape)
  const list = readList('constant', 'values', values, maximumValues)
  if (list.length !== count)
    reject('bad-attribute', `constant: shape [${type.shape.join(', ')}] has ${count} elements, values has ${list.length}`)
  return make(type, (i) => list[i], 'constant') as never
}

/**
 * A tensor of one repeated value.
 * @param dtype element type
 * @param shape sizes of its dimensions; at most 2^20 elements
 * @param value the element
 */
export function full<D extends DType, S extends number[]>(
  dtype: D,
  shape: readonly [...S],
  value: number | bigint | boolean,
): Tensor<D, Open<S>> {
  return make(readType('full', dtype, shape), () => value, 'full') as never
}

function readType(op: string, dtype: unknown, shape: unknown) {
  const type = { dtype: readDType(op, dtype), shape: readShape(op, shape) }
  if (!(elementCount(type.shape) <= maximumValues))
    reject(
      'too-large',
      `${op}: [${type.shape.join(', ')}] has more than the ${maximumValues} elements of a tensor written in the model; use weights() or expand()`,
    )
  return type
}

function make(type: { dtype: DType; shape: number[] }, valueAt: (index: number) => unknown, op: string): Tensor {
  const bytes = new Uint8Array(byteSize(type))
  const elements = elementsOf(type.dtype, bytes)
  const wide =
    dtypeFacts[type.dtype].bytes === 8 && dtypeFacts[type.dtype].kind !== 'float' ? new DataView(bytes.buffer) : undefined
  for (let i = 0; i < elements.length; i++) {
    const given = plainNumber(valueAt(i))
    if (
      typeof given === 'bigint' &&
      wide &&
      given === (type.dtype === 'i64' ? BigInt.asIntN(64, given) : BigInt.asUintN(64, given))
    ) {
      wide.setBigInt64(i * 8, BigInt.asIntN(64, given), true)
      continue
    }
    const value = typeof given === 'boolean' && type.dtype === 'bool' ? Number(given) : given
    if (typeof value !== 'number' || !isElement(type.dtype, value))
      return reject('bad-attribute', `${op}: element ${i} is ${describe(given)}, which is not a value of ${type.dtype}`)
    elements.set(i, value)
  }
  return literalOf(type, bytes)
}

// Reading the parameters of quantised tensors: what integers stand for.
import { checkQuantization, type Quantization, reject, storages, type TensorType } from '../compiler/graph/index.ts'
import { maximumValues, readAxis, readList, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { constantElements, describe, isTensor } from './tracer.ts'

/** One number for the whole tensor, or one for each index of an axis: a list, or a constant of the model. */
export type Parameter = number | readonly number[] | Tensor

/** What integers stand for: (q − zeroPoint) · scale. */
export interface QuantizationOptions {
  /** What a step of one stands for: a positive number, kept as f32. */
  readonly scale: Parameter
  /** The integer that stands for 0. Default 0. */
  readonly zeroPoint?: Parameter
  /** The dimension that the entries of lists belong to. Default: one scale and zero point for the whole tensor. */
  readonly axis?: number
}

export const quantizationKeys = ['scale', 'zeroPoint', 'axis'] as const

/** A number, list or constant as a list. */
export function readParameter(op: string, name: string, value: unknown): number[] {
  if (typeof value === 'number') return [value]
  if (isTensor(value)) {
    const elements = constantElements(value, op, name)
    if (elements.length > maximumValues)
      reject('too-large', `${op}: ${name} has ${elements.length} elements, the limit is ${maximumValues}`)
    return Array.from({ length: elements.length }, (_, i) => elements.get(i))
  }
  if (!Array.isArray(value))
    return reject('bad-attribute', `${op}: ${name} must be a number, a list of numbers or a constant, got ${describe(value)}`)
  return Array.from(readList(op, name, value, maximumValues), (entry, i) =>
    typeof entry === 'number' ? entry : reject('bad-attribute', `${op}: ${name}[${i}] must be a number, got ${describe(entry)}`),
  )
}

/** Scales are numbers of f32. */
export function readScale(op: string, name: string, value: unknown): number[] {
  const list = readParameter(op, name, value).map(Math.fround)
  const wrong = list.find((entry) => !(entry > 0 && Number.isFinite(entry)))
  return wrong === undefined
    ? list
    : reject('bad-attribute', `${op}: ${name} ${wrong} is not a positive number that f32 can hold`)
}

/** Scale and zero point as lists of one length. An axis without lists says nothing. */
export function readQuantization(op: string, given: Readonly<Record<string, unknown>>, rank: number): Quantization {
  const scale = readScale(op, 'scale', given.scale)
  const zeroPoint = given.zeroPoint === undefined ? [0] : readParameter(op, 'zeroPoint', given.zeroPoint)
  const axis = given.axis === undefined ? undefined : readAxis(op, given.axis, rank)
  const count = Math.max(scale.length, zeroPoint.length)
  if (count === 1) return { scale, zeroPoint }
  const repeated = (list: number[]) => (list.length === 1 ? new Array<number>(count).fill(list[0]!) : list)
  return { scale: repeated(scale), zeroPoint: repeated(zeroPoint), ...(axis === undefined ? {} : { axis }) }
}

/** The type of a tensor whose integers stand for numbers as the options say. */
export function quantizedType(op: string, type: TensorType, options: unknown): TensorType {
  if (!storages.some((dtype) => dtype === type.dtype))
    return reject(
      'bad-attribute',
      `${op}: ${type.dtype} holds no quantised integers; scale and zeroPoint belong to ${storages.join(', ')}`,
    )
  const given = readQuantization(op, readOptions(op, options, quantizationKeys), type.shape.length)
  return { ...type, quantization: checkQuantization(type, given, op) }
}

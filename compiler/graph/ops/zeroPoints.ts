// What the products of integers say of their operands and zero points.
import { z } from 'zod'
import type { DType } from '../dtype.ts'
import { reject } from '../problem.ts'
import { requireZeroPoint } from '../quantization.ts'
import type { TensorType } from '../type.ts'
import { integer } from './shared.ts'

/** What integer products take: stored bytes, or differences of them. */
export const factors = ['u8', 'i8', 'i16'] as const satisfies readonly DType[]

export const zeroPoints = z.array(integer).min(1)

/** One zero point, or one for each of `count` rows, that the dtype of the operand holds. */
export function requireZeroPoints(
  values: readonly number[],
  { dtype }: TensorType,
  count: number,
  op: string,
  name: string,
): void {
  if (values.length !== 1 && values.length !== count)
    reject('bad-attribute', `${op}: ${name} needs one entry or ${count}, got ${values.length}`)
  requireZeroPoint(dtype, values, op, name)
}

export function requireConvolutionZeroPoints(
  { input, weight }: { readonly input: TensorType; readonly weight: TensorType },
  { inputZeroPoint, weightZeroPoint }: { readonly inputZeroPoint: number; readonly weightZeroPoint: readonly number[] },
  op: string,
): void {
  requireZeroPoint(input.dtype, [inputZeroPoint], op, 'inputZeroPoint')
  requireZeroPoints(weightZeroPoint, weight, weight.shape[0]!, op, 'weightZeroPoint')
}

// What integers may be said to stand for.
import { type DType, dtypeFacts } from './dtype.ts'
import { reject } from './problem.ts'
import type { Quantization, TensorType } from './type.ts'

/** What quantised tensors are stored as. */
export const storages = ['u8', 'i8', 'u16', 'i16', 'i32'] as const satisfies readonly DType[]
export type StorageDType = (typeof storages)[number]

interface Parameters {
  readonly scale: readonly number[]
  readonly zeroPoint: readonly number[]
  readonly axis?: number | undefined
}

/** Zero points are values of the stored dtype. */
export function requireZeroPoint(dtype: DType, values: readonly number[], op: string, name = 'zeroPoint'): void {
  const { bytes, kind } = dtypeFacts[dtype]
  const span = 2 ** (8 * bytes)
  const [low, high] = kind === 'signed' ? [-span / 2, span / 2 - 1] : [0, span - 1]
  const wrong = values.find((value) => value < low || value > high)
  if (wrong !== undefined) reject('bad-attribute', `${op}: ${name} ${wrong} is outside ${dtype}, which holds ${low} to ${high}`)
}

/** One entry for the whole tensor, or one for each index of the axis. */
export function requireEntries(count: number, { shape }: TensorType, axis: number | undefined, op: string, name: string): void {
  if (axis !== undefined && axis >= shape.length)
    reject('bad-attribute', `${op}: axis ${axis} is outside a tensor of rank ${shape.length}`)
  const expected = axis === undefined ? 1 : shape[axis]!
  if (count === expected) return
  reject(
    'bad-attribute',
    axis === undefined
      ? `${op}: ${name} has ${count} entries; say with axis which dimension they belong to, or give one for the whole tensor`
      : `${op}: ${name} has ${count} entries, axis ${axis} of [${shape.join(', ')}] has ${expected}`,
  )
}

/** The quantization that attributes state of a tensor of this dtype and shape; rejects what does not fit it. */
export function checkQuantization(type: TensorType, { scale, zeroPoint, axis }: Parameters, op: string): Quantization {
  requireEntries(scale.length, type, axis, op, 'scale')
  requireEntries(zeroPoint.length, type, axis, op, 'zeroPoint')
  requireZeroPoint(type.dtype, zeroPoint, op)
  return { scale, zeroPoint, ...(axis === undefined ? {} : { axis }) }
}

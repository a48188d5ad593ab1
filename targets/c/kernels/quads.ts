import type { DType } from '../../../compiler/graph/dtype.ts'
import { type Arithmetic, quads, shiftedQuads } from '../arithmetic.ts'
import type { Level } from '../level.ts'

/**
 * How a product of integers is done over quads: the streamed operand is bytes with a sign, less their zero point, the broadcast one is
 * bytes without a sign as they are, or 128 more than they are. What its zero point adds to a sum is known for each column of the streamed
 * operand: −zero · Σ column, the correction that sums begin with.
 */
export interface QuadForm {
  readonly arithmetic: Arithmetic
  /** Zero point of the broadcast bytes without a sign. */
  readonly zero: number
  /** What is taken off streamed elements, so that they are bytes with a sign. */
  readonly shift: number
}

/** Where the level has quads and every streamed element less its zero point fits a byte with a sign. */
export function quadFormOf(
  broadcast: { readonly dtype: DType; readonly zeroPoint: number },
  streamed: { readonly dtype: DType; readonly zeroPoints: readonly number[] },
  level: Level,
): QuadForm | undefined {
  if (!level.quads || broadcast.dtype === 'i16' || streamed.dtype === 'i16') return undefined
  const shift = streamed.dtype === 'i8' ? 0 : 128
  if (streamed.zeroPoints.some((zero) => zero !== shift)) return undefined
  return broadcast.dtype === 'u8'
    ? { arithmetic: quads, zero: broadcast.zeroPoint, shift }
    : { arithmetic: shiftedQuads, zero: broadcast.zeroPoint + 128, shift }
}

/** A streamed operand in quads: `[rows / 4][columns]`, four bytes each, and the correction of each column. */
export interface Quads {
  readonly quads: Uint32Array
  readonly corrections: Int32Array
}

/** `element(row, column)` of the dense operand in quads of four rows; what is missing of the last one is 0. */
export function quadsOf(
  element: (row: number, column: number) => number,
  rows: number,
  columns: number,
  { zero, shift }: Pick<QuadForm, 'zero' | 'shift'>,
): Quads {
  const found = new Uint32Array(Math.ceil(rows / 4) * columns)
  const corrections = new Int32Array(columns)
  for (let row = 0; row < rows; row++) {
    const [at, by] = [(row >> 2) * columns, 8 * (row & 3)]
    for (let column = 0; column < columns; column++) {
      const value = element(row, column) - shift
      found[at + column]! |= (value & 0xff) << by
      // Wraps where sums do.
      corrections[column] = (corrections[column]! - zero * value) | 0
    }
  }
  return { quads: found, corrections }
}

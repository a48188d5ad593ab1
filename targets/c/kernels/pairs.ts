import type { DType } from '../../../compiler/graph/dtype.ts'
import { elementsOf } from '../../../compiler/graph/scalar.ts'
import { block, type Lines, loop } from '../text.ts'
import type { Convolution } from './method.ts'

/** An integer as C text that may stand behind an operator. */
export const parenthesised = (value: number): string => (value < 0 ? `(${value})` : String(value))

/** Zero points as C: a table where they differ, and the one that belongs to an index. */
export function zeroPointText(
  name: string,
  values: readonly number[],
  index: string,
): { readonly table: Lines; readonly at: string } {
  const [first] = values
  if (values.every((value) => value === first)) return { table: [], at: parenthesised(first!) }
  return { table: [`static const i32 ${name}[${values.length}] = {${values.join(', ')}};`], at: `${name}[${index}]` }
}

/** Whether an element less its zero point has 16 bits, so that two of them are a pair. */
export const fitsPairs = (dtype: DType, zeroPoints: readonly number[]): boolean =>
  dtype !== 'i16' || zeroPoints.every((zero) => zero === 0)

/**
 * What stands in a pair of a convolution's operands: elements of two channels at one place, or of one channel a dilation apart along the
 * width. What has no partner has 0.
 */
export type Pairing = 'channels' | 'columns'

/** Where there are as many pairs either way, columns read fewer of them in steps of two. */
export function pairingOf({ inputs, window, stride }: Convolution): Pairing {
  const [columns, channels] = [inputs * Math.ceil(window[2] / 2), Math.ceil(inputs / 2) * window[2]]
  return columns < channels || (columns === channels && stride[2] === 2) ? 'columns' : 'channels'
}

/** The same convolution over pairs. Where pairs of columns begin at each stride alone, the others are left out. */
export function overPairs(convolution: Convolution, pairing: Pairing): Convolution {
  const { groups, window, stride, dilation, input, before, after } = convolution
  if (pairing === 'columns') {
    const wide: Convolution = {
      ...convolution,
      window: [window[0], window[1], Math.ceil(window[2] / 2)],
      dilation: [dilation[0], dilation[1], 2 * dilation[2]],
    }
    if ((2 * dilation[2]) % stride[2] > 0) return wide
    return {
      ...wide,
      input: [input[0], input[1], Math.ceil((before[2] + input[2] + after[2]) / stride[2])],
      before: [before[0], before[1], 0],
      after: [after[0], after[1], 0],
      stride: [stride[0], stride[1], 1],
      dilation: [dilation[0], dilation[1], (2 * dilation[2]) / stride[2]],
    }
  }
  const inputs = Math.ceil(convolution.inputs / 2)
  return { ...convolution, inputs, channels: groups * inputs }
}

const pairOf = (low: number, high: number) => ((low & 0xffff) | (high << 16)) >>> 0

/** Rows of `inputs` × `inner` elements, each less its row's zero point, with `inputs` in pairs. */
function pairRows(
  element: (index: number) => number,
  rows: number,
  inputs: number,
  inner: number,
  zero: (row: number) => number,
): Uint32Array {
  const paired = Math.ceil(inputs / 2)
  const to = new Uint32Array(rows * paired * inner)
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let pair = 0; pair < paired; pair++) {
      for (let i = 0; i < inner; i++) {
        const low = (row * inputs + 2 * pair) * inner + i
        const high = 2 * pair + 1 < inputs ? element(low + inner) - zero(row) : 0
        to[at++] = pairOf(element(low) - zero(row), high)
      }
    }
  }
  return to
}

/** Weights `[out, in, …window]` as pairs `[out][in][window]` of `overPairs`. */
export function pairWeights(
  dense: Uint8Array,
  dtype: DType,
  zeroPoints: readonly number[],
  { groups, outputs, inputs, window }: Convolution,
  pairing: Pairing,
): Uint32Array {
  const elements = elementsOf(dtype, dense)
  const zero = (output: number) => zeroPoints[zeroPoints.length === 1 ? 0 : output]!
  const [depth, height, width] = window
  const taps = depth * height * width
  if (pairing === 'channels') return pairRows(elements.get, groups * outputs, inputs, taps, zero)
  const rows = inputs * depth * height
  return pairRows(elements.get, groups * outputs * rows, width, 1, (row) => zero(Math.floor(row / rows)))
}

/** What is paired with the first of two: the second, or where the last of an odd number has none, itself, as the other operand is 0 there. */
export const partnerOf = (count: number, first: string, second: string) =>
  count % 2 === 0 ? second : `2 * k + 1 < ${count} ? ${second} : ${first}`

/** Statements that do the same while running: from `x1` to `weights`. */
export function pairWeightsLines(convolution: Convolution, pairing: Pairing, zeroPoints: readonly number[]): Lines {
  const { groups, outputs, inputs, window } = convolution
  const taps = window[0] * window[1] * window[2]
  const zero = zeroPointText('weightZeros', zeroPoints, 'o')
  // As in `pairRows`.
  const [rows, paired, inner] = pairing === 'channels' ? [1, inputs, taps] : [inputs * window[0] * window[1], window[2], 1]
  return block('', [
    ...zero.table,
    'i32 *to = weights;',
    ...loop(
      'o',
      0,
      groups * outputs,
      1,
      loop(
        'r',
        0,
        rows,
        1,
        loop(
          'pair',
          0,
          Math.ceil(paired / 2),
          1,
          loop('i', 0, inner, 1, [
            `const long low = ((o * ${rows} + r) * ${paired} + 2 * pair) * ${inner} + i;`,
            `*to++ = (i32)((u32)(u16)(x1[low] - ${zero.at}) | (2 * pair + 1 < ${paired} ? (u32)(x1[low + ${inner}] - ${zero.at}) << 16 : 0));`,
          ]),
        ),
      ),
    ),
  ])
}

/** A right operand `[matrices, depth, columns]` as pairs `[matrices][depth / 2][columns]`; zero points are those of columns. */
export function pairColumns(
  dense: Uint8Array,
  dtype: DType,
  zeroPoints: readonly number[],
  matrices: number,
  depth: number,
  columns: number,
): Uint32Array {
  const elements = elementsOf(dtype, dense)
  const centred = (index: number) => elements.get(index) - zeroPoints[zeroPoints.length === 1 ? 0 : index % columns]!
  return pairRows(centred, matrices, depth, columns, () => 0)
}

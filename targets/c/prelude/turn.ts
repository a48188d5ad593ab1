import { lanesOf, neon, simd128, x86v3, x86v4 } from '../level.ts'
import { block } from '../text.ts'
import type { Helper } from './helper.ts'

/** The helper that turns matrices with vectors of so many lanes. */
export const turnFunction = (lanes: number): string => `gp_turn_by_${lanes}`

/**
 * A square of vectors is turned by as many rounds as two is in the lanes; each interleaves the first half of the rows with the second half.
 */
function tileLines(lanes: number): string[] {
  const lines = Array.from({ length: lanes }, (_, row) => `const vf r0_${row} = LOAD(a + ${row} * from_pitch);`)
  const rounds = Math.log2(lanes)
  for (let round = 0; round < rounds; round++)
    for (let row = 0; row < lanes; row++) {
      const [first, second] = [row >> 1, (row >> 1) + lanes / 2]
      const half = row % 2 === 0 ? 'LOW' : 'HIGH'
      lines.push(`const vf r${round + 1}_${row} = ZIP_${half}(r${round}_${first}, r${round}_${second});`)
    }
  return [...lines, ...Array.from({ length: lanes }, (_, row) => `STORE(b + ${row} * to_pitch, r${rounds}_${row});`)]
}

const textOf = (lanes: number): string =>
  block(
    `NOINLINE void ${turnFunction(lanes)}(f32 *to, long to_pitch, const f32 *from, long from_pitch, long rows, long columns)`,
    [
      `const long whole = rows - rows % ${lanes}, wide = columns - columns % ${lanes};`,
      ...block(`for (long row = 0; row < whole; row += ${lanes})`, [
        ...block(`for (long column = 0; column < wide; column += ${lanes})`, [
          'const f32 *const a = from + row * from_pitch + column;',
          'f32 *const b = to + column * to_pitch + row;',
          ...tileLines(lanes),
        ]),
      ]),
      '/* elements of any kind: they are moved as bytes */',
      ...block('for (long row = 0; row < rows; row++)', [
        'for (long column = row < whole ? wide : 0; column < columns; column++)',
        '  __builtin_memcpy(to + column * to_pitch + row, from + row * from_pitch + column, 4);',
      ]),
    ],
  ).join('\n')

export const turnHelpers: readonly Helper[] = [...new Set([simd128, x86v3, x86v4, neon].map(lanesOf))].map((lanes) => ({
  name: turnFunction(lanes),
  about: 'to[c][r] = from[r][c] of rows and columns; pitches are elements from one row to the next',
  text: textOf(lanes),
}))

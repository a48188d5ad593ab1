import { tileLines } from '../kernels/tile.ts'
import { neon, type RegisterTile, simd128, x86v3, x86v4 } from '../level.ts'
import { block } from '../text.ts'
import type { Helper } from './helper.ts'

/** The helper that computes a tile: `unroll` divides its depth. */
export const tileFunction = ({ rows, vectors, unroll }: RegisterTile): string => `gp_tile_${rows}x${vectors}_by_${unroll}`

/** Every tile of every level once. */
const tiles = [
  ...new Map([simd128, x86v3, x86v4, neon].flatMap((level) => level.tiles).map((tile) => [tileFunction(tile), tile])).values(),
]

/** Rows that share a pointer: further ones are beyond what addresses of x86 reach without another register. */
const rowsOfPointer = 3

function textOf(tile: RegisterTile, less: boolean): string {
  const { rows, vectors, unroll } = tile
  const pointers = Array.from({ length: Math.ceil(rows / rowsOfPointer) }, (_, i) => `a${i}`)
  const place = (row: number, vector: number) => `${row * vectors + vector} * LANES`
  const grid = Array.from({ length: rows * vectors }, (_, i) => [Math.floor(i / vectors), i % vectors] as const)
  const element = (row: number, k: number) => {
    const within = row % rowsOfPointer
    const terms = [within === 0 ? '' : within === 1 ? 'pitch' : `${within} * pitch`, k > 0 ? String(k) : ''].filter(Boolean)
    return `a${Math.floor(row / rowsOfPointer)}[${terms.join(' + ') || '0'}]`
  }
  const lines = [
    `const f32 *${pointers.map((name, i) => (i === 0 ? 'a0 = a' : `*${name} = a + ${i * rowsOfPointer} * pitch`)).join(', ')};`,
    `const f32 *soon = a + ${rows} * pitch;`,
    ...tileLines({
      rows,
      vectors,
      initial: (row, vector) => `LOAD(from + ${place(row, vector)})`,
      inner: (write) =>
        block(`for (long k = 0; k < depth; k += ${unroll})`, [
          '__builtin_prefetch(ahead, 0, 2);',
          '__builtin_prefetch(soon, 0, 3);',
          'ahead += stride;',
          `soon += ${rows * unroll};`,
          ...write(
            Array.from({ length: unroll }, (_, k) => ({
              broadcast: (row: number) => element(row, k),
              stream: (vector: number) => {
                const at = `${k * vectors + vector} * LANES`
                return less ? `gp_kept(made + ${at}, LOAD(b + ${at}) - LOAD(minus + ${at}))` : `LOAD(b + ${at})`
              },
            })),
          ),
          ...['b', ...(less ? ['minus', 'made'] : [])].map((name) => `${name} += ${unroll * vectors} * LANES;`),
          ...pointers.map((name) => `${name} += ${unroll};`),
        ]),
    }),
    ...grid.map(([row, vector]) => `STORE(to + ${place(row, vector)}, c${row}_${vector});`),
  ]
  const right = less ? 'const f32 *b, const f32 *minus, f32 *made' : 'const f32 *b'
  const name = `${tileFunction(tile)}${less ? '_less' : ''}`
  return block(
    `NOINLINE void ${name}(f32 *to, const f32 *from, const f32 *a, long pitch, ${right}, long depth, const char *ahead, long stride)`,
    lines,
  ).join('\n')
}

export const tileHelpers: readonly Helper[] = [
  {
    name: 'gp_kept',
    about: 'a vector that is stored and used',
    text: 'INLINE vf gp_kept(f32 *p, vf v) { STORE(p, v); return v; }',
  },
  ...tiles.flatMap((tile) => [
    {
      name: tileFunction(tile),
      about: `to = from + a · b for ${tile.rows} rows of a and ${tile.vectors} vectors of columns; ${tile.unroll} divides the depth; rows behind those of a are fetched, and a line every \`stride\` bytes from \`ahead\` on`,
      text: textOf(tile, false),
    },
    {
      name: `${tileFunction(tile)}_less`,
      about: 'the same for b - minus, which is kept',
      text: textOf(tile, true),
    },
  ]),
]

import type { Domain } from '../access.ts'
import { type Level, lanesOf, type RegisterTile } from '../level.ts'
import { tileFunction } from '../prelude/tiles.ts'
import { type Pointers, storeAfter } from '../steps.ts'
import { sharedLoop, teamWait } from '../team.ts'
import { block, type Lines, loop } from '../text.ts'

/**
 * One level of Strassen's algorithm in Winograd's form (Higham, Accuracy and Stability of Numerical Algorithms, 2002, 23.1): seven products
 * of halves instead of eight. The table below is all of it. Sums of the right operand are made from the panels as they lie, by the first
 * tile of rows, for the others: adding is free beside multiplications, and weights stay what they are for other products. Those of the left
 * operand are made once for all panels.
 *
 * The error of an element is bounded by about nine times that of the usual product with the largest elements of both operands in place of
 * those of the row and the column: norm-wise, not element by element.
 */
export interface HalvedProduct {
  /** Rows of a half; a multiple of the tile's. */
  readonly half: number
  /** Pairs of panels. */
  readonly pairs: number
  readonly depth: number
  /** Depth of a chunk, of which halves are multiplied; it divides the depth. */
  readonly chunk: number
  readonly tile: RegisterTile
  /** C expressions; the right operand in panels as wide as the tile, an array of biases along the columns. */
  readonly left: string
  readonly leftPitch: number
  readonly right: string
  readonly bias?: string
  readonly domain: Domain
  readonly position: (row: string, column: string) => readonly string[]
  readonly pointers: Pointers
}

type Sizes = Pick<HalvedProduct, 'half' | 'depth' | 'chunk' | 'tile'>

/** A product of two halves: it is added to `to`, from where it stands or from `from`, and what is named in `adds` follows. */
interface Phase {
  readonly left: 'a11' | 'a12' | 'a22' | 's1' | 's2' | 's3' | 's4'
  /** A block of the panels, or a difference, with the place where it is kept. */
  readonly right: Block | readonly [plus: Block, less: Block | Kept, kept: Kept]
  readonly to: Sum
  readonly from?: 'zero'
  readonly adds?: readonly (readonly [to: Sum, ...terms: Sum[]])[]
  /** The block that the next phase needs: it is brought into the second-level cache meanwhile. */
  readonly fetch: Block | 'next'
}
type Block = 'b11' | 'b12' | 'b21' | 'b22'
/** One difference takes the place of another that is no longer needed. */
type Kept = 't' | 'd'
type Sum = 'u' | 'v' | 'c11' | 'c12' | 'c21' | 'c22'

/** s1 = a21 + a22, s2 = s1 - a11, s3 = a11 - a21, s4 = a12 - s2. */
const phases: readonly Phase[] = [
  { left: 'a11', right: 'b11', to: 'u', from: 'zero', fetch: 'b21' },
  { left: 'a12', right: 'b21', to: 'c11', adds: [['c11', 'u']], fetch: 'b12' },
  { left: 's1', right: ['b12', 'b11', 't'], to: 'v', from: 'zero', fetch: 'b22' },
  { left: 's2', right: ['b22', 't', 'd'], to: 'u', fetch: 'b22' },
  { left: 's4', right: 'b22', to: 'c12', adds: [['c12', 'u', 'v']], fetch: 'b21' },
  { left: 'a22', right: ['b21', 'd', 't'], to: 'c21', fetch: 'b12' },
  {
    left: 's3',
    right: ['b22', 'b12', 'd'],
    to: 'u',
    adds: [
      ['c21', 'u'],
      ['c22', 'u', 'v'],
    ],
    fetch: 'next',
  },
]
const sums: readonly Sum[] = ['u', 'v', 'c11', 'c12', 'c21', 'c22']

const tileElements = ({ rows, vectors }: RegisterTile, level: Level) => rows * vectors * lanesOf(level)

/**
 * Elements from the left operand of one phase to that of the next. One row of each is written at a time: without the lines between them
 * all would lie in one set of the first-level cache, and take four times as long.
 */
const operandElements = ({ half, chunk }: Sizes) => (half * chunk) / 2 + 48

/**
 * Bytes of the left operands of all phases, `[chunk][phase][row][depth]`, which all threads share: one stream, in the order of reading, also
 * of those that are no sums: tiles of rows that lie apart begin slowly.
 */
export const sharedBytes = (sizes: Sizes): number => 4 * (sizes.depth / sizes.chunk) * phases.length * operandElements(sizes)

/** Bytes of differences and of the sums in work, of each thread. */
export function ownBytes({ half, chunk, tile }: Sizes, level: Level): number {
  const width = tile.vectors * lanesOf(level)
  return 4 * (chunk * width + sums.length * half * width + tileElements(tile, level))
}

/** Rows up to twice the half, columns up to twice the pairs of panels. */
export function halvedLines(product: HalvedProduct, level: Level): Lines {
  const { half, pairs, depth, chunk, tile, left, leftPitch, right } = product
  const lanes = lanesOf(level)
  const width = tile.vectors * lanes
  const size = tileElements(tile, level)
  const deep = chunk / 2
  const tiles = half / tile.rows
  const [operand, pane] = [operandElements(product), deep * width]
  const operands = phases.length * operand
  const leftOperands = sharedLoop(
    level,
    'row',
    0,
    half,
    1,
    loop('start', 0, depth, chunk, [
      `const f32 *const a = ${left} + row * ${leftPitch} + start;`,
      `f32 *const to = rows + start / ${chunk} * ${operands} + row * ${deep};`,
      ...block(`for (long k = 0; k < ${deep}; k += LANES)`, [
        `const vf a11 = LOAD(a + k), a12 = LOAD(a + k + ${deep}), a21 = LOAD(a + k + ${half * leftPitch}), a22 = LOAD(a + k + ${half * leftPitch + deep});`,
        'const vf s1 = a21 + a22, s2 = s1 - a11, s3 = a11 - a21, s4 = a12 - s2;',
        ...phases.map((phase, i) => `STORE(to + k${i > 0 ? ` + ${i * operand}` : ''}, ${phase.left});`),
      ]),
    ]),
  )
  // Each call fetches its share of a block.
  const passes = deep / tile.unroll
  const stride = Math.ceil((4 * pane) / (tiles * passes))
  const phaseLines = ({ right: from, to, from: first, adds = [], fetch }: Phase, number: number): Lines => {
    const at = (sum: string) => (sum === 'zero' ? 'zero' : `${sum} + at`)
    const call = (suffix: string, operand: string) =>
      `${tileFunction(tile)}${suffix}(${at(to)}, ${at(first ?? to)}, a + tile * ${tile.rows * deep}, ${deep}, ${operand}, ${deep}, (const char *)${fetch} + tile * ${passes * stride}, ${stride});`
    const added = adds.flatMap(([target, ...terms]) =>
      block(`for (long i = at; i < at + ${size}; i += LANES)`, [
        `STORE(${target} + i, ${[target, ...terms].map((term) => `LOAD(${term} + i)`).join(' + ')});`,
      ]),
    )
    return block('', [
      `const f32 *const a = rows + start / ${chunk} * ${operands} + ${number * operand};`,
      ...loop('tile', 0, tiles, 1, [
        `const long at = tile * ${size};`,
        ...(typeof from === 'string'
          ? [call('', from)]
          : [`if (tile == 0) ${call('_less', `${from[0]}, ${from[1]}, ${from[2]}`)}`, `else ${call('', from[2])}`]),
        ...added,
      ]),
    ])
  }
  const stored = block('for (long quarter = 0; quarter < 4; quarter++)', [
    `const f32 *const c = c11 + quarter * ${half * width};`,
    ...block(`for (long r = 0; r < ${half}; r++)`, [
      `const long y = r + (quarter >> 1) * ${half}, x = (2 * pair + (quarter & 1)) * ${width};`,
      ...Array.from({ length: tile.vectors }, (_, vector) =>
        block('', [
          `const vf v = LOAD(c + r * ${width} + ${vector * lanes})${product.bias ? ` + LOAD(${product.bias} + x + ${vector * lanes})` : ''};`,
          ...storeAfter(product.domain, product.position('y', `x + ${vector * lanes}`), lanes, 'v', product.pointers, level),
        ]),
      ).flat(),
    ]),
  ])
  const names = ['t', 'd', ...sums, 'zero']
  const places = names.map((_, i) => (i < 2 ? i * pane : 2 * pane + (i - 2) * half * width))
  const clear = (from: string, elements: number) =>
    block(`for (long i = 0; i < ${elements}; i += LANES)`, [`STORE(${from} + i, SPLAT(0.0f));`])
  return [
    `f32 *const rows = (f32 *)scratch, ${names.map((name, i) => `*const ${name} = (f32 *)own + ${places[i]}`).join(', ')};`,
    ...leftOperands,
    ...clear('zero', size),
    ...teamWait(level),
    ...sharedLoop(level, 'pair', 0, pairs, 1, [
      ...clear('c11', 4 * half * width),
      ...loop('start', 0, depth, chunk, [
        `const f32 *const b11 = ${right} + pair * ${2 * depth * width} + start * ${width}, *const b21 = b11 + ${pane}, *const b12 = b11 + ${depth * width}, *const b22 = b12 + ${pane};`,
        `const f32 *const next = start + ${chunk} < ${depth} ? b11 + ${chunk * width} : b11 + (${2 * depth * width} - start * ${width});`,
        ...phases.flatMap(phaseLines),
      ]),
      ...stored,
    ]),
  ]
}

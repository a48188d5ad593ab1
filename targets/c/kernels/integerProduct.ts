import type { DType } from '../../../compiler/graph/dtype.ts'
import { elementsOf } from '../../../compiler/graph/scalar.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { resultDomain } from '../access.ts'
import { type Arithmetic, pairs } from '../arithmetic.ts'
import { type Candidate, choose, remembered, workNanoseconds } from '../choice.ts'
import { type Level, lanesOf, type RegisterTile } from '../level.ts'
import { storeElement } from '../steps.ts'
import { sharedLoop, sharedNest, teamWait } from '../team.ts'
import { type Lines, loop } from '../text.ts'
import { type Product, productLines } from './gemm.ts'
import { fitsPairs, pairColumns, parenthesised, partnerOf, zeroPointText } from './pairs.ts'
import { batchOffset, packPanels, panelsBytes, sharedRight } from './product.ts'
import { type QuadForm, quadFormOf, quadsOf } from './quads.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

interface Operands {
  readonly left: readonly number[]
  readonly right: readonly number[]
  readonly rows: number
  readonly depth: number
  /** Pairs of the depth. */
  readonly paired: number
  readonly columns: number
  /** Matrices of the right operand. */
  readonly matrices: number
  readonly dtypes: readonly [left: DType, right: DType]
  readonly leftZeroPoint: number
  readonly rightZeroPoint: readonly number[]
}

function operandsOf({ anchor }: AnchoredKernel): Operands {
  const [left, right] = anchor.operands
  const { leftZeroPoint, rightZeroPoint } = anchor.attributes as { leftZeroPoint: number; rightZeroPoint: number[] }
  const [rows, depth] = left!.shape.slice(-2) as [number, number]
  return {
    left: left!.shape,
    right: right!.shape,
    rows,
    depth,
    paired: Math.ceil(depth / 2),
    columns: right!.shape.at(-1)!,
    matrices: elementCount(right!.shape.slice(0, -2)),
    dtypes: [left!.dtype, right!.dtype],
    leftZeroPoint,
    rightZeroPoint,
  }
}

/** Zero points that differ between columns are taken off at build alone. */
function isPaired(kernel: AnchoredKernel): boolean {
  const { dtypes, leftZeroPoint, rightZeroPoint } = operandsOf(kernel)
  const equal = rightZeroPoint.every((zero) => zero === rightZeroPoint[0])
  return fitsPairs(dtypes[0], [leftZeroPoint]) && fitsPairs(dtypes[1], rightZeroPoint) && (equal || kernel.inputs[1]!.constant)
}

/**
 * Ways to multiply by packed columns: the tiles of the level, as wide as panels. All take as long inside, so that those with fewer beginnings are
 * expected to be first; where pairs are added by two instructions, which need a register between them, only tiles that leave one are.
 */
function tilesOf(kernel: AnchoredKernel, level: Level): readonly Candidate<RegisterTile>[] {
  const { left, depth, columns } = operandsOf(kernel)
  const rows = elementCount(left.slice(0, -1))
  const units = Math.ceil(depth / (quadFormOfProduct(kernel, level) ? 4 : 2))
  const work = workNanoseconds(rows * columns * units, level)
  const own = level.tiles.find(({ rows, vectors }) => rows === level.tile.rows && vectors === level.tile.vectors)
  const fitting = level.tiles.filter((tile) => tile.rows * tile.vectors + tile.vectors + 2 <= level.registers)
  return (fitting.length > 0 ? fitting : [own ?? { ...level.tile, unroll: 1 }]).map((tile) => {
    const width = tile.vectors * lanesOf(level)
    // As for many rows: entries of a model share panels, whose width must not depend on how many there are.
    const begun = (rows / tile.rows) * (columns / width)
    return { name: `${tile.rows}x${width}`, nanoseconds: work + 12 * begun, value: tile }
  })
}

const tileOf = remembered((kernel, level) => choose(kernel, level, tilesOf(kernel as AnchoredKernel, level)))
const widthOf = (kernel: AnchoredKernel, level: Level): number => tileOf(kernel, level).vectors * lanesOf(level)

const alignUp = (bytes: number) => Math.ceil(bytes / 64) * 64
const leftBytes = ({ left, paired }: Operands) => alignUp(4 * elementCount(left.slice(0, -1)) * paired)
const rightBytes = ({ matrices, paired, columns }: Operands, level: Level) => 4 * (matrices * paired * columns + lanesOf(level))

/** Bytes as they are, where the right operand is known and has quads; whole quads of the depth are read where they lie. */
function quadFormOfProduct(kernel: AnchoredKernel, level: Level): QuadForm | undefined {
  const { dtypes, leftZeroPoint, rightZeroPoint } = operandsOf(kernel)
  if (!kernel.inputs[1]!.constant) return undefined
  return quadFormOf({ dtype: dtypes[0], zeroPoint: leftZeroPoint }, { dtype: dtypes[1], zeroPoints: rightZeroPoint }, level)
}

/** Both operands in quads or pairs along the depth: rows of the left one, panels of the right one or, computed at run time, rows. */
export const matmulInteger: Template = {
  kind: 'template',
  storesRows: true,
  ways: (kernel, level) => (kernel.inputs[1]!.constant && isPaired(kernel) ? tilesOf(kernel, level) : []),
  scratch(kernel, level) {
    const operands = operandsOf(kernel)
    if (quadFormOfProduct(kernel, level)) return quadRowBytes(operands)
    if (!isPaired(kernel)) return 0
    return leftBytes(operands) + (kernel.inputs[1]!.constant ? 0 : rightBytes(operands, level))
  },
  pack(kernel, index, level) {
    if (index !== 1) return undefined
    const form = quadFormOfProduct(kernel, level)
    if (form) return quadPacking(operandsOf(kernel), form, widthOf(kernel, level), level)
    return isPaired(kernel) ? pairPacking(operandsOf(kernel), widthOf(kernel, level), level) : undefined
  },
  body(kernel, level) {
    const form = quadFormOfProduct(kernel, level)
    if (form) return quadProduct(kernel, operandsOf(kernel), form, level)
    return isPaired(kernel) ? pairedProduct(kernel, operandsOf(kernel), level) : scalarProduct(kernel, level)
  },
}

const pairPacking = ({ matrices, depth, paired, columns, dtypes, rightZeroPoint }: Operands, width: number, level: Level) => ({
  key: `matrix pairs ${matrices}x${depth}x${columns} in panels of ${width} from ${dtypes[1]} less ${rightZeroPoint.join(' ')}`,
  bytes: panelsBytes(matrices, paired, columns, level, width),
  pack(dense: Uint8Array) {
    const rows = pairColumns(dense, dtypes[1], rightZeroPoint, matrices, depth, columns)
    return packPanels(new Uint8Array(rows.buffer), matrices, paired, columns, { row: columns, column: 1 }, level, width)
  },
})

const quadsOfDepth = ({ depth }: Operands) => Math.ceil(depth / 4)

/** Panels of quads, and behind them the corrections of each matrix. */
const quadPacking = (operands: Operands, form: QuadForm, width: number, level: Level) => {
  const { matrices, depth, columns, dtypes } = operands
  const panels = panelsBytes(matrices, quadsOfDepth(operands), columns, level, width)
  const bytes = panels + 4 * matrices * columns
  return {
    key: `matrix quads ${matrices}x${depth}x${columns} in panels of ${width} from ${dtypes[1]} by ${form.zero}`,
    bytes,
    pack(dense: Uint8Array) {
      const { get } = elementsOf(dtypes[1], dense)
      const to = new Uint8Array(bytes)
      const panel = panels / Math.max(1, matrices)
      for (let matrix = 0; matrix < matrices; matrix++) {
        const at = matrix * depth * columns
        const { quads, corrections } = quadsOf((row, column) => get(at + row * columns + column), depth, columns, form)
        const rows = new Uint8Array(quads.buffer)
        const packed = packPanels(rows, 1, quadsOfDepth(operands), columns, { row: columns, column: 1 }, level, width)
        to.set(packed, matrix * panel)
        to.set(new Uint8Array(corrections.buffer), panels + 4 * matrix * columns)
      }
      return to
    },
  }
}

/** Bytes of the left operand's rows in working storage, where they are no whole quads. */
const quadRowBytes = (operands: Operands) =>
  operands.depth % 4 === 0 ? 0 : 4 * elementCount(operands.left.slice(0, -1)) * quadsOfDepth(operands)

function quadProduct(kernel: AnchoredKernel, operands: Operands, { arithmetic, zero }: QuadForm, level: Level): Lines {
  const { left, depth, columns, matrices } = operands
  const quartered = quadsOfDepth(operands)
  const rows = elementCount(left.slice(0, -1))
  const bytes =
    depth === 0
      ? []
      : depth % 4 === 0
        ? ['const i32 *whole = (const i32 *)x0;']
        : [
            'i32 *whole = (i32 *)scratch;',
            ...sharedLoop(level, 'row', 0, rows, 1, [
              `gp_whole_quads((u8 *)(whole + row * ${quartered}), (const u8 *)x0 + row * ${depth}, 1, ${depth});`,
            ]),
            ...teamWait(level),
          ]
  const width = widthOf(kernel, level)
  const corrections = `(const i32 *)x1 + ${panelsBytes(matrices, quartered, columns, level, width) / 4}`
  return [
    ...bytes,
    ...(depth === 0 ? [] : ['const i32 *columns = (const i32 *)x1;']),
    ...(zero === 0 || depth === 0 ? [] : [`const i32 *corrections = ${corrections};`]),
    ...ofRows(kernel, operands, level, {
      arithmetic,
      left: 'whole',
      depth: quartered,
      rightLayout: { kind: 'panels', width },
      matrix: panelsBytes(1, quartered, columns, level, width) / 4,
      corrected: zero !== 0 && depth > 0,
    }),
  ]
}

/** Both operands in elements of four bytes: the left one's rows as the variable `left` names, the right one as `columns`. */
interface Prepared {
  readonly arithmetic: Arithmetic
  readonly left: string
  /** Elements of a row. */
  readonly depth: number
  readonly rightLayout: Extract<Product['rightLayout'], { kind: 'rows' | 'panels' }>
  /** Elements of one matrix of the right operand. */
  readonly matrix: number
  /** Whether sums begin with the `corrections` of each column. */
  readonly corrected?: boolean
}

function ofRows(
  kernel: AnchoredKernel,
  { left, right, rows, columns, matrices }: Operands,
  level: Level,
  given: Prepared,
): Lines {
  const { arithmetic, depth, rightLayout, matrix, corrected } = given
  const bias = (pointer: string) => (corrected ? { bias: { along: 'columns', pointer } as const } : {})
  const tile = rightLayout.kind === 'panels' ? { tile: tileOf(kernel, level) } : {}
  if (matrices === 1)
    return sharedRight(
      kernel,
      level,
      { right: 'columns', rightLayout, divided: true, ahead: true, ...tile, ...bias('corrections') },
      { arithmetic, left: given.left, depth },
    )
  const rank = kernel.domain.length
  const batch = kernel.domain.slice(0, -2).map((_, axis) => `i${axis}`)
  const product = productLines(
    {
      arithmetic,
      rows,
      columns,
      depth,
      leftPitch: depth,
      left: 'left',
      right: 'right',
      rightLayout,
      ahead: true,
      ...tile,
      ...bias('correction'),
      order: 'columns-outer',
      domain: resultDomain(kernel),
      position: (row, column) => [...batch, row, column],
      pointers: pointersOf(kernel),
    },
    level,
  )
  const offsets =
    depth > 0
      ? [
          `const i32 *left = ${given.left} + ${batchOffset(left, rank, rows * depth)}, *right = columns + ${batchOffset(right, rank, matrix)};`,
        ]
      : []
  const correction = corrected ? [`const i32 *correction = corrections + ${batchOffset(right, rank, columns)};`] : []
  return sharedNest(
    level,
    batch.map((variable, axis) => [variable, kernel.domain[axis]!]),
    [...offsets, ...correction, ...product],
  )
}

function pairedProduct(kernel: AnchoredKernel, operands: Operands, level: Level): Lines {
  const { left, depth, paired, columns, dtypes, leftZeroPoint } = operands
  const constant = kernel.inputs[1]!.constant
  const width = widthOf(kernel, level)
  const wideLeft =
    depth > 0
      ? [
          'i32 *wide = (i32 *)scratch;',
          ...sharedLoop(level, 'row', 0, elementCount(left.slice(0, -1)), 1, [
            `gp_wide_rows_${dtypes[0]}((i16 *)(wide + row * ${paired}), x0 + row * ${depth}, ${leftZeroPoint}, 1, ${depth});`,
          ]),
        ]
      : []
  const wideRight =
    depth === 0
      ? []
      : constant
        ? ['const i32 *columns = (const i32 *)x1;']
        : [`i32 *columns = (i32 *)(scratch + ${leftBytes(operands)});`, ...pairRowsLines(operands, level)]
  return [
    ...wideLeft,
    ...wideRight,
    ...(depth > 0 ? teamWait(level) : []),
    ...ofRows(kernel, operands, level, {
      arithmetic: pairs,
      left: 'wide',
      depth: paired,
      rightLayout: constant ? { kind: 'panels', width } : { kind: 'rows', pitch: columns },
      matrix: constant ? panelsBytes(1, paired, columns, level, width) / 4 : paired * columns,
    }),
  ]
}

/** Rows of the right operand in pairs, where it is computed at run time. */
function pairRowsLines({ matrices, depth, paired, columns, dtypes, rightZeroPoint }: Operands, level: Level): Lines {
  return sharedNest(
    level,
    [
      ['m', matrices],
      ['k', paired],
    ],
    [
      `const ${dtypes[1]} *from = x1 + (m * ${depth} + 2 * k) * ${columns};`,
      `gp_pair_run_${dtypes[1]}(columns + (m * ${paired} + k) * ${columns}, from, ${partnerOf(depth, 'from', `from + ${columns}`)}, ${rightZeroPoint[0]}, ${columns});`,
    ],
  )
}

/** Plain loops over integers less their zero points; sums wrap. */
function scalarProduct(kernel: AnchoredKernel, level: Level): Lines {
  const { left, right, rows, depth, columns, leftZeroPoint, rightZeroPoint } = operandsOf(kernel)
  const rank = kernel.domain.length
  const [row, column] = [`i${rank - 2}`, `i${rank - 1}`]
  const zeros = zeroPointText('zeros', rightZeroPoint, column)
  const from = `x0[${batchOffset(left, rank, rows * depth)} + ${row} * ${depth} + k]`
  const by = `x1[${batchOffset(right, rank, depth * columns)} + k * ${columns} + ${column}]`
  const body = [
    'u32 total = 0;',
    ...loop('k', 0, depth, 1, [`total += (u32)(${from} - ${parenthesised(leftZeroPoint)}) * (u32)(${by} - ${zeros.at});`]),
    'const i32 element = (i32)total;',
    ...storeElement(
      resultDomain(kernel),
      kernel.domain.map((_, axis) => `i${axis}`),
      'element',
      pointersOf(kernel),
    ),
  ]
  return [
    ...(depth > 0 ? zeros.table : []),
    ...sharedNest(
      level,
      kernel.domain.map((extent, axis) => [`i${axis}`, extent]),
      body,
    ),
  ]
}

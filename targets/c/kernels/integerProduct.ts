import type { DType } from '../../../compiler/graph/dtype.ts'
import { elementsOf } from '../../../compiler/graph/scalar.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { resultDomain } from '../access.ts'
import { type Arithmetic, pairs } from '../arithmetic.ts'
import { type Level, lanesOf } from '../level.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop } from '../text.ts'
import { type Product, productLines } from './gemm.ts'
import { fitsPairs, pairColumns, parenthesised, partnerOf, zeroPointText } from './pairs.ts'
import { batchOffset, packPanels, panelOf, panelsBytes, sharedRight } from './product.ts'
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
  scratch(kernel, level) {
    const operands = operandsOf(kernel)
    if (quadFormOfProduct(kernel, level)) return quadRowBytes(operands)
    if (!isPaired(kernel)) return 0
    return leftBytes(operands) + (kernel.inputs[1]!.constant ? 0 : rightBytes(operands, level))
  },
  pack(kernel, index, level) {
    if (index !== 1) return undefined
    const form = quadFormOfProduct(kernel, level)
    if (form) return quadPacking(operandsOf(kernel), form, level)
    return isPaired(kernel) ? pairPacking(operandsOf(kernel), level) : undefined
  },
  body(kernel, level) {
    const form = quadFormOfProduct(kernel, level)
    if (form) return quadProduct(kernel, operandsOf(kernel), form, level)
    return isPaired(kernel) ? pairedProduct(kernel, operandsOf(kernel), level) : scalarProduct(kernel)
  },
}

const pairPacking = ({ matrices, depth, paired, columns, dtypes, rightZeroPoint }: Operands, level: Level) => ({
  key: `matrix pairs ${matrices}x${depth}x${columns} in panels of ${panelOf(level)} from ${dtypes[1]} less ${rightZeroPoint.join(' ')}`,
  bytes: panelsBytes(matrices, paired, columns, level),
  pack(dense: Uint8Array) {
    const rows = pairColumns(dense, dtypes[1], rightZeroPoint, matrices, depth, columns)
    return packPanels(new Uint8Array(rows.buffer), matrices, paired, columns, { row: columns, column: 1 }, level)
  },
})

const quadsOfDepth = ({ depth }: Operands) => Math.ceil(depth / 4)

/** Panels of quads, and behind them the corrections of each matrix. */
const quadPacking = (operands: Operands, form: QuadForm, level: Level) => {
  const { matrices, depth, columns, dtypes } = operands
  const panels = panelsBytes(matrices, quadsOfDepth(operands), columns, level)
  const bytes = panels + 4 * matrices * columns
  return {
    key: `matrix quads ${matrices}x${depth}x${columns} in panels of ${panelOf(level)} from ${dtypes[1]} by ${form.zero}`,
    bytes,
    pack(dense: Uint8Array) {
      const { get } = elementsOf(dtypes[1], dense)
      const to = new Uint8Array(bytes)
      const panel = panels / Math.max(1, matrices)
      for (let matrix = 0; matrix < matrices; matrix++) {
        const at = matrix * depth * columns
        const { quads, corrections } = quadsOf((row, column) => get(at + row * columns + column), depth, columns, form)
        const rows = new Uint8Array(quads.buffer)
        to.set(packPanels(rows, 1, quadsOfDepth(operands), columns, { row: columns, column: 1 }, level), matrix * panel)
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
        : ['i32 *whole = (i32 *)scratch;', `gp_whole_quads((u8 *)whole, (const u8 *)x0, ${rows}, ${depth});`]
  const corrections = `(const i32 *)x1 + ${panelsBytes(matrices, quartered, columns, level) / 4}`
  return [
    ...bytes,
    ...(depth === 0 ? [] : ['const i32 *columns = (const i32 *)x1;']),
    ...(zero === 0 || depth === 0 ? [] : [`const i32 *corrections = ${corrections};`]),
    ...ofRows(kernel, operands, level, {
      arithmetic,
      left: 'whole',
      depth: quartered,
      rightLayout: { kind: 'panels', width: panelOf(level) },
      matrix: panelsBytes(1, quartered, columns, level) / 4,
      corrected: zero !== 0 && depth > 0,
      inPlace: depth % 4 === 0,
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
  /** Whether both are read where they lie: threads may then divide the product. */
  readonly inPlace?: boolean
}

function ofRows(
  kernel: AnchoredKernel,
  { left, right, rows, columns, matrices }: Operands,
  level: Level,
  given: Prepared,
): Lines {
  const { arithmetic, depth, rightLayout, matrix, corrected } = given
  const bias = (pointer: string) => (corrected ? { bias: { along: 'columns', pointer } as const } : {})
  if (matrices === 1)
    return sharedRight(
      kernel,
      level,
      { right: 'columns', rightLayout, divided: false, ...bias('corrections') },
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
  return batch.reduceRight<Lines>(
    (inner, variable, axis) => loop(variable, 0, kernel.domain[axis]!, 1, inner),
    [...offsets, ...correction, ...product],
  )
}

function pairedProduct(kernel: AnchoredKernel, operands: Operands, level: Level): Lines {
  const { left, depth, paired, columns, dtypes, leftZeroPoint } = operands
  const constant = kernel.inputs[1]!.constant
  const wideLeft =
    depth > 0
      ? [
          'i32 *wide = (i32 *)scratch;',
          `gp_wide_rows_${dtypes[0]}((i16 *)wide, x0, ${leftZeroPoint}, ${elementCount(left.slice(0, -1))}, ${depth});`,
        ]
      : []
  const wideRight =
    depth === 0
      ? []
      : constant
        ? ['const i32 *columns = (const i32 *)x1;']
        : [`i32 *columns = (i32 *)(scratch + ${leftBytes(operands)});`, ...pairRowsLines(operands)]
  return [
    ...wideLeft,
    ...wideRight,
    ...ofRows(kernel, operands, level, {
      arithmetic: pairs,
      left: 'wide',
      depth: paired,
      rightLayout: constant ? { kind: 'panels', width: panelOf(level) } : { kind: 'rows', pitch: columns },
      matrix: constant ? panelsBytes(1, paired, columns, level) / 4 : paired * columns,
    }),
  ]
}

/** Rows of the right operand in pairs, where it is computed at run time. */
function pairRowsLines({ matrices, depth, paired, columns, dtypes, rightZeroPoint }: Operands): Lines {
  return loop(
    'm',
    0,
    matrices,
    1,
    loop('k', 0, paired, 1, [
      `const ${dtypes[1]} *from = x1 + (m * ${depth} + 2 * k) * ${columns};`,
      `gp_pair_run_${dtypes[1]}(columns + (m * ${paired} + k) * ${columns}, from, ${partnerOf(depth, 'from', `from + ${columns}`)}, ${rightZeroPoint[0]}, ${columns});`,
    ]),
  )
}

/** Plain loops over integers less their zero points; sums wrap. */
function scalarProduct(kernel: AnchoredKernel): Lines {
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
    ...kernel.domain.reduceRight<Lines>((inner, extent, axis) => loop(`i${axis}`, 0, extent, 1, inner), body),
  ]
}

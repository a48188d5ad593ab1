import type { DType } from '../../../compiler/graph/dtype.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { resultDomain } from '../access.ts'
import { pairs } from '../arithmetic.ts'
import { type Level, lanesOf } from '../level.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop } from '../text.ts'
import { productLines } from './gemm.ts'
import { fitsPairs, pairColumns, parenthesised, partnerOf, zeroPointText } from './pairs.ts'
import { batchOffset, packPanels, panelOf, panelsBytes, sharedRight } from './product.ts'
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

/** Both operands in pairs along the depth: rows of the left one, panels of the right one or, computed at run time, rows. */
export const matmulInteger: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  scratch(kernel, level) {
    if (!isPaired(kernel)) return 0
    const operands = operandsOf(kernel)
    return leftBytes(operands) + (kernel.inputs[1]!.constant ? 0 : rightBytes(operands, level))
  },
  pack(kernel, index, level) {
    if (index !== 1 || !isPaired(kernel)) return undefined
    const { matrices, depth, paired, columns, dtypes, rightZeroPoint } = operandsOf(kernel)
    return {
      key: `matrix pairs ${matrices}x${depth}x${columns} in panels of ${panelOf(level)} from ${dtypes[1]} less ${rightZeroPoint.join(' ')}`,
      bytes: panelsBytes(matrices, paired, columns, level),
      pack(dense) {
        const rows = pairColumns(dense, dtypes[1], rightZeroPoint, matrices, depth, columns)
        return packPanels(new Uint8Array(rows.buffer), matrices, paired, columns, { row: columns, column: 1 }, level)
      },
    }
  },
  body: (kernel, level) => (isPaired(kernel) ? pairedProduct(kernel, operandsOf(kernel), level) : scalarProduct(kernel)),
}

function pairedProduct(kernel: AnchoredKernel, operands: Operands, level: Level): Lines {
  const { left, right, rows, depth, paired, columns, matrices, dtypes, leftZeroPoint } = operands
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
  const rightLayout = constant
    ? ({ kind: 'panels', width: panelOf(level) } as const)
    : ({ kind: 'rows', pitch: columns } as const)
  if (matrices === 1)
    return [
      ...wideLeft,
      ...wideRight,
      ...sharedRight(kernel, level, { right: 'columns', rightLayout }, { arithmetic: pairs, left: 'wide', depth: paired }),
    ]
  const rank = kernel.domain.length
  const batch = kernel.domain.slice(0, -2).map((_, axis) => `i${axis}`)
  const matrix = constant ? panelsBytes(1, paired, columns, level) / 4 : paired * columns
  const product = productLines(
    {
      arithmetic: pairs,
      rows,
      columns,
      depth: paired,
      leftPitch: paired,
      left: 'left',
      right: 'right',
      rightLayout,
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
          `const i32 *left = wide + ${batchOffset(left, rank, rows * paired)}, *right = columns + ${batchOffset(right, rank, matrix)};`,
        ]
      : []
  return [
    ...wideLeft,
    ...wideRight,
    ...batch.reduceRight<Lines>(
      (inner, variable, axis) => loop(variable, 0, kernel.domain[axis]!, 1, inner),
      [...offsets, ...product],
    ),
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

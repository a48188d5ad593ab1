import { isFloat } from '../../../compiler/graph/dtype.ts'
import { denseStrides, elementCount } from '../../../compiler/graph/type.ts'
import { type Domain, longestRun, regroup, resultDomain } from '../access.ts'
import { type Arithmetic, singles } from '../arithmetic.ts'
import { type Level, lanesOf } from '../level.ts'
import { computeType, fromDouble, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop, sum } from '../text.ts'
import { type Product, productLines } from './gemm.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

export const panelOf = (level: Level) => level.tile.vectors * lanesOf(level)
export const panelsBytes = (matrices: number, depth: number, columns: number, level: Level) =>
  4 * matrices * depth * Math.ceil(columns / panelOf(level)) * panelOf(level)

/** Matrices `[depth, columns]` with given strides as panels `[columns / panel][depth][panel]`, the last one filled up with zeros. */
export function packPanels(
  dense: Uint8Array,
  matrices: number,
  depth: number,
  columns: number,
  strides: { readonly row: number; readonly column: number },
  level: Level,
): Uint8Array {
  const from = new Uint32Array(dense.buffer.slice(dense.byteOffset, dense.byteOffset + dense.byteLength))
  const width = panelOf(level)
  const to = new Uint32Array(panelsBytes(matrices, depth, columns, level) / 4)
  const size = to.length / Math.max(1, matrices)
  for (let matrix = 0; matrix < matrices; matrix++) {
    for (let column = 0; column < columns; column++) {
      const base = matrix * size + Math.floor(column / width) * depth * width + (column % width)
      for (let k = 0; k < depth; k++)
        to[base + k * width] = from[matrix * depth * columns + k * strides.row + column * strides.column]!
    }
  }
  return new Uint8Array(to.buffer)
}

/** The left operand where it is not the kernel's first as it is: a pointer, and elements of a row. */
interface SharedLeft {
  readonly arithmetic?: Arithmetic
  readonly left?: string
  readonly depth?: number
}

/** Rows × columns with one right operand for all rows: leading dimensions become rows as far as the steps allow, loops outside that. */
export function sharedRight(
  kernel: AnchoredKernel,
  level: Level,
  right: Pick<Product, 'right' | 'rightLayout' | 'bias'>,
  from: SharedLeft = {},
): Lines {
  const shape = kernel.domain
  const rank = shape.length
  const { arithmetic = singles, left = 'x0', depth = kernel.anchor.operands[0]!.shape.at(-1)! } = from
  const domain: Domain = resultDomain(kernel)
  const start = longestRun(domain, 0, rank - 1)
  const axes = shape.map((_, axis) => axis)
  const grouped = regroup(domain, [...axes.slice(0, start).map((axis) => [axis]), axes.slice(start, rank - 1), [rank - 1]])!
  const outer = axes.slice(0, start).map((axis) => `i${axis}`)
  const rows = elementCount(shape.slice(start, rank - 1))
  const outerStrides = denseStrides(shape.slice(0, rank - 1)).slice(0, start)
  const product = productLines(
    {
      arithmetic,
      rows,
      columns: shape.at(-1)!,
      depth,
      leftPitch: depth,
      left: 'left',
      ...right,
      order: 'columns-outer',
      domain: grouped,
      position: (row, column) => [...outer, row, column],
      pointers: pointersOf(kernel),
    },
    level,
  )
  const leftOffset = sum(outer.map((variable, axis) => [variable, outerStrides[axis]! * depth] as const))
  const body = [...(depth > 0 ? [`const ${arithmetic.element} *left = ${left} + ${leftOffset};`] : []), ...product]
  return outer.reduceRight<Lines>((inner, variable, axis) => loop(variable, 0, shape[axis]!, 1, inner), body)
}

/** Sums in double, or of integers as they wrap, for element types without vector kernels: `left` and `right` are element indices with `k`. */
function scalarProduct(kernel: AnchoredKernel, depth: number, left: string, right: string, initial: string): Lines {
  const { dtype } = kernel.anchor.type
  const held = isFloat(dtype) ? 'f64' : 'u64'
  const position = kernel.domain.map((_, axis) => `i${axis}`)
  const body = [
    `${held} total = ${initial};`,
    ...loop('k', 0, depth, 1, [
      `total += (${held})${loadText(dtype, `x0[${left}]`)} * (${held})${loadText(dtype, `x1[${right}]`)};`,
    ]),
    `const ${computeType(dtype)} element = ${isFloat(dtype) ? fromDouble(dtype, 'total') : `(${computeType(dtype)})total`};`,
    ...storeElement(resultDomain(kernel), position, 'element', pointersOf(kernel)),
  ]
  return kernel.domain.reduceRight<Lines>((inner, extent, axis) => loop(`i${axis}`, 0, extent, 1, inner), body)
}

const isSingle = (kernel: AnchoredKernel) => kernel.anchor.type.dtype === 'f32'

interface MatrixShapes {
  readonly rows: number
  readonly depth: number
  readonly columns: number
  /** Matrices of the right operand. */
  readonly matrices: number
}

function matrixShapes({ anchor }: AnchoredKernel): MatrixShapes {
  const [left, right] = anchor.operands
  const [rows, depth] = left!.shape.slice(-2) as [number, number]
  return { rows, depth, columns: right!.shape.at(-1)!, matrices: elementCount(right!.shape.slice(0, -2)) }
}

/** Offset of an operand's matrix as a sum over the batch variables; broadcast dimensions do not move. */
export function batchOffset(operand: readonly number[], rank: number, matrix: number): string {
  const batch = operand.slice(0, -2)
  const strides = denseStrides(batch)
  const shift = rank - 2 - batch.length
  return sum(batch.map((extent, axis) => [`i${axis + shift}`, extent === 1 ? 0 : strides[axis]! * matrix] as const))
}

export const matmul: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  pack(kernel, index, level) {
    if (index !== 1 || !isSingle(kernel)) return undefined
    const { depth, columns, matrices } = matrixShapes(kernel)
    return {
      key: `matrix panels ${matrices}x${depth}x${columns} by ${panelOf(level)}`,
      bytes: panelsBytes(matrices, depth, columns, level),
      pack: (dense) => packPanels(dense, matrices, depth, columns, { row: columns, column: 1 }, level),
    }
  },
  body(kernel, level) {
    const { rows, depth, columns, matrices } = matrixShapes(kernel)
    const [left, right] = kernel.anchor.operands
    const rank = kernel.domain.length
    const leftOffset = batchOffset(left!.shape, rank, rows * depth)
    if (!isSingle(kernel)) {
      const rightOffset = batchOffset(right!.shape, rank, depth * columns)
      return scalarProduct(
        kernel,
        depth,
        `${leftOffset} + i${rank - 2} * ${depth} + k`,
        `${rightOffset} + k * ${columns} + i${rank - 1}`,
        isFloat(kernel.anchor.type.dtype) ? '0.0' : '0',
      )
    }
    const packed = kernel.inputs[1]!.constant
    const rightLayout = packed
      ? ({ kind: 'panels', width: panelOf(level) } as const)
      : ({ kind: 'rows', pitch: columns } as const)
    if (matrices === 1) return sharedRight(kernel, level, { right: 'x1', rightLayout })
    const matrix = packed ? panelsBytes(1, depth, columns, level) / 4 : depth * columns
    const batch = kernel.domain.slice(0, -2).map((_, axis) => `i${axis}`)
    const product = productLines(
      {
        rows,
        columns,
        depth,
        leftPitch: depth,
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
    const body = [
      ...(depth > 0 ? [`const f32 *left = x0 + ${leftOffset}, *right = x1 + ${batchOffset(right!.shape, rank, matrix)};`] : []),
      ...product,
    ]
    return batch.reduceRight<Lines>((inner, variable, axis) => loop(variable, 0, kernel.domain[axis]!, 1, inner), body)
  },
}

/** Input times transposed weight plus bias; the weight's panels are made at build, or by the kernel where it is computed at run time. */
export const linear: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  scratch(kernel, level) {
    const [columns, depth] = kernel.anchor.operands[1]!.shape as [number, number]
    return isSingle(kernel) && !kernel.inputs[1]!.constant ? panelsBytes(1, depth, columns, level) : 0
  },
  pack(kernel, index, level) {
    if (index !== 1 || !isSingle(kernel)) return undefined
    const [columns, depth] = kernel.anchor.operands[1]!.shape as [number, number]
    return {
      key: `matrix panels 1x${depth}x${columns} transposed by ${panelOf(level)}`,
      bytes: panelsBytes(1, depth, columns, level),
      pack: (dense) => packPanels(dense, 1, depth, columns, { row: 1, column: depth }, level),
    }
  },
  body(kernel, level) {
    const [columns, depth] = kernel.anchor.operands[1]!.shape as [number, number]
    const bias = kernel.anchor.operands.length > 2
    const { dtype } = kernel.anchor.type
    if (!isSingle(kernel)) {
      const rank = kernel.domain.length
      const strides = denseStrides(kernel.domain.slice(0, -1))
      const row = sum(strides.map((stride, axis) => [`i${axis}`, stride * depth] as const))
      return scalarProduct(
        kernel,
        depth,
        `${row} + k`,
        `i${rank - 1} * ${depth} + k`,
        bias ? loadText(dtype, `x2[i${rank - 1}]`) : '0.0',
      )
    }
    const width = panelOf(level)
    // Without anything to sum over there are no weights to read.
    const constant = kernel.inputs[1]!.constant || depth === 0
    const padded = Math.ceil(columns / width) * width
    const repack = constant
      ? []
      : [
          'f32 *packed = (f32 *)scratch;',
          ...loop(
            'o',
            0,
            padded,
            1,
            loop('k', 0, depth, 1, [
              `packed[(o / ${width} * ${depth} + k) * ${width} + o % ${width}] = o < ${columns} ? x1[o * ${depth} + k] : 0.0f;`,
            ]),
          ),
        ]
    const right = constant ? 'x1' : 'packed'
    return [
      ...repack,
      ...sharedRight(kernel, level, {
        right,
        rightLayout: { kind: 'panels', width },
        ...(bias ? { bias: { along: 'columns', pointer: 'x2' } as const } : {}),
      }),
    ]
  },
}

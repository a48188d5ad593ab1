import type { StoredFloat } from '../../../compiler/fuse/kernel.ts'
import { isFloat } from '../../../compiler/graph/dtype.ts'
import { denseStrides, elementCount } from '../../../compiler/graph/type.ts'
import type { Packing } from '../../../compiler/instructions/instruction.ts'
import { type Domain, longestRun, regroup, resultDomain } from '../access.ts'
import { type Arithmetic, bf16Pairs, singles } from '../arithmetic.ts'
import { type Level, lanesOf, type RegisterTile } from '../level.ts'
import { computeType, fromDouble, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { inSixteenBits } from '../stored.ts'
import { sharedLoop, sharedNest, teamWait } from '../team.ts'
import { block, type Lines, loop, sum } from '../text.ts'
import { type Product, productLines } from './gemm.ts'
import { halvedLines } from './strassen.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'
import { pairPitch, type Way, wayOf, wayScratch, waysOf } from './way.ts'

export const panelOf = (level: Level) => level.tile.vectors * lanesOf(level)
export const panelsBytes = (matrices: number, depth: number, columns: number, level: Level, width = panelOf(level)) =>
  4 * matrices * depth * Math.ceil(columns / width) * width

/** Matrices `[depth, columns]` with given strides as panels `[columns / panel][depth][panel]`, the last one filled up with zeros. */
export function packPanels(
  dense: Uint8Array,
  matrices: number,
  depth: number,
  columns: number,
  strides: { readonly row: number; readonly column: number },
  level: Level,
  width = panelOf(level),
): Uint8Array {
  const from = new Uint32Array(dense.buffer.slice(dense.byteOffset, dense.byteOffset + dense.byteLength))
  const to = new Uint32Array(panelsBytes(matrices, depth, columns, level, width) / 4)
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

const elementsOfPanels = (matrices: number, depth: number, columns: number, width: number) =>
  matrices * depth * Math.ceil(columns / width) * width

/** The same panels of elements in 16 bits; of bf16 `[columns / panel][depth / 2][panel][2]`, an odd depth filled up with zeros. */
export function storedPanels(
  format: StoredFloat,
  matrices: number,
  depth: number,
  columns: number,
  strides: { readonly row: number; readonly column: number },
  width: number,
): Pick<Packing, 'bytes' | 'pack'> {
  const paired = format === 'bf16' ? 2 : 1
  const deep = Math.ceil(depth / paired) * paired
  const size = elementsOfPanels(1, deep, columns, width)
  return {
    bytes: 2 * matrices * size,
    pack(dense) {
      const from = inSixteenBits(dense, format)
      const to = new Uint16Array(matrices * size)
      for (let matrix = 0; matrix < matrices; matrix++) {
        for (let column = 0; column < columns; column++) {
          const base = matrix * size + Math.floor(column / width) * deep * width + (column % width) * paired
          const first = matrix * depth * columns + column * strides.column
          for (let k = 0; k < depth; k++) to[base + (k - (k % paired)) * width + (k % paired)] = from[first + k * strides.row]!
        }
      }
      return new Uint8Array(to.buffer)
    },
  }
}

/** How a constant right operand of f32 is packed. */
function packingOf(
  kernel: AnchoredKernel,
  name: string,
  { matrices, depth, columns }: Pick<MatrixShapes, 'matrices' | 'depth' | 'columns'>,
  strides: { readonly row: number; readonly column: number },
  level: Level,
): Packing {
  const { stored } = kernel.inputs[1]!
  const width = wayOf(kernel, level).tile.vectors * lanesOf(level)
  const key = `matrix panels ${matrices}x${depth}x${columns} ${name}by ${width}`
  if (stored) return { key: `${key} as ${stored}`, ...storedPanels(stored, matrices, depth, columns, strides, width) }
  return {
    key,
    bytes: panelsBytes(matrices, depth, columns, level, width),
    pack: (dense) => packPanels(dense, matrices, depth, columns, strides, level, width),
  }
}

/** The left operand where it is not the kernel's first as it is: a pointer, and elements of a row. */
interface SharedLeft {
  readonly arithmetic?: Arithmetic
  readonly left?: string
  readonly depth?: number
  /** Elements from one row to the next. Default: `depth`. */
  readonly pitch?: number
}

interface Right
  extends Pick<Product, 'right' | 'rightLayout' | 'bias' | 'tile' | 'ahead'>,
    Pick<Way, 'halved' | 'rounded' | 'expanded'> {
  /** Whether threads of a team divide the product: what stands before it in the kernel is then done by all of them. */
  readonly divided: boolean
}

/** Panels from which on it pays more to divide weights among threads than rows. */
const enoughPanels = 8

/** Rows × columns with one right operand for all rows: leading dimensions become rows as far as the steps allow, loops outside that. */
export function sharedRight(
  kernel: AnchoredKernel,
  level: Level,
  { halved, divided, rounded, expanded, ...right }: Right,
  from: SharedLeft = {},
): Lines {
  if (rounded) return roundedRows(kernel, level, { divided, ...right })
  if (expanded) return expandedPanels(kernel, level, right)
  const shape = kernel.domain
  const rank = shape.length
  const { arithmetic = singles, left = 'x0', depth = kernel.anchor.operands[0]!.shape.at(-1)!, pitch = depth } = from
  const domain: Domain = resultDomain(kernel)
  const start = longestRun(domain, 0, rank - 1)
  const axes = shape.map((_, axis) => axis)
  const grouped = regroup(domain, [...axes.slice(0, start).map((axis) => [axis]), axes.slice(start, rank - 1), [rank - 1]])!
  const outer = axes.slice(0, start).map((axis) => `i${axis}`)
  const rows = elementCount(shape.slice(start, rank - 1))
  const columns = shape.at(-1)!
  const outerStrides = denseStrides(shape.slice(0, rank - 1)).slice(0, start)
  const panel = (right.tile ?? level.tile).vectors * lanesOf(level)
  const product: Product = {
    arithmetic,
    rows,
    columns,
    depth,
    leftPitch: pitch,
    left: 'left',
    ...right,
    order: 'columns-outer',
    ...(divided && { shared: columns >= enoughPanels * panel || rows < columns ? 'columns' : 'rows' }),
    domain: grouped,
    position: (row, column) => [...outer, row, column],
    pointers: pointersOf(kernel),
  }
  const lines = halved ? halvedAndRest({ ...product, tile: right.tile! }, halved, level) : productLines(product, level)
  const leftOffset = sum(outer.map((variable, axis) => [variable, outerStrides[axis]! * pitch] as const))
  const body = [...(depth > 0 ? [`const ${arithmetic.element} *left = ${left} + ${leftOffset};`] : []), ...lines]
  return outer.reduceRight<Lines>((inner, variable, axis) => loop(variable, 0, shape[axis]!, 1, inner), body)
}

/** Pairs of bf16: all rows of the left operand are rounded once, which takes a hundredth of what the product does. */
function roundedRows(kernel: AnchoredKernel, level: Level, right: Right): Lines {
  const [left] = kernel.anchor.operands
  const width = (right.tile ?? level.tile).vectors * lanesOf(level)
  const depth = left!.shape.at(-1)!
  const pitch = pairPitch(depth, level)
  const rows = elementCount(left!.shape.slice(0, -1))
  return [
    'u16 *rounded = (u16 *)scratch;',
    ...sharedLoop(level, 'row', 0, rows, 1, [`gp_round_bf16(rounded + row * ${2 * pitch}, x0 + row * ${depth}, ${depth});`]),
    ...teamWait(level),
    ...sharedRight(
      kernel,
      level,
      { ...right, right: `(const i32 *)${right.right}`, rightLayout: { kind: 'panels', width } },
      { arithmetic: bf16Pairs, left: '(const i32 *)rounded', depth: Math.ceil(depth / 2), pitch },
    ),
  ]
}

/** Panel by panel: it is widened to f32 once, and then read by all rows. */
function expandedPanels(kernel: AnchoredKernel, level: Level, right: Omit<Right, 'divided'>): Lines {
  const lanes = lanesOf(level)
  const width = (right.tile ?? level.tile).vectors * lanes
  const depth = kernel.anchor.operands[0]!.shape.at(-1)!
  const { stored } = kernel.inputs[1]!
  // Behind the last row of a narrow panel is room for a vector: the others are overwritten by the next row.
  const row = (k: string, count: number, load: (at: string) => string) =>
    Array.from(
      { length: Math.ceil(count / lanes) },
      (_, v) => `STORE(panel + (${k}) * ${count} + ${v * lanes}, ${load(`${v * lanes}`)});`,
    )
  const halves = (k: string, count: number, which: string) => row(k, count, (at) => `gp_${which}_bf16(from + 2 * (${at}))`)
  const fill = (count: number) =>
    stored === 'f16'
      ? [
          `const u16 *from = ${right.right} + start * ${depth};`,
          ...loop('k', 0, depth, 1, [...row('k', count, (at) => `gp_load_f16(from + ${at})`), `from += ${width};`]),
        ]
      : [
          `const u16 *from = ${right.right} + start * ${depth + (depth % 2)};`,
          ...loop('k', 0, depth - (depth % 2), 2, [
            ...halves('k', count, 'first'),
            ...halves('k + 1', count, 'second'),
            `from += ${2 * width};`,
          ]),
          ...(depth % 2 > 0 ? halves(String(depth - 1), count, 'first') : []),
        ]
  return [
    'f32 *const panel = (f32 *)own;',
    ...sharedRight(kernel, level, {
      ...right,
      right: 'panel',
      rightLayout: { kind: 'block', width, fill },
      ahead: false,
      divided: false,
    }),
  ]
}

/** Halves as far as they go; the rows behind them, and the columns, as usual. */
function halvedAndRest(
  product: Product & { readonly tile: RegisterTile },
  { half, chunk }: NonNullable<Way['halved']>,
  level: Level,
): Lines {
  const { rows, columns, depth, left, leftPitch, right, bias, tile, position, domain, pointers } = product
  const panel = tile.vectors * lanesOf(level)
  const pairs = Math.floor(columns / (2 * panel))
  const [inside, across] = [2 * half, 2 * pairs * panel]
  return [
    ...halvedLines(
      {
        ...{ half, pairs, depth, chunk, tile, left, leftPitch, right, domain, position, pointers },
        ...(bias && { bias: bias.pointer }),
      },
      level,
    ),
    ...(rows > inside
      ? block(
          '',
          productLines(
            {
              ...product,
              rows: rows - inside,
              left: `(${left} + ${inside * leftPitch})`,
              position: (row, column) => position(`${row} + ${inside}`, column),
            },
            level,
          ),
        )
      : []),
    ...(columns > across
      ? block(
          '',
          productLines(
            {
              ...product,
              rows: inside,
              columns: columns - across,
              right: `(${right} + ${across * depth})`,
              ...(bias && { bias: { ...bias, pointer: `(${bias.pointer} + ${across})` } }),
              position: (row, column) => position(row, `${column} + ${across}`),
            },
            level,
          ),
        )
      : []),
  ]
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
    const shapes = matrixShapes(kernel)
    return packingOf(kernel, '', shapes, { row: shapes.columns, column: 1 }, level)
  },
  scratch: (kernel, level) => scratchOf(kernel, level).shared,
  ways: packedWays,
  ownScratch: (kernel, level) => scratchOf(kernel, level).own,
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
    const way = packed ? wayOf(kernel, level) : undefined
    const width = way && way.tile.vectors * lanesOf(level)
    const { stored } = kernel.inputs[1]!
    const rightLayout = width
      ? ({ kind: 'panels', width, ...(stored && { stored }) } as const)
      : ({ kind: 'rows', pitch: columns } as const)
    if (matrices === 1)
      return sharedRight(kernel, level, { right: 'x1', rightLayout, divided: true, ...(way && { ...way, ahead: true }) })
    const deep = stored === 'bf16' ? depth + (depth % 2) : depth
    const matrix = width ? elementsOfPanels(1, deep, columns, width) : depth * columns
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
        ...(way && { tile: way.tile, ahead: true }),
        order: 'columns-outer',
        domain: resultDomain(kernel),
        position: (row, column) => [...batch, row, column],
        pointers: pointersOf(kernel),
      },
      level,
    )
    const body = [
      ...(depth > 0
        ? [
            `const f32 *left = x0 + ${leftOffset};`,
            `const ${stored ? 'u16' : 'f32'} *right = x1 + ${batchOffset(right!.shape, rank, matrix)};`,
          ]
        : []),
      ...product,
    ]
    return sharedNest(
      level,
      batch.map((variable, axis) => [variable, kernel.domain[axis]!]),
      body,
    )
  },
}

/** Input times transposed weight plus bias; the weight's panels are made at build, or by the kernel where it is computed at run time. */
export const linear: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  stores: (kernel, index) => index === 1 && isSingle(kernel),
  scratch(kernel, level) {
    const [columns, depth] = kernel.anchor.operands[1]!.shape as [number, number]
    return isSingle(kernel) && !kernel.inputs[1]!.constant
      ? panelsBytes(1, depth, columns, level)
      : scratchOf(kernel, level).shared
  },
  ways: packedWays,
  ownScratch: (kernel, level) => scratchOf(kernel, level).own,
  pack(kernel, index, level) {
    if (index !== 1 || !isSingle(kernel)) return undefined
    const [columns, depth] = kernel.anchor.operands[1]!.shape as [number, number]
    return packingOf(kernel, 'transposed ', { matrices: 1, depth, columns }, { row: 1, column: depth }, level)
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
    // Without anything to sum over there are no weights to read.
    const { stored } = kernel.inputs[1]!
    const constant = kernel.inputs[1]!.constant || depth === 0
    const way = constant ? wayOf(kernel, level) : undefined
    const width = way ? way.tile.vectors * lanesOf(level) : panelOf(level)
    const right = {
      divided: true,
      rightLayout: { kind: 'panels', width, ...(stored && { stored }) } as const,
      ...(bias ? { bias: { along: 'columns', pointer: 'x2' } as const } : {}),
    }
    if (way) return sharedRight(kernel, level, { right: 'x1', ...right, ...way, ahead: true })
    const padded = Math.ceil(columns / width) * width
    return [
      'f32 *packed = (f32 *)scratch;',
      ...sharedLoop(
        level,
        'o',
        0,
        padded,
        1,
        loop('k', 0, depth, 1, [
          `packed[(o / ${width} * ${depth} + k) * ${width} + o % ${width}] = o < ${columns} ? x1[o * ${depth} + k] : 0.0f;`,
        ]),
      ),
      ...teamWait(level),
      ...sharedRight(kernel, level, { right: 'packed', ...right }),
    ]
  },
}

/** Only products with packed weights have several ways. */
function packedWays(kernel: AnchoredKernel, level: Level): ReturnType<typeof waysOf> {
  return isSingle(kernel) && kernel.inputs[1]!.constant ? waysOf(kernel, level) : []
}

/** Working storage of the way that is taken with packed weights. */
const scratchOf = (kernel: AnchoredKernel, level: Level) =>
  isSingle(kernel) && kernel.inputs[1]!.constant ? wayScratch(kernel, wayOf(kernel, level), level) : { shared: 0, own: 0 }

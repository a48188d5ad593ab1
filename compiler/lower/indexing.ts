import { denseStrides, elementCount, type Node, type Shape } from '../graph/index.ts'
import { resolveAxis } from '../graph/ops/shared.ts'
import { along, type LoweringRule, type Scope } from './scope.ts'

/** 0, step, 2 · step, … along an axis of a tensor of `rank` dimensions. */
const ramp = (g: Scope, axis: number, rank: number, length: number, step = 1): Node =>
  g.constant(
    { dtype: 'i64', shape: along(axis, rank, length) },
    Array.from({ length }, (_, i) => i * step),
    'positions',
  )

/** The index counted from the front. */
const fromFront = (g: Scope, index: Node, extent: number): Node => g.where(g.less(index, 0), g.add(index, extent), index)

interface Part {
  readonly index: Node
  readonly extent: number
  readonly stride: number
}

/**
 * Σ index · stride + `base`, and where an index lies outside its extent the number `outside`, which the op that is given the result
 * refuses: joining indices must not turn a wrong one into a right one.
 */
function joinedIndex(g: Scope, parts: readonly Part[], base: readonly Node[], outside: number): Node {
  const either = (left: Node, right: Node) => g.node('or', { left, right }, {})
  const positions = parts.map(({ index, extent }) => fromFront(g, g.cast(index, 'i64'), extent))
  const wrong = parts
    .map(({ extent }, i) => either(g.less(positions[i]!, 0), g.lessOrEqual(extent, positions[i]!)))
    .reduce(either)
  const terms = parts.map(({ stride }, i) => (stride === 1 ? positions[i]! : g.mul(positions[i]!, stride)))
  return g.where(
    wrong,
    outside,
    [...terms, ...base].reduce((left, right) => g.add(left, right)),
  )
}

/** Positions of a flat tensor of `shape` for indices along `axis`, in their own shape. */
function flatPositions(g: Scope, shape: Shape, indices: Node, axis: number): Node {
  const strides = denseStrides(shape)
  const own = indices.type.shape
  const base = own.flatMap((extent, d) => (d === axis || extent === 1 ? [] : [ramp(g, d, own.length, extent, strides[d]!)]))
  return joinedIndex(g, [{ index: indices, extent: shape[axis]!, stride: strides[axis]! }], base, elementCount(shape))
}

const gatherElements: LoweringRule<'gatherElements'> = ({ input, indices }, { axis }, g) => {
  const { shape } = input.type
  const at = resolveAxis(axis, shape.length, 'gatherElements')
  return g.node(
    'gather',
    { input: g.reshape(input, [elementCount(shape)]), indices: flatPositions(g, shape, indices, at) },
    { axis: 0, joined: [shape[at]!] },
  )
}

/** Entry `i` of each index vector. */
function component(g: Scope, indices: Node, i: number): Node {
  const { shape } = indices.type
  const last = shape.length - 1
  const part = g.node(
    'slice',
    { input: indices },
    {
      start: shape.map((_, axis) => (axis === last && !shape.includes(0) ? i : 0)),
      size: shape.map((extent, axis) => (axis === last ? 1 : extent)),
      step: shape.map(() => 1),
    },
  )
  return g.reshape(part, shape.slice(0, -1))
}

const gatherNd: LoweringRule<'gatherNd'> = ({ input, indices }, { batchDims }, g) => {
  const { shape } = input.type
  const depth = indices.type.shape.at(-1)!
  const leading = shape.slice(0, batchDims + depth)
  const strides = denseStrides(leading)
  const rank = indices.type.shape.length - 1
  const parts = Array.from({ length: depth }, (_, i) => ({
    index: component(g, indices, i),
    extent: leading[batchDims + i]!,
    stride: strides[batchDims + i]!,
  }))
  const base = Array.from({ length: batchDims }, (_, d) => ramp(g, d, rank, leading[d]!, strides[d]!))
  const rows = elementCount(leading)
  return g.node(
    'gather',
    { input: g.reshape(input, [rows, ...shape.slice(leading.length)]), indices: joinedIndex(g, parts, base, rows) },
    { axis: 0, joined: leading.slice(batchDims) },
  )
}

const scatterElements: LoweringRule<'scatterElements'> = ({ input, indices, updates }, { axis, reduction }, g) => {
  const { shape } = input.type
  const at = resolveAxis(axis, shape.length, 'scatterElements')
  const count = elementCount(indices.type.shape)
  const result = g.node(
    'scatterNd',
    {
      input: g.reshape(input, [elementCount(shape)]),
      indices: g.reshape(flatPositions(g, shape, indices, at), [count, 1]),
      updates: g.reshape(updates, [count]),
    },
    { reduction, joined: [shape[at]!] },
  )
  return g.reshape(result, shape)
}

const oneHot: LoweringRule<'oneHot'> = ({ indices }, { depth, axis, dtype }, g) => {
  const own = indices.type.shape
  const at = resolveAxis(axis, own.length + 1, 'oneHot')
  const position = g.reshape(fromFront(g, g.cast(indices, 'i64'), depth), [...own.slice(0, at), 1, ...own.slice(at)])
  return g.cast(g.equal(position, ramp(g, at, own.length + 1, depth)), dtype)
}

/** One at the position of the largest element. */
const hardmax: LoweringRule<'hardmax'> = ({ input }, { axis }, g, { dtype, shape }) => {
  const at = resolveAxis(axis, shape.length, 'hardmax')
  const chosen = g.node('argMax', { input }, { axis: at, keepDims: true, last: false })
  return g.cast(g.equal(chosen, ramp(g, at, shape.length, shape[at]!)), dtype)
}

/** Kept where `holds` of the element's column and its row plus the diagonal. */
const triangle = (g: Scope, input: Node, diagonal: number, holds: (column: Node, row: Node) => Node): Node => {
  const [rows, columns] = input.type.shape.slice(-2) as [number, number]
  const row = g.add(ramp(g, 0, 2, rows), diagonal)
  return g.where(holds(ramp(g, 1, 2, columns), row), input, 0)
}
const triu: LoweringRule<'triu'> = ({ input }, { diagonal }, g) =>
  triangle(g, input, diagonal, (column, row) => g.lessOrEqual(row, column))
const tril: LoweringRule<'tril'> = ({ input }, { diagonal }, g) =>
  triangle(g, input, diagonal, (column, row) => g.lessOrEqual(column, row))

export const indexingRules = { gatherElements, gatherNd, scatterElements, oneHot, hardmax, triu, tril }

import { elementCount, type Node, type TensorType } from '../graph/index.ts'
import { meanOf } from './reduce.ts'
import { inFloat32, type LoweringRule, pick, type Scope } from './scope.ts'

interface Cell {
  readonly start: number
  readonly size: number
}

/** Cell i of `count` over `extent` elements covers floor(i · extent / count) up to ceil((i + 1) · extent / count). */
const cellsOf = (extent: number, count: number): Cell[] =>
  Array.from({ length: count }, (_, i) => {
    const start = Math.floor((i * extent) / count)
    return { start, size: Math.ceil(((i + 1) * extent) / count) - start }
  })

const divides = ({ shape }: TensorType, size: readonly number[]): boolean => size.every((count, i) => shape[2 + i]! % count === 0)

/** The attributes of the pool whose windows are the cells, where they tile the input. */
function tiling({ shape }: TensorType, size: readonly number[]) {
  const window = size.map((count, i) => shape[2 + i]! / count)
  const none = size.map(() => 0)
  return { window, stride: window, before: none, after: none, dilation: size.map(() => 1) }
}

/** Means along one axis, as a product with the constant matrix of weights. */
function averageAxis(g: Scope, input: Node, axis: number, count: number): Node {
  const { dtype, shape } = input.type
  const extent = shape[axis]!
  const weights = cellsOf(extent, count).flatMap(({ start, size }) =>
    Array.from({ length: extent }, (_, i) => (i >= start && i < start + size ? 1 / size : 0)),
  )
  const left = g.constant({ dtype, shape: [count, extent] }, weights, 'cells')
  const right = g.reshape(input, [elementCount(shape.slice(0, axis)), extent, elementCount(shape.slice(axis + 1))])
  return g.reshape(
    g.node('matmul', { left, right }, {}),
    shape.map((e, i) => (i === axis ? count : e)),
  )
}

function maximumAxis(g: Scope, input: Node, axis: number, count: number): Node {
  const inputs = cellsOf(input.type.shape[axis]!, count).map(({ start, size }) => {
    const part = pick(
      g,
      input,
      axis,
      Array.from({ length: size }, (_, i) => start + i),
    )
    return g.node('reduceMax', { input: part }, { axes: [axis], keepDims: true })
  })
  return g.node('concat', { inputs }, { axis })
}

const byAxis = (g: Scope, input: Node, size: readonly number[], apply: typeof averageAxis): Node =>
  size.reduce((value, count, i) => (value.type.shape[2 + i] === count ? value : apply(g, value, 2 + i, count)), input)

const spatial = (size: readonly number[]): number[] => size.map((_, i) => 2 + i)

const adaptiveAvgPool = inFloat32<'adaptiveAvgPool'>(({ input }, { size }, g) => {
  if (size.every((count) => count === 1)) return meanOf(g, input, spatial(size), true)
  if (divides(input.type, size)) return g.node('avgPool', { input }, { ...tiling(input.type, size), countPadding: false })
  return byAxis(g, input, size, averageAxis)
})

const adaptiveMaxPool: LoweringRule<'adaptiveMaxPool'> = ({ input }, { size }, g) => {
  if (size.every((count) => count === 1)) return g.node('reduceMax', { input }, { axes: spatial(size), keepDims: true })
  if (divides(input.type, size)) return g.node('maxPool', { input }, tiling(input.type, size))
  return byAxis(g, input, size, maximumAxis)
}

/** The mean of the powers times their number; padding counts, and is zero. */
const lpPool = inFloat32<'lpPool'>(({ input }, { p, ...window }, g) => {
  const raised = (value: Node, exponent: number) =>
    g.node('pow', { left: value, right: g.constant({ dtype: value.type.dtype, shape: [] }, [exponent], 'power') }, {})
  const magnitude = g.abs(input)
  const powers = p === 1 ? magnitude : p === 2 ? g.mul(input, input) : raised(magnitude, p)
  const total = g.mul(g.node('avgPool', { input: powers }, { ...window, countPadding: true }), elementCount(window.window))
  return p === 1 ? total : p === 2 ? g.sqrt(total) : raised(total, 1 / p)
})

export const windowRules = { adaptiveAvgPool, adaptiveMaxPool, lpPool }

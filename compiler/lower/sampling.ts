import { elementCount, type Node } from '../graph/index.ts'
import type { LoweringRule, Scope } from './scope.ts'

/** One element that a place is interpolated from along an axis: where it lies, its share, and whether it is within the input. */
interface Tap {
  readonly index: Node
  readonly share?: Node
  readonly inside?: Node
}

interface Along {
  readonly extent: number
  readonly mode: 'nearest' | 'linear' | 'cubic'
  readonly padding: 'zeros' | 'border' | 'reflection'
  readonly coordinates: 'edges' | 'corners' | 'elements'
}

const floor = (g: Scope, input: Node): Node => g.node('floor', { input }, {})

/** Coordinates of elements: 0 is the first, extent − 1 the last. */
function elementAt(g: Scope, place: Node, { extent, coordinates }: Along): Node {
  if (coordinates === 'elements') return place
  const shifted = g.add(place, 1)
  return coordinates === 'corners' ? g.mul(shifted, (extent - 1) / 2) : g.mul(g.sub(g.mul(shifted, extent), 1), 0.5)
}

/** What lies outside of `lowest` to `highest` turned back at them, as often as it takes. */
function mirrored(g: Scope, at: Node, { extent, coordinates }: Along): Node {
  const [lowest, highest] = coordinates === 'edges' ? [-0.5, extent - 0.5] : [0, extent - 1]
  const span = highest - lowest
  if (span === 0) return g.mul(at, 0)
  const distance = g.abs(g.sub(at, lowest))
  const rest = g.sub(distance, g.mul(floor(g, g.div(distance, 2 * span)), 2 * span))
  return g.add(g.minimum(rest, g.sub(2 * span, rest)), lowest)
}

/** An index within the axis; what is not a number becomes the first. */
const indexOf = (g: Scope, at: Node, extent: number): Node => g.cast(g.minimum(g.maximum(at, 0), extent - 1), 'i32')

/** Weights of the four elements around a place, `beyond` the second of them (Keys, with a = −0.75). */
function cubicShares(g: Scope, beyond: Node): readonly [Node, Node, Node, Node] {
  const a = -0.75
  const near = (x: Node) => g.add(g.mul(g.mul(g.sub(g.mul(x, a + 2), a + 3), x), x), 1)
  const far = (x: Node) => g.sub(g.mul(g.add(g.mul(g.sub(g.mul(x, a), 5 * a), x), 8 * a), x), 4 * a)
  const other = g.sub(1, beyond)
  return [far(g.add(beyond, 1)), near(beyond), near(other), far(g.add(other, 1))]
}

function tapsOf(g: Scope, place: Node, how: Along): readonly Tap[] {
  const { extent, mode, padding } = how
  const plain = elementAt(g, place, how)
  const rounded = mode === 'nearest' ? g.node('round', { input: plain }, {}) : plain
  // What four elements are made of is looked for from the place itself, wherever it lies: each of them is then the border.
  const at =
    padding === 'zeros' || (padding === 'border' && mode === 'cubic')
      ? rounded
      : padding === 'border'
        ? g.minimum(g.maximum(rounded, 0), extent - 1)
        : mirrored(g, rounded, how)
  const tap = (index: Node, share?: Node): Tap => {
    if (padding !== 'zeros')
      return { index: indexOf(g, padding === 'reflection' ? mirrored(g, index, how) : index, extent), ...(share && { share }) }
    const inside = g.node('and', { left: g.lessOrEqual(0, index), right: g.lessOrEqual(index, extent - 1) }, {})
    return { index: indexOf(g, index, extent), inside, ...(share && { share }) }
  }
  if (mode === 'nearest') return [tap(at)]
  const first = floor(g, at)
  const beyond = g.sub(at, first)
  if (mode === 'linear') return [tap(first, g.sub(1, beyond)), tap(g.add(first, 1), beyond)]
  return cubicShares(g, beyond).map((share, i) => tap(i === 1 ? first : g.add(first, i - 1), share))
}

const both = <T>(left: T | undefined, right: T | undefined, join: (left: T, right: T) => T): T | undefined =>
  left === undefined ? right : right === undefined ? left : join(left, right)

/** Elements of `[batch, channels, elements]` at `[batch, places]`. */
function elementsAt(g: Scope, input: Node, indices: Node): Node {
  const [batch, channels, count] = input.type.shape as [number, number, number]
  const places = indices.type.shape[1]!
  if (batch === 1) {
    const rows = g.reshape(input, [channels, count])
    return g.reshape(g.node('gather', { input: rows, indices: g.reshape(indices, [places]) }, { axis: 1 }), [1, channels, places])
  }
  const starts = g.constant(
    { dtype: 'i32', shape: [batch, channels, 1] },
    Array.from({ length: batch * channels }, (_, i) => i * count),
    'starts',
  )
  const flat = g.add(g.reshape(indices, [batch, 1, places]), starts)
  return g.node('gather', { input: g.reshape(input, [batch * channels * count]), indices: flat }, { axis: 0 })
}

const gridSample: LoweringRule<'gridSample'> = ({ input, grid }, { mode, padding, coordinates }, g, type) => {
  const [batch, channels, ...extents] = input.type.shape as [number, number, ...number[]]
  const places = elementCount(type.shape.slice(2))
  const wide = type.dtype === 'f16' || type.dtype === 'bf16' ? 'f32' : type.dtype
  const exact = grid.type.dtype === 'f64' || type.dtype === 'f64'
  const vectors = g.reshape(g.cast(grid, exact ? 'f64' : 'f32'), [batch, places, extents.length])
  const component = (i: number): Node =>
    g.reshape(g.node('slice', { input: vectors }, { start: [0, 0, i], size: [batch, places, 1], step: [1, 1, 1] }), [
      batch,
      places,
    ])
  const taps = extents.map((extent, i) => tapsOf(g, component(extents.length - 1 - i), { extent, mode, padding, coordinates }))
  // Every choice of one tap along each axis.
  const [first, ...others] = taps as [readonly Tap[], ...(readonly Tap[])[]]
  const corners = others.reduce(
    (list, next, i) =>
      list.flatMap((corner) =>
        next.map((tap) => {
          const share = both(corner.share, tap.share, g.mul)
          const inside = both(corner.inside, tap.inside, (left, right) => g.node('and', { left, right }, {}))
          const index = g.add(g.mul(corner.index, extents[i + 1]!), tap.index)
          return { index, ...(share && { share }), ...(inside && { inside }) }
        }),
      ),
    first,
  )
  const flat = g.reshape(input, [batch, channels, elementCount(extents)])
  const spread = (value: Node) => g.reshape(value, [batch, 1, places])
  const terms = corners.map(({ index, share, inside }) => {
    const picked = g.cast(elementsAt(g, flat, index), wide)
    const kept = inside ? g.where(spread(inside), picked, 0) : picked
    return share ? g.mul(kept, spread(g.cast(share, wide))) : kept
  })
  const sum = terms.reduce((left, right) => g.add(left, right))
  return g.reshape(g.cast(sum, type.dtype), type.shape)
}

export const samplingRules = { gridSample }

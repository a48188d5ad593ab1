// Operations that move elements: where the padding goes.
import { attributesOf, elementsOf, type Node } from '../graph/index.ts'
import { divided, extentAt, fitExtent, multiplied, printExtent, type Sizes, sameExtent, shifted, wholeOf } from './extent.ts'
import {
  type Axis,
  type Family,
  isPadded,
  isSingle,
  type Question,
  type Rule,
  rankOf,
  resolve,
  type State,
  spoilt,
} from './state.ts'
import { opText, placeOf, whereText } from './words.ts'

const attribute = <T>(nodes: Family, name: string): readonly T[] => nodes.map(({ attributes }) => attributes[name] as T)
const isSame = <T>(list: readonly T[]): boolean => list.every((entry) => entry === list[0])

/** A constant, or an expansion, whose size follows a dimension. */
export function fitAxes(nodes: Family, at: readonly Sizes[], fill: Axis['fill']): State['axes'] | undefined {
  const axes = nodes[0]!.type.shape.map((_, axis) =>
    fitExtent(
      nodes.map(({ type }) => type.shape[axis]!),
      at,
    ),
  )
  if (axes.includes(undefined)) return undefined
  return axes.map((extent) => (typeof extent === 'object' ? { extent, fill } : undefined))
}

export const transpose: Rule = ({ nodes, states: [input] }) => ({
  ...input,
  axes: attributesOf<'transpose'>(nodes[0]!).order.map((axis) => input!.axes[resolve(axis, input!.axes.length)]),
})

/** Groups of axes that hold the same elements before and after, at every size: ends of both, exclusive. */
function groupsOf(from: Family, to: Family): { from: readonly [number, number]; to: readonly [number, number] }[] {
  const result: { from: readonly [number, number]; to: readonly [number, number] }[] = []
  const [ranks, starts, ends] = [[rankOf(from), rankOf(to)] as const, [0, 0], [0, 0]]
  const products = [from.map(() => 1), to.map(() => 1)] as const
  const take = (side: 0 | 1) => {
    const family = side === 0 ? from : to
    for (const [i, { type }] of family.entries()) products[side][i]! *= type.shape[ends[side]!]!
    ends[side]!++
  }
  const agree = () => products[0].every((product, i) => product === products[1][i])
  while (ends[0]! < ranks[0] || ends[1]! < ranks[1]) {
    const smaller = ends[1]! >= ranks[1] || (ends[0]! < ranks[0] && products[0][0]! <= products[1][0]!) ? 0 : 1
    take(smaller)
    // Axes of one element at the end belong to the group before them.
    const more = ([0, 1] as const).some((side) => ends[side]! < ranks[side] && !isSingle(side === 0 ? from : to, ends[side]!))
    if (!agree() || (!more && (ends[0]! < ranks[0] || ends[1]! < ranks[1]))) continue
    if (ends[0] === starts[0] || ends[1] === starts[1]) continue
    result.push({ from: [starts[0]!, ends[0]!], to: [starts[1]!, ends[1]!] })
    for (const side of [0, 1] as const) {
      starts[side] = ends[side]!
      products[side].fill(1)
    }
  }
  if (ends[0]! > starts[0]! || ends[1]! > starts[1]!) result.push({ from: [starts[0]!, ends[0]!], to: [starts[1]!, ends[1]!] })
  return result
}

const numbers = (start: number, end: number) => Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i)

/** Padding stays behind all else where the axis is the outermost of those that are joined or divided. */
export const reshape: Rule = ({ nodes, operands, states, mixes }) => {
  const [input, from] = [states[0]!, operands[0]!]
  const axes: (Axis | undefined)[] = new Array(rankOf(nodes)).fill(undefined)
  for (const group of groupsOf(from, nodes)) {
    const before = numbers(...group.from).filter((axis) => !isSingle(from, axis))
    const after = numbers(...group.to).filter((axis) => !isSingle(nodes, axis))
    const padded = before.filter((axis) => input.axes[axis])
    if (padded.length === 0) continue
    const [first] = padded as [number]
    const axis = input.axes[first]!
    const inner = (family: Family, list: readonly number[]) =>
      family.map(({ type }) => list.slice(1).reduce((product, at) => product * type.shape[at]!, 1))
    const [taken, left] = [inner(from, before), inner(nodes, after)]
    const product = isSame(taken) && isSame(left) ? multiplied(axis.extent, taken[0]!) : undefined
    const whole = product && product.times % left[0]! === 0 && product.plus % left[0]! === 0
    if (padded.length > 1 || first !== before[0] || !whole) {
      mixes(
        `reshape: ${placeOf(from, first)} is '${axis.extent.dim}' and would be joined or divided so that padding comes to lie between elements`,
        `keep the dimension apart, or move it in front of those that it is joined with by transpose()`,
      )
      return { axes: [] }
    }
    axes[after[0]!] = { extent: divided(product, left[0]!), fill: axis.fill }
  }
  return { ...input, axes }
}

export const slice: Rule = ({ nodes, operands, states, least, at: sizes, mixes }) => {
  const [input, from] = [states[0]!, operands[0]!]
  const fitted = fitAxes(nodes, sizes, undefined)
  const axes = input.axes.map((axis, at): Axis | undefined => {
    const [start, size, step] = (['start', 'size', 'step'] as const).map((name) =>
      attribute<readonly number[]>(nodes, name).map((list) => list[at]!),
    ) as [number[], number[], number[]]
    const stepped = step[0]!
    // As many rows of a table as there are positions: those of a shorter request are the first of them.
    if (!axis) return isSame(start) && isSame(step) ? fitted?.[at] : undefined
    const extents = from.map(({ type }) => type.shape[at]!)
    const name = axis.extent.dim
    if (isSame(start) && isSame(step) && stepped > 0) {
      // Up to the end of the axis.
      const toEnd = size.every((count, i) => count === Math.ceil((extents[i]! - start[0]!) / stepped))
      if (toEnd && !isSame(size)) return { ...axis, extent: divided(axis.extent, stepped, stepped - 1 - start[0]!) }
      if (isSame(size)) {
        const last = start[0]! + (size[0]! - 1) * stepped
        if (last < extentAt(axis.extent, least)) return undefined
        mixes(
          `slice: element ${last} of ${placeOf(from, at)} is padding in requests whose '${name}' is too small`,
          `pick elements with gather() at positions that depend on validLength(${name}), or state the smallest size: dim('${name}', […], { least: … })`,
        )
        return undefined
      }
      // All but some at the end, which are not the last of the request.
    }
    mixes(
      `slice: elements of ${placeOf(from, at)} are counted from the end, where a shorter '${name}' has its padding`,
      `pick elements with gather(x, sub(validLength(${name}), 1), { axis: ${at} })`,
    )
    return { extent: axis.extent }
  })
  return { ...input, axes }
}

export const concat: Rule = ({ nodes, operands, states, mixes }) => {
  const along = resolve(attributesOf<'concat'>(nodes[0]!).axis, rankOf(nodes))
  const last = states.length - 1
  const axes = states[0]!.axes.map((first, at): Axis | undefined => {
    if (at !== along) {
      const all = states.map((state) => state.axes[at])
      if (!first) return undefined
      const same = all.every((axis) => axis?.fill?.value === first.fill?.value)
      const everywhere = all.every((axis) => axis?.fill?.everywhere)
      return { extent: first.extent, fill: same && first.fill ? { value: first.fill.value, everywhere } : undefined }
    }
    const early = states.findIndex((state, i) => i < last && state.axes[at])
    if (early >= 0) {
      const { dim } = states[early]!.axes[at]!.extent
      mixes(
        `concat: part ${early + 1} of ${states.length} ends with the padding of '${dim}', which would come to lie between elements`,
        `put the part whose size is '${dim}' last; only one part may have it along this axis`,
      )
      return undefined
    }
    const axis = states[last]!.axes[at]
    if (!axis) return undefined
    const before = operands.slice(0, last).reduce((sum, family) => sum + family[0]!.type.shape[at]!, 0)
    return { extent: shifted(axis.extent, before), fill: axis.fill }
  })
  return { axes }
}

export const pad: Rule = ({ nodes, operands, states, mixes }) => {
  const { before, after, value } = attributesOf<'pad'>(nodes[0]!)
  const input = states[0]!
  const grows = (at: number) => before[at]! > 0 || after[at]! > 0
  const axes = input.axes.map((axis, at): Axis | undefined => {
    if (!axis) return undefined
    const others = before.some((_, other) => other !== at && grows(other))
    const fill = axis.fill?.value === value || !others ? axis.fill : undefined
    if (after[at] === 0) return { extent: shifted(axis.extent, before[at]!), fill }
    if (axis.fill?.value !== value || !axis.fill.everywhere)
      mixes(
        `pad: elements are put behind ${placeOf(operands[0]!, at)}, which is '${axis.extent.dim}'; its padding would lie between`,
        `put the same value there first: ${whereText(axis, input.axes.length - 1 - at, String(value))}`,
      )
    return { extent: shifted(axis.extent, before[at]! + after[at]!), fill }
  })
  return { axes }
}

export const expand: Rule = ({ nodes, operands, states, at }) => {
  const input = states[0]!
  const offset = rankOf(nodes) - rankOf(operands[0]!)
  const fill = input.uniform === undefined ? undefined : { value: input.uniform, everywhere: true }
  const fitted = fitAxes(nodes, at, fill)
  const axes = nodes[0]!.type.shape.map((_, axis) => input.axes[axis - offset] ?? fitted?.[axis])
  return { ...input, axes }
}

/** Whether indices into an axis stay within its extent for every request. */
function staysWithin({ extent }: Axis, indices: State, family: Family, smallest: Sizes): boolean {
  const least = extentAt(extent, smallest)
  const { size, below, uniform } = indices
  const whole = sameExtent({ ...extent, plus: 0 }, wholeOf(extent.dim))
  if (size && size.dim === extent.dim && whole && size.plus < extent.plus && size.plus + smallest.get(size.dim)! >= 0) return true
  if (typeof below === 'number' ? below <= least : below && sameExtent(below, extent)) return true
  if (uniform !== undefined) return uniform >= 0 && uniform < least
  return (
    !isPadded(indices) &&
    family.every(({ data, type }) => {
      if (!data) return false
      const elements = elementsOf(type.dtype, data.read())
      return numbers(0, elements.length).every((i) => elements.get(i) >= 0 && elements.get(i) < least)
    })
  )
}

/** Padding of indices is looked up too: it must name something. */
function checkIndices({ nodes, operands, states, at: sizes, mixes }: Question, which: number, rows: readonly number[]): void {
  const state = states[which]!
  const { below } = state
  if (below !== undefined && rows.every((count, i) => (typeof below === 'number' ? below : extentAt(below, sizes[i]!)) <= count))
    return
  for (const [at, axis] of state.axes.entries()) {
    if (!axis) continue
    const value = axis.fill?.everywhere ? axis.fill.value : undefined
    if (value !== undefined && rows.every((count) => value < count && value >= -count)) continue
    mixes(
      `${opText(nodes[0]!)}: what stands in the padding of ${placeOf(operands[which]!, at)}, which is '${axis.extent.dim}', may be no index, and the run would fail`,
      `look up something that is there: ${whereText(axis, state.axes.length - 1 - at, '0')}`,
    )
  }
}

/** Along the axis an index of its own for each element; along others both are at one place. */
export const gatherElements: Rule = (question) => {
  const { nodes, operands, states, least, mixes } = question
  const along = resolve(attributesOf<'gatherElements'>(nodes[0]!).axis, rankOf(nodes))
  lookUp(question, 0, 1, along)
  const [input, index] = states as readonly [State, State]
  const apart = input.axes.findIndex((axis, at) => {
    if (at === along || !axis) return false
    const own = index.axes[at]
    return own ? !sameExtent(axis.extent, own.extent) : nodes[0]!.type.shape[at]! > extentAt(axis.extent, least)
  })
  if (apart >= 0)
    mixes(
      `gatherElements: requests fill different parts of ${placeOf(operands[0]!, apart)} in input and indices`,
      'bring both to the same size first, such as by slice()',
    )
  return { axes: spoilt(index.axes) }
}

function lookUp(question: Question, table: number, indices: number, along: number): State {
  const { nodes, operands, states, least, mixes } = question
  const [input, index] = [states[table]!, states[indices]!]
  const axis = input.axes[along]
  if (axis && !staysWithin(axis, index, operands[indices]!, least))
    mixes(
      `${opText(nodes[0]!)}: an index may lie in the padding of ${placeOf(operands[table]!, along)}, of which requests fill ${printExtent(axis.extent)}`,
      `use positions that the request has: those of argMax(), or sub(validLength(${axis.extent.dim}), 1)`,
    )
  checkIndices(
    question,
    indices,
    operands[table]!.map(({ type }) => type.shape[along]!),
  )
  const others = (list: State['axes']) => list.map((each) => each && { ...each })
  return {
    axes: [...others(input.axes.slice(0, along)), ...spoilt(index.axes), ...others(input.axes.slice(along + 1))],
    uniform: input.uniform,
  }
}

export const gather: Rule = (question) => {
  const { axis } = attributesOf<'gather'>(question.nodes[0]!)
  return lookUp(question, 0, 1, resolve(axis, rankOf(question.operands[0]!)))
}
export const embedding: Rule = (question) => lookUp(question, 1, 0, 0)

/** Zeros on one side of a diagonal. */
export const triangle: Rule = ({ states: [input] }) => ({
  axes: input!.axes.map((axis) => axis && { extent: axis.extent, fill: axis.fill?.value === 0 ? axis.fill : undefined }),
})

export const oneHot: Rule = ({ nodes, states }) => {
  const axes = spoilt(states[0]!.axes)
  const at = resolve(attributesOf<'oneHot'>(nodes[0]!).axis, axes.length + 1)
  return { axes: [...axes.slice(0, at), undefined, ...axes.slice(at)] }
}

/** Other axes than those that the op is about stay as they are; on these, padding cannot be told from elements. */
export const only =
  (touched: (node: Node) => readonly number[], remedy: string): Rule =>
  ({ nodes, operands, states, mixes }) => {
    const [node] = nodes as readonly [Node]
    const about = new Set(touched(node))
    return {
      axes: states[0]!.axes.map((axis, at) => {
        if (!axis || !about.has(at)) return axis && { extent: axis.extent }
        mixes(
          `${opText(node)}: ${placeOf(operands[0]!, at)} is '${axis.extent.dim}', and the result depends on where it ends`,
          remedy,
        )
        return { extent: axis.extent }
      }),
    }
  }

/** The extent that two operands have alike in a dimension; where requests fill different parts of it, they do not fit. */
function sharedAxis({ nodes, operands, states, mixes }: Question, one: number, other: number): Axis | undefined {
  const [left, right] = [states[one]!.axes[0], states[other]!.axes[0]]
  if (!left && !right) return undefined
  if (!left || !right || !sameExtent(left.extent, right.extent))
    mixes(
      `${opText(nodes[0]!)}: requests fill different parts of ${placeOf(operands[one]!, 0)} and ${placeOf(operands[other]!, 0)}`,
      'bring both to the same size first, such as by slice()',
    )
  return { extent: (left ?? right)!.extent }
}

/** Whether dimensions from one on have one size in every request. */
function requireWhole({ nodes, operands, states, mixes }: Question, which: number, from: number, to?: number): void {
  for (const [at, axis] of states[which]!.axes.entries())
    if (axis && at >= from && at < (to ?? states[which]!.axes.length))
      mixes(
        `${opText(nodes[0]!)}: ${placeOf(operands[which]!, at)} is '${axis.extent.dim}', and the result depends on where it ends`,
        'sample images that have one size in every request',
      )
}

const kept = (axis: Axis | undefined): Axis | undefined => axis && { extent: axis.extent }

/** Images are looked at whole; each place of the grid by itself. */
export const gridSample: Rule = (question) => {
  const [input, grid] = question.states as readonly [State, State]
  requireWhole(question, 0, 2)
  requireWhole(question, 1, grid.axes.length - 1)
  return { axes: [sharedAxis(question, 0, 1), kept(input.axes[1]), ...grid.axes.slice(1, -1).map(kept)] }
}

/** Images are looked at whole; each region by itself, those of the padding too: their images must be there. */
export const regionPool: Rule = (question) => {
  const [input] = question.states as readonly [State]
  requireWhole(question, 0, 2)
  requireWhole(question, 0, 0, 1)
  requireWhole(question, 1, 1)
  checkIndices(
    question,
    2,
    question.operands[0]!.map(({ type }) => type.shape[0]!),
  )
  return { axes: [sharedAxis(question, 1, 2), kept(input.axes[1]), undefined, undefined] }
}

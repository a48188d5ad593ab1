// Operations that combine the elements of axes: exact where the padding adds nothing.
import { dtypeFacts, type Node, reject } from '../graph/index.ts'
import { extentAt, printExtent } from './extent.ts'
import { type Axis, type Question, type Rule, resolve, type State, spoilt } from './state.ts'
import { opText, placeOf, whereText } from './words.ts'

const [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]

/** The least, or the largest, value of a type. */
function extreme(node: Node, sign: 1 | -1): number {
  const { kind, bytes } = dtypeFacts[node.type.dtype]
  if (kind === 'float') return sign > 0 ? high : low
  const bits = bytes * 8
  if (kind === 'signed') return sign > 0 ? 2 ** (bits - 1) - 1 : -(2 ** (bits - 1))
  return sign > 0 ? 2 ** bits - 1 : 0
}

const text = (value: number) =>
  value === low ? 'Number.NEGATIVE_INFINITY' : value === high ? 'Number.POSITIVE_INFINITY' : String(value)

/** Axes whose padding must be `neutral` for the op to be exact. Both behind their extents at once counts too, where there are two. */
function demand(question: Question, axes: readonly number[], neutral: number): void {
  const { nodes, operands, states, mixes } = question
  const state = states[0]!
  const padded = axes.filter((at) => state.axes[at])
  const wrong = padded.find((at) => state.axes[at]!.fill?.value !== neutral)
  const corner = padded.filter((at) => !state.axes[at]!.fill?.everywhere)
  const at = wrong ?? (corner.length > 1 ? corner[0] : undefined)
  if (at === undefined) return
  const axis = state.axes[at]!
  mixes(
    `${opText(nodes[0]!)}: ${placeOf(operands[0]!, at)} is '${axis.extent.dim}', and its padding, which is not known to be ${neutral === low ? '−∞' : neutral === high ? '∞' : neutral}, would get into the result`,
    `take it out first: ${whereText(axis, state.axes.length - 1 - at, text(neutral))}`,
  )
}

const axesOf = (node: Node, rank: number): number[] =>
  (node.attributes.axes as readonly number[]).map((axis) => resolve(axis, rank))

/** What is left of the axes; a reduction of what is everywhere neutral is so again where `keeps` says so. */
function leave(state: State, node: Node, reduced: readonly number[], keeps: (axis: Axis) => Axis['fill']): State['axes'] {
  return state.axes.flatMap((axis, at): (Axis | undefined)[] => {
    if (!reduced.includes(at)) return [axis && { extent: axis.extent, fill: keeps(axis) }]
    return node.attributes.keepDims ? [undefined] : []
  })
}

const reduction =
  (neutralOf: (node: Node) => number, staysSo: boolean): Rule =>
  (question) => {
    const { nodes, states } = question
    const [node] = nodes as readonly [Node]
    const neutral = neutralOf(node)
    const axes = axesOf(node, states[0]!.axes.length)
    demand(question, axes, neutral)
    const keeps = ({ fill }: Axis) => (staysSo && fill?.everywhere && fill.value === neutral ? fill : undefined)
    return { axes: leave(states[0]!, node, axes, keeps) }
  }

export const sum = reduction(() => 0, true)
export const product = reduction(() => 1, true)
export const largest = reduction((node) => extreme(node, -1), true)
export const smallest = reduction((node) => extreme(node, 1), true)
export const logSumExp = reduction(() => low, false)

/** Statistics that count the elements: how many are no padding they cannot know. */
export const counted: Rule = ({ nodes, operands, states, mixes }) => {
  const [node] = nodes as readonly [Node]
  const state = states[0]!
  const axes = axesOf(node, state.axes.length)
  const at = axes.find((each) => state.axes[each])
  if (at !== undefined) {
    const { dim } = state.axes[at]!.extent
    mixes(
      `${opText(node)}: ${placeOf(operands[0]!, at)} is '${dim}', and padding would count as elements`,
      `divide sums by the size: div(sum(${whereText(state.axes[at]!, state.axes.length - 1 - at, '0')}, …), cast(validLength(${dim}), '${node.type.dtype}'))`,
    )
  }
  return { axes: leave(state, node, axes, () => undefined) }
}

/** Softmax and its kin: −∞ in the padding of the axis becomes `result`, and weighs nothing. */
export const along =
  (result: number): Rule =>
  (question) => {
    const { nodes, states } = question
    const state = states[0]!
    const at = resolve(nodes[0]!.attributes.axis as number, state.axes.length)
    demand(question, [at], low)
    // Rows in the padding of another axis may hold anything, and make NaN of all their elements.
    const alone = state.axes.every((axis, other) => other === at || !axis)
    const axes = spoilt(state.axes).map((axis, i) =>
      axis && i === at ? { ...axis, fill: { value: result, everywhere: alone } } : axis,
    )
    return { axes }
  }

/** The place of the best element: padding must be worse than all, and lose where it is equal. */
export const best: Rule = (question) => {
  const { nodes, operands, states, mixes } = question
  const [node] = nodes as readonly [Node]
  const state = states[0]!
  const at = resolve(node.attributes.axis as number, state.axes.length)
  const isMax = node.op === 'argMax' || (node.op === 'topKIndices' && node.attributes.largest === true)
  if (!isMax && node.op !== 'argMin' && node.op !== 'topKIndices') reject('bad-operand', node.op)
  const axis = state.axes[at]
  if (axis) {
    demand(question, [at], extreme(operands[0]![0]!, isMax ? -1 : 1))
    if (node.attributes.last === true)
      mixes(
        `${opText(node)}: of equal elements along ${placeOf(operands[0]!, at)} the last may be padding of '${axis.extent.dim}'`,
        'take the first: last: false',
      )
    const k = node.op === 'topKIndices' ? (node.attributes.k as number) : 1
    if (k > extentAt(axis.extent, question.least))
      mixes(
        `${opText(node)}: ${k} elements are more than a short request has along ${placeOf(operands[0]!, at)}, which is ${printExtent(axis.extent)}`,
        `take no more than the smallest request has, or state its size: dim('${axis.extent.dim}', […], { least: … })`,
      )
  }
  const rest = spoilt(state.axes)
  const axes =
    node.op === 'topKIndices' || node.attributes.keepDims === true
      ? rest.map((each, i) => (i === at ? undefined : each))
      : rest.filter((_, i) => i !== at)
  return { axes, below: axis?.extent ?? operands[0]![0]!.type.shape[at] }
}

/** From the end, padding comes first: it must be what changes nothing. */
export const cumulative =
  (neutral: number): Rule =>
  (question) => {
    const { nodes, states } = question
    const state = states[0]!
    const at = resolve(nodes[0]!.attributes.axis as number, state.axes.length)
    if (nodes[0]!.attributes.reverse === true) demand(question, [at], neutral)
    return { axes: spoilt(state.axes) }
  }

/** Statistics of the last axes, or of whole spatial axes, which must have one size in every request. */
export const normalised =
  (touched: (node: Node, rank: number) => readonly number[]): Rule =>
  ({ nodes, operands, states, mixes }) => {
    const state = states[0]!
    const at = touched(nodes[0]!, state.axes.length).find((each) => state.axes[each])
    if (at !== undefined)
      mixes(
        `${opText(nodes[0]!)}: ${placeOf(operands[0]!, at)} is '${state.axes[at]!.extent.dim}', and padding would count in its mean and variance`,
        `normalise along other axes, or compute mean and variance from sums over ${whereText(state.axes[at]!, state.axes.length - 1 - at, '0')} and validLength(${state.axes[at]!.extent.dim})`,
      )
    return { axes: spoilt(state.axes) }
  }

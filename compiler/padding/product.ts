// Products and windows: sums in which the padding must be zero.
import { attributesOf, type Node } from '../graph/index.ts'
import { unknownBehind } from './elementwise.ts'
import { divided, extentAt, multiplied, sameExtent, shifted } from './extent.ts'
import { type Axis, isPadded, isSingle, type Question, type Rule, rankOf, type State, spoilt } from './state.ts'
import { maskText, opText, placeOf, whereText } from './words.ts'

/** Sums of products along an axis of two operands. Zeros of one meet what stands in the padding of the other, which must then be a number. */
function contract({ nodes, operands, states, mixes, guard }: Question, axes: readonly [number, number]): void {
  const ends = [0, 1].map((i) => states[i]!.axes[axes[i]!])
  const at = ends.findIndex(Boolean)
  if (at < 0) return
  const axis = ends[at]!
  const isZero = ends.map((end) => end?.fill?.value === 0)
  const { dim } = axis.extent
  if (ends[0] && ends[1] && !sameExtent(ends[0].extent, ends[1].extent))
    mixes(
      `${opText(nodes[0]!)}: requests fill different parts of the inner dimension '${dim}' of the two operands`,
      'bring both to the same size first, such as by slice()',
    )
  else if (!isZero.includes(true))
    mixes(
      `${opText(nodes[0]!)}: the inner dimension, ${placeOf(operands[at]!, axes[at]!)}, is '${dim}', and its padding, which is not known to be 0, would get into the sums`,
      `put zeros into one operand first: ${whereText(axis, states[at]!.axes.length - 1 - axes[at]!, '0')}`,
    )
  else
    for (const i of [0, 1] as const) {
      const known = ends[i]?.fill?.everywhere && Number.isFinite(ends[i]?.fill?.value)
      if (ends[i] && !known && !operands[i]![0]!.data) guard(i, axes[i]!)
    }
}

export const matmul: Rule = (question) => {
  const { nodes, operands, states } = question
  const [left, right] = states as readonly [State, State]
  const [l, r] = [left.axes.length, right.axes.length]
  contract(question, [l - 1, r - 2])
  const rank = rankOf(nodes)
  const batch = Array.from({ length: rank - 2 }, (_, axis): Axis | undefined => {
    for (const [i, state] of [left, right].entries()) {
      const at = axis - rank + state.axes.length
      if (at >= 0 && !isSingle(operands[i]!, at) && state.axes[at]) return { extent: state.axes[at].extent }
    }
    return undefined
  })
  return { axes: [...batch, ...spoilt([left.axes[l - 2], right.axes[r - 1]])] }
}

export const linear: Rule = (question) => {
  const { states } = question
  const input = states[0]!
  contract(question, [input.axes.length - 1, 1])
  return { axes: [...spoilt(input.axes.slice(0, -1)), ...spoilt([states[1]!.axes[0]])] }
}

interface Windows {
  readonly stride: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly dilation: readonly number[]
}

/** Channels must have one size, and what slides over the input too. */
function requireWhole({ nodes, operands, states, mixes }: Question): void {
  const channels = states[0]!.axes[1] && 0
  const other = states.findIndex((state, i) => i > 0 && isPadded(state))
  const which = channels ?? (other > 0 ? other : undefined)
  if (which === undefined) return
  const at = channels === undefined ? states[which]!.axes.findIndex(Boolean) : 1
  mixes(
    `${opText(nodes[0]!)}: ${placeOf(operands[which]!, at)} is '${states[which]!.axes[at]!.extent.dim}'; it must have one size`,
    'write the sum as a product: matmul() takes an inner dimension whose padding is 0',
  )
}

/** Windows over spatial axes: where they look behind the end of the input, they must find there what they find behind the end of a tensor. */
function slide(question: Question, windows: Windows, kernel: readonly number[], neutral: number | undefined): State {
  const { nodes, operands, states, mixes } = question
  requireWhole(question)
  const input = states[0]!
  const padded = input.axes.flatMap((axis, at) => (axis && at >= 2 ? [at] : []))
  const corner = padded.length > 1
  const axes = input.axes.map((axis, at): Axis | undefined => {
    if (!axis || at < 2) return axis && { extent: axis.extent }
    const i = at - 2
    const reach = windows.dilation[i]! * (kernel[i]! - 1) + 1
    const { fill } = axis
    const wrong = neutral === undefined || fill?.value !== neutral || (corner && !fill.everywhere)
    if (windows.after[i]! > 0 && wrong) {
      const known = neutral === Number.NEGATIVE_INFINITY ? 'Number.NEGATIVE_INFINITY' : String(neutral)
      mixes(
        `${opText(nodes[0]!)}: windows reach ${windows.after[i]} behind the end of ${placeOf(operands[0]!, at)}, which is '${axis.extent.dim}', into its padding`,
        neutral === undefined
          ? 'put the border on the other side, or take sums and counts by themselves'
          : `put there what stands behind the end of a tensor: ${whereText(axis, input.axes.length - 1 - at, known)}`,
      )
    }
    const sum = windows.before[i]! + windows.after[i]! - reach + windows.stride[i]!
    return { extent: divided(axis.extent, windows.stride[i]!, sum) }
  })
  return { axes: axes.map((axis, at) => (at === 1 ? undefined : axis)) }
}

const kernelOf = ({ operands }: Question) => operands[1]![0]!.type.shape.slice(2)

export const conv: Rule = (question) => slide(question, attributesOf<'conv'>(question.nodes[0]!), kernelOf(question), 0)

export const convInteger: Rule = (question) => {
  const attributes = attributesOf<'convInteger'>(question.nodes[0]!)
  return slide(question, attributes, kernelOf(question), attributes.inputZeroPoint)
}

export const convTranspose: Rule = (question) => {
  const { nodes, operands, states, mixes } = question
  const { stride, before, after, dilation, extra } = attributesOf<'convTranspose'>(nodes[0]!)
  requireWhole(question)
  const kernel = kernelOf(question)
  const input = states[0]!
  const padded = input.axes.filter((axis, at) => axis && at >= 2).length
  return {
    axes: input.axes.map((axis, at) => {
      if (!axis || at < 2) return at === 1 || !axis ? undefined : { extent: axis.extent }
      const i = at - 2
      if (axis.fill?.value !== 0 || (padded > 1 && !axis.fill.everywhere))
        mixes(
          `convTranspose: padding of ${placeOf(operands[0]!, at)}, which is '${axis.extent.dim}', would add to the elements before it`,
          `put zeros there first: ${whereText(axis, input.axes.length - 1 - at, '0')}`,
        )
      const reach = dilation[i]! * (kernel[i]! - 1) + 1
      const product = multiplied(shifted(axis.extent, -1), stride[i]!)
      return product && { extent: shifted(product, reach + extra[i]! - before[i]! - after[i]!) }
    }),
  }
}

type Pool = Windows & { readonly window: readonly number[] }

/** A pool whose windows must find `neutral` behind the end; undefined where they count what they find. */
export const pool =
  (neutral: (node: Node) => number | undefined): Rule =>
  (question) => {
    const attributes = question.nodes[0]!.attributes as unknown as Pool
    return slide(question, attributes, attributes.window, neutral(question.nodes[0]!))
  }

export const matmulInteger: Rule = (question) => {
  const { nodes, operands, states, mixes } = question
  const l = states[0]!.axes.length
  const inner = states[0]!.axes[l - 1]
  if (inner)
    mixes(
      `matmulInteger: the inner dimension, ${placeOf(operands[0]!, l - 1)}, is '${inner.extent.dim}', and its padding would get into the sums`,
      'dequantize() first and use matmul(), whose padding may be 0',
    )
  return matmul({ ...question, nodes, guard() {}, mixes() {} })
}

/** Keys in the padding must be those that a mask lets no query look at; their values are then multiplied by zero. */
export const attention: Rule = (question) => {
  const { nodes, operands, states, least, mixes, guard } = question
  const [query, key, value, mask] = states as readonly [State, State, State, State | undefined]
  const { causal, past } = attributesOf<'attention'>(nodes[0]!)
  contract(question, [3, 3])
  const keys = key.axes[2] ?? value.axes[2]
  if (keys) {
    const given = operands[3]?.[0]?.type.dtype
    const at = mask ? mask.axes.length - 1 : -1
    const fill = mask?.axes[at]?.fill?.value
    const isMasked = given === 'bool' ? fill === 0 : fill === Number.NEGATIVE_INFINITY
    const looks = query.axes[2]
    const isBehind =
      causal &&
      (looks
        ? sameExtent({ ...looks.extent, plus: 0 }, { ...keys.extent, plus: 0 }) &&
          looks.extent.plus + past * looks.extent.over <= keys.extent.plus
        : nodes.every(({ type }) => type.shape[2]! + past <= extentAt(keys.extent, least)))
    if (!isMasked && !isBehind)
      mixes(
        `attention: keys are ${placeOf(operands[1]!, 2)}, which is '${keys.extent.dim}', and queries would look at its padding`,
        `say where keys are none: mask: ${maskText(keys, 0)}, together with a mask of your own by and()`,
      )
    else {
      const known = ({ axes }: State) => axes[2]?.fill?.everywhere === true && Number.isFinite(axes[2].fill.value)
      if (value.axes[2] && !known(value) && !operands[2]![0]!.data) guard(2, 2)
      // What is added to a mask of −∞ must be a number.
      if (given !== undefined && given !== 'bool' && key.axes[2] && !known(key) && !operands[1]![0]!.data) guard(1, 2)
    }
  }
  return { axes: [...spoilt([query.axes[0] ?? key.axes[0], query.axes[1], query.axes[2]]), ...spoilt([value.axes[3]])] }
}

/** Pairs are turned within one position, so that nothing of another one is seen; the dimension that they are in must have one size. */
export const rotaryEmbedding: Rule = (question) => {
  const { nodes, operands, states, mixes } = question
  const padded = states.findIndex(({ axes }) => axes.at(-1))
  if (padded >= 0)
    mixes(
      `${opText(nodes[0]!)}: ${placeOf(operands[padded]!, states[padded]!.axes.length - 1)} is '${states[padded]!.axes.at(-1)!.extent.dim}'; it must have one size`,
      'turn dimensions that have one size in every request',
    )
  return unknownBehind(question)
}

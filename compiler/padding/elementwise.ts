// Operations element by element: what they make of known padding.
import { dtypeFacts, elementsOf, type Node } from '../graph/index.ts'
import { sameExtent } from './extent.ts'
import { type Axis, type Family, type Fill, isSingle, type Question, rankOf, type State } from './state.ts'
import { opText, placeOf } from './words.ts'

const keepsZero = new Set(
  [
    'negate',
    'abs',
    'sign',
    'floor',
    'ceil',
    'round',
    'sqrt',
    'sin',
    'tan',
    'asin',
    'atan',
    'sinh',
    'asinh',
    'erf',
    'tanh',
  ].concat(['relu', 'leakyRelu', 'elu', 'celu', 'selu', 'softsign', 'silu', 'mish', 'hardSwish', 'gelu', 'prelu', 'atanh']),
)

const isFloat = (node: Node) => dtypeFacts[node.type.dtype].kind === 'float'

type Known = Fill | undefined
const all = (value: number | undefined, ...from: readonly Known[]): Known =>
  value === undefined ? undefined : { value, everywhere: from.every((fill) => fill?.everywhere !== false) }

/** Results that are the same in every number type that can hold the operands. */
const exact = (value: number, node: Node): number | undefined =>
  Number.isNaN(value) || (isFloat(node) && ![0, 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].includes(value))
    ? undefined
    : value

const binary: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (a === 0 && b !== 0 ? 0 : Number.NaN),
  minimum: Math.min,
  maximum: Math.max,
  equal: (a, b) => Number(a === b),
  notEqual: (a, b) => Number(a !== b),
  less: (a, b) => Number(a < b),
  lessOrEqual: (a, b) => Number(a <= b),
  greater: (a, b) => Number(a > b),
  greaterOrEqual: (a, b) => Number(a >= b),
  xor: (a, b) => a ^ b,
}

/** What an op makes of operands of which some are known. */
function fillOf(node: Node, known: readonly Known[]): Known {
  const [a, b, c] = known
  const given = (fill: Known, value: number) => fill?.value === value
  if (node.op === 'where') {
    if (given(a, 0)) return all(c?.value, a, c)
    if (a) return all(b?.value, a, b)
    return b && c && b.value === c.value ? all(b.value, b, c) : undefined
  }
  if (node.op === 'and' && (given(a, 0) || given(b, 0))) return given(a, 0) && !(given(b, 0) && b!.everywhere) ? a : b
  if (node.op === 'or' && (given(a, 1) || given(b, 1))) return given(a, 1) && !(given(b, 1) && b!.everywhere) ? a : b
  // Of floats the other may be NaN or infinite.
  if (node.op === 'mul' && !isFloat(node) && (given(a, 0) || given(b, 0))) return given(a, 0) ? a : b
  if (keepsZero.has(node.op) && given(a, 0)) return a
  if (known.some((fill) => fill === undefined)) return undefined
  const [x, y] = known.map((fill) => fill!.value)
  switch (node.op) {
    case 'cast':
      if (node.type.dtype === 'bool') return all(Number(x !== 0), a)
      return isFloat(node) || (Number.isInteger(x) && Math.abs(x!) < 128) ? all(exact(x!, node), a) : undefined
    case 'not':
      return all(1 - x!, a)
    case 'and':
      return all(x! & y!, a, b)
    case 'or':
      return all(x! | y!, a, b)
    case 'negate':
      return all(exact(-x!, node), a)
    case 'relu':
      return all(Math.max(x!, 0), a)
    case 'exp':
      return all(x === Number.NEGATIVE_INFINITY ? 0 : x === 0 ? 1 : undefined, a)
    case 'isNaN':
      return all(0, a)
    case 'isInf':
      return all(Number(x === Number.POSITIVE_INFINITY || x === Number.NEGATIVE_INFINITY), a)
    default:
      return binary[node.op] ? all(exact(binary[node.op]!(x!, y!), node), a, b) : undefined
  }
}

/** Axes of a broadcast result, with what `fill` makes of the operands' padding along each. */
function broadcast(question: Question, fill: (known: readonly Known[], axis: number) => Known): State['axes'] {
  const { nodes, operands, states, mixes } = question
  const rank = rankOf(nodes)
  return Array.from({ length: rank }, (_, axis): Axis | undefined => {
    const own = states.map((state, i) => {
      const at = axis - rank + rankOf(operands[i]!)
      return at >= 0 && !isSingle(operands[i]!, at) ? state.axes[at] : undefined
    })
    const first = own.find((each) => each !== undefined)
    if (!first) return undefined
    if (own.some((each) => each && !sameExtent(each.extent, first.extent)))
      mixes(
        `${opText(nodes[0]!)}: requests fill different parts of ${placeOf(nodes, axis)} in its operands`,
        'bring both to the same size first, such as by slice()',
      )
    const known = states.map(
      (state, i): Known => (state.uniform === undefined ? own[i]?.fill : { value: state.uniform, everywhere: true }),
    )
    return { extent: first.extent, fill: fill(known, axis) }
  })
}

export function elementwise(question: Question): State {
  const { nodes, states } = question
  const [node] = nodes as readonly [Node]
  const compares = comparisons[node.op]
  const axes = broadcast(question, (known, axis) => fillOf(node, known) ?? (compares && positional(question, compares, axis)))
  const values = states.map(({ uniform }): Known => (uniform === undefined ? undefined : { value: uniform, everywhere: true }))
  const below = node.op === 'cast' && ['i32', 'u32', 'i64', 'u64'].includes(node.type.dtype) ? states[0]!.below : undefined
  return { axes, size: sizeOf(question), below, uniform: fillOf(node, values)?.value }
}

/** For ops between numbers and integers, whose operands may have an entry for each index of an axis: extents stay, nothing is known behind. */
export const unknownBehind = (question: Question): State => ({ axes: broadcast(question, () => undefined) })

/** A size plus or less a number. */
function sizeOf({ nodes, states }: Question): State['size'] {
  const [a, b] = states
  const { op, type } = nodes[0]!
  if (op === 'cast')
    return dtypeFacts[type.dtype].kind === 'signed' && type.dtype !== 'i8' && type.dtype !== 'i16' ? a?.size : undefined
  if (op === 'add' && a?.size && b?.uniform !== undefined) return { ...a.size, plus: a.size.plus + b.uniform }
  if (op === 'add' && b?.size && a?.uniform !== undefined) return { ...b.size, plus: b.size.plus + a.uniform }
  if (op === 'sub' && a?.size && b?.uniform !== undefined) return { ...a.size, plus: a.size.plus - b.uniform }
  return undefined
}

// ---------------------------------------------------------------- masks: positions compared with the size, or with positions of another axis
/** For `left op right` in terms of `position < bound`: which operand is the position, whether equal counts, and what holds beyond the bound. */
const comparisons: Readonly<Record<string, { readonly position: 0 | 1; readonly equal: boolean; readonly beyond: 0 | 1 }[]>> = {
  less: [
    { position: 0, equal: false, beyond: 0 },
    { position: 1, equal: true, beyond: 1 },
  ],
  lessOrEqual: [
    { position: 0, equal: true, beyond: 0 },
    { position: 1, equal: false, beyond: 1 },
  ],
  greater: [
    { position: 1, equal: false, beyond: 0 },
    { position: 0, equal: true, beyond: 1 },
  ],
  greaterOrEqual: [
    { position: 1, equal: true, beyond: 0 },
    { position: 0, equal: false, beyond: 1 },
  ],
}

/** Bounds of element − index along an axis, for a list of positions written in the model. */
function slopeOf(family: Family, axis: number): { readonly least: number; readonly most: number } | undefined {
  const bounds = { least: Number.POSITIVE_INFINITY, most: Number.NEGATIVE_INFINITY }
  for (const { data, type } of family) {
    if (!data) return undefined
    const inner = type.shape.slice(axis + 1).reduce((a, b) => a * b, 1)
    const elements = elementsOf(type.dtype, data.read())
    for (let i = 0; i < elements.length; i++) {
      const difference = elements.get(i) - (Math.floor(i / inner) % type.shape[axis]!)
      bounds.least = Math.min(bounds.least, difference)
      bounds.most = Math.max(bounds.most, difference)
    }
  }
  return bounds
}

/** What a comparison of positions along an axis gives behind the extent of the axis. */
function positional({ nodes, operands, states }: Question, ways: (typeof comparisons)[string], axis: number): Known {
  const rank = rankOf(nodes)
  for (const { position, equal, beyond } of ways) {
    const at = axis - rank + rankOf(operands[position]!)
    const own = states[position]!.axes[at]
    if (own?.extent.times !== 1 || own.extent.over !== 1) continue
    const slope = slopeOf(operands[position]!, at)
    if (!slope) continue
    // Behind the extent, positions are at least n + this.
    const least = own.extent.plus + slope.least
    const other = states[1 - position]!
    const past = (bound: number) => (equal ? least > bound : least >= bound)
    if (other.size?.dim === own.extent.dim && past(other.size.plus)) return { value: beyond, everywhere: true }
    // Compared with positions along another axis, within the extent of that.
    const across = other.axes.findIndex((each) => each?.extent.dim === own.extent.dim)
    const along = across < 0 ? undefined : other.axes[across]
    const isOther = across - rankOf(operands[1 - position]!) !== at - rankOf(operands[position]!)
    if (along?.extent.times !== 1 || along.extent.over !== 1 || !isOther) continue
    const bound = slopeOf(operands[1 - position]!, across)
    if (bound && past(along.extent.plus - 1 + bound.most)) return { value: beyond, everywhere: false }
  }
  return undefined
}

import { elementCount, isFloat, type Node, type Shape, sameShape } from '../graph/index.ts'
import { asOp, constantElements, fromFront, orderOf, reshapeTo, uniformValue } from './match.ts'
import type { Pass } from './pass.ts'
import { isClosed, productOf, type Trail } from './pattern.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

const dark = Number.NEGATIVE_INFINITY

/** The value before reshapes that keep its rows, which the last dimension makes. */
function beforeReshape(node: Node, trail: Trail): Node {
  let at = node
  while (at.op === 'reshape' && at.operands[0]!.type.shape.at(-1) === at.type.shape.at(-1)) {
    trail.push(at)
    at = at.operands[0]!
  }
  return at
}

/** What is done to the scores between product and softmax. */
interface Masking {
  readonly scores: Node
  /** In the shape of the scores it is applied to. */
  readonly mask?: {
    readonly kind: 'seen' | 'unseen' | 'added'
    readonly node: Node
    readonly over: Shape
    readonly hidden: number
  }
}

/** A choice between scores and a constant, or a sum with scores; `given` is where the scores stand. */
function maskOf(node: Node): Required<Masking> | undefined {
  const where = asOp(node, 'where')
  if (where) {
    const { condition, whenTrue, whenFalse } = where.operands
    const [yes, no] = [uniformValue(whenTrue), uniformValue(whenFalse)]
    const over = node.type.shape
    if (no !== undefined && sameShape(whenTrue.type.shape, over))
      return { scores: whenTrue, mask: { kind: 'seen', node: condition, over, hidden: no } }
    if (yes !== undefined && sameShape(whenFalse.type.shape, over))
      return { scores: whenFalse, mask: { kind: 'unseen', node: condition, over, hidden: yes } }
  }
  return undefined
}

/** Products of query and key stand behind nothing but reshapes, products with constants and softcap. */
interface Scores {
  readonly product: Node
  readonly scale: number
  readonly softcap: number
}

function scoresOf(node: Node, trail: Trail, context: MatchContext): Scores | undefined {
  const outer = scaledOf(beforeReshape(node, trail), trail, context)
  const value = beforeReshape(outer.value, trail)
  if (value.op === 'matmul') return { product: value, scale: outer.factor, softcap: 0 }
  if (value.op !== 'tanh' || outer.factor <= 0) return undefined
  const inner = scaledOf(beforeReshape(value.operands[0]!, trail), trail, context)
  const product = beforeReshape(inner.value, trail)
  trail.push(value)
  return product.op === 'matmul' ? { product, scale: inner.factor * outer.factor, softcap: outer.factor } : undefined
}

/** A value and the constant that it is multiplied by. */
function scaledOf(node: Node, trail: Trail, context: MatchContext): { readonly value: Node; readonly factor: number } {
  const { factor, over, under, through } = productOf(node, context)
  const value = over[0]
  const fits = over.length === 1 && under.length === 0 && Number.isFinite(factor)
  if (!fits || !value || !sameShape(value.type.shape, node.type.shape)) return { value: node, factor: 1 }
  if (value !== node) trail.push(node, ...through)
  return { value, factor }
}

/**
 * Rows of the left operand that one matrix of the right one serves, in order; undefined where the right operand repeats other than for
 * rows that follow one another.
 */
function rowsPerMatrix(left: Shape, right: Shape): number | undefined {
  const [from, to] = [left.slice(0, -2), right.slice(0, -2)]
  if (to.length > from.length) return undefined
  const aligned = [...new Array<number>(from.length - to.length).fill(1), ...to]
  const repeated = from.findIndex((extent, i) => extent !== aligned[i])
  const prefix = repeated < 0 ? from.length : repeated
  if (aligned.slice(prefix).some((extent) => extent !== 1)) return undefined
  return elementCount(from.slice(prefix)) * left.at(-2)!
}

/** The keys of a right operand, `[…, keys, size]`, and how to build them. */
interface Keys {
  readonly source: Node
  /** Order in which the source is transposed; undefined for as it is. */
  readonly order: readonly number[] | undefined
  readonly shape: Shape
  /** From the right operand to before the transpose. */
  readonly through: Trail
}

/** Keys behind the transpose that makes them a right operand. */
function keysOf(node: Node): Keys | undefined {
  let at = node
  const { shape } = node.type
  const through: Trail = []
  const turned = [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!]
  // Leading dimensions may have been merged on the way.
  while (at.op === 'reshape' && sameShape(at.operands[0]!.type.shape.slice(-2), shape.slice(-2))) {
    through.push(at)
    at = at.operands[0]!
  }
  through.push(at)
  const transpose = asOp(at, 'transpose')
  if (!transpose) return undefined
  const order = orderOf(transpose)
  const swapped = [...order.slice(0, -2), order.at(-1)!, order.at(-2)!]
  return {
    source: transpose.operands.input,
    order: swapped.every((axis, i) => axis === i) ? undefined : swapped,
    shape: turned,
    through,
  }
}

/** Scores `[…rows, keys]` as `[batch, heads, length, keys]`. */
interface Layout {
  readonly batch: number
  readonly heads: number
  readonly length: number
  /** Heads of the keys. */
  readonly groups: number
  readonly keys: number
  /** The mask's own shape in that of the scores. */
  readonly mask?: Shape
}

/** Axes in three runs, such that the mask is whole or 1 in each, and keys belong to whole heads. */
function layoutOf(rows: Shape, keys: number, matrices: number, perMatrix: number, mask: Shape | undefined): Layout | undefined {
  const aligned = mask && [...new Array<number>(rows.length + 1 - mask.length).fill(1), ...mask]
  /** The mask's extent over a run of axes. */
  const extentOf = (from: number, to: number): number | undefined => {
    if (!aligned) return 1
    const real = rows.flatMap((extent, axis) =>
      axis >= from && axis < to && extent !== 1 ? [[extent, aligned[axis]!] as const] : [],
    )
    if (real.every(([, own]) => own === 1)) return 1
    return real.every(([extent, own]) => own === extent) ? elementCount(real.map(([extent]) => extent)) : undefined
  }
  const rank = rows.length
  for (let j = rank - 1; j >= 0; j--) {
    for (let i = Math.max(0, j - 1); i >= 0; i--) {
      const [batch, heads, length] = [rows.slice(0, i), rows.slice(i, j), rows.slice(j)].map(elementCount) as [
        number,
        number,
        number,
      ]
      const groups = matrices / batch
      const fits = Number.isInteger(groups) && heads % groups === 0 && (heads / groups) * length === perMatrix
      const parts = [extentOf(0, i), extentOf(i, j), extentOf(j, rank)]
      if (fits && !parts.includes(undefined))
        return { batch, heads, length, groups, keys, ...(aligned && { mask: [...(parts as number[]), aligned.at(-1)!] }) }
    }
  }
  return undefined
}

/** The keys that a constant mask lets each query see, where these are those up to its own place: how many stand before the first. */
function causalPast(mask: Node, kind: 'seen' | 'unseen' | 'added', { length, keys }: Layout, shape: Shape): number | undefined {
  if (elementCount(shape) !== length * keys || shape[2] !== length || shape[3] !== keys) return undefined
  const elements = constantElements(mask)
  if (!elements || (kind === 'added' && elements.some((value) => value !== 0 && value !== dark))) return undefined
  const open = (i: number, j: number) =>
    (kind === 'seen') === (elements[i * keys + j] !== 0) || (kind === 'added' && elements[i * keys + j] === 0)
  let past = -1
  while (past + 1 < keys && open(0, past + 1)) past++
  if (past < 0) return undefined
  for (let i = 0; i < length; i++) for (let j = 0; j < keys; j++) if (open(i, j) !== j <= i + past) return undefined
  return past
}

interface Found {
  readonly through: Trail
  readonly query: Node
  readonly keys: Keys
  readonly value: Node
  readonly layout: Layout
  readonly masking: Masking
  readonly causal: { readonly past: number } | undefined
  readonly scale: number
  readonly softcap: number
  readonly blind: 'zero' | 'nan'
}

/** softmax over the last axis, computed in the type of its operand or, for 16-bit floats, in f32. */
function sharesOf(node: Node, trail: Trail): Node | undefined {
  const narrowed = asOp(node, 'cast')
  const inner = narrowed ? narrowed.operands.input : node
  const softmax = asOp(inner, 'softmax')
  if (!softmax || fromFront(softmax.attributes.axis, inner.type.shape.length) !== inner.type.shape.length - 1) return undefined
  trail.push(inner)
  const { input } = softmax.operands
  if (!narrowed) return input
  const widened = asOp(input, 'cast')
  if (!widened || inner.type.dtype !== 'f32' || widened.operands.input.type.dtype !== node.type.dtype) return undefined
  trail.push(node, input)
  return widened.operands.input
}

/** A softmax of scores, and zeros where the mask of these scores lets nobody look. */
function attendedBy(node: Node, trail: Trail): { readonly scores: Node; readonly open: Node | undefined } | undefined {
  const at = beforeReshape(node, trail)
  const guarded = asOp(at, 'where')
  const open = guarded && uniformValue(guarded.operands.whenFalse) === 0 ? guarded.operands.condition : undefined
  if (open) trail.push(at)
  const scores = sharesOf(open ? beforeReshape(guarded!.operands.whenTrue, trail) : at, trail)
  return scores && { scores, open }
}

function findAttention(root: Node, context: MatchContext): Found | undefined {
  const { left: weights, right: value } = asOp(root, 'matmul')!.operands
  if (!isFloat(root.type.dtype) || elementCount(root.type.shape) === 0) return undefined
  const trail: Trail = []
  const attended = attendedBy(weights, trail)
  if (!attended) return undefined
  for (const masking of maskings(attended.scores)) {
    const own: Trail = [...trail]
    if (masking.mask) own.push(...masking.through)
    const found = findScores(root, weights, value, masking, attended.open, own, context)
    if (found && isClosed(root, found.through, context)) return found
  }
  return undefined
}

/** The ways to see a value as masked scores: what is added may be either operand. */
function* maskings(node: Node): Generator<Masking & { readonly through: Trail }> {
  const through: Trail = []
  const at = beforeReshape(node, through)
  const choice = maskOf(at)
  if (choice) yield { ...choice, through: [...through, at] }
  if (at.op === 'add') {
    for (const [i, scores] of at.operands.entries()) {
      if (!sameShape(scores.type.shape, at.type.shape)) continue
      const mask = { kind: 'added', node: at.operands[1 - i]!, over: at.type.shape, hidden: dark } as const
      yield { scores, mask, through: [...through, at] }
    }
  }
  yield { scores: node, through: [] }
}

function findScores(
  _root: Node,
  weights: Node,
  value: Node,
  masking: Masking,
  open: Node | undefined,
  trail: Trail,
  context: MatchContext,
): Found | undefined {
  const scores = scoresOf(masking.scores, trail, context)
  if (!scores) return undefined
  const { product } = scores
  trail.push(product)
  const [left, right] = product.operands as [Node, Node]
  const query = scaledOf(left, trail, context)
  const turned = scaledOf(right, trail, context)
  const keys = keysOf(turned.value)
  if (!keys) return undefined
  const source = keys.order ? { value: keys.source, factor: 1 } : scaledOf(keys.source, trail, context)

  // Where a factor is taken from behind the transpose, that one vanishes too.
  if (source.value !== keys.source) trail.push(...keys.through)

  const perKey = rowsPerMatrix(left.type.shape, right.type.shape)
  const matrices = elementCount(right.type.shape.slice(0, -2))
  const perValue = rowsPerMatrix(weights.type.shape, value.type.shape)
  if (perKey === undefined || perKey !== perValue || elementCount(value.type.shape.slice(0, -2)) !== matrices) return undefined
  const over = masking.mask?.over ?? product.type.shape
  const layout = layoutOf(over.slice(0, -1), over.at(-1)!, matrices, perKey, masking.mask?.node.type.shape)
  if (!layout) return undefined

  const { mask } = masking
  const past = mask && (mask.hidden === dark ? causalPast(mask.node, mask.kind, layout, layout.mask!) : undefined)
  // The guard must be the very mask: another condition is another function.
  if (open && (mask?.kind !== 'seen' || open !== mask.node || mask.hidden !== dark)) return undefined
  return {
    through: trail,
    query: query.value,
    keys: { ...keys, source: source.value },
    value,
    layout,
    masking,
    causal: past === undefined ? undefined : { past },
    scale: scores.scale * query.factor * turned.factor * source.factor,
    softcap: scores.softcap,
    blind: open || !mask || past !== undefined ? 'zero' : 'nan',
  }
}

const parts = rule({
  name: 'products-and-softmax-into-attention',
  note: 'softmax(query · keyᵀ · scale + mask) · value → attention(query, key, value, mask)',
  root: 'matmul',
  match: findAttention,
  apply: ({ query, keys, value, layout, masking, causal, scale, softcap, blind }, builder, node) => {
    const { batch, heads, length, groups, keys: count } = layout
    const key = keys.order ? builder.add('transpose', { input: keys.source }, { order: [...keys.order] }) : keys.source
    const { mask } = masking
    let shown: Node | undefined
    if (mask && !causal) {
      const reshaped = reshapeTo(builder, mask.node, layout.mask!)
      shown = mask.kind === 'unseen' ? builder.add('not', { input: reshaped }) : reshaped
    }
    const result = builder.add(
      'attention',
      {
        query: reshapeTo(builder, query, [batch, heads, length, query.type.shape.at(-1)!]),
        key: reshapeTo(builder, key, [batch, groups, count, keys.shape.at(-1)!]),
        value: reshapeTo(builder, value, [batch, groups, count, value.type.shape.at(-1)!]),
        mask: shown,
      },
      {
        scale,
        softcap,
        blind,
        ...(causal && causal.past < count - 1 && { causal: true, past: causal.past }),
        ...(shown?.type.dtype === 'bool' && mask && { hidden: mask.hidden }),
      },
    )
    return reshapeTo(builder, result, node.type.shape)
  },
})

/** Heads of which each stands several times, one after the other: `[batch, heads, …]` before they were repeated. */
function beforeRepetition(node: Node, trail: Trail): Node | undefined {
  const merged = asOp(node, 'reshape')
  const expand = asOp(merged?.operands.input, 'expand')
  if (!merged || !expand) return undefined
  const { input } = expand.operands
  const [from, to] = [input.type.shape, expand.node.type.shape]
  const [batch, heads, keys, size] = node.type.shape as [number, number, number, number]
  const fits =
    to.length === 5 &&
    from.length === 5 &&
    to[0] === batch &&
    to[1]! * to[2]! === heads &&
    to[3] === keys &&
    to[4] === size &&
    from.every((extent, axis) => (axis === 2 ? extent === 1 : extent === to[axis]))
  trail.push(merged.node, expand.node)
  return fits ? input : undefined
}

const repeated = rule({
  name: 'repeated-heads-into-attention',
  note: 'attention(query, repeated key, repeated value) → attention(query, key, value), whose heads serve several',
  root: 'attention',
  match: (node) => {
    const { query, key, value, mask } = asOp(node, 'attention')!.operands
    const trail: Trail = []
    const [fewer, values] = [beforeRepetition(key, trail), beforeRepetition(value, trail)]
    return fewer && values && fewer.type.shape[1] === values.type.shape[1] && { query, key: fewer, value: values, mask }
  },
  apply: ({ query, key, value, mask }, builder, node) => {
    const apart = (input: Node) => {
      const [batch, heads, , keys, size] = input.type.shape as [number, number, number, number, number]
      return reshapeTo(builder, input, [batch, heads, keys, size])
    }
    return builder.add('attention', { query, key: apart(key), value: apart(value), mask }, node.attributes)
  },
})

/**
 * Recognises attention in products and softmax, however heads are merged, where the scale stands (query, key or scores), whether a mask
 * chooses or is added, and whether keys come transposed. A constant mask that hides what stands behind each query becomes `causal`. Heads of
 * keys that were repeated are not. Masks must be one for whole runs of heads and rows; whoever else uses the scores keeps them. Numeric:
 * rounding.
 *
 *     %4 = transpose(%1) {order: [0, 1, 3, 2]}
 *     %5 = mul(matmul(%0, %4), 0.125)
 *     %6 = softmax(where(%3, %5, -Infinity)) {axis: 3}
 *     %7 = matmul(%6, %2)
 *   →
 *     %7 = attention(%0, %1, %2, %3) {scale: 0.125, blind: "nan"}
 */
export const raiseAttention: Pass = rulePass({
  name: 'raise-attention',
  summary: 'Recognise attention in products and softmax',
  level: 'composite',
  follows: [{ pass: 'raise-softmax', because: 'it looks for softmax' }],
  rules: [parts, repeated],
})

import { type Builder, copyNode, elementCount, hasTrait, isFloat, type Node, type Shape, sameShape } from '../graph/index.ts'
import { asOp, constantElements, fromFront, orderOf, reshapeTo } from './match.ts'
import type { Pass } from './pass.ts'
import { isClosed, type Trail } from './pattern.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

type Sign = 1 | -1

/** A value behind negations. */
function signedOf(node: Node, trail: Trail): { readonly node: Node; readonly sign: Sign } {
  if (node.op !== 'negate') return { node, sign: 1 }
  trail.push(node)
  const inner = signedOf(node.operands[0]!, trail)
  return { node: inner.node, sign: inner.sign === 1 ? -1 : 1 }
}

/** sign · left · right. */
interface Term {
  readonly sign: Sign
  readonly factors: readonly [Node, Node]
}

/** A sum or difference of two products. */
function termsOf(node: Node, trail: Trail): readonly [Term, Term] | undefined {
  if (node.op !== 'add' && node.op !== 'sub') return undefined
  trail.push(node)
  const terms = node.operands.map((operand, i): Term | undefined => {
    const outer = signedOf(operand, trail)
    if (outer.node.op !== 'mul') return undefined
    trail.push(outer.node)
    const factors = outer.node.operands.map((factor) => signedOf(factor, trail))
    const sign = outer.sign * factors[0]!.sign * factors[1]!.sign * (node.op === 'sub' && i === 1 ? -1 : 1)
    return { sign: sign as Sign, factors: [factors[0]!.node, factors[1]!.node] }
  })
  return terms[0] && terms[1] && [terms[0], terms[1]]
}

/** Every `step`-th element of the last dimension of a value, from `first` on. */
interface Half {
  readonly first: number
  readonly step: number
  readonly source: Source
}

/** A value, or part of it in other dimensions than the last, which has `size` elements once pairs are not apart. */
interface Source {
  readonly node: Node
  readonly start: readonly number[]
  readonly extents: readonly number[]
  readonly steps: readonly number[]
  readonly size: number
}

const wholeOf = (node: Node, shape: Shape): Source => ({
  node,
  start: shape.slice(0, -1).map(() => 0),
  extents: shape.slice(0, -1),
  steps: shape.slice(0, -1).map(() => 1),
  size: shape.at(-1)!,
})
const sameSource = (a: Source, b: Source): boolean =>
  a.node === b.node &&
  a.size === b.size &&
  sameShape(a.start, b.start) &&
  sameShape(a.extents, b.extents) &&
  sameShape(a.steps, b.steps)

/** Half of the pairs' elements: by a slice, or by index of a dimension of two elements, apart or behind each other. */
function halfOf(node: Node): Half | undefined {
  const { shape } = node.type
  const slice = asOp(node, 'slice')
  if (slice) {
    const { start, size, step } = slice.attributes
    const { input } = slice.operands
    const [lead, last] = [start.slice(0, -1), start.at(-1)!]
    const source = { node: input, start: lead, extents: size.slice(0, -1), steps: step.slice(0, -1) }
    return { first: last, step: step.at(-1)!, source: { ...source, size: input.type.shape.at(-1)! } }
  }
  const picked = asOp(asOp(node, 'reshape')?.operands.input, 'slice')
  if (!picked) return undefined
  const { start, size, step } = picked.attributes
  const { input } = picked.operands
  const from = input.type.shape
  const rank = from.length
  for (const axis of [rank - 1, rank - 2]) {
    const others = from.filter((_, i) => i !== axis)
    const single = from[axis] === 2 && size.every((extent, i) => extent === (i === axis ? 1 : from[i]))
    if (rank < 2 || !single || !sameShape(others, shape) || step.some((each) => each < 1)) continue
    const pairs = shape.at(-1)!
    const source = wholeOf(input, [...from.slice(0, -2), 2 * pairs])
    return axis === rank - 1 ? { first: start[axis]!, step: 2, source } : { first: start[axis]! * pairs, step: 1, source }
  }
  return undefined
}

/** The value in which pairs are turned, `[…, size]`: from `first` on, all of it or as much as there are pairs. */
function buildSource(builder: Builder, { node, start, extents, steps, size }: Source, first: number, count: number): Node {
  const { shape } = node.type
  const sliced = count !== size || !sameShape(extents, shape.slice(0, -1)) || steps.some((step) => step !== 1)
  if (!sliced || shape.at(-1) !== size) return reshapeTo(builder, node, [...extents, size])
  const attributes = { start: [...start, first], size: [...extents, count], step: [...steps, 1] }
  return builder.add('slice', { input: node }, attributes)
}

/** Where the elements of a pair are in the last dimension: apart by half of it, neighbours, or neighbours in a dimension of their own. */
type Layout = 'halves' | 'neighbours' | 'paired'

/** One of two tables in one: the first elements of all pairs, `[…, pairs]`, and the second ones as the first with a sign. */
interface Table {
  readonly sign: Sign
  readonly shape: Shape
  readonly build: (builder: Builder) => Node
}

const leadOf = (shape: Shape, layout: Layout): Shape => shape.slice(0, layout === 'paired' ? -2 : -1)
const pairsOf = (shape: Shape, layout: Layout): number => (layout === 'paired' ? shape.at(-2)! : shape.at(-1)! / 2)

/** The same table, computed by an op of halves. */
const through = (sign: Sign, shape: Shape, build: Table['build']): Table => ({ sign, shape, build })

/** Deep enough for tables that are looked up, scaled, converted and brought into shape. */
const maximumDepth = 12

/** What a table of full width says about pairs, where both elements of each have the same entry, or opposite ones. */
function tableOf(node: Node, layout: Layout, depth = maximumDepth): Table | undefined {
  const { shape } = node.type
  const pairs = shape.length >= (layout === 'paired' ? 2 : 1) ? pairsOf(shape, layout) : 0
  if (depth === 0 || pairs < 1 || !Number.isInteger(pairs) || (layout === 'paired' && shape.at(-1) !== 2)) return undefined
  const result = [...leadOf(shape, layout), pairs]
  const inner = (operand: Node, as = layout) => tableOf(operand, as, depth - 1)

  if (node.data) {
    const sign = signOfConstant(node, layout)
    if (!sign) return undefined
    const [size, step] = [[...shape], shape.map(() => 1)]
    if (layout === 'neighbours') step[shape.length - 1] = 2
    size[shape.length - 1] = layout === 'paired' ? 1 : pairs
    const attributes = { start: shape.map(() => 0), size, step }
    return through(sign, result, (builder) => reshapeTo(builder, builder.add('slice', { input: node }, attributes), result))
  }
  const joined = joinOf(node, layout, [])
  if (joined) {
    const [first, second] = joined.map((part) => signedOf(part, []))
    if (first!.node !== second!.node || !sameShape(joined[0].type.shape, result)) return undefined
    return through((first!.sign * second!.sign) as Sign, result, () => joined[0])
  }
  const expanded = asOp(node, 'expand')
  if (expanded) {
    const from = expanded.operands.input.type.shape
    if (layout === 'paired' && from.length === shape.length && from.at(-1) === 1 && from.at(-2) === pairs)
      return through(1, result, (builder) => {
        const half = reshapeTo(builder, expanded.operands.input, from.slice(0, -1))
        return sameShape(half.type.shape, result) ? half : builder.add('expand', { input: half }, { shape: [...result] })
      })
    const half = from.at(-1) === shape.at(-1) ? inner(expanded.operands.input) : undefined
    return half && through(half.sign, result, (b) => b.add('expand', { input: half.build(b) }, { shape: [...result] }))
  }
  const reshaped = asOp(node, 'reshape')
  if (reshaped) {
    const { input } = reshaped.operands
    const own = layout === 'halves' ? undefined : input.type.shape
    const isPaired = own !== undefined && own.length >= 2 && own.at(-1) === 2 && own.at(-2) === pairs
    const as = isPaired ? 'paired' : layout === 'paired' ? 'neighbours' : layout
    const fits = isPaired || input.type.shape.at(-1) === 2 * pairs
    const half = fits ? inner(input, as) : undefined
    return half && through(half.sign, result, (builder) => reshapeTo(builder, half.build(builder), result))
  }
  const looked = asOp(node, 'embedding')
  if (looked && layout !== 'paired') {
    const half = inner(looked.operands.table)
    const { indices } = looked.operands
    return half && through(half.sign, result, (b) => b.add('embedding', { indices, table: half.build(b) }))
  }
  const gathered = asOp(node, 'gather')
  if (gathered) {
    const { input, indices } = gathered.operands
    const axis = fromFront(gathered.attributes.axis, input.type.shape.length)
    const kept = layout === 'paired' ? 2 : 1
    if (axis >= input.type.shape.length - kept) return undefined
    const half = inner(input)
    return half && through(half.sign, result, (b) => b.add('gather', { input: half.build(b), indices }, { axis }))
  }
  const transposed = asOp(node, 'transpose')
  if (transposed && layout !== 'paired') {
    const order = orderOf(transposed)
    const half = order.at(-1) === shape.length - 1 ? inner(transposed.operands.input) : undefined
    return half && through(half.sign, result, (b) => b.add('transpose', { input: half.build(b) }, { order }))
  }
  const sliced = asOp(node, 'slice')
  if (sliced && layout !== 'paired') {
    const { start, size, step } = sliced.attributes
    const half =
      start.at(-1) === 0 && step.at(-1) === 1 && sliced.operands.input.type.shape.at(-1) === size.at(-1)
        ? inner(sliced.operands.input)
        : undefined
    return (
      half &&
      through(half.sign, result, (b) =>
        b.add('slice', { input: half.build(b) }, { start, size: [...size.slice(0, -1), pairs], step }),
      )
    )
  }
  return elementwiseTable(node, layout, result, depth)
}

/** Functions of one table, and products of one with numbers that are the same for all elements of a position. */
function elementwiseTable(node: Node, layout: Layout, result: Shape, depth: number): Table | undefined {
  if (!hasTrait(node, 'elementwise') || node.operands.length === 0) return undefined
  const { shape } = node.type
  const isWide = (operand: Node) =>
    sameShape(operand.type.shape.slice(leadOf(shape, layout).length - shape.length), shape.slice(leadOf(shape, layout).length))
  const tables = node.operands.map((operand) => (isWide(operand) ? tableOf(operand, layout, depth - 1) : undefined))
  const narrow = node.operands.map((operand) => elementCount(operand.type.shape) === 1)
  if (tables.some((table, i) => !table && !narrow[i])) return undefined
  const signs = tables.flatMap((table) => (table ? [table.sign] : []))
  const odd = ['negate', 'sin', 'cast', 'mul'].includes(node.op)
  if (signs.includes(-1) && !odd) return undefined
  const sign = signs.reduce<number>((product, each) => product * each, 1) as Sign
  return through(sign, result, (builder) => {
    const operands = node.operands.map((operand, i) => tables[i]?.build(builder) ?? reshapeTo(builder, operand, []))
    return copyNode(node, builder, operands)
  })
}

function signOfConstant(node: Node, layout: Layout): Sign | undefined {
  const elements = constantElements(node)
  if (!elements || elements.length === 0) return undefined
  const pairs = pairsOf(node.type.shape, layout)
  const distance = layout === 'halves' ? pairs : 1
  const firsts = elements.flatMap((_, i) => ((layout === 'halves' ? i % (2 * pairs) < pairs : i % 2 === 0) ? [i] : []))
  if (firsts.every((i) => elements[i] === elements[i + distance])) return 1
  return firsts.every((i) => elements[i] === -elements[i + distance]!) ? -1 : undefined
}

/** Two values of which a third consists, as pairs: joined one behind the other, or as columns of a last dimension. */
function joinOf(node: Node, layout: Layout, trail: Trail): readonly [Node, Node] | undefined {
  if (layout === 'neighbours') {
    const reshaped = asOp(node, 'reshape')
    const { shape } = node.type
    const paired = [...shape.slice(0, -1), shape.at(-1)! / 2, 2]
    if (!reshaped || !sameShape(reshaped.operands.input.type.shape, paired)) return undefined
    trail.push(node)
    return joinOf(reshaped.operands.input, 'paired', trail)
  }
  const concat = asOp(node, 'concat')
  if (concat?.operands.inputs.length !== 2) return undefined
  const rank = node.type.shape.length
  if (fromFront(concat.attributes.axis, rank) !== rank - 1) return undefined
  const parts = concat.operands.inputs.map((part) => (layout === 'paired' ? columnOf(part, trail) : part))
  if (!parts[0] || !parts[1] || !sameShape(parts[0].type.shape, parts[1].type.shape)) return undefined
  trail.push(node)
  return [parts[0], parts[1]]
}

/** What stands in a column: a value with one dimension more, which has one element. */
function columnOf(node: Node, trail: Trail): Node | undefined {
  const reshaped = asOp(node, 'reshape')
  const { shape } = node.type
  if (!reshaped || shape.at(-1) !== 1 || !sameShape(reshaped.operands.input.type.shape, shape.slice(0, -1))) return undefined
  trail.push(node)
  return reshaped.operands.input
}

interface Found {
  readonly through: Trail
  readonly source: Source
  readonly first: number
  readonly interleaved: boolean
  readonly cos: (builder: Builder) => Node
  readonly sin: (builder: Builder) => Node
  readonly pairs: number
}

/** Whether tables of a shape are for values of these dimensions. */
function fitsTables(shape: Shape, pairs: number, lead: Shape): boolean {
  const own = shape.slice(0, -1)
  if (shape.length === 0 || shape.at(-1) !== pairs || own.length > lead.length) return false
  return own.every((extent, i) => extent === 1 || extent === lead[lead.length - own.length + i])
}

/** The halves, where they are the first and the second elements of the same pairs. */
function pairOf(
  a: Half | undefined,
  b: Half | undefined,
  pairs: number,
): Pick<Found, 'source' | 'first' | 'interleaved'> | undefined {
  if (!a || !b || a.step !== b.step || !sameSource(a.source, b.source)) return undefined
  const distance = b.first - a.first
  if (a.step === 2 && distance === 1) return { source: a.source, first: a.first, interleaved: true }
  return a.step === 1 && distance === pairs ? { source: a.source, first: a.first, interleaved: false } : undefined
}

/** a · cos − b · sin and a · sin + b · cos, each of `[…, pairs]`. */
function turnedHalves(root: Node, halves: readonly [Node, Node], trail: Trail, context: MatchContext): Found | undefined {
  const [p, q] = halves.map((half) => termsOf(half, trail))
  if (!p || !q || !isFloat(root.type.dtype) || elementCount(root.type.shape) === 0) return undefined
  const { shape } = halves[0].type
  const pairs = shape.at(-1)!
  // One pair alone is better computed element by element, together with its neighbours.
  if (pairs === undefined || pairs < 2) return undefined
  for (const [one, other] of [
    [0, 1],
    [1, 0],
  ] as const)
    for (const side of [0, 1] as const) {
      const [a, cos] = [p[one].factors[side], p[one].factors[1 - side]!]
      for (const across of [0, 1] as const) {
        const [b, sin] = [p[other].factors[across], p[other].factors[1 - across]!]
        // The second half has the same factors the other way.
        const has = (term: Term, x: Node, y: Node) =>
          (term.factors[0] === x && term.factors[1] === y) || (term.factors[0] === y && term.factors[1] === x)
        const at = q.findIndex((term) => has(term, b, cos))
        if (at < 0 || !has(q[1 - at]!, a, sin) || p[one].sign !== 1 || q[at]!.sign !== 1) continue
        const sign = q[1 - at]!.sign
        const pair = pairOf(halfOf(a), halfOf(b), pairs)
        const fits =
          sameShape(cos.type.shape, sin.type.shape) &&
          sameShape(a.type.shape, shape) &&
          fitsTables(cos.type.shape, pairs, shape.slice(0, -1))
        if (!pair || !fits || p[other].sign !== -sign || !isClosed(root, trail, context)) continue
        return { ...pair, through: trail, pairs, cos: () => cos, sin: signed(() => sin, sign) }
      }
    }
  return undefined
}

const signed = (build: (builder: Builder) => Node, sign: Sign) => (builder: Builder) =>
  sign === 1 ? build(builder) : builder.add('negate', { input: build(builder) })

const rotated = (builder: Builder, { source, first, interleaved, cos, sin, pairs }: Found, whole: boolean): Node =>
  builder.add(
    'rotaryEmbedding',
    {
      input: buildSource(builder, source, whole ? 0 : first, whole ? source.size : 2 * pairs),
      cos: cos(builder),
      sin: sin(builder),
    },
    { interleaved },
  )

const halves = rule({
  name: 'turned-halves-into-rotary-embedding',
  note: 'concat(a · cos − b · sin, a · sin + b · cos) → rotaryEmbedding(concat(a, b), cos, sin)',
  root: 'concat',
  match: (root, context) => {
    const { inputs } = asOp(root, 'concat')!.operands
    const rank = root.type.shape.length
    if (inputs.length < 2 || fromFront(root.attributes.axis as number, rank) !== rank - 1) return undefined
    const trail: Trail = []
    const columns = inputs.length === 2 && root.type.shape.at(-1) === 2 ? inputs.map((part) => columnOf(part, trail)) : []
    if (columns[0] && columns[1]) {
      const found = turnedHalves(root, [columns[0], columns[1]], trail, context)
      return found?.interleaved ? { ...found, behind: [] as readonly Node[] } : undefined
    }
    const found = turnedHalves(root, [inputs[0]!, inputs[1]!], [], context)
    return found && !found.interleaved ? { ...found, behind: inputs.slice(2) } : undefined
  },
  apply: ({ behind, ...found }, builder, node) => {
    const turned = rotated(builder, found, false)
    if (behind.length === 0) return reshapeTo(builder, turned, node.type.shape)
    return builder.add('concat', { inputs: [turned, ...behind] }, { axis: node.type.shape.length - 1 })
  },
})

/** A value whose pairs have been exchanged, with signs: which, and as what the first and second elements come. */
interface Exchanged {
  readonly layout: Layout
  readonly signs: readonly [Sign, Sign]
  readonly source: Source
  readonly first: number
}

function exchangedOf(node: Node, trail: Trail): Exchanged | undefined {
  const { shape } = node.type
  const reversed = asOp(node, 'slice')
  if (reversed && shape.at(-1) === 2 && shape.length >= 2) {
    const { input } = reversed.operands
    const { start, step } = reversed.attributes
    const isWhole = sameShape(input.type.shape, shape) && start.every((each, i) => each === (i === shape.length - 1 ? 1 : 0))
    if (isWhole && step.at(-1) === -1) {
      const source = wholeOf(input, [...shape.slice(0, -2), 2 * shape.at(-2)!])
      return { layout: 'paired', signs: [1, 1], source, first: 0 }
    }
  }
  for (const layout of ['halves', 'neighbours', 'paired'] as const) {
    const own: Trail = []
    const joined = joinOf(node, layout, own)
    const pairs = pairsOf(shape, layout)
    if (!joined || pairs < 2) continue
    const [second, first] = joined.map((part) => signedOf(part, own))
    const pair = pairOf(halfOf(first!.node), halfOf(second!.node), pairs)
    if (!pair || pair.interleaved !== (layout !== 'halves')) continue
    trail.push(...own)
    return { layout, signs: [second!.sign, first!.sign], source: pair.source, first: pair.first }
  }
  return undefined
}

/** Whether a value is the one whose halves were taken, with pairs apart or not. */
function isSource(node: Node, { source, first, layout }: Exchanged): boolean {
  const { shape } = node.type
  const [lead, size] = [leadOf(shape, layout), 2 * pairsOf(shape, layout)]
  const forward = source.start.every((each) => each === 0) && source.steps.every((each) => each === 1)
  const isWhole = forward && first === 0 && source.size === size && sameShape(source.extents, lead)
  if (node === source.node) return isWhole
  const slice = asOp(node, 'slice')
  if (slice?.operands.input === source.node && layout !== 'paired') {
    const { start, size: extents, step } = slice.attributes
    return (
      sameShape(start, [...source.start, first]) &&
      sameShape(extents, [...source.extents, size]) &&
      sameShape(step, [...source.steps, 1])
    )
  }
  // A reshape of one and the same value: pairs taken apart here, and not there.
  const before = (each: Node) => (each.op === 'reshape' ? each.operands[0]! : each)
  return isWhole && before(node) === before(source.node)
}

function findExchanged(root: Node, context: MatchContext): Found | undefined {
  if (!isFloat(root.type.dtype) || elementCount(root.type.shape) === 0) return undefined
  const trail: Trail = []
  const terms = termsOf(root, trail)
  if (!terms) return undefined
  for (const [i, term] of terms.entries())
    for (const side of [0, 1] as const) {
      const own: Trail = [...trail]
      const exchanged = exchangedOf(term.factors[side], own)
      if (!exchanged || !sameShape(term.factors[side].type.shape, root.type.shape)) continue
      const other = terms[1 - i]!
      const at = other.factors.findIndex((factor) => isSource(factor, exchanged))
      if (at < 0 || other.sign !== 1) continue
      const { layout } = exchanged
      const pairs = pairsOf(root.type.shape, layout)
      const [cos, sin] = [tableOf(other.factors[1 - at]!, layout), tableOf(term.factors[1 - side]!, layout)]
      if (!cos || !sin || cos.sign !== 1 || !sameShape(cos.shape, sin.shape)) continue
      const [one, two] = exchanged.signs.map((sign) => sign * term.sign) as [Sign, Sign]
      // The first element loses what the second one gains.
      if (one !== -two * sin.sign || !fitsTables(cos.shape, pairs, leadOf(root.type.shape, layout))) continue
      if (!isClosed(root, own, context)) continue
      const { source, first } = exchanged
      const sines = signed(sin.build, one === -1 ? 1 : -1)
      return { through: own, source, first, interleaved: layout !== 'halves', cos: cos.build, sin: sines, pairs }
    }
  return undefined
}

const exchanged = rule({
  name: 'exchanged-halves-into-rotary-embedding',
  note: 'x · cos + concat(−b, a) · sin → rotaryEmbedding(x, cos, sin), where tables repeat and x is concat(a, b)',
  root: ['add', 'sub'],
  match: findExchanged,
  apply: (found, builder, node) => reshapeTo(builder, rotated(builder, found, false), node.type.shape),
})

const partial = rule({
  name: 'part-into-rotary-embedding',
  note: 'concat(rotaryEmbedding(slice(x, 0 … 4)), slice(x, 4 … 6)) → rotaryEmbedding(x)',
  root: 'concat',
  match: (root, { isShared }) => {
    const { inputs } = asOp(root, 'concat')!.operands
    const rank = root.type.shape.length
    if (inputs.length !== 2 || fromFront(root.attributes.axis as number, rank) !== rank - 1) return undefined
    const turned = asOp(inputs[0], 'rotaryEmbedding')
    const [first, rest] = [asOp(turned?.operands.input, 'slice'), asOp(inputs[1], 'slice')]
    if (!turned || !first || !rest || isShared(turned.node) || first.operands.input !== rest.operands.input) return undefined
    const { input } = first.operands
    const end = first.attributes.size.at(-1)!
    const begins = ({ attributes: { start, step } }: typeof first, from: number) =>
      step.every((each) => each === 1) && start.every((each, axis) => each === (axis === rank - 1 ? from : 0))
    // Tables of fewer pairs than the slice has leave the others alone already.
    const fits = sameShape(input.type.shape, root.type.shape) && begins(first, 0) && begins(rest, end)
    return fits && { input, turned, through: [turned.node] }
  },
  apply: ({ input, turned }, builder) =>
    builder.add('rotaryEmbedding', { input, cos: turned.operands.cos, sin: turned.operands.sin }, turned.attributes),
})

/**
 * Recognises rotary embedding: halves that are turned and joined again, or a value and its exchanged halves multiplied by tables of full
 * width, in which both elements of a pair have the same entry, be it in constants or in how the tables are made. Pairs are apart by half of
 * the last dimension, or neighbours. What is behind the pairs may be joined unturned. Whoever else uses what is between keeps it. Numeric:
 * rounding.
 *
 *     %3 = slice(%0) {start: [0, 4], size: [3, 4], step: [1, 1]}
 *     %4 = slice(%0) {start: [0, 0], size: [3, 4], step: [1, 1]}
 *     %5 = concat(negate(%3), %4) {axis: 1}
 *     %6 = add(mul(%0, concat(%1, %1)), mul(%5, concat(%2, %2)))
 *   →
 *     %6 = rotaryEmbedding(%0, %1, %2)
 */
export const raiseRotaryEmbedding: Pass = rulePass({
  name: 'raise-rotary-embedding',
  summary: 'Recognise rotary embedding in products with sines and cosines',
  level: 'composite',
  rules: [halves, exchanged, partial],
})

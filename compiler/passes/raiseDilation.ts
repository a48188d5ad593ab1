import { elementCount, type Node } from '../graph/index.ts'
import { asOp, orderOf } from './match.ts'
import type { Pass } from './pass.ts'
import { isClosed, type Trail } from './pattern.ts'
import { type MatchContext, rule, rulePass } from './rule.ts'

/** Elements of a tensor whose places are followed one by one. */
const followedElements = 1 << 16

/** Movements that lead from one value to another, the first one first. */
interface Chain {
  readonly source: Node
  readonly movements: readonly Node[]
}

/** The reshapes and transposes behind a value, as far as nobody else uses what is between. */
function chainOf(node: Node, { isShared }: Pick<MatchContext, 'isShared'>): Chain {
  const movements: Node[] = []
  let source = node
  while ((source.op === 'reshape' || source.op === 'transpose') && (source === node || !isShared(source))) {
    movements.unshift(source)
    source = source.operands[0]!
  }
  return { source, movements }
}

/** Which element of the chain's source each element of its result is. */
function placesOf({ source, movements }: Chain): readonly number[] {
  let places = Array.from({ length: elementCount(source.type.shape) }, (_, i) => i)
  for (const movement of movements) {
    const transpose = asOp(movement, 'transpose')
    if (transpose) places = turned(places, movement.operands[0]!.type.shape, orderOf(transpose))
  }
  return places
}

function turned(elements: readonly number[], shape: readonly number[], order: readonly number[]): number[] {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)))
  const result: number[] = []
  const visit = (depth: number, from: number): void => {
    if (depth === order.length) result.push(elements[from]!)
    else for (let i = 0; i < shape[order[depth]!]!; i++) visit(depth + 1, from + i * strides[order[depth]!]!)
  }
  visit(0, 0)
  return result
}

/** `[sample, channel, …position]` of an element. */
function coordinatesOf(index: number, shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length)
  let rest = index
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = rest % shape[axis]!
    rest = Math.floor(rest / shape[axis]!)
  }
  return result
}

/** A convolution over every so manieth element, as a batch of phases. */
interface Phases {
  /** Elements between those of one phase, for each axis. */
  readonly blocks: readonly number[]
  /** The sample and the first position of each phase. */
  readonly starts: readonly (readonly number[])[]
}

/** How a batch consists of phases of `shape`; undefined where some element is elsewhere. */
function phasesOf(places: readonly number[], shape: readonly number[], batch: readonly number[]): Phases | undefined {
  if (shape.length !== batch.length || shape[1] !== batch[1] || elementCount(shape) !== elementCount(batch)) return undefined
  const blocks = shape.slice(2).map((extent, i) => extent / batch[2 + i]!)
  if (!blocks.every(Number.isInteger)) return undefined
  const phase = elementCount(batch.slice(1))
  const starts = Array.from({ length: batch[0]! }, (_, i) => coordinatesOf(places[i * phase]!, shape))
  const right = places.every((place, i) => {
    const [sample, channel, ...position] = coordinatesOf(i, batch) as [number, number, ...number[]]
    const start = starts[sample]!
    const wanted = [start[0]!, channel, ...position.map((at, k) => at * blocks[k]! + start[2 + k]!)]
    return coordinatesOf(place, shape).every((at, axis) => at === wanted[axis])
  })
  const within = starts.every((start) => start[1] === 0 && blocks.every((block, k) => start[2 + k]! < block))
  return right && within ? { blocks, starts } : undefined
}

function findSandwich(root: Node, context: MatchContext) {
  const after = chainOf(root, context)
  const conv = asOp(after.source, 'conv')
  if (!conv || context.isShared(conv.node) || elementCount(root.type.shape) > followedElements) return undefined
  const { stride, dilation } = conv.attributes
  const before = chainOf(conv.operands.input, context)
  const { source } = before
  const small = elementCount(source.type.shape) > 0 && elementCount(source.type.shape) <= followedElements
  const splits = source.type.shape[0]! < conv.operands.input.type.shape[0]!
  if (!small || !splits || ![...stride, ...dilation].every((step) => step === 1)) return undefined

  const phases = phasesOf(placesOf(before), source.type.shape, conv.operands.input.type.shape)
  // From the other side: where in the result each phase of the convolution goes.
  const places = placesOf(after)
  const inverse = new Array<number>(places.length)
  for (const [i, place] of places.entries()) inverse[place] = i
  const results = phasesOf(inverse, root.type.shape, conv.node.type.shape)
  const same = phases && results && JSON.stringify(phases) === JSON.stringify(results)
  const trail: Trail = [...after.movements.filter((movement) => movement !== root), conv.node, ...before.movements]
  return same && isClosed(root, trail, context) && { through: trail, conv, source, blocks: phases.blocks }
}

const sandwich = rule({
  name: 'convolution-of-phases-into-dilated',
  note: 'batchToSpace(conv(spaceToBatch(x))) → conv(x) with dilation',
  root: ['reshape', 'transpose'],
  match: findSandwich,
  apply: ({ conv, source, blocks }, builder) => {
    const times = (list: readonly number[]) => list.map((entry, axis) => entry * blocks[axis]!)
    const { before, after } = conv.attributes
    return builder.add(
      'conv',
      { ...conv.operands, input: source },
      { ...conv.attributes, dilation: [...blocks], before: times(before), after: times(after) },
    )
  },
})

/**
 * OP-41. A dilated convolution that was written as a plain one over phases of its input: every so manieth element becomes a sample of its
 * own, and the results are put back in between. Places are followed element by element, so that it does not matter by which reshapes and
 * transposes; another order than the one they came in is left alone.
 *
 *     %1 = reshape(%0)                  // [1, 2, 6, 6] as [1, 2, 3, 2, 3, 2]
 *     %2 = transpose(%1) {order: [3, 5, 0, 1, 2, 4]}
 *     %3 = conv(reshape(%2), %w)        // [4, 2, 3, 3]
 *     %4 = transpose(reshape(%3)) {order: [2, 3, 4, 0, 5, 1]}
 *     %5 = reshape(%4)
 *   →
 *     %5 = conv(%0, %w) {dilation: [2, 2]}
 */
export const raiseDilation: Pass = rulePass({
  name: 'raise-dilation',
  summary: 'Recognise dilated convolutions in convolutions over phases of their input',
  level: 'composite',
  rules: [sandwich],
})

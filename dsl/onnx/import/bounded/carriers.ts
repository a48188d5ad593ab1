// What operators make of axes of which data decides how much is filled.
import type { Known, OpContext, OpRule, Value } from '../context.ts'
import { elementwise } from '../rules/elementwise.ts'
import { axisIn, dimsOf, range } from '../rules/shared.ts'
import { carryGather, carryGatherElements, carryGatherNd, carryScatterElements, carryScatterNd } from './gather.ts'
import { carryConcat, carryFlatten, carryReshape, carrySlice, carrySplit, carrySqueeze, carryUnsqueeze } from './movement.ts'
import { carryReduction, carrySoftmax } from './reduce.ts'
import { type OpenSize, sameSize } from './size.ts'
import { constantOfShape, expand, rangeOf, tile, topK } from './sized.ts'
import { type Bounds, boundsOf, filledMask, filledWith, replacing, withBounds } from './values.ts'

type Results = ReturnType<OpRule>
/** `plain` is the rule for tensors whose sizes are known. */
export type Carrier = (c: OpContext, plain: OpRule) => Results

const listOf = (results: Results): readonly (Value | Known | undefined)[] =>
  Array.isArray(results) ? results : [results as Value | Known]
const isValue = (result: Value | Known | undefined): result is Value => result !== undefined && !('bytes' in result)

/** Results with these bounds, tensors as they are. */
export const bound = (c: OpContext, results: Results, of: (value: Value, i: number) => Bounds): Results =>
  listOf(results).map((result, i) => (isValue(result) ? withBounds(c, result, of(result, i)) : result))

const mixed = (c: OpContext, what: string) =>
  c.unsupported(
    `${what}, whose sizes data decides, cannot be followed`,
    'cut the graph before it and do it behind the model, in TypeScript',
  )

/** Axes meet from the last one on; sizes that data decides must be one. */
export function broadcastBounds(c: OpContext): OpenSize[] {
  const inputs = range(c.inputCount).filter((i) => c.has(i))
  const shapes = inputs.map((i) => c.typeOf(i).shape)
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return range(rank).map((axis) => {
    let found: OpenSize | undefined
    const others: number[] = []
    for (const [k, i] of inputs.entries()) {
      const own = axis - rank + shapes[k]!.length
      if (own < 0) continue
      const size = c.isConstant(i) ? undefined : boundsOf(c.input(i))?.[own]
      if (!size) others.push(shapes[k]![own]!)
      else if (!found) found = size
      else if (!sameSize(found, size) || found.high !== size.high) mixed(c, `two values`)
    }
    if (found && others.some((extent) => extent !== 1))
      mixed(c, `a value of ${others.find((extent) => extent !== 1)} elements and one`)
    return found
  }) as OpenSize[]
}

const pointwise: Carrier = (c, plain) => bound(c, plain(c), () => broadcastBounds(c))

/** The first axis counts independent entries, and the operator leaves it in its place. */
const batched: Carrier = (c, plain) => {
  const [first, ...more] = boundsOf(c.input(0)) ?? []
  if (more.some(Boolean) || range(c.inputCount).some((i) => i > 0 && c.has(i) && !c.isConstant(i) && boundsOf(c.input(i))))
    return mixed(c, 'an axis other than the first')
  return bound(c, plain(c), (value) => dimsOf(value).map((_, axis) => (axis === 0 ? first : undefined)))
}

/** Axes before the one named are independent, and stay. */
const before =
  (fallback: number): Carrier =>
  (c, plain) => {
    const given = boundsOf(c.input(0)) ?? []
    const axis = axisIn(c, c.int('axis', fallback), given.length)
    if (given.slice(axis).some(Boolean)) return mixed(c, 'an axis that is normalised')
    return bound(c, plain(c), (value) => (dimsOf(value).length === given.length ? given : given.slice(0, dimsOf(value).length)))
  }

const transpose: Carrier = (c, plain) => {
  const given = boundsOf(c.input(0))!
  const order = c.ints('perm') ?? range(given.length).reverse()
  return bound(c, plain(c), () => order.map((axis) => given[axis]))
}

/** Along an axis whose padding is made neutral. */
const matmul: Carrier = (c, plain) => {
  const [a, b] = [c.input(0), c.input(1)]
  const [left, right] = [boundsOf(a) ?? dimsOf(a).map(() => undefined), boundsOf(b) ?? dimsOf(b).map(() => undefined)]
  if (left.length < 2 || right.length < 2) return mixed(c, 'a product of vectors')
  const [inner, other] = [left.at(-1), right.at(-2)]
  if ((inner || other) && !(inner && other && sameSize(inner, other))) return mixed(c, 'an inner dimension')
  const filled = inner ? { 0: filledWith(c, a, 0, [left.length - 1]), 1: filledWith(c, b, 0, [right.length - 2]) } : {}
  const rank = Math.max(left.length, right.length)
  const lead = range(rank - 2).map((axis) => {
    const [x, y] = [left[axis - rank + left.length], right[axis - rank + right.length]]
    if (x && y && !sameSize(x, y)) return mixed(c, 'two values')
    return x ?? y
  })
  return bound(c, plain(replacing(c, filled)), () => [...lead, left.at(-2), right.at(-1)])
}

const gemm: Carrier = (c, plain) => {
  const given = [0, 1, 2].map((i) => (c.has(i) && !c.isConstant(i) ? boundsOf(c.input(i)) : undefined))
  const [a, b, bias] = given
  if (b || bias || c.int('transA', 0) !== 0 || a?.[1]) return mixed(c, 'an inner dimension')
  return bound(c, plain(c), () => [a?.[0], undefined])
}

/** Running totals look back alone, unless they are walked from the end. */
const running: Carrier = (c, plain) => {
  const given = boundsOf(c.input(0))!
  if (c.int('reverse', 0) === 0) return bound(c, plain(c), () => given)
  const fill = c.node.op === 'CumProd' ? 1 : 0
  return bound(c, plain(replacing(c, { 0: filledWith(c, c.input(0), fill) })), () => given)
}

/** Of what is not there nothing is picked: positions are the same in a tensor of any size. */
const picked: Carrier = (c, plain) => plain(replacing(c, { 0: filledWith(c, c.input(0), 0) }))

const compress: Carrier = (c, plain) => {
  const [data, condition] = [c.input(0), c.input(1)]
  const given = boundsOf(data)
  const axis = c.node.attributes.has('axis') ? axisIn(c, c.int('axis'), dimsOf(data).length) : undefined
  if (axis === undefined && given && given.slice(1).some(Boolean)) return mixed(c, 'elements of several axes')
  // A condition as long as the axis: what is behind is not picked.
  const along = axis === undefined ? undefined : given?.[axis]
  const filled = filledWith(c, condition, 0)
  const results = listOf(plain(replacing(c, { 1: filled })))
  if (along && !boundsOf(condition)) return mixed(c, 'an axis that is shorter than its condition')
  const rest = (value: Value) => dimsOf(value).map((_, i) => (i === (axis ?? 0) ? boundsOf(value)?.[i] : given?.[i]))
  return results.map((result) => (isValue(result) ? withBounds(c, result, rest(result)) : result))
}

/** What is not there is as the first entry is, of which as many too many are counted. */
const unique: Carrier = (c, plain) => {
  const { d } = c
  const flat = c.node.attributes.has('axis') ? c.input(0) : (carryReshape(replacingShape(c), plain) as Value)
  const axis = c.node.attributes.has('axis') ? axisIn(c, c.int('axis'), dimsOf(flat).length) : 0
  const given = boundsOf(flat)!
  const size = given[axis]
  const others = given.flatMap((each, i) => (each && i !== axis ? [i] : []))
  const even = filledWith(c, flat, 0, others)
  const first = size && (d.slice(even, { axis, start: 0, stop: 1 }) as Value)
  const whole = size ? (d.where(filledMask(c, given.length, axis, size), even, first!) as Value) : even
  const [values, indices, inverse, counts] = listOf(plain(replacing(c, { 0: whole }))) as [Value, Value, Value, Value]
  const found = boundsOf(indices)![0]!
  if (!size) {
    const bounds = given.map((each, i) => (i === axis ? found : each))
    return [withBounds(c, values, bounds), indices, inverse, counts]
  }
  const isSome = d.greater(size.value, 0) as Value
  const count: OpenSize = { ...found, value: d.where(isSome, found.value, 0 as never) as Value, high: size.high }
  const added = d.sub(size.high, size.value as never) as Value
  const isFirst = d.equal(
    d.positions(dimsOf(counts)[0]!) as Value,
    d.slice(inverse, { axis: 0, start: 0, stop: 1 }) as never,
  ) as Value
  const counted = d.sub(counts, d.mul(d.cast(isFirst, 'i64') as Value, added) as Value) as Value
  return [
    withBounds(
      c,
      values,
      given.map((each, i) => (i === axis ? count : each)),
    ),
    withBounds(c, indices, [count]),
    withBounds(c, inverse, [size]),
    withBounds(c, counted, [count]),
  ]
}

/** The context of a Reshape into a list. */
const replacingShape = (c: OpContext): OpContext => ({ ...c, ints: (name) => (name === 'shape' ? [-1] : c.ints(name)) })

/** Boxes that are not there have a score that takes no part, and batches and classes no boxes. */
const suppression: Carrier = (c, plain) => {
  const scores = filledWith(c, c.input(1), Number.NEGATIVE_INFINITY)
  // A size that only boxes have is that of scores.
  const [boxes, own] = [boundsOf(c.input(0)), boundsOf(c.input(1))]
  if (boxes?.[1] && !(own?.[2] && sameSize(boxes[1], own[2]))) return mixed(c, 'boxes')
  return plain(replacing(c, { 1: scores }))
}

/** Regions are independent; those that are not there are of the first image. */
const regions: Carrier = (c, plain) => {
  const rois = c.input(1)
  const [count, width] = boundsOf(rois) ?? []
  const batches = boundsOf(c.input(2)) ?? []
  if (boundsOf(c.input(0)) || width || (batches[0] && count && !sameSize(batches[0], count))) return mixed(c, 'an image')
  const filled = { 1: filledWith(c, rois, 0), 2: filledWith(c, c.input(2), 0) }
  return bound(c, plain(replacing(c, filled)), (value) =>
    dimsOf(value).map((_, axis) => (axis === 0 ? (count ?? batches[0]) : undefined)),
  )
}

const argument =
  (largest: boolean): Carrier =>
  (c, plain) =>
    c.int('select_last_index', 0) !== 0
      ? mixed(c, 'the last of equal elements')
      : carryReduction(largest ? 'lowest' : 'highest', 'axis')(c, plain)

const own = (table: Readonly<Record<string, OpRule>>, carrier: Carrier) =>
  Object.fromEntries(Object.keys(table).map((name) => [name, carrier]))
const all = (carrier: Carrier, names: string) => Object.fromEntries(names.split(' ').map((name) => [name, carrier]))

const carriers: Readonly<Record<string, Carrier>> = {
  ...own(elementwise, pointwise),
  ...all(pointwise, 'Dropout'),
  ...all(
    batched,
    'Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool BatchNormalization InstanceNormalization GroupNormalization LRN DepthToSpace SpaceToDepth Resize Upsample Pad',
  ),
  ...all(before(-1), 'LayerNormalization RMSNormalization LpNormalization Hardmax'),
  Transpose: transpose,
  Squeeze: carrySqueeze,
  Unsqueeze: carryUnsqueeze,
  Reshape: carryReshape,
  Flatten: carryFlatten,
  Concat: carryConcat,
  Split: carrySplit,
  Slice: carrySlice,
  Expand: expand,
  Tile: tile,
  ConstantOfShape: constantOfShape,
  Range: rangeOf,
  TopK: topK,
  Gather: carryGather,
  GatherElements: carryGatherElements,
  GatherND: carryGatherNd,
  ScatterND: carryScatterNd,
  ScatterElements: carryScatterElements,
  MatMul: matmul,
  Gemm: gemm,
  CumSum: running,
  CumProd: running,
  NonZero: picked,
  Unique: unique,
  Compress: compress,
  NonMaxSuppression: suppression,
  RoiAlign: regions,
  ReduceSum: carryReduction(0),
  ReduceMean: carryReduction('mean'),
  ReduceProd: carryReduction(1),
  ReduceMax: carryReduction('lowest'),
  ReduceMin: carryReduction('highest'),
  ReduceL1: carryReduction(0),
  ReduceL2: carryReduction(0),
  ReduceSumSquare: carryReduction(0),
  ReduceLogSum: carryReduction(0),
  ReduceLogSumExp: carryReduction('lowest'),
  ArgMax: argument(true),
  ArgMin: argument(false),
  Softmax: carrySoftmax,
  LogSoftmax: carrySoftmax,
}

export const carrierFor = (domain: string, op: string): Carrier | undefined =>
  domain === '' && Object.hasOwn(carriers, op) ? carriers[op] : undefined

/** Whether an operator with known sizes of its own can take those that data decides. */
export const takesSizes = (domain: string, op: string): boolean =>
  domain === '' && ['Reshape', 'Expand', 'Tile', 'Slice', 'ConstantOfShape', 'Range', 'TopK'].includes(op)

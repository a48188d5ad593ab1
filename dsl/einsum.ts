import { dtypeFacts, elementCount, reject } from '../compiler/graph/index.ts'
import { maximumOperands, readList } from './check.ts'
import { mul } from './elementwise.ts'
import { slice } from './parts.ts'
import { matmul } from './product.ts'
import { sum } from './reduce.ts'
import { reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { describe, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>

/** A tensor whose dimensions have labels, each once; one of size 1 that others have larger is left out. */
interface Labelled {
  readonly tensor: Any
  readonly labels: readonly string[]
}

const op = 'einsum'
const extentsOf = (tensor: Any): readonly number[] => tensor.shape

type Compact<T extends string> = T extends `${infer A} ${infer B}` ? Compact<`${A}${B}`> : T
/** The extent that a term gives a label; never where it has none. */
type SizeIn<T extends string, S, L> = any[] extends S
  ? any
  : T extends `${infer F}${infer B}`
    ? S extends readonly [infer A, ...infer R]
      ? F extends L
        ? A
        : SizeIn<B, R, L>
      : never
    : never
type SizeOf<T extends string, X, L> = X extends readonly [Tensor<any, infer S>, ...infer R]
  ? T extends `${infer F},${infer B}`
    ? [SizeIn<F, S, L>] extends [never]
      ? SizeOf<B, R, L>
      : SizeIn<F, S, L>
    : SizeIn<T, S, L>
  : any
/** A 1 may broadcast with another term's, and is left open. */
type Sizes<O extends string, T extends string, X, R extends unknown[] = []> = O extends `${infer L}${infer B}`
  ? [SizeOf<T, X, L>] extends [infer V]
    ? Sizes<B, T, X, [...R, [V] extends [1] ? any : V]>
    : never
  : R
type OutputShape<E extends string, X> = string extends E
  ? any
  : Compact<E> extends `${infer T}->${infer O}`
    ? `${T}${O}` extends `${string}.${string}`
      ? any
      : Sizes<O, T, X>
    : any
/**
 * Sums of products along labelled dimensions, as in NumPy: `einsum('bij,bjk->bik', [x, y])` is a matrix product.
 *
 * Each term names the dimensions of an operand, by letters; a label that is not in the result is summed over, one that stands twice in a
 * term takes the diagonal, `...` stands for any dimensions, which broadcast. Without `->` the result has the labels that occur once, in
 * alphabetical order, capitals first, after those of `...` (ONNX Einsum 12).
 * @param equation terms, separated by commas, and the result after `->`
 * @param operands a tensor for each term, equal in element type; any number type
 */
export function einsum<const E extends string, const T extends readonly Tensor[]>(
  equation: E,
  operands: readonly [...T],
): Tensor<T[number]['dtype'], OutputShape<E, T>> {
  const list = Array.from(readList(op, 'operands', operands, maximumOperands, 'bad-operand'), (operand, i) => {
    nodeOf(operand, op, `operands[${i}]`)
    return operand as Any
  })
  const { terms, result } = readEquation(equation, list)
  const sizes = sizesOf(terms, list)
  let rest = list.map((tensor, i) => omitSpread(takeDiagonals({ tensor, labels: terms[i]! }), sizes))
  while (rest.length > 1) {
    const [left, right, ...others] = rest as [Labelled, Labelled, ...Labelled[]]
    const needed = new Set([...result, ...others.flatMap(({ labels }) => labels)])
    rest = [contract(left, right, needed), ...others]
  }
  return arrange(sumOut(rest[0]!, new Set(result)), result, sizes) as never
}

/** Labels of each operand and of the result; dimensions that `...` stands for are labelled by numbers, the last one '0'. */
function readEquation(equation: unknown, operands: readonly Any[]): { terms: string[][]; result: string[] } {
  if (typeof equation !== 'string')
    return reject('bad-attribute', `${op}: equation must be a string such as 'ij,jk->ik', got ${describe(equation)}`)
  const fail = (what: string): never => reject('bad-attribute', `${op}: ${what} in ${describe(equation)}`)
  if (equation.length > 4096) fail('too many characters')
  const [left, right, ...more] = equation.replaceAll(' ', '').split('->')
  if (more.length > 0) fail("'->' stands twice")
  const texts = left!.split(',')
  if (texts.length !== operands.length)
    reject('bad-operand', `${op}: ${describe(equation)} has ${texts.length} terms for ${operands.length} operands`)
  let widest = 0
  const terms = texts.map((text, i) => {
    const shape = extentsOf(operands[i]!)
    const [before, after, ...again] = text.split('...').map((part) => readLabels(part, fail))
    if (again.length > 0) fail(`'...' stands twice in a term`)
    const named = before!.length + (after?.length ?? 0)
    if (after ? named > shape.length : named !== shape.length)
      reject('rank-mismatch', `${op}: term '${text.slice(0, 60)}' names ${named} dimensions of [${shape.join(', ')}]`)
    const spread = after ? shape.length - named : 0
    widest = Math.max(widest, spread)
    return [...before!, ...spreadLabels(spread), ...(after ?? [])]
  })
  if (right === undefined) {
    const all = terms.flat()
    const once = all.filter((label) => !/\d/.test(label) && all.indexOf(label) === all.lastIndexOf(label))
    return { terms, result: [...spreadLabels(widest), ...once.sort((a, b) => (a < b ? -1 : 1))] }
  }
  const [before, after, ...again] = right.split('...').map((part) => readLabels(part, fail))
  if (again.length > 0) fail(`'...' stands twice in the result`)
  const result = [...before!, ...(after ? [...spreadLabels(widest), ...after] : [])]
  const known = new Set(terms.flat())
  for (const label of result) if (!known.has(label)) fail(`the result has '${label}', which no term has,`)
  if (new Set(result).size !== result.length) fail('a label stands twice in the result')
  return { terms, result }
}

const spreadLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => String(count - 1 - i))

function readLabels(text: string, fail: (what: string) => never): string[] {
  if (!/^[A-Za-z]*$/.test(text)) fail('labels must be letters; something else stands')
  return [...text]
}

/** The extent of each label; 1 broadcasts. */
function sizesOf(terms: readonly (readonly string[])[], operands: readonly Any[]): Map<string, number> {
  const sizes = new Map<string, number>()
  for (const [i, labels] of terms.entries()) {
    for (const [axis, label] of labels.entries()) {
      const extent = extentsOf(operands[i]!)[axis]!
      const known = sizes.get(label) ?? 1
      if (known !== 1 && extent !== 1 && known !== extent)
        reject('shape-mismatch', `${op}: '${label}' is ${known} in one place and ${extent} in another`)
      sizes.set(label, extent === 1 ? known : extent)
    }
  }
  return sizes
}

/** A label that stands twice takes the elements where both positions are equal. */
function takeDiagonals({ tensor, labels }: Labelled): Labelled {
  const twice = labels.findIndex((label, i) => labels.indexOf(label) < i)
  if (twice < 0) return { tensor, labels }
  const first = labels.indexOf(labels[twice]!)
  const shape = extentsOf(tensor)
  const extent = shape[first]!
  if (extent !== shape[twice])
    reject('shape-mismatch', `${op}: '${labels[twice]}' is ${extent} in one place of a term and ${shape[twice]} in another`)
  const others = labels.map((_, i) => i).filter((i) => i !== first && i !== twice)
  const lead = others.map((i) => shape[i]!)
  const square = reshape(moveAxes(tensor, [...others, first, twice]), [...lead, extent * extent]) as Any
  const diagonal = slice(square, { axis: -1, step: extent + 1 }) as Any
  return takeDiagonals({ tensor: diagonal, labels: [...others.map((i) => labels[i]!), labels[first]!] })
}

/** Without the dimensions of size 1 that another operand has larger: to broadcast along a label is not to have it. */
function omitSpread({ tensor, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const shape = extentsOf(tensor)
  const kept = labels.filter((label, axis) => shape[axis] === sizes.get(label))
  if (kept.length === labels.length) return { tensor, labels }
  return {
    tensor: reshape(
      tensor,
      kept.map((label) => sizes.get(label)!),
    ) as Any,
    labels: kept,
  }
}

const moveAxes = (tensor: Any, order: readonly number[]): Any =>
  order.every((axis, i) => axis === i) ? tensor : (transpose(tensor, order) as Any)

const inOrder = ({ tensor, labels }: Labelled, order: readonly string[]): Any =>
  moveAxes(
    tensor,
    order.map((label) => labels.indexOf(label)),
  )

const reshaped = (tensor: Any, shape: readonly number[]): Any => {
  const from = extentsOf(tensor)
  return from.length === shape.length && shape.every((extent, i) => extent === from[i]) ? tensor : (reshape(tensor, shape) as Any)
}

function sumOut({ tensor, labels }: Labelled, kept: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (kept.has(label) ? [] : [axis]))
  if (axes.length === 0) return { tensor, labels }
  return { tensor: sum(tensor, { axes }) as Any, labels: labels.filter((label) => kept.has(label)) }
}

/** The product of two operands, summed over the labels that nothing else needs. */
function contract(a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const left = sumOut(a, new Set([...needed, ...b.labels]))
  const right = sumOut(b, new Set([...needed, ...a.labels]))
  const size = new Map(
    [left, right].flatMap(({ tensor, labels }) => labels.map((label, i) => [label, extentsOf(tensor)[i]!] as const)),
  )
  const shapeOf = (labels: readonly string[]) => labels.map((label) => size.get(label)!)
  const shared = left.labels.filter((label) => right.labels.includes(label))
  const inner = shared.filter((label) => !needed.has(label))
  const batch = shared.filter((label) => needed.has(label))
  const rows = left.labels.filter((label) => !shared.includes(label))
  const columns = right.labels.filter((label) => !shared.includes(label))
  const labels = [...batch, ...rows, ...columns]
  const float = dtypeFacts[left.tensor.dtype as 'f32'].kind === 'float'
  if (inner.length === 0 || !float) {
    // Element by element, and a sum: there is nothing to sum over, or no product of matrices of this element type.
    const spread = [...labels, ...inner]
    const aligned = (one: Labelled) =>
      reshaped(
        inOrder(
          one,
          spread.filter((label) => one.labels.includes(label)),
        ),
        spread.map((label) => (one.labels.includes(label) ? size.get(label)! : 1)),
      )
    return sumOut({ tensor: mul(aligned(left), aligned(right)) as Any, labels: spread }, needed)
  }
  // Without batch labels the rows may stay apart: a product broadcasts over what stands in front of them.
  const apart = batch.length === 0 && rows.length > 0
  const [lead, depth] = [shapeOf(batch), elementCount(shapeOf(inner))]
  const one = reshaped(inOrder(left, [...batch, ...rows, ...inner]), [
    ...lead,
    ...(apart ? shapeOf(rows) : [elementCount(shapeOf(rows))]),
    depth,
  ])
  const other = reshaped(inOrder(right, [...batch, ...inner, ...columns]), [...lead, depth, elementCount(shapeOf(columns))])
  return { tensor: reshaped(matmul(one, other) as Any, shapeOf(labels)), labels }
}

/** The result's labels in their order; those that only broadcast dimensions had come back with size 1. */
function arrange(value: Labelled, result: readonly string[], sizes: ReadonlyMap<string, number>): Any {
  const tensor = inOrder(
    value,
    result.filter((label) => value.labels.includes(label)),
  )
  return reshaped(
    tensor,
    result.map((label) => sizes.get(label)!),
  )
}

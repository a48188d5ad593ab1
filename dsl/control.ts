import {
  createBuilder,
  type Graph,
  type Node,
  type Output,
  reject,
  resultsOf,
  scalarBytes,
  type TensorType,
} from '../compiler/graph/index.ts'
import { isPlainObject, maximumOperands, readAxis, readBoolean, readInteger, readList, readOptions } from './check.ts'
import { plainNumber } from './dimension.ts'
import { sub } from './elementwise.ts'
import { gather, slice } from './parts.ts'
import { transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { currentTracer, describe, isTensor, nodeOf, type Tracer, tensorOf, withTracer } from './tracer.ts'

type Any = Tensor<any, any>
type Tensors = readonly Tensor[]
/** The same element types and shapes, whatever tensors they are. */
type Same<T extends Tensors> = { [K in keyof T]: Tensor<T[K]['dtype'], T[K]['shape']> }
/** One of each turn, side by side along a dimension in front. */
type Kept<T extends Tensors> = {
  [K in keyof T]: Tensor<T[K]['dtype'], T[K]['shape'] extends readonly unknown[] ? [any, ...T[K]['shape']] : any>
}

export interface LoopOptions<C extends Tensors, G extends Tensors> {
  /** Turns at most: a number, or an `i64[]` that is known when the model runs. Default: as many as `proceed` says. */
  readonly count?: number | Tensor<'i64', []>
  /** Whether there is a first turn. Default: yes. */
  readonly condition?: Tensor<'bool', []>
  /** What a turn hands to the next, as it is before the first. Element types and shapes stay. Default: nothing. */
  readonly carried?: C
  /** Tensors that the body gets as they are. It may also use any tensor around it. Default: none. */
  readonly given?: G
  /** Turns that there may be; one more is an error at run time. Needed where something is kept of turns whose `count` is no plain number. Default: `count`, or no limit. */
  readonly limit?: number
}

/** What a turn gives. */
export interface Turn<C extends Tensors, K extends Tensors> {
  /** The carried values for the next turn, in their order. */
  readonly carried?: Same<C>
  /** Whether there is another turn. Default: yes, until `count`. */
  readonly proceed?: Tensor<'bool', []>
  /** What is kept of this turn. */
  readonly kept?: K
}

/** What a loop gives. */
export interface LoopResult<C extends Tensors, K extends Tensors> {
  /** The carried values behind the last turn. */
  readonly carried: Same<C>
  /** What was kept of all turns, each with a dimension in front that is as long as the limit; zeros where there was no turn. */
  readonly kept: Kept<K>
  /** How many turns there were. */
  readonly turns: Tensor<'i64', []>
}

const maximumTurns = 2 ** 31 - 1
const flag: TensorType = { dtype: 'bool', shape: [] }
const counter: TensorType = { dtype: 'i64', shape: [] }

/** A graph of its own, over inputs of its own and what it took from around it. */
interface Body {
  readonly tracer: Tracer
  readonly inputs: readonly Node[]
  /** Inputs by the values of the graph around it that they are. */
  readonly captured: Map<Node, Node>
  readonly outputs: readonly Node[]
}

function traceBody(
  op: string,
  inputs: readonly (readonly [name: string, type: TensorType])[],
  run: (tensors: readonly Any[]) => readonly unknown[],
): Body {
  const outer = currentTracer(op)
  const builder = createBuilder()
  const captured = new Map<Node, Node>()
  const tracer: Tracer = {
    ...outer,
    builder,
    outer,
    capture(node) {
      if (node.data) return builder.constant(node.type, node.data, outer.location())
      const known = captured.get(node) ?? builder.input(`captured${captured.size}`, plain(node.type), outer.location())
      captured.set(node, known)
      return known
    },
  }
  const own = inputs.map(([name, type]) => builder.input(name, type, outer.location()))
  const outputs = withTracer(tracer, () =>
    run(own.map((node) => tensorOf(node) as Any)).map((value, i) => nodeOf(value, op, `result ${i}`)),
  )
  return { tracer, inputs: own, captured, outputs }
}

const plain = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape })

/** The graph of a body that takes all of `shared` from around it, whether it reads it or not. */
function graphOf(
  { tracer, inputs, captured, outputs }: Body,
  name: string,
  shared: readonly Node[],
  names: readonly string[],
): Graph {
  const taken = shared.map((node) => captured.get(node) ?? tracer.builder.input(`unread${node.id}`, plain(node.type)))
  return tracer.builder.finish(
    name,
    [...inputs, ...taken],
    outputs.map((value, i): Output => ({ name: names[i] ?? `result${i}`, value })),
  )
}

/** The node with bodies and its results, one by one. */
function apply(
  op: string,
  operands: readonly Node[],
  attributes: Readonly<Record<string, number>>,
  bodies: readonly Graph[],
): Any[] {
  const { builder, location } = currentTracer(op)
  const node = builder.addFlat(op, operands, attributes, location(), bodies)
  const layout = resultsOf(
    op,
    bodies[0]!.outputs.map(({ value }) => value.type),
    node.attributes,
  )
  return layout.types.map(
    ({ dtype, shape }, i) =>
      tensorOf(builder.addFlat('resultOf', [node], { dtype, shape: [...shape], offset: layout.offsets[i]! }, location())) as Any,
  )
}

const scalarOf = ({ dtype, shape }: TensorType, value: number): Node => {
  const { builder, location } = currentTracer('constant')
  return builder.literal({ dtype, shape }, scalarBytes(dtype, value), String(value), location())
}

const tensorList = (op: string, name: string, value: unknown): Any[] =>
  value === undefined ? [] : (Array.from(readList(op, name, value, maximumOperands, 'bad-operand')) as Any[])

/** What a body returned, its parts checked. */
function readTurn(op: string, returned: unknown): { readonly carried: Any[]; readonly proceed: unknown; readonly kept: Any[] } {
  if (!isPlainObject(returned))
    return reject('bad-operand', `${op}: the body must return an object with carried, kept or proceed, got ${describe(returned)}`)
  const { carried, proceed, kept } = readOptions(op, returned, ['carried', 'proceed', 'kept'])
  return { carried: tensorList(op, 'carried', carried), proceed, kept: tensorList(op, 'kept', kept) }
}

/**
 * Runs a body again and again: one kernel, however many turns there are, and as many as the model finds out while it runs. What it carries stays where
 * it is in memory. Where the number of turns is known and small, an ordinary `for` writes the turns out and may be faster (ONNX Loop 23).
 *
 * ```ts
 * const { carried: [root] } = loop({ count: 20, carried: [x] }, (turn, [y]) => ({ carried: [mul(add(y, div(x, y)), 0.5)] }))
 * ```
 * @param options `count`, `condition`, `carried`, `given`, `limit`
 * @param body makes one turn of its number, an `i64[]` from 0, the carried values, and what is given; it is called once
 */
export function loop<const C extends Tensors = [], const G extends Tensors = [], const K extends Tensors = []>(
  options: LoopOptions<C, G>,
  body: (turn: Tensor<'i64', []>, carried: Same<C>, given: Same<G>) => Turn<C, K>,
): LoopResult<C, K> {
  const op = 'loop'
  const { count, condition, carried, given, limit } = readOptions(op, options, [
    'count',
    'condition',
    'carried',
    'given',
    'limit',
  ])
  if (typeof body !== 'function') return reject('bad-operand', `${op}: the body must be a function, got ${describe(body)}`)
  const initial = tensorList(op, 'carried', carried).map((value, i) => nodeOf(value, op, `carried ${i}`))
  const others = tensorList(op, 'given', given).map((value, i) => nodeOf(value, op, `given ${i}`))
  const number = plainNumber(count)
  const turns = number === undefined || isTensor(number) ? undefined : readInteger(op, 'count', number, 0)
  const most = limit === undefined ? Math.min(turns ?? 0, maximumTurns) : readInteger(op, 'limit', limit, 0)
  let keeps = 0
  const traced = traceBody(
    op,
    [
      ['turn', counter],
      ...initial.map(({ type }, i) => [`carried${i}`, plain(type)] as const),
      ...others.map(({ type }, i) => [`given${i}`, plain(type)] as const),
    ],
    ([turn, ...values]) => {
      const made = readTurn(op, (body as any)(turn, values.slice(0, initial.length), values.slice(initial.length)))
      if (made.carried.length !== initial.length)
        reject('bad-operand', `${op}: the body returns ${made.carried.length} carried values, ${initial.length} are carried`)
      keeps = made.kept.length
      return [made.proceed ?? tensorOf(scalarOf(flag, 1)), ...made.carried, ...made.kept]
    },
  )
  if (keeps > 0 && most === 0 && turns !== 0)
    reject('bad-attribute', `${op}: state limit, how many turns there may be: what is kept of turns needs room for all of them`)
  const shared = [...traced.captured.keys()]
  const names = ['proceed', ...initial.map((_, i) => `carried${i}`)]
  const graph = graphOf(traced, 'loop', shared, names)
  const operands = [
    turns === undefined && isTensor(number) ? nodeOf(number, op, 'count') : scalarOf(counter, turns ?? maximumTurns),
    condition === undefined ? scalarOf(flag, 1) : nodeOf(condition, op, 'condition'),
    ...initial,
    ...others,
    ...shared,
  ]
  // No turn keeps nothing, for which there has to be room all the same.
  const [taken, ...results] = apply(op, operands, { carried: initial.length, limit: Math.max(most, keeps > 0 ? 1 : 0) }, [graph])
  const kept = results.slice(initial.length).map((value) => (turns === 0 ? slice(value, { axis: 0, stop: 0 }) : value))
  return { carried: results.slice(0, initial.length), kept, turns: taken } as any
}

export interface ScanOptions<C extends Tensors> {
  /** What a step hands to the next, as it is before the first. Default: nothing. */
  readonly carried?: C
  /** The dimension that is walked along, of all sequences and of what is kept. Default: 0. */
  readonly axis?: number
  /** From the last step to the first; what is kept stands where its step stands. Default: false. */
  readonly reverse?: boolean
}

/**
 * Walks along a dimension of one or more tensors, a step at a time (ONNX Scan 23, JAX `lax.scan`).
 *
 * ```ts
 * const { kept: [sums] } = scan([x], { carried: [zero] }, ([row], [sum]) => { const next = add(sum, row); return { carried: [next], kept: [next] } })
 * ```
 * @param sequences tensors that are equally long along `axis`, which a step gets without it
 * @param options `carried`, `axis`, `reverse`
 * @param body makes one step of what the sequences have there, and the carried values; it is called once
 */
export function scan<const X extends Tensors, const C extends Tensors = [], const K extends Tensors = []>(
  sequences: X,
  options: ScanOptions<C>,
  body: (items: { [I in keyof X]: Tensor<X[I]['dtype']> }, carried: Same<C>) => Pick<Turn<C, K>, 'carried' | 'kept'>,
): { readonly carried: Same<C>; readonly kept: { [I in keyof K]: Tensor<K[I]['dtype']> } } {
  const op = 'scan'
  const { carried = [], axis = 0, reverse } = readOptions(op, options, ['carried', 'axis', 'reverse'])
  if (typeof body !== 'function') return reject('bad-operand', `${op}: the body must be a function, got ${describe(body)}`)
  const inputs = tensorList(op, 'sequences', sequences)
  const [first] = inputs
  if (!first) return reject('bad-operand', `${op}: needs at least one sequence`)
  const axes = inputs.map((input, i) => readAxis(op, axis, nodeOf(input, op, `sequence ${i}`).type.shape.length))
  const length = first.shape[axes[0]!] as number
  for (const [i, input] of inputs.entries())
    if (input.shape[axes[i]!] !== length)
      reject('shape-mismatch', `${op}: sequences are ${length} and ${input.shape[axes[i]!]} long along axis ${axis}`)
  const backwards = readBoolean(op, 'reverse', reverse, false)
  const result = loop({ count: length, carried: carried as Tensors }, (turn, values) => {
    const at = backwards ? (sub(length - 1, turn) as Any) : turn
    const items = inputs.map((input, i) => gather(input, at, { axis: axes[i]! }))
    return (body as any)(items, values)
  }) as LoopResult<any, any>
  const kept = (result.kept as Any[]).map((value) => {
    const ordered = backwards ? slice(value, { axis: 0, start: length - 1, stop: -length - 1, step: -1 }) : value
    const to = readAxis(op, axis, ordered.shape.length)
    const rest = Array.from({ length: ordered.shape.length - 1 }, (_, i) => i + 1)
    return to === 0 ? ordered : transpose(ordered, [...rest.slice(0, to), 0, ...rest.slice(to)])
  })
  return { carried: result.carried, kept } as any
}

/**
 * One of two ways to compute tensors, as a condition says while the model runs; the other is not computed (ONNX If 23). For something short,
 * `where` over both is faster.
 *
 * ```ts
 * const [y] = branch(isLong, () => [attentionOver(x)], () => [x])
 * ```
 * @param condition one `bool`
 * @param then makes the tensors where it holds, of what is given and what is around it; called once
 * @param otherwise makes as many, of the same element types and shapes, where it does not; called once
 * @param options `given`: tensors that both get as they are
 */
export function branch<const R extends Tensors, const G extends Tensors = []>(
  condition: Tensor<'bool', []>,
  then: (given: Same<G>) => R,
  otherwise: (given: Same<G>) => Same<R>,
  options?: { readonly given?: G },
): Same<R> {
  const op = 'branch'
  const { given } = readOptions(op, options, ['given'])
  const others = tensorList(op, 'given', given).map((value, i) => nodeOf(value, op, `given ${i}`))
  const sides = [then, otherwise].map((side) => {
    if (typeof side !== 'function') return reject('bad-operand', `${op}: both sides must be functions, got ${describe(side)}`)
    const inputs = others.map(({ type }, i) => [`given${i}`, plain(type)] as const)
    return traceBody(op, inputs, (values) => tensorList(op, 'results', (side as (given: unknown) => unknown)(values)))
  })
  const shared = [...new Set(sides.flatMap(({ captured }) => [...captured.keys()]))]
  const graphs = sides.map((side, i) => graphOf(side, i === 0 ? 'then' : 'otherwise', shared, []))
  return apply(op, [nodeOf(condition, op, 'condition'), ...others, ...shared], {}, graphs) as any
}

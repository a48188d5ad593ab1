import { type DType, reject } from '../compiler/graph/index.ts'
import { clamp } from './activation.ts'
import { maximumOperands, readBoolean, readChoice, readInteger, readList, readNumber, readOptions } from './check.ts'
import { greater, where } from './comparison.ts'
import { constant, full } from './constant.ts'
import { add } from './elementwise.ts'
import { concat, stack } from './join.ts'
import { slice } from './parts.ts'
import { linear } from './product.ts'
import { type ActivationName, type Apply, readActivations } from './recurrentActivation.ts'
import { reshape } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { isTensor, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>

/** What distinguishes the kinds of recurrent layers. */
export interface Kind {
  readonly op: string
  /** Gates in the weights. */
  readonly gates: number
  readonly activations: readonly ActivationName[]
  /** Options and weights beyond those of all kinds. */
  readonly options: readonly string[]
  readonly weights: readonly string[]
}

/** What a step sees of its direction; the tensors have no dimension of directions. */
export interface Direction {
  readonly hidden: number
  /** `[gates · hidden, hidden]` */
  readonly recurrent: Any
  /** `[gates · hidden]`; undefined where it is part of what the input brings. */
  readonly recurrentBias: Any | undefined
  /** `[3 · hidden]` */
  readonly peephole: Any | undefined
  readonly activations: readonly Apply[]
  /** Limits what enters an activation function. */
  readonly limit: Apply
}

/** States `[batch, hidden]`; undefined stands for zeros. */
export interface State {
  readonly hidden: Any | undefined
  readonly cell: Any | undefined
}
/** One step: from `[batch, gates · hidden]` of the input and the state to the next state. */
export type Step = (input: Any, state: State, direction: Direction) => { readonly hidden: Any; readonly cell: Any | undefined }

export interface Layer {
  readonly op: string
  readonly dtype: DType
  readonly length: number
  readonly batch: number
  readonly hidden: number
  /** gates · hidden */
  readonly rows: number
  readonly batchFirst: boolean
  readonly reverse: readonly boolean[]
  /** Whether weights, states and outputs have a dimension of directions. */
  readonly directed: boolean
  readonly weights: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
  readonly activations: readonly (readonly Apply[])[]
  readonly limit: Apply
  /** Which sequences of the batch have a step t: all, none, or a mask `[batch, 1]`. */
  readonly activeAt: (t: number) => 'all' | 'none' | Any
}

const options = ['direction', 'batchFirst', 'initialHidden', 'lengths', 'activations', 'clip']

/** Reads the operands and options of a layer, and checks that they fit. */
export function readLayer(kind: Kind, input: unknown, givenWeights: unknown, givenOptions: unknown): Layer {
  const { op, gates } = kind
  const weights = readOptions(`${op}: weights`, givenWeights, ['input', 'recurrent', 'bias', ...kind.weights])
  const given = readOptions(op, givenOptions, [...options, ...kind.options])
  const { shape, dtype } = nodeOf(input, op, 'input').type
  const batchFirst = readBoolean(op, 'batchFirst', given.batchFirst, false)
  if (shape.length !== 3) {
    const layout = batchFirst ? '[batch, length, features]' : '[length, batch, features]'
    reject('rank-mismatch', `${op}: input must be ${layout}, got [${shape.join(', ')}]`)
  }
  const [length, batch] = (batchFirst ? [shape[1], shape[0]] : shape) as [number, number]
  if (length > maximumOperands) {
    const remedy = 'pass the sequence in parts, the state after one as the initial state of the next'
    reject('too-large', `${op}: ${length} steps are above the limit of ${maximumOperands}; ${remedy}`)
  }
  const direction = readChoice(op, 'direction', given.direction, ['forward', 'reverse', 'bidirectional'], 'forward')
  const reverse = direction === 'bidirectional' ? [false, true] : [direction === 'reverse']
  const recurrent = nodeOf(weights.recurrent, op, 'weights.recurrent').type.shape
  const directed = recurrent.length === 3
  if (!directed && reverse.length === 2) {
    const wanted = `[2, ${gates === 1 ? '' : `${gates} · `}hidden, hidden]`
    reject('rank-mismatch', `${op}: direction 'bidirectional' needs weights.recurrent ${wanted}, got [${recurrent.join(', ')}]`)
  }
  const hidden = recurrent.at(-1) ?? 0
  const rows = gates * hidden
  const lead = directed ? [reverse.length] : []
  const state = !directed ? [batch, hidden] : batchFirst ? [batch, reverse.length, hidden] : [reverse.length, batch, hidden]
  expect(op, 'weights.recurrent', weights.recurrent, [...lead, rows, hidden])
  expect(op, 'weights.input', weights.input, [...lead, rows, shape[2]!])
  expect(op, 'weights.bias', weights.bias, [...lead, 2 * rows], [...lead, rows])
  expect(op, 'weights.peephole', weights.peephole, [...lead, 3 * hidden])
  expect(op, 'initialHidden', given.initialHidden, state)
  expect(op, 'initialCell', given.initialCell, state)
  return {
    op,
    dtype,
    length,
    batch,
    hidden,
    rows,
    batchFirst,
    reverse,
    directed,
    weights,
    options: given,
    activations: readActivations(op, given.activations, kind.activations, reverse.length),
    limit: readLimit(op, given.clip),
    activeAt: readLengths(op, given.lengths, batch, length),
  }
}

/** An operand that is absent, or has one of the shapes. */
function expect(op: string, name: string, value: unknown, ...shapes: (readonly number[])[]): void {
  if (value === undefined && name !== 'weights.input') return
  const { shape } = nodeOf(value, op, name).type
  if (shapes.some((wanted) => wanted.length === shape.length && wanted.every((extent, i) => extent === shape[i]))) return
  const wanted = shapes.map((one) => `[${one.join(', ')}]`).join(' or ')
  reject('shape-mismatch', `${op}: ${name} must be ${wanted}, got [${shape.join(', ')}]`)
}

function readLimit(op: string, clip: unknown): Apply {
  if (clip === undefined) return (x) => x
  const maximum = readNumber(op, 'clip', clip, 0)
  if (!(maximum > 0)) reject('bad-attribute', `${op}: clip must be above 0, got ${maximum}`)
  return (x) => clamp(x, { minimum: -maximum, maximum })
}

function readLengths(op: string, given: unknown, batch: number, length: number): Layer['activeAt'] {
  if (given === undefined) return () => 'all'
  if (isTensor(given)) {
    const { dtype, shape } = nodeOf(given, op, 'lengths').type
    if (shape.length !== 1 || shape[0] !== batch)
      reject('shape-mismatch', `${op}: lengths must be [${batch}], got [${shape.join(', ')}]`)
    if (!/^[iu]/.test(dtype)) reject('dtype-mismatch', `${op}: lengths must be integers, got ${dtype}`)
    return (t) => reshape(greater(given as Any, t), [batch, 1]) as Any
  }
  const list = Array.from(readList(op, 'lengths', given, Math.max(maximumOperands, batch)), (entry, i) =>
    readInteger(op, `lengths[${i}]`, entry, 0),
  )
  if (list.length !== batch)
    reject('bad-attribute', `${op}: lengths needs ${batch} entries, one for each sequence, got ${list.length}`)
  const longest = list.find((entry) => entry > length)
  if (longest !== undefined) reject('bad-attribute', `${op}: a length of ${longest} is above the ${length} steps of the input`)
  return (t) => {
    const active = list.map((entry) => entry > t)
    if (active.every(Boolean)) return 'all'
    return active.some(Boolean) ? (constant('bool', [batch, 1], active) as Any) : 'none'
  }
}

/**
 * Walks through the steps of each direction. The input of all steps is multiplied at once, before.
 * @param apart whether `step` wants the bias of the hidden state by itself
 */
export function unroll(layer: Layer, input: unknown, apart: boolean, step: Step): { output: Any; states: State[] } {
  const runs = layer.reverse.map((reverse, d) => runDirection(layer, input as Any, d, reverse, apart, step))
  const outputs = runs.map((run) => run.output)
  const output = outputs.length === 1 ? outputs[0]! : (concat(outputs, { axis: layer.batchFirst ? 2 : 1 }) as Any)
  return { output, states: runs.map((run) => run.state) }
}

function runDirection(
  layer: Layer,
  input: Any,
  d: number,
  reverse: boolean,
  apart: boolean,
  step: Step,
): { output: Any; state: State } {
  const { weights, rows, length, batch, hidden, dtype, batchFirst, directed } = layer
  const [bias, recurrentBias] = biases(layer, partOf(layer, weights.bias, d), apart)
  const projected = linear(input, partOf(layer, weights.input, d)!, bias) as Any
  const direction: Direction = {
    hidden,
    recurrent: partOf(layer, weights.recurrent, d)!,
    recurrentBias,
    peephole: partOf(layer, weights.peephole, d),
    activations: layer.activations[d]!,
    limit: layer.limit,
  }
  const axis = batchFirst ? 1 : 0
  let state: State = {
    hidden: partOf(layer, layer.options.initialHidden, d, axis),
    cell: partOf(layer, layer.options.initialCell, d, axis),
  }
  const outputs = new Array<Any>(length)
  for (let i = 0; i < length; i++) {
    const t = reverse ? length - 1 - i : i
    const active = layer.activeAt(t)
    if (active === 'none') {
      outputs[t] = full(dtype, [batch, hidden], 0)
      continue
    }
    const at = length === 1 ? projected : slice(projected, { axis, start: t, stop: t + 1 })
    const next = step(reshape(at, [batch, rows]), state, direction)
    state = active === 'all' ? next : keepEnded(active, next, state)
    outputs[t] = active === 'all' ? next.hidden : where(active, next.hidden, 0)
  }
  const lead = batchFirst ? [batch, 1] : [1, batch]
  const shape = [...(directed ? (batchFirst ? [batch, 1, 1] : [1, 1, batch]) : lead), hidden]
  if (length === 0) return { output: full(dtype, shape.with(axis, 0), 0), state }
  const steps = outputs.map((one) => reshape(one, shape) as Any)
  return { output: length === 1 ? steps[0]! : concat(steps, { axis }), state }
}

/** The state stays where a sequence has ended, or, backwards, has not begun. */
const keepEnded = (active: Any, next: State, state: State): State => ({
  hidden: where(active, next.hidden!, state.hidden ?? 0),
  cell: next.cell && where(active, next.cell, state.cell ?? 0),
})

/** The bias of the input and that of the hidden state; one in place of both unless they are wanted apart. */
function biases({ rows }: Layer, bias: Any | undefined, apart: boolean): [Any | undefined, Any | undefined] {
  if (!bias || bias.shape[0] === rows) return [bias, undefined]
  const half = (i: number) => slice(bias, { axis: 0, start: i * rows, stop: (i + 1) * rows }) as Any
  return apart ? [half(0), half(1)] : [add(half(0), half(1)), undefined]
}

/** What belongs to direction d of an operand, without the dimension of directions. */
function partOf({ directed, reverse }: Layer, value: unknown, d: number, axis = 0): Any | undefined {
  if (value === undefined || !directed) return value as Any | undefined
  const tensor = value as Any
  const part = reverse.length === 1 ? tensor : slice(tensor, { axis, start: d, stop: d + 1 })
  return reshape(
    part,
    (tensor.shape as readonly number[]).filter((_, i) => i !== axis),
  ) as Any
}

/** The states of all directions as the layer returns them; zeros where nothing was computed. */
export function joinStates({ dtype, batch, hidden, batchFirst, directed }: Layer, states: readonly (Any | undefined)[]): Any {
  const list = states.map((state) => state ?? (full(dtype, [batch, hidden], 0) as Any))
  return directed ? (stack(list, { axis: batchFirst ? 1 : 0 }) as Any) : list[0]!
}

import { elementCount, type RecurrentCell, recurrentCells, reject } from '../compiler/graph/index.ts'
import {
  maximumOperands,
  maximumValues,
  readBoolean,
  readChoice,
  readInteger,
  readList,
  readNumber,
  readOptions,
} from './check.ts'
import { constant, full } from './constant.ts'
import { cast } from './elementwise.ts'
import { concat } from './join.ts'
import { slice } from './parts.ts'
import { readActivations } from './recurrentActivation.ts'
import { expand, reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { call, isTensor, nodeOf } from './tracer.ts'

type Any = Tensor<any, any>

/** What distinguishes the kinds of recurrent layers. */
export interface Kind {
  readonly op: RecurrentCell
  /** Gates in the weights, in the order of the op, each with a letter. */
  readonly gates: string
  /** Other orders that weights may have. */
  readonly orders: readonly string[]
  readonly activations: readonly ('sigmoid' | 'tanh')[]
  /** Options and weights beyond those of all kinds. */
  readonly options: readonly string[]
  readonly weights: readonly string[]
}

/** Results as the layer returns them. */
export interface Results {
  readonly output: Any
  /** Hidden state and cell, as many as the kind of layer has. */
  readonly states: readonly Any[]
}

const options = ['direction', 'batchFirst', 'initialHidden', 'lengths', 'activations', 'clip']

/**
 * Reads the operands and options of a layer, checks that they fit, and applies the op of its kind.
 * @param more reads the attributes that this kind has besides, from the options
 */
export function applyLayer(
  kind: Kind,
  input: unknown,
  givenWeights: unknown,
  givenOptions: unknown,
  more: (given: Readonly<Record<string, unknown>>) => Readonly<Record<string, boolean>> = () => ({}),
): Results {
  const { op } = kind
  const weights = readOptions(`${op}: weights`, givenWeights, ['input', 'recurrent', 'bias', ...kind.weights])
  const given = readOptions(op, givenOptions, [...options, ...kind.options])
  const { shape, dtype } = nodeOf(input, op, 'input').type
  const batchFirst = readBoolean(op, 'batchFirst', given.batchFirst, false)
  if (shape.length !== 3) {
    const layout = batchFirst ? '[batch, length, features]' : '[length, batch, features]'
    reject('rank-mismatch', `${op}: input must be ${layout}, got [${shape.join(', ')}]`)
  }
  const [length, batch] = (batchFirst ? [shape[1], shape[0]] : shape) as [number, number]
  // A target without a kernel for it has the operations of each step.
  if (length > maximumOperands) {
    const remedy = 'pass the sequence in parts, the state after one as the initial state of the next'
    reject('too-large', `${op}: ${length} steps are above the limit of ${maximumOperands}; ${remedy}`)
  }
  const direction = readChoice(op, 'direction', given.direction, ['forward', 'reverse', 'bidirectional'], 'forward')
  const directions = direction === 'bidirectional' ? 2 : 1
  const recurrent = nodeOf(weights.recurrent, op, 'weights.recurrent').type.shape
  const gates = kind.gates.length
  const directed = recurrent.length === 3
  if (!directed && directions === 2) {
    const wanted = `[2, ${gates === 1 ? '' : `${gates} · `}hidden, hidden]`
    reject('rank-mismatch', `${op}: direction 'bidirectional' needs weights.recurrent ${wanted}, got [${recurrent.join(', ')}]`)
  }
  const hidden = recurrent.at(-1) ?? 0
  const rows = gates * hidden
  const lead = directed ? [directions] : []
  const state = !directed ? [batch, hidden] : batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
  expect(op, 'weights.recurrent', weights.recurrent, [...lead, rows, hidden])
  expect(op, 'weights.input', weights.input, [...lead, rows, shape[2]!])
  expect(op, 'weights.bias', weights.bias, [...lead, 2 * rows], [...lead, rows])
  expect(op, 'weights.peephole', weights.peephole, [...lead, 3 * hidden])
  expect(op, 'initialHidden', given.initialHidden, state)
  expect(op, 'initialCell', given.initialCell, state)

  const activations = readActivations(op, given.activations, kind.activations, directions)
  const clip = readClip(op, given.clip)
  const lengths = readLengths(op, given.lengths, batch, length)
  const order =
    kind.orders.length > 0 ? readChoice(op, 'gates', given.gates, [kind.gates, ...kind.orders], kind.gates) : kind.gates
  const attributes = more(given)

  const weight = (value: unknown): Any => {
    const tensor = value as Any
    const whole = directed ? tensor : (reshape(tensor, [1, ...(tensor.shape as number[])]) as Any)
    return reorder(whole, kind.gates, order, hidden)
  }
  const zeros = (wanted: number[]): Any =>
    elementCount(wanted) <= maximumValues
      ? (full(dtype, wanted, 0) as Any)
      : (expand(
          full(
            dtype,
            wanted.map(() => 1),
            0,
          ) as Any,
          wanted,
        ) as Any)
  const bias = (): Any => {
    if (weights.bias === undefined) return zeros([directions, 2 * rows])
    const found = weight(weights.bias)
    return found.shape[1] === rows ? (concat([found, zeros([directions, rows])], { axis: 1 }) as Any) : found
  }
  const before = (value: unknown): Any => {
    if (value === undefined) return zeros([directions, batch, hidden])
    const tensor = value as Any
    if (!directed) return reshape(tensor, [1, batch, hidden]) as Any
    return batchFirst ? (transpose(tensor, [1, 0, 2]) as Any) : tensor
  }
  // An operand that is left out stands behind those that are there.
  const limits = lengths ?? (weights.peephole === undefined ? undefined : constant('i32', [batch], new Array(batch).fill(length)))
  const packed = call(
    op,
    {
      input: batchFirst ? transpose(input as Any, [1, 0, 2]) : input,
      weight: weight(weights.input),
      recurrent: weight(weights.recurrent),
      bias: bias(),
      hidden: before(given.initialHidden),
      cell: before(given.initialCell),
      lengths: limits,
      peephole: weights.peephole && (directed ? weights.peephole : reshape(weights.peephole as Any, [1, 3 * hidden])),
    },
    { direction, ...activations, clip, ...attributes },
  ) as Any
  const count = recurrentCells[op].states
  const part = (start: number, stop: number) => slice(packed, { axis: 0, start, stop }) as Any
  const states = Array.from({ length: count }, (_, k) => {
    const own = reshape(part(k, k + 1), directed ? [directions, batch, hidden] : [batch, hidden]) as Any
    return directed && batchFirst ? (transpose(own, [1, 0, 2]) as Any) : own
  })
  const outputs = part(count, count + length)
  const turned = batchFirst ? (transpose(outputs, [2, 0, 1, 3]) as Any) : outputs
  const outer = batchFirst ? [batch, length] : [length, batch]
  return { output: directed ? turned : (reshape(turned, [...outer, hidden]) as Any), states }
}

/** An operand that is absent, or has one of the shapes. */
function expect(op: string, name: string, value: unknown, ...shapes: (readonly number[])[]): void {
  if (value === undefined && name !== 'weights.input') return
  const { shape } = nodeOf(value, op, name).type
  if (shapes.some((wanted) => wanted.length === shape.length && wanted.every((extent, i) => extent === shape[i]))) return
  const wanted = shapes.map((one) => `[${one.join(', ')}]`).join(' or ')
  reject('shape-mismatch', `${op}: ${name} must be ${wanted}, got [${shape.join(', ')}]`)
}

/** 0 stands for no limit. */
function readClip(op: string, clip: unknown): number {
  if (clip === undefined) return 0
  const maximum = readNumber(op, 'clip', clip, 0)
  if (!(maximum > 0)) reject('bad-attribute', `${op}: clip must be above 0, got ${maximum}`)
  return maximum
}

/** `[batch]` steps; undefined where all sequences have all of them. */
function readLengths(op: string, given: unknown, batch: number, length: number): Any | undefined {
  if (given === undefined) return undefined
  if (isTensor(given)) {
    const { dtype, shape } = nodeOf(given, op, 'lengths').type
    if (shape.length > 1 || (shape.length === 1 && shape[0] !== batch))
      reject('shape-mismatch', `${op}: lengths must be [${batch}] or a single number, got [${shape.join(', ')}]`)
    if (!/^[iu]/.test(dtype)) reject('dtype-mismatch', `${op}: lengths must be integers, got ${dtype}`)
    const narrow = dtype === 'i32' ? (given as Any) : (cast(given as Any, 'i32') as Any)
    return shape.length === 0 ? (expand(narrow, [batch]) as Any) : narrow
  }
  const list = Array.from(readList(op, 'lengths', given, Math.max(maximumOperands, batch)), (entry, i) =>
    readInteger(op, `lengths[${i}]`, entry, 0),
  )
  if (list.length !== batch)
    reject('bad-attribute', `${op}: lengths needs ${batch} entries, one for each sequence, got ${list.length}`)
  const longest = list.find((entry) => entry > length)
  if (longest !== undefined) reject('bad-attribute', `${op}: a length of ${longest} is above the ${length} steps of the input`)
  return list.every((entry) => entry === length) ? undefined : (constant('i32', [batch], list) as Any)
}

/** Gates along axis 1 in the order of the op; behind them may stand as many again. */
function reorder(value: Any, wanted: string, order: string, hidden: number): Any {
  if (order === wanted) return value
  const halves = (value.shape[1] as number) / (wanted.length * hidden)
  const parts = Array.from({ length: halves }, (_, half) =>
    [...wanted].map((gate) => {
      const start = (half * wanted.length + order.indexOf(gate)) * hidden
      return slice(value, { axis: 1, start, stop: start + hidden }) as Any
    }),
  )
  return concat(parts.flat(), { axis: 1 }) as Any
}

import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, sameShape, type TensorType } from '../type.ts'
import { floats, one, optional, real, requireRank, requireSameDType, withShape } from './shared.ts'

/** Activation functions of recurrent layers with the default parameters of those that have any (ONNX RNN 22, Activation functions). */
export const recurrentActivations = {
  /** alpha · x + beta */
  affine: { alpha: 1, beta: 0 },
  elu: { alpha: 1 },
  hardSigmoid: { alpha: 0.2, beta: 0.5 },
  leakyRelu: { alpha: 0.01 },
  relu: {},
  /** alpha · tanh(beta · x) */
  scaledTanh: { alpha: 1, beta: 1 },
  sigmoid: {},
  softplus: {},
  softsign: {},
  tanh: {},
  /** x from alpha on, 0 below */
  thresholdedRelu: { alpha: 1 },
} as const satisfies Readonly<Record<string, { readonly alpha?: number; readonly beta?: number }>>

export type RecurrentActivation = keyof typeof recurrentActivations
export type RecurrentCell = 'lstm' | 'gru' | 'rnn'

/** For each kind of cell: gates in its weights, states that it carries from step to step, activation functions of one direction. */
export const recurrentCells = {
  lstm: { gates: 4, states: 2, activations: 3 },
  gru: { gates: 3, states: 1, activations: 2 },
  rnn: { gates: 1, states: 1, activations: 1 },
} as const satisfies Readonly<Record<RecurrentCell, object>>

const activationName = z.enum(Object.keys(recurrentActivations) as [RecurrentActivation, ...RecurrentActivation[]])

/**
 * - `activations`, `alpha`, `beta`: for each direction the functions in the order of the formula, and their parameters; these may be left
 *   out together, and are then those of `recurrentActivations`;
 * - `clip`: what enters the functions of the gates is limited to ±clip; 0 for not.
 */
const common = {
  activations: z.array(activationName),
  alpha: z.array(real).default([]),
  beta: z.array(real).default([]),
  clip: z.number().min(0).default(0),
}
const direction = z.enum(['forward', 'reverse', 'bidirectional']).default('forward')

/** For each direction whether it begins with the last step. */
export const reversals = (name: 'forward' | 'reverse' | 'bidirectional'): readonly boolean[] =>
  name === 'bidirectional' ? [false, true] : [name === 'reverse']

interface Common {
  readonly activations: readonly string[]
  readonly alpha: readonly number[]
  readonly beta: readonly number[]
}

function requireActivations(op: string, cell: RecurrentCell, directions: number, { activations, alpha, beta }: Common): void {
  const count = recurrentCells[cell].activations * directions
  if (activations.length !== count)
    reject('bad-attribute', `${op}: activations needs ${count} entries, got ${activations.length}`)
  if (alpha.length !== beta.length || (alpha.length !== 0 && alpha.length !== count))
    reject('bad-attribute', `${op}: alpha and beta need ${count} entries or none, got ${alpha.length} and ${beta.length}`)
}

function requireShape(op: string, name: string, type: TensorType, like: TensorType, shape: readonly number[]): void {
  if (name !== 'lengths') requireSameDType(like, type, op, ['input', name])
  if (!sameShape(type.shape, shape))
    reject('shape-mismatch', `${op}: ${name} must be [${shape.join(', ')}], got ${printType(type)}`)
}

const layer = {
  input: one('[length, batch, features]', floats),
  weight: one('[directions, gates · hidden, features]', floats),
  recurrent: one('[directions, gates · hidden, hidden]', floats),
  bias: one('[directions, 2 · gates · hidden]: that of the input, then that of the hidden state', floats),
  hidden: one('hidden state before the first step: [directions, batch, hidden]', floats),
}
const lengths = optional('how many steps each sequence has, [batch]: behind them the output is 0 and states stay', ['i32'])

interface LayerTypes {
  readonly input: TensorType
  readonly weight: TensorType
  readonly recurrent: TensorType
  readonly bias: TensorType
  readonly hidden: TensorType
  readonly cell?: TensorType
  readonly lengths?: TensorType | undefined
  readonly peephole?: TensorType | undefined
}

function inferLayer(
  op: RecurrentCell,
  { input, weight, recurrent, bias, hidden, cell, lengths, peephole }: LayerTypes,
  attributes: Common & { readonly direction: Parameters<typeof reversals>[0] },
): TensorType {
  requireRank(input, 3, op, 'input', layer.input.doc)
  requireRank(recurrent, 3, op, 'recurrent', layer.recurrent.doc)
  const { gates, states } = recurrentCells[op]
  const [length, batch, features] = input.shape as [number, number, number]
  const directions = reversals(attributes.direction).length
  const width = recurrent.shape[2]!
  const state = [directions, batch, width]
  requireShape(op, 'recurrent', recurrent, input, [directions, gates * width, width])
  requireShape(op, 'weight', weight, input, [directions, gates * width, features])
  requireShape(op, 'bias', bias, input, [directions, 2 * gates * width])
  requireShape(op, 'hidden', hidden, input, state)
  if (cell) requireShape(op, 'cell', cell, input, state)
  if (lengths) requireShape(op, 'lengths', lengths, input, [batch])
  if (peephole) requireShape(op, 'peephole', peephole, input, [directions, 3 * width])
  requireActivations(op, op, directions, attributes)
  return withShape(input, [states + length, ...state])
}

/**
 * Long short-term memory (ONNX LSTM 22, layout 0). The gates stand in the order input, output, forget, cell:
 * i = f(W_i·x + R_i·H + P_i∘C + b_i), f = f(W_f·x + R_f·H + P_f∘C + b_f) or 1 − i where `coupled`, C' = f∘C + i∘g(W_c·x + R_c·H + b_c),
 * o = f(W_o·x + R_o·H + P_o∘C' + b_o), H' = o∘h(C').
 *
 * The result has the states before the outputs along its first dimension: the hidden state and the cell behind the last step, then the
 * hidden state behind each step.
 */
export const lstm = composite({
  name: 'lstm',
  summary: 'Long short-term memory',
  operands: {
    ...layer,
    cell: one('cell before the first step, shaped as hidden', floats),
    lengths,
    peephole: optional('how the cell acts on input, output and forget gate: [directions, 3 · hidden]', floats),
  },
  attributes: z.strictObject({ direction, ...common, coupled: z.boolean().default(false) }),
  traits: ['pure'],
  infer: (types, attributes) => inferLayer('lstm', types, attributes),
})

/**
 * Gated recurrent unit (ONNX GRU 22, layout 0). The gates stand in the order update, reset, hidden: z = f(W_z·x + R_z·H + b_z),
 * r = f(W_r·x + R_r·H + b_r), n = g(W_h·x + R_h·(r∘H) + b_h), where `linearBeforeReset` g(W_h·x + b_Wh + r∘(R_h·H + b_Rh)),
 * H' = (1 − z)∘n + z∘H.
 *
 * The result has the hidden state behind the last step, then that behind each step.
 */
export const gru = composite({
  name: 'gru',
  summary: 'Gated recurrent unit',
  operands: { ...layer, lengths },
  attributes: z.strictObject({ direction, ...common, linearBeforeReset: z.boolean().default(false) }),
  traits: ['pure'],
  infer: (types, attributes) => inferLayer('gru', types, attributes),
})

/** Simple recurrent layer (ONNX RNN 22, layout 0): H' = f(W·x + R·H + b). The result is that of `gru`. */
export const rnn = composite({
  name: 'rnn',
  summary: 'Simple recurrent layer',
  operands: { ...layer, lengths },
  attributes: z.strictObject({ direction, ...common }),
  traits: ['pure'],
  infer: (types, attributes) => inferLayer('rnn', types, attributes),
})

/**
 * The steps of `lstm`, `gru` and `rnn`, once the input of all steps is multiplied with its weights: these are lowered to a linear layer and
 * this. States stand before outputs in the result as in theirs, and so do those before the first step in `states`.
 *
 * `extra` is the peephole of an LSTM, and of a GRU with `linearBeforeReset` the bias b_Rh, `[directions, hidden]`.
 */
export const recurrence = composite({
  name: 'recurrence',
  summary: 'Steps of a recurrent layer over what the input brings to each',
  operands: {
    projected: one('W·x + b of all gates and directions: [length, batch, directions · gates · hidden]', floats),
    recurrent: layer.recurrent,
    states: one('[states, directions, batch, hidden]', floats),
    lengths,
    extra: optional('[directions, 3 · hidden] or [directions, hidden]', floats),
  },
  attributes: z.strictObject({
    kind: z.enum(['lstm', 'gru', 'rnn']),
    reverse: z.array(z.boolean()).min(1).max(2),
    ...common,
    coupled: z.boolean().default(false),
    linearBeforeReset: z.boolean().default(false),
  }),
  traits: ['pure', 'anchor'],
  infer: ({ projected, recurrent, states, lengths, extra }, { kind, reverse, linearBeforeReset, ...attributes }) => {
    const op = 'recurrence'
    requireRank(projected, 3, op, 'projected', '[length, batch, directions · gates · hidden]')
    requireRank(recurrent, 3, op, 'recurrent', layer.recurrent.doc)
    const { gates, states: count } = recurrentCells[kind]
    const [length, batch] = projected.shape as [number, number, number]
    const [directions, width] = [reverse.length, recurrent.shape[2]!]
    const state = [directions, batch, width]
    requireShape(op, 'projected', projected, projected, [length, batch, directions * gates * width])
    requireShape(op, 'recurrent', recurrent, projected, [directions, gates * width, width])
    requireShape(op, 'states', states, projected, [count, ...state])
    if (lengths) requireShape(op, 'lengths', lengths, projected, [batch])
    const extraWidth = kind === 'lstm' ? 3 * width : width
    if (extra) requireShape(op, 'extra', extra, projected, [directions, extraWidth])
    if (kind === 'rnn' || (kind === 'gru' && !linearBeforeReset)) {
      if (extra) reject('bad-operand', `${op}: '${kind}' takes no extra operand here`)
    }
    requireActivations(op, kind, directions, attributes)
    return withShape(projected, [count + length, ...state])
  },
})

import type { Activation, ActivationName } from '../../../recurrent.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { dimsOf } from './shared.ts'

/** Names of ONNX, in lower case: files write them either way. */
const names: Readonly<Record<string, { readonly name: ActivationName; readonly alpha?: number; readonly beta?: number }>> = {
  relu: { name: 'relu' },
  tanh: { name: 'tanh' },
  sigmoid: { name: 'sigmoid' },
  softsign: { name: 'softsign' },
  softplus: { name: 'softplus' },
  affine: { name: 'affine', alpha: 1, beta: 0 },
  leakyrelu: { name: 'leakyRelu', alpha: 0.01 },
  thresholdedrelu: { name: 'thresholdedRelu', alpha: 1 },
  scaledtanh: { name: 'scaledTanh', alpha: 1, beta: 1 },
  hardsigmoid: { name: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  elu: { name: 'elu', alpha: 1 },
}

/** Attribute `activations`; those that have parameters take the next of `activation_alpha` and `activation_beta`. Undefined for the defaults. */
function activationsOf(c: OpContext, defaults: readonly ActivationName[]): (ActivationName | Activation)[] | undefined {
  const attribute = c.node.attributes.get('activations')
  if (!attribute) return undefined
  if (attribute.kind !== 'strings') return c.unsupported(`attribute activations is of kind ${attribute.kind}`)
  const [alphas, betas] = [[...(c.floats('activation_alpha') ?? [])], [...(c.floats('activation_beta') ?? [])]]
  const list = attribute.value.map((given): ActivationName | Activation => {
    const key = given.toLowerCase()
    const found = Object.hasOwn(names, key) ? names[key]! : c.unsupported(`activation '${given}' is unknown`)
    const alpha = found.alpha === undefined ? undefined : (alphas.shift() ?? found.alpha)
    const beta = found.beta === undefined ? undefined : (betas.shift() ?? found.beta)
    if (alpha === found.alpha && beta === found.beta) return found.name
    return { name: found.name, ...(alpha !== undefined && { alpha }), ...(beta !== undefined && { beta }) }
  })
  const plain = list.every((entry, i) => entry === defaults[i % defaults.length])
  return plain ? undefined : list
}

/** What LSTM, GRU and RNN have in common. */
function readLayer(
  c: OpContext,
  defaults: readonly ActivationName[],
  given?: { readonly input: Value; readonly recurrent: Value },
) {
  const x = c.input(0)
  const batchFirst = c.int('layout', 0) !== 0
  const direction = c.text('direction', 'forward')
  if (direction !== 'forward' && direction !== 'reverse' && direction !== 'bidirectional')
    return c.unsupported(`direction '${direction}' is unknown`)
  const steps = dimsOf(x)[batchFirst ? 1 : 0]
  const known = c.known(4) ? c.numbers(4) : undefined
  const clip = c.node.attributes.has('clip') ? c.float('clip') : 0
  return {
    x,
    weights: { ...(given ?? { input: c.input(1), recurrent: c.input(2) }), bias: c.optional(3) },
    options: {
      direction: direction === 'forward' ? undefined : direction,
      batchFirst: batchFirst ? true : undefined,
      lengths: known ? (known.every((length) => length === steps) ? undefined : known) : c.optional(4),
      initialHidden: c.optional(5),
      activations: activationsOf(c, defaults),
      clip: clip > 0 ? clip : undefined,
    },
  }
}

/** An LSTM, over other weights than inputs 1 and 2 where such are given. */
export function lstmOf(c: OpContext, given?: { readonly input: Value; readonly recurrent: Value }): readonly Value[] {
  const { x, weights, options } = readLayer(c, ['sigmoid', 'tanh', 'tanh'], given)
  const result = c.d.lstm(x, { ...weights, peephole: c.optional(7) }, {
    ...options,
    initialCell: c.optional(6),
    coupled: c.int('input_forget', 0) !== 0 ? true : undefined,
  } as never)
  return [result.output, result.hidden, result.cell] as Value[]
}

const lstm: OpRule = (c) => lstmOf(c)

const gru: OpRule = (c) => {
  const { x, weights, options } = readLayer(c, ['sigmoid', 'tanh'])
  const before = c.int('linear_before_reset', 0) !== 0
  const result = c.d.gru(x, weights, { ...options, linearBeforeReset: before ? true : undefined } as never)
  return [result.output, result.hidden] as Value[]
}

const rnn: OpRule = (c) => {
  const { x, weights, options } = readLayer(c, ['tanh'])
  const result = c.d.rnn(x, weights, options as never)
  return [result.output, result.hidden] as Value[]
}

export const recurrent: OpRules = { LSTM: lstm, GRU: gru, RNN: rnn }

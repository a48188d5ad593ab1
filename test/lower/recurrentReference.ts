// What recurrent layers mean, element by element over plain numbers: no gate is computed with another, no step with the next.
import {
  type AttributesOf,
  type RecurrentActivation,
  type RecurrentCell,
  recurrentActivations,
  recurrentCells,
  reversals,
} from '../../compiler/graph/index.ts'
import type { Tensor } from './reference.ts'

type Attributes = AttributesOf<'recurrence'>

const activation: Readonly<Record<RecurrentActivation, (x: number, alpha: number, beta: number) => number>> = {
  affine: (x, alpha, beta) => alpha * x + beta,
  elu: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
  hardSigmoid: (x, alpha, beta) => Math.min(1, Math.max(0, alpha * x + beta)),
  leakyRelu: (x, alpha) => (x < 0 ? alpha * x : x),
  relu: (x) => Math.max(0, x),
  scaledTanh: (x, alpha, beta) => alpha * Math.tanh(beta * x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => (x > 30 ? x : Math.log1p(Math.exp(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
  tanh: Math.tanh,
  thresholdedRelu: (x, alpha) => (x >= alpha ? x : 0),
}

const sum = (count: number, term: (k: number) => number) =>
  Array.from({ length: count }, (_, k) => term(k)).reduce((a, b) => a + b, 0)

interface Layer {
  /** W·x + b of a gate at an element, for a step and a sequence. */
  readonly projected: (t: number, n: number, d: number, gate: number, j: number) => number
  readonly recurrent: Tensor
  /** b_Rh at an element. */
  readonly bias: (d: number, j: number) => number
  readonly peephole: Tensor | undefined
  readonly initial: (state: number, d: number, n: number, j: number) => number
  readonly lengths: Tensor | undefined
  readonly steps: number
  readonly batch: number
}

/** States behind the last step, then the hidden state behind each step. */
function walk(layer: Layer, attributes: Attributes): number[] {
  const { kind, reverse, clip, activations, alpha, beta } = attributes
  const { gates, states, activations: count } = recurrentCells[kind]
  const hidden = layer.recurrent.shape[2]!
  const limit = (x: number) => (clip > 0 ? Math.min(clip, Math.max(-clip, x)) : x)
  const size = reverse.length * layer.batch * hidden
  const result = new Array<number>((states + layer.steps) * size).fill(0)
  const put = (row: number, d: number, n: number, values: readonly number[]) => {
    for (const [j, value] of values.entries()) result[((row * reverse.length + d) * layer.batch + n) * hidden + j] = value
  }
  for (const [d, backwards] of reverse.entries()) {
    const act = (i: number) => (x: number) => {
      const name = activations[d * count + i]!
      const usual: { readonly alpha?: number; readonly beta?: number } = recurrentActivations[name]
      return activation[name](x, alpha[d * count + i] ?? usual.alpha ?? 0, beta[d * count + i] ?? usual.beta ?? 0)
    }
    const [f, g, h] = [act(0), act(1), act(2)]
    for (let n = 0; n < layer.batch; n++) {
      const steps = Math.min(layer.steps, Math.max(0, layer.lengths?.values[n] ?? layer.steps))
      let state = Array.from({ length: states }, (_, s) => Array.from({ length: hidden }, (_, j) => layer.initial(s, d, n, j)))
      for (let i = 0; i < steps; i++) {
        const t = backwards ? steps - 1 - i : i
        const [before, cell = []] = state as [number[], number[]?]
        const each = (body: (j: number) => number) => before.map((_, j) => body(j))
        const product = (gate: number, j: number, by: readonly number[]) =>
          sum(hidden, (m) => layer.recurrent.values[((d * gates + gate) * hidden + j) * hidden + m]! * by[m]!)
        const x = (gate: number, j: number) => layer.projected(t, n, d, gate, j)
        const peep = (k: number, j: number) => layer.peephole?.values[(d * 3 + k) * hidden + j] ?? 0
        if (kind === 'rnn') state = [each((j) => f(limit(x(0, j) + product(0, j, before))))]
        else if (kind === 'gru') {
          const z = each((j) => f(limit(x(0, j) + product(0, j, before))))
          const r = each((j) => f(limit(x(1, j) + product(1, j, before))))
          const reset = before.map((value, j) => value * r[j]!)
          const made = each((j) => {
            const shown = attributes.linearBeforeReset
              ? r[j]! * (product(2, j, before) + layer.bias(d, j))
              : product(2, j, reset) + layer.bias(d, j)
            return g(limit(x(2, j) + shown))
          })
          state = [each((j) => (1 - z[j]!) * made[j]! + z[j]! * before[j]!)]
        } else {
          const open = (gate: number, k: number, j: number, seen: number) =>
            f(limit(x(gate, j) + product(gate, j, before) + peep(k, j) * seen))
          const next = each((j) => {
            const input = open(0, 0, j, cell[j]!)
            const kept = attributes.coupled ? 1 - input : open(2, 2, j, cell[j]!)
            return kept * cell[j]! + input * g(limit(x(3, j) + product(3, j, before)))
          })
          state = [each((j) => open(1, 1, j, next[j]!) * h(next[j]!)), next]
        }
        put(states + t, d, n, state[0]!)
      }
      for (const [s, values] of state.entries()) put(s, d, n, values)
    }
  }
  return result
}

/** The biases of the layer are those of the input and of the hidden state, one after the other. */
const layer =
  <K extends RecurrentCell>(kind: K) =>
  (operands: readonly Tensor[], given: AttributesOf<K>): readonly number[] => {
    const { direction, ...attributes } = given as unknown as AttributesOf<'lstm'>
    const [input, weight, recurrent, bias, before, ...more] = operands as [Tensor, Tensor, Tensor, Tensor, Tensor, ...Tensor[]]
    const [cell, lengths, peephole] = kind === 'lstm' ? more : [undefined, more[0], undefined]
    const { gates } = recurrentCells[kind]
    const [steps, batch, features] = input.shape as [number, number, number]
    const hidden = recurrent.shape[2]!
    const reverse = [...reversals(direction)]
    const ofBias = (d: number, half: number, gate: number, j: number) =>
      bias.values[((d * 2 + half) * gates + gate) * hidden + j]!
    return walk(
      {
        projected: (t, n, d, gate, j) =>
          ofBias(d, 0, gate, j) +
          // What the hidden state brings to the last gate of a GRU is added where its product is.
          (kind === 'gru' && gate === 2 ? 0 : ofBias(d, 1, gate, j)) +
          sum(
            features,
            (f) =>
              weight.values[((d * gates + gate) * hidden + j) * features + f]! * input.values[(t * batch + n) * features + f]!,
          ),
        recurrent,
        bias: (d, j) => (kind === 'gru' ? ofBias(d, 1, 2, j) : 0),
        peephole,
        initial: (state, d, n, j) => (state === 0 ? before : cell!).values[(d * batch + n) * hidden + j]!,
        ...{ lengths, steps, batch },
      },
      { linearBeforeReset: false, ...(attributes as object), kind, reverse } as Attributes,
    )
  }

/** For each of the ops its value. */
export const recurrentReferences = {
  lstm: layer('lstm'),
  gru: layer('gru'),
  rnn: layer('rnn'),
  recurrence: (operands: readonly Tensor[], attributes: Attributes): readonly number[] => {
    const [projected, recurrent, before, lengths, extra] = operands as [Tensor, Tensor, Tensor, Tensor?, Tensor?]
    const { gates } = recurrentCells[attributes.kind]
    const [steps, batch] = projected.shape as [number, number, number]
    const [directions, hidden] = [attributes.reverse.length, recurrent.shape[2]!]
    return walk(
      {
        projected: (t, n, d, gate, j) => projected.values[(((t * batch + n) * directions + d) * gates + gate) * hidden + j]!,
        recurrent,
        bias: (d, j) => (attributes.kind === 'gru' ? (extra?.values[d * hidden + j] ?? 0) : 0),
        peephole: attributes.kind === 'lstm' ? extra : undefined,
        initial: (state, d, n, j) => before.values[((state * directions + d) * batch + n) * hidden + j]!,
        ...{ lengths, steps, batch },
      },
      attributes,
    )
  },
}

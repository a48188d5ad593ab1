import { readBoolean, readChoice } from './check.ts'
import { add, mul, sub } from './elementwise.ts'
import { slice } from './parts.ts'
import { linear } from './product.ts'
import type { Activation, ActivationName } from './recurrentActivation.ts'
import { type Direction, joinStates, type Kind, readLayer, type Step, unroll } from './recurrentLayer.ts'
import type { Tensor } from './tensor.ts'
import type { NoOptions } from './types/shape.ts'

export type { Activation, ActivationName }

/** Parameters of a recurrent layer, gates one after another as `gates` says. Without the dimension of directions it has one direction. */
export interface RecurrentWeights {
  /** `[directions, gates · hidden, features]` or `[gates · hidden, features]` */
  readonly input: Tensor
  /** `[directions, gates · hidden, hidden]` or `[gates · hidden, hidden]` */
  readonly recurrent: Tensor
  /** `[directions, 2 · gates · hidden]`, that of the input before that of the hidden state, or `[directions, gates · hidden]`, their sum; likewise without directions. Default none. */
  readonly bias?: Tensor | undefined
}
export interface LstmWeights extends RecurrentWeights {
  /** How the cell acts on the gates: `[directions, 3 · hidden]`, for input, output and forget gate in this order. Default none. */
  readonly peephole?: Tensor | undefined
}

export interface RecurrentOptions {
  /** 'forward' (default), 'reverse', or 'bidirectional' where the weights have two directions. */
  readonly direction?: 'forward' | 'reverse' | 'bidirectional'
  /** Input and output begin with the batch instead of the length, and states with the batch instead of the directions. Default false. */
  readonly batchFirst?: boolean
  /** State before the first step: `[directions, batch, hidden]`, or `[batch, hidden]` where the weights have no directions. Default zeros. */
  readonly initialHidden?: Tensor | undefined
  /** Steps of each sequence of the batch, a list or `[batch]` integers: beyond them the output is zero and the state stays. Default all. */
  readonly lengths?: readonly number[] | Tensor | undefined
  /** Activation functions in the order of the formula; twice as many where the directions differ. */
  readonly activations?: readonly (ActivationName | Activation)[]
  /** What enters the activation functions of the gates is limited to ±clip. Default not. */
  readonly clip?: number
}
export interface LstmOptions extends RecurrentOptions {
  /** Cell before the first step, shaped as `initialHidden`. Default zeros. */
  readonly initialCell?: Tensor | undefined
  /** Order in the weights of input gate, output gate, forget gate and cell gate: 'iofc' (default) is ONNX's, 'ifco' PyTorch's. */
  readonly gates?: 'iofc' | 'ifco'
  /** Whether the forget gate is 1 − input gate. Default false. */
  readonly coupled?: boolean
}
export interface GruOptions extends RecurrentOptions {
  /** Order in the weights of update gate, reset gate and hidden gate: 'zrh' (default) is ONNX's, 'rzh' PyTorch's. */
  readonly gates?: 'zrh' | 'rzh'
  /** Whether the product with the hidden state is made before the reset gate acts, as in PyTorch. Default false. */
  readonly linearBeforeReset?: boolean
}

// ---------------------------------------------------------------- shapes
type BatchFirst<O> = O extends { readonly batchFirst: infer Z } ? Z : false
type OutputShape<X, R, O> = X extends readonly [infer A, infer B, any]
  ? R extends readonly [infer D, any, infer H]
    ? BatchFirst<O> extends false
      ? [A, D, B, H]
      : BatchFirst<O> extends true
        ? [A, B, D, H]
        : any
    : R extends readonly [any, infer H]
      ? [A, B, H]
      : any
  : any
type StateShape<X, R, O> = X extends readonly [infer A, infer B, any]
  ? R extends readonly [infer D, any, infer H]
    ? BatchFirst<O> extends false
      ? [D, B, H]
      : BatchFirst<O> extends true
        ? [A, D, H]
        : any
    : R extends readonly [any, infer H]
      ? BatchFirst<O> extends false
        ? [B, H]
        : BatchFirst<O> extends true
          ? [A, H]
          : any
      : any
  : any

/** What a recurrent layer returns. */
export interface RecurrentResult<D extends Tensor['dtype'], Y, S> {
  /** Hidden state after each step: `[length, directions, batch, hidden]`, with batchFirst `[batch, length, directions, hidden]`. */
  readonly output: Tensor<D, Y>
  /** Hidden state after the last step: `[directions, batch, hidden]`, with batchFirst `[batch, directions, hidden]`. */
  readonly hidden: Tensor<D, S>
}
/** What `lstm` returns. */
export interface LstmResult<D extends Tensor['dtype'], Y, S> extends RecurrentResult<D, Y, S> {
  /** Cell after the last step, shaped as `hidden`. */
  readonly cell: Tensor<D, S>
}

// ---------------------------------------------------------------- layers
type Any = Tensor<any, any>

/** Gate k of a `[…, gates · hidden]` value. */
const gate = (value: Any, k: number, hidden: number): Any =>
  slice(value, { axis: -1, start: k * hidden, stop: (k + 1) * hidden }) as Any

const withState = (input: Any, state: Any | undefined, { recurrent }: Direction): Any =>
  state ? add(input, linear(state, recurrent) as Any) : input

const lstmKind: Kind = {
  op: 'lstm',
  gates: 4,
  activations: ['sigmoid', 'tanh', 'tanh'],
  options: ['initialCell', 'gates', 'coupled'],
  weights: ['peephole'],
}
/**
 * Long short-term memory, walked through step by step.
 *
 * With activations f, g, h, default sigmoid, tanh, tanh (ONNX LSTM 22):
 * i = f(W_i·x + R_i·H + P_i∘C + b_i), o = f(W_o·x + R_o·H + P_o∘C' + b_o), f = f(W_f·x + R_f·H + P_f∘C + b_f),
 * C' = f∘C + i∘g(W_c·x + R_c·H + b_c), H' = o∘h(C'). The graph has the operations of every step; the product of the input is one for all.
 * @param input `[length, batch, features]`, float
 * @param weights `{ input, recurrent, bias, peephole }`, gates one after another as `gates` says, as ONNX keeps them; without the dimension of directions so are the results
 * @param options direction, batchFirst, initialHidden, initialCell, lengths, activations, clip, gates, coupled
 */
export function lstm<X extends Tensor, const W extends LstmWeights, const O extends LstmOptions = NoOptions>(
  input: X,
  weights: W,
  options?: O,
): LstmResult<
  X['dtype'],
  OutputShape<X['shape'], W['recurrent']['shape'], O>,
  StateShape<X['shape'], W['recurrent']['shape'], O>
> {
  const layer = readLayer(lstmKind, input, weights, options)
  const order = readChoice('lstm', 'gates', layer.options.gates, ['iofc', 'ifco'], 'iofc')
  const coupled = readBoolean('lstm', 'coupled', layer.options.coupled, false)
  const step: Step = (projected, { hidden: before, cell }, direction) => {
    const { hidden, peephole, activations, limit } = direction
    const [f, g, h] = activations as [typeof limit, typeof limit, typeof limit]
    const sums = withState(projected, before, direction)
    const open = peephole ? sums : limit(sums)
    const take = (name: string) => gate(open, order.indexOf(name), hidden)
    const peep = (name: string, seen: Any | undefined) => {
      if (!peephole) return f(take(name))
      return f(limit(seen ? add(take(name), mul(seen, gate(peephole, 'iof'.indexOf(name), hidden))) : take(name)))
    }
    const i = peep('i', cell)
    const made = mul(i, g(peephole ? limit(take('c')) : take('c')))
    const next = cell ? add(mul(coupled ? sub(1, i) : peep('f', cell), cell), made) : made
    return { hidden: mul(peep('o', next), h(next)), cell: next }
  }
  const { output, states } = unroll(layer, input, false, step)
  const [hidden, cell] = [states.map((state) => state.hidden), states.map((state) => state.cell)]
  return { output, hidden: joinStates(layer, hidden), cell: joinStates(layer, cell) }
}

const gruKind: Kind = {
  op: 'gru',
  gates: 3,
  activations: ['sigmoid', 'tanh'],
  options: ['gates', 'linearBeforeReset'],
  weights: [],
}
/**
 * Gated recurrent unit, walked through step by step.
 *
 * With activations f, g, default sigmoid, tanh (ONNX GRU 22): z = f(W_z·x + R_z·H + b_z), r = f(W_r·x + R_r·H + b_r),
 * n = g(W_h·x + R_h·(r∘H) + b_h), or with linearBeforeReset g(W_h·x + r∘(R_h·H + b_Rh) + b_Wh), H' = (1 − z)∘n + z∘H.
 * @param input `[length, batch, features]`, float
 * @param weights `{ input, recurrent, bias }`, gates one after another as `gates` says, as ONNX keeps them; without the dimension of directions so are the results
 * @param options direction, batchFirst, initialHidden, lengths, activations, clip, gates, linearBeforeReset
 */
export function gru<X extends Tensor, const W extends RecurrentWeights, const O extends GruOptions = NoOptions>(
  input: X,
  weights: W,
  options?: O,
): RecurrentResult<
  X['dtype'],
  OutputShape<X['shape'], W['recurrent']['shape'], O>,
  StateShape<X['shape'], W['recurrent']['shape'], O>
> {
  const layer = readLayer(gruKind, input, weights, options)
  const order = readChoice('gru', 'gates', layer.options.gates, ['zrh', 'rzh'], 'zrh')
  const before = readBoolean('gru', 'linearBeforeReset', layer.options.linearBeforeReset, false)
  const step: Step = (projected, state, direction) => {
    const [f, g] = direction.activations as [typeof direction.limit, typeof direction.limit]
    const { hidden, recurrent, recurrentBias, limit } = direction
    const old = state.hidden
    const take = (value: Any, name: string) => gate(value, order.indexOf(name), hidden)
    const join = (one: Any, other: Any | undefined) => (other ? add(one, other) : one)
    if (before) {
      const product = old ? (linear(old, recurrent, recurrentBias) as Any) : recurrentBias
      const sums = (name: string) => f(limit(join(take(projected, name), product && take(product, name))))
      const z = sums('z')
      const shown = product && mul(sums('r'), take(product, 'h'))
      return mix(z, g(limit(join(take(projected, 'h'), shown))), old)
    }
    const rows = (start: number, stop: number) => slice(recurrent, { axis: 0, start: start * hidden, stop: stop * hidden }) as Any
    const product = old && (linear(old, rows(0, 2)) as Any)
    const sums = (name: string) => f(limit(join(take(projected, name), product && take(product, name))))
    const z = sums('z')
    const shown = old && (linear(mul(sums('r'), old), rows(2, 3)) as Any)
    return mix(z, g(limit(join(take(projected, 'h'), shown))), old)
  }
  const mix = (z: Any, made: Any, old: Any | undefined) => {
    const fresh = mul(sub(1, z), made)
    return { hidden: old ? add(fresh, mul(z, old)) : fresh, cell: undefined }
  }
  const { output, states } = unroll(layer, input, before, step)
  return {
    output,
    hidden: joinStates(
      layer,
      states.map((state) => state.hidden),
    ),
  }
}

const rnnKind: Kind = { op: 'rnn', gates: 1, activations: ['tanh'], options: [], weights: [] }
/**
 * Simple recurrent layer, walked through step by step.
 *
 * With activation f, default tanh (ONNX RNN 22): H' = f(W·x + R·H + b).
 * @param input `[length, batch, features]`, float
 * @param weights `{ input, recurrent, bias }`, as ONNX keeps them; without the dimension of directions so are the results
 * @param options direction, batchFirst, initialHidden, lengths, activations, clip
 */
export function rnn<X extends Tensor, const W extends RecurrentWeights, const O extends RecurrentOptions = NoOptions>(
  input: X,
  weights: W,
  options?: O,
): RecurrentResult<
  X['dtype'],
  OutputShape<X['shape'], W['recurrent']['shape'], O>,
  StateShape<X['shape'], W['recurrent']['shape'], O>
> {
  const layer = readLayer(rnnKind, input, weights, options)
  const { output, states } = unroll(layer, input, false, (projected, { hidden }, direction) => ({
    hidden: direction.activations[0]!(direction.limit(withState(projected, hidden, direction))),
    cell: undefined,
  }))
  return {
    output,
    hidden: joinStates(
      layer,
      states.map((state) => state.hidden),
    ),
  }
}

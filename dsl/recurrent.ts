import { readBoolean } from './check.ts'
import type { Activation, ActivationName } from './recurrentActivation.ts'
import { applyLayer, type Kind } from './recurrentLayer.ts'
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
  /** Steps of each sequence of the batch, a list or `[batch]` integers, or one for all: beyond them the output is zero and the state stays. Default all. */
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
const lstmKind: Kind = {
  op: 'lstm',
  gates: 'iofc',
  orders: ['ifco'],
  activations: ['sigmoid', 'tanh', 'tanh'],
  options: ['initialCell', 'gates', 'coupled'],
  weights: ['peephole'],
}
/**
 * Long short-term memory.
 *
 * With activations f, g, h, default sigmoid, tanh, tanh (ONNX LSTM 22):
 * i = f(W_i·x + R_i·H + P_i∘C + b_i), o = f(W_o·x + R_o·H + P_o∘C' + b_o), f = f(W_f·x + R_f·H + P_f∘C + b_f),
 * C' = f∘C + i∘g(W_c·x + R_c·H + b_c), H' = o∘h(C').
 * @param input `[length, batch, features]`, float; at most 4096 steps
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
  const { output, states } = applyLayer(lstmKind, input, weights, options, ({ coupled }) => ({
    coupled: readBoolean('lstm', 'coupled', coupled, false),
  }))
  return { output, hidden: states[0]!, cell: states[1]! }
}

const gruKind: Kind = {
  op: 'gru',
  gates: 'zrh',
  orders: ['rzh'],
  activations: ['sigmoid', 'tanh'],
  options: ['gates', 'linearBeforeReset'],
  weights: [],
}
/**
 * Gated recurrent unit.
 *
 * With activations f, g, default sigmoid, tanh (ONNX GRU 22): z = f(W_z·x + R_z·H + b_z), r = f(W_r·x + R_r·H + b_r),
 * n = g(W_h·x + R_h·(r∘H) + b_h), or with linearBeforeReset g(W_h·x + r∘(R_h·H + b_Rh) + b_Wh), H' = (1 − z)∘n + z∘H.
 * @param input `[length, batch, features]`, float; at most 4096 steps
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
  const { output, states } = applyLayer(gruKind, input, weights, options, ({ linearBeforeReset }) => ({
    linearBeforeReset: readBoolean('gru', 'linearBeforeReset', linearBeforeReset, false),
  }))
  return { output, hidden: states[0]! }
}

const rnnKind: Kind = { op: 'rnn', gates: 'h', orders: [], activations: ['tanh'], options: [], weights: [] }
/**
 * Simple recurrent layer.
 *
 * With activation f, default tanh (ONNX RNN 22): H' = f(W·x + R·H + b).
 * @param input `[length, batch, features]`, float; at most 4096 steps
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
  const { output, states } = applyLayer(rnnKind, input, weights, options)
  return { output, hidden: states[0]! }
}

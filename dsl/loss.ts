import { isInteger, reject } from '../compiler/graph/index.ts'
import { readChoice, readInteger, readOptions } from './check.ts'
import { constant } from './constant.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'
type Any = Tensor<any, any>
type Reduction = 'mean' | 'sum' | 'none'

/** One element where losses are put together, as many as targets where not. */
type Loss<X extends Tensor, T extends Tensor, R> = Tensor<
  X['dtype'],
  [R] extends ['none'] ? T['shape'] : string extends R ? any : [R] extends ['mean' | 'sum'] ? [] : any
>

export interface LossOptions<R extends Reduction> {
  /** `[classes]`, the element type of input: how much a target of each class counts. Default: all alike. */
  readonly weight?: Tensor
  /** Targets of this number count for nothing. Default: there are none. */
  readonly ignore?: number
  /** What becomes of the losses: their weighted mean (default), their sum, or 'none': they stay as they are. */
  readonly reduction?: R
}

const reductions = ['mean', 'sum', 'none'] as const

/** Ignored targets, and targets in which they are class 0. */
function withoutIgnored(op: string, target: Any, ignore: number | undefined): { readonly safe: Any; readonly ignored?: Any } {
  if (ignore === undefined) return { safe: target }
  const ignored = call('equal', { left: target, right: ignore }, {}, op)
  return { safe: call('where', { condition: ignored, whenTrue: 0, whenFalse: target }, {}, op), ignored }
}

function lossOf(op: string, input: unknown, target: unknown, options: unknown, softened: (input: Any) => Any): any {
  const given = readOptions(op, options, ['weight', 'ignore', 'reduction'])
  const { dtype, shape } = nodeOf(input, op, 'input').type
  const { shape: targets, dtype: index } = nodeOf(target, op, 'target').type
  const [batch, classes, ...rest] = shape
  if (classes === undefined) reject('rank-mismatch', `${op}: input must be [batch, classes, …], got [${shape.join(', ')}]`)
  if (!isInteger(index)) reject('dtype-mismatch', `${op}: target must be integers, got ${index}`)
  const places = [batch!, ...rest]
  if (targets.join() !== places.join())
    reject(
      'shape-mismatch',
      `${op}: target must be [${places.join(', ')}], which is input without its classes, got [${targets.join(', ')}]`,
    )
  const reduction = readChoice(op, 'reduction', given.reduction, reductions, 'mean')
  const ignore = given.ignore === undefined ? undefined : readInteger(op, 'ignore', given.ignore, Number.MIN_SAFE_INTEGER)
  if (given.weight !== undefined && nodeOf(given.weight, op, 'weight').type.shape.join() !== `${classes}`)
    reject(
      'shape-mismatch',
      `${op}: weight must be [${classes}], got [${nodeOf(given.weight, op, 'weight').type.shape.join(', ')}]`,
    )

  const { safe, ignored } = withoutIgnored(op, target as Any, ignore)
  const at = call('reshape', { input: safe }, { shape: [batch!, 1, ...rest] }, op)
  const picked = call('gatherElements', { input: softened(input as Any), indices: at }, { axis: 1 }, op)
  const plain = call('negate', { input: call('reshape', { input: picked }, { shape: places }, op) }, {}, op)
  const weight = given.weight === undefined ? undefined : call('gather', { input: given.weight, indices: safe }, { axis: 0 }, op)
  const kept = (value: Any): Any =>
    ignored ? call('where', { condition: ignored, whenTrue: 0, whenFalse: value }, {}, op) : value
  const losses = kept(weight ? call('mul', { left: plain, right: weight }, {}, op) : plain)
  if (reduction === 'none') return losses
  const axes = places.map((_, i) => i)
  if (reduction === 'mean' && !weight && !ignored) return call('reduceMean', { input: losses }, { axes, keepDims: false }, op)
  const total = (value: Any): Any => call('reduceSum', { input: value }, { axes, keepDims: false }, op)
  if (reduction === 'sum') return total(losses)
  const one = constant(dtype, [], [1]) as Any
  const counts = kept(weight ?? call('expand', { input: one }, { shape: places }, op))
  return call('div', { left: total(losses), right: total(counts) }, {}, op)
}

/**
 * How far logarithms of probabilities are from the classes that were right: −log p of the target (ONNX NegativeLogLikelihoodLoss 22,
 * PyTorch nll_loss).
 * @param input `[batch, classes, …]`, float: logarithms of probabilities, as `logSoftmax(x, { axis: 1 })` gives them
 * @param target input without its classes, integers from 0 to classes − 1; others are an error of the request that brings them
 * @param options `weight` of each class, `ignore`, a target that counts for nothing, `reduction`: 'mean' (default, of all targets by their
 *   weight), 'sum' or 'none'
 */
export function negativeLogLikelihood<X extends Tensor, T extends Tensor<Index>, const R extends Reduction = 'mean'>(
  input: Guard<FloatProblem<'negativeLogLikelihood', X>, X>,
  target: T,
  options?: LossOptions<R>,
): Loss<X, T, R> {
  return lossOf('negativeLogLikelihood', input, target, options, (x) => x)
}

/**
 * How far scores are from the classes that were right: −log softmax of the target (ONNX SoftmaxCrossEntropyLoss 13, PyTorch cross_entropy).
 * @param input `[batch, classes, …]`, float: scores of any size
 * @param target input without its classes, integers from 0 to classes − 1; others are an error of the request that brings them
 * @param options `weight` of each class, `ignore`, a target that counts for nothing, `reduction`: 'mean' (default, of all targets by their
 *   weight), 'sum' or 'none'
 */
export function crossEntropy<X extends Tensor, T extends Tensor<Index>, const R extends Reduction = 'mean'>(
  input: Guard<FloatProblem<'crossEntropy', X>, X>,
  target: T,
  options?: LossOptions<R>,
): Loss<X, T, R> {
  return lossOf('crossEntropy', input, target, options, (x) => call('logSoftmax', { input: x }, { axis: 1 }, 'crossEntropy'))
}

export interface BinaryLossOptions<R extends Reduction> {
  /** Broadcasts to input: what each loss is multiplied by. */
  readonly weight?: Tensor
  /** Broadcasts to input: what the part of the positive class is multiplied by. */
  readonly positiveWeight?: Tensor
  /** What becomes of the losses: their mean (default), their sum, or 'none': they stay as they are. */
  readonly reduction?: R
}

/**
 * How far scores are from yes and no: −t · log σ(x) − (1 − t) · log(1 − σ(x)), without overflow (PyTorch
 * binary_cross_entropy_with_logits; Glow SigmoidCrossEntropyWithLogits and BinaryCrossEntropyWithLogits).
 * @param input any shape, float: scores of any size
 * @param target the same shape and element type: 1 where the answer is yes, 0 where it is no, or between
 * @param options `weight`, `positiveWeight`, and `reduction`: 'mean' (default), 'sum' or 'none'
 */
export function binaryCrossEntropy<X extends Tensor, const R extends Reduction = 'mean'>(
  input: Guard<FloatProblem<'binaryCrossEntropy', X>, X>,
  target: Tensor,
  options?: BinaryLossOptions<R>,
): Loss<X, X, R> {
  const op = 'binaryCrossEntropy'
  const given = readOptions(op, options, ['weight', 'positiveWeight', 'reduction'])
  const { shape } = nodeOf(input, op, 'input').type
  const targets = nodeOf(target, op, 'target').type.shape
  if (targets.join() !== shape.join())
    reject('shape-mismatch', `${op}: target must be [${shape.join(', ')}] as input is, got [${targets.join(', ')}]`)
  const reduction = readChoice(op, 'reduction', given.reduction, reductions, 'mean')
  const binary = (name: string, left: unknown, right: unknown): Any => call(name, { left, right }, {}, op)
  const unary = (name: string, value: unknown): Any => call(name, { input: value }, {}, op)
  // log(1 + e^−x) = −log σ(x); the negative class adds x.
  const yes = unary('softplus', unary('negate', input))
  const weighted = given.positiveWeight === undefined ? yes : binary('mul', yes, given.positiveWeight)
  const no = unary('softplus', input)
  const plain = binary('add', binary('mul', weighted, target), binary('mul', no, binary('sub', 1, target)))
  const losses = given.weight === undefined ? plain : binary('mul', plain, given.weight)
  if (reduction === 'none') return losses as never
  const axes = nodeOf(losses, op, 'input').type.shape.map((_, i) => i)
  return call(reduction === 'sum' ? 'reduceSum' : 'reduceMean', { input: losses }, { axes, keepDims: false }, op)
}

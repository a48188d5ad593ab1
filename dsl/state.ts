import { type ConstantData, elementCount, maximumElements, printType, reject } from '../compiler/graph/index.ts'
import { readDType, readOptions, readShape } from './check.ts'
import { Dimension } from './dimension.ts'
import type { DType, Open, Tensor } from './tensor.ts'
import { constantData, describe, describedState } from './tracer.ts'

/** What `state()` describes: a tensor that a session carries from one run to the next. */
export interface State<out D extends DType = DType, out S = any> extends Tensor<D, S> {
  readonly carried: true
}

export interface StateOptions<D extends DType = DType, S = any> {
  /** What a session begins with: a `constant`, or a tensor of `weights()`. Default zeros. */
  readonly initial?: Tensor<D, S>
}

/**
 * Describes a tensor that a session of the model carries from one run to the next, such as a cache or the memory of a recurrent layer.
 *
 * `forward(inputs, state)` gets it as it was left by the run before, and returns its next value under the same name; what it does not return stays as
 * it was. Callers neither pass it nor get it: each `model.session()` has its own.
 * @param dtype element type
 * @param shape sizes of its dimensions, outermost first
 * @param options initial: what a session begins with, default zeros
 */
export function state<D extends DType, S extends number[]>(
  dtype: D,
  shape: readonly [...S],
  options?: StateOptions<D, Open<S>>,
): State<D, Open<S>> {
  const odd = Array.isArray(shape) ? shape.find((entry: unknown) => entry instanceof Dimension) : undefined
  if (odd)
    reject('bad-attribute', `state: ${describe(odd)} has several sizes; a state has one shape, that of the largest, for all runs`)
  const type = { dtype: readDType('state', dtype), shape: readShape('state', shape) }
  if (elementCount(type.shape) > maximumElements)
    reject('too-large', `state: ${printType(type)} has more than ${maximumElements} elements`)
  const { initial } = readOptions('state', options, ['initial'])
  return describedState(type, initial === undefined ? undefined : readInitial(type, initial)) as never
}

function readInitial(type: { readonly dtype: DType; readonly shape: number[] }, initial: unknown): ConstantData {
  const found = constantData(initial)
  if (!found)
    return reject('bad-operand', `state: initial must be a constant() or a tensor of weights(), got ${describe(initial)}`)
  const given = printType(found.type)
  if (given !== printType(type)) reject('shape-mismatch', `state: initial is ${given}, the state is ${printType(type)}`)
  return found.data
}

import type { Tensor } from './tensor.ts'
import { call } from './tracer.ts'
import type { MatmulShape, MatmulShapes } from './types/product.ts'
import type { Differ, DTypeProblem, Guard, Print, Text } from './types/shape.ts'

type MatmulProblem<A extends Tensor, B extends Tensor> =
  DTypeProblem<'matmul', ['left', 'right'], A['dtype'], B['dtype']> extends infer M extends string
    ? M
    : MatmulShapes<'matmul', A['shape'], B['shape']>
/**
 * Matrix product of the last two dimensions; the others broadcast.
 * @param left `[…, rows, inner]`, float, `i32`, `u32`, `i64` or `u64`; sums of integers wrap
 * @param right `[…, inner, columns]`, the same element type
 */
export function matmul<A extends Tensor, B extends Tensor>(
  left: A,
  right: Guard<MatmulProblem<A, B>, B>,
): Tensor<A['dtype'], MatmulShape<A['shape'], B['shape']>> {
  return call('matmul', { left, right })
}

type LinearFeatures<X, W> = [X] extends [readonly [...any[], infer K]]
  ? [W] extends [readonly [any, infer J]]
    ? Differ<K, J> extends true
      ? `linear: input ${Text<X>} has ${Print<K>} features, weight ${Text<W>} expects ${Print<J>}`
      : false
    : false
  : false
type LinearProblem<X extends Tensor, W extends Tensor> =
  DTypeProblem<'linear', ['input', 'weight'], X['dtype'], W['dtype']> extends infer M extends string
    ? M
    : LinearFeatures<X['shape'], W['shape']>
type LinearShape<X, W> = any[] extends X
  ? any
  : X extends readonly [...infer L, any]
    ? W extends readonly [infer N, any]
      ? [...L, N]
      : [...L, any]
    : any
/**
 * Input times transposed weight, plus bias.
 * @param input `[…, in]`, float
 * @param weight `[out, in]`, the same element type
 * @param bias `[out]`; default none
 */
export function linear<X extends Tensor, W extends Tensor>(
  input: X,
  weight: Guard<LinearProblem<X, W>, W>,
  bias?: Tensor,
): Tensor<X['dtype'], LinearShape<X['shape'], W['shape']>> {
  return call('linear', { input, weight, bias })
}

import type { Extent } from '../window.ts'

export type Conv1dShape<X, W, O> = W extends readonly [infer C, any, infer K]
  ? any[] extends X
    ? [any, C, any]
    : X extends readonly [infer N, any, infer L]
      ? [Extent<L, K, O, 1, 0>] extends [infer A]
        ? [N, C, A]
        : never
      : [any, C, any]
  : [any, any, any]
export type Conv2dShape<X, W, O> = W extends readonly [infer C, any, infer KH, infer KW]
  ? any[] extends X
    ? [any, C, any, any]
    : X extends readonly [infer N, any, infer H, infer V]
      ? [Extent<H, KH, O, 1, 0>, Extent<V, KW, O, 1, 1>] extends [infer A, infer B]
        ? [N, C, A, B]
        : never
      : [any, C, any, any]
  : [any, any, any, any]
export type Conv3dShape<X, W, O> = W extends readonly [infer C, any, infer KD, infer KH, infer KW]
  ? any[] extends X
    ? [any, C, any, any, any]
    : X extends readonly [infer N, any, infer D, infer H, infer V]
      ? [Extent<D, KD, O, 1, 0>, Extent<H, KH, O, 1, 1>, Extent<V, KW, O, 1, 2>] extends [infer A, infer B, infer E]
        ? [N, C, A, B, E]
        : never
      : [any, C, any, any, any]
  : [any, any, any, any, any]
/** For any number of spatial dimensions. */
export type ConvShape<X, W, O> = any[] extends W
  ? any
  : W extends readonly [any, any, any]
    ? Conv1dShape<X, W, O>
    : W extends readonly [any, any, any, any]
      ? Conv2dShape<X, W, O>
      : W extends readonly [any, any, any, any, any]
        ? Conv3dShape<X, W, O>
        : any

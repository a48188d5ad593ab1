import type { DType } from '../compiler/graph/index.ts'

export type { DType }

/** A value of the model: what flows between operations. `any` stands for a shape or a dimension the editor cannot know. */
export interface Tensor<out D extends DType = DType, out S = any> {
  readonly dtype: D
  readonly shape: S
}

/** A shape of which only the number of dimensions is known: `let x: Tensor<'f32', Rank<4>> = …` */
export type Rank<N extends 0 | 1 | 2 | 3 | 4 | 5> = [
  [],
  [any],
  [any, any],
  [any, any, any],
  [any, any, any, any],
  [any, any, any, any, any],
][N]

/** `number` entries and named dimensions become the unknown dimension, an array that is no tuple the unknown shape. */
export type Open<S> = any[] extends S
  ? any
  : { -readonly [K in keyof S]: number extends S[K] ? any : S[K] extends { readonly dim: unknown } ? any : S[K] }

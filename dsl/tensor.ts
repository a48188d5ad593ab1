import type { DType } from '../compiler/graph/index.ts'

export type { DType }

/** A value of the model: what flows between operations. `any` stands for a shape or a dimension the editor cannot know. */
export interface Tensor<out D extends DType = DType, out S = any> {
  readonly dtype: D
  readonly shape: S
}

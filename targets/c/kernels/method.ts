import { type Domain, regroup, resultDomain } from '../access.ts'
import type { AnchoredKernel, Template } from './template.ts'
import { type Windowed, windowedOf } from './windowed.ts'

/** A convolution's sizes; operands are input, weight and perhaps bias. */
export interface Convolution extends Windowed {
  readonly groups: number
  /** Input channels of a group. */
  readonly inputs: number
  /** Output channels of a group. */
  readonly outputs: number
  readonly bias: boolean
}

export function convolutionOf(kernel: AnchoredKernel): Convolution {
  const [, weight, bias] = kernel.anchor.operands
  const groups = kernel.anchor.attributes.groups as number
  return {
    ...windowedOf(kernel, weight!.shape.slice(2)),
    groups,
    inputs: weight!.shape[1]!,
    outputs: weight!.shape[0]! / groups,
    bias: bias !== undefined,
  }
}

/** One way to compute a convolution. */
export interface Method extends Omit<Template, 'kind'> {}

/** Batch, channel and all spatial dimensions as one, if the steps allow that. */
export function flatSpace(kernel: AnchoredKernel): Domain | undefined {
  const axes = kernel.domain.map((_, axis) => axis)
  return regroup(resultDomain(kernel), [[0], [1], axes.slice(2)])
}

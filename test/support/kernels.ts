import type { Kernel, KernelResult, Step } from '../../compiler/fuse/kernel.ts'
import type { TensorType } from '../../compiler/graph/index.ts'

/** What a kernel stores that stores its last step. */
export const lastOf = (steps: readonly Step[], type: TensorType): readonly KernelResult[] => [{ step: steps.length - 1, type }]

/** The type of a kernel's only result. */
export const resultType = (kernel: Kernel): TensorType => kernel.results[0]!.type

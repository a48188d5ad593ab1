import type { Anchor, Kernel, StoredFloat } from '../../../compiler/fuse/kernel.ts'
import type { Node } from '../../../compiler/graph/node.ts'
import type { Packing } from '../../../compiler/instructions/instruction.ts'
import type { Candidate } from '../choice.ts'
import type { Level } from '../level.ts'
import type { Pointers } from '../steps.ts'
import type { Lines } from '../text.ts'

/** A kernel with an anchor. */
export type AnchoredKernel = Kernel & { readonly anchor: Anchor }

/**
 * How an anchor op becomes C. The body sees inputs as `x0`, `x1`, …, the results as `out`, `out1`, … and working storage as `scratch` (64-byte
 * aligned); it is the body of a C function that returns nothing, or for `checked` ops an int that is not 0 where a check failed. At levels
 * with teams (`team.ts`), all threads of one call a function whose body mentions `team`, with the same arguments; working storage that each
 * of them needs for itself is `own`. Divided `checked` ops check everything in each thread, so that all find the same.
 */
export interface Template {
  readonly kind: 'template'
  readonly body: (kernel: AnchoredKernel, level: Level) => Lines
  /**
   * Whether the body applies the kernel's steps; true unless it says otherwise. Where not, it is given none, and the steps run over the
   * anchor's value in a second loop.
   */
  readonly fuses?: (kernel: AnchoredKernel, level: Level) => boolean
  /** Whether the body stores at positions of the kernel's domain only, so that rows of the result may lie apart. Default: no. */
  readonly storesRows?: boolean
  /** Whether elementwise work may follow an anchor that checks its operands; not unless it says so. */
  readonly follows?: (anchor: Anchor) => boolean
  /** Whether the body repeats the steps for each vector of a tile. */
  readonly tiled?: boolean
  /** Whether a node of a composite is lowered all the same, because its parts are faster at its shapes. Never, unless it says otherwise. */
  readonly lowers?: (node: Pick<Node, 'type' | 'operands' | 'attributes'>, level: Level) => boolean
  /** Bytes of working storage, one for all threads of a team. */
  readonly scratch?: (kernel: AnchoredKernel, level: Level) => number
  /** Bytes of working storage that each thread of a team has for itself: `own`, which is 64-byte aligned and holds nothing to begin with. */
  readonly ownScratch?: (kernel: AnchoredKernel, level: Level) => number
  /** Layout of a constant operand. */
  readonly pack?: (kernel: AnchoredKernel, index: number, level: Level) => Packing | undefined
  /**
   * Whether `pack` stores a constant operand of f32 in 16 bits where the kernel says so (`KernelInput.stored`); the pointer to it is then one
   * of `u16`. The same answer for any number of rows or pixels. Never, unless it says otherwise.
   */
  readonly stores?: (kernel: AnchoredKernel, index: number, as: StoredFloat, level: Level) => boolean
  /** All ways to make the kernel, of which `choose` takes one. Default: there is one. */
  readonly ways?: (kernel: AnchoredKernel, level: Level) => readonly Candidate<unknown>[]
  /** Whether the result may lie over this operand of the anchor, given that no step reads it. */
  readonly inPlace?: (kernel: AnchoredKernel, index: number) => boolean
}

/** The name of result number `index`. */
export const resultName = (index: number): string => (index === 0 ? 'out' : `out${index}`)

/** The names under which a body finds inputs and results. */
export const pointersOf = (kernel: Kernel): Pointers => ({
  inputs: kernel.inputs.map((_, i) => `x${i}`),
  results: kernel.results.map(({ step, type }, i) => ({ pointer: resultName(i), step, dtype: type.dtype })),
})

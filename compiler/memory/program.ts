import type { Kernel } from '../fuse/kernel.ts'
import type { BufferId, InstructionList } from '../instructions/instruction.ts'

/** Bytes of the regions of a program; the caller of the generated code owns all of them. */
export interface Regions {
  /** Weights and other constants, never written. */
  readonly constants: number
  /** Inputs and outputs. */
  readonly mutable: number
  /** Activations and scratch; needs no initialisation. */
  readonly activations: number
  /** What a session carries from one run to the next; absent where the model has no state. The same for all entries of a model. */
  readonly state?: number
}

/** The instruction list with an address for every buffer: what a target turns into code. Alloc and dealloc stay, as lifetimes. */
export interface Program extends InstructionList {
  /** Byte offset of each buffer within its region; views are resolved. Multiples of the alignment except for views. */
  readonly offsets: ReadonlyMap<BufferId, number>
  readonly regions: Regions
  readonly alignment: number
  /** Largest sum of live activation bytes at any instruction: no allocation can be smaller. */
  readonly lowerBound: number
  /** Activation bytes without any sharing. */
  readonly unshared: number
  /** Each distinct kernel under its name, in order of first call. */
  readonly kernels: ReadonlyMap<string, Kernel>
}

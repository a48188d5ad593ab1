import type { Anchor, Kernel } from './fuse/kernel.ts'
import type { CompositeName, Node } from './graph/index.ts'
import type { Packing } from './instructions/instruction.ts'
import type { Program } from './memory/program.ts'

/** One file of generated code. */
export interface Code {
  /** What the loader does with it. */
  readonly kind: 'wasm' | 'module'
  /** Instruction-set level, or `any`. */
  readonly level: string
  readonly extension: string
  readonly bytes: Uint8Array
  /** Human-readable source it was made from, for `glowplug print --stage c`. */
  readonly source: string
  /** Versions of the tools that made it; part of the manifest. */
  readonly toolchain: Readonly<Record<string, string>>
}

/** What the compiler asks of a target. The compiler never names one: it asks the one it was given. */
export interface Target {
  readonly name: string
  /** Composites that reach code generation as they are; the others are lowered. */
  readonly keeps: ReadonlySet<CompositeName>
  /** Why a node of the lowered graph cannot be compiled, or undefined when it can. */
  unsupported(node: Node): string | undefined
  /** May elementwise work follow this anchor in one kernel? */
  fusesAfter(anchor: Anchor): boolean
  /** May elementwise work precede this reduction in one kernel? */
  fusesBefore(anchor: Anchor): boolean
  /** Steps of one kernel at most. */
  readonly maximumSteps: number
  /** Whether the kernel may write its result over input `index` while running, given that the op definitions allow it. */
  inPlace(kernel: Kernel, index: number): boolean
  /** Bytes of working storage one call needs. */
  scratch(kernel: Kernel): number
  /** How a constant input is laid out, when not dense. */
  pack(kernel: Kernel, index: number): Packing | undefined
  /** Alignment of every buffer, a power of two. */
  readonly alignment: number
  /** Begins to load what `emit` will need, for a caller that has other work to do first. Changes no result. */
  prepare?(): void
  emit(program: Program): Promise<Code>
}

/** Computes the result of one node from the bytes of its operands; constant folding is given one. */
export type Evaluate = (node: Node, operands: readonly Uint8Array[]) => Uint8Array

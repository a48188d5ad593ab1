import type { Rates } from './cost/rates.ts'
import type { Anchor, Kernel } from './fuse/kernel.ts'
import type { CompositeName, Node } from './graph/index.ts'
import type { Packing } from './instructions/instruction.ts'
import type { Program } from './memory/program.ts'

/** What a machine must be for code to run on it, in Node's words: `process.platform`, `process.arch`. */
export interface Platform {
  readonly os: string
  readonly arch: string
  /** The C library: `glibc` or `musl`. */
  readonly libc: string
}

/** One file of generated code. */
export interface Code {
  /** What the loader does with it. */
  readonly kind: 'wasm' | 'module' | 'addon'
  /** Instruction-set level, or `any`. */
  readonly level: string
  /** Present on code that runs on one platform alone. */
  readonly platform?: Platform
  readonly extension: string
  readonly bytes: Uint8Array
  /** Human-readable source it was made from, for `glowplug print --stage c`. */
  readonly source: string
  /** Versions of the tools that made it; part of the manifest. */
  readonly toolchain: Readonly<Record<string, string>>
}

/** The program of one entry of a model, and the name of the function it becomes. */
export interface EntryProgram {
  /** Name of the entry, as its callers know it. */
  readonly entry: string
  readonly export: string
  readonly program: Program
}

/**
 * What the compiler asks of a target at one instruction-set level. The compiler never names one: it asks the one it was given. A target
 * with several levels is several of these with one name.
 */
export interface Target {
  readonly name: string
  /** Instruction-set level, or `any`. */
  readonly level: string
  /** Composites that reach code generation as they are; the others are lowered. */
  readonly keeps: ReadonlySet<CompositeName>
  /**
   * Whether a node of an op in `keeps` is lowered all the same: where, at its shapes, the parts are faster. Asked of operand types and
   * attributes, so that equal ones get equal answers. Default: never.
   */
  lowers?(node: Node): boolean
  /**
   * How many channels of images stand side by side in memory, if the target wants them so: a vector of them. Layout assignment then brings
   * values into blocks where that pays. Default: images stay as the model has them.
   */
  readonly channelBlock?: number
  /** Whether a convolution is better in blocks, as far as the target knows; asked where `channelBlock` is set. Default: of all of them. */
  blocks?(convolution: Node): boolean
  /** Why a node of the lowered graph cannot be compiled, or undefined when it can. */
  unsupported(node: Node): string | undefined
  /** May elementwise work follow this anchor in one kernel? */
  fusesAfter(anchor: Anchor): boolean
  /** May elementwise work precede this reduction in one kernel? */
  fusesBefore(anchor: Anchor): boolean
  /** How fast it works, for weighing one way of computing against another. */
  readonly rates: Rates
  /** Whether a kernel that stores what several others did is as fast as they are, apart from what it saves: as vectorised, above all. */
  runsTogether(merged: Kernel, parts: readonly Kernel[]): boolean
  /** Steps of one kernel at most. */
  readonly maximumSteps: number
  /** Whether the kernel may write its result number `result` over input `index` while running, given that the op definitions allow it. */
  inPlace(kernel: Kernel, index: number, result: number): boolean
  /** Whether it makes this kernel, one of whose results has rows that lie apart, so well that no copy afterwards would be better. */
  storesRows(kernel: Kernel): boolean
  /** Bytes of working storage one call needs. */
  scratch(kernel: Kernel): number
  /** How a constant input is laid out, when not dense. */
  pack(kernel: Kernel, index: number): Packing | undefined
  /** Alignment of every buffer, a power of two. */
  readonly alignment: number
  /** Begins to load what `emit` will need, for a caller that has other work to do first. Changes no result. */
  prepare?(): void
  /** One file of code for all entries of the model called `name`. Their programs share one constants region: equal offsets, equal bytes. */
  emit(name: string, entries: readonly EntryProgram[]): Promise<Code>
}

/** Computes the result of one node from the bytes of its operands; constant folding is given one. */
export type Evaluate = (node: Node, operands: readonly Uint8Array[]) => Uint8Array

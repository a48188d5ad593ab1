import type { Rates } from './cost/rates.ts'
import type { Anchor, Kernel, StoredFloat } from './fuse/kernel.ts'
import type { CompositeName, Node } from './graph/index.ts'
import type { Packing } from './instructions/instruction.ts'
import type { Program } from './memory/program.ts'
import type { TimedStep } from './memory/times.ts'

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
  /** By entry, the steps whose times it tells, where it was made to: see `timesRegion`. */
  readonly timed?: readonly (readonly TimedStep[])[]
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

/** One of several ways to make a kernel, as those who measure them call it. */
export interface KernelWay {
  /** Unique among the ways of one kernel, and the same in every build. */
  readonly name: string
  /** What the target expects a call to take on one thread. */
  readonly nanoseconds: number
}

/** Which way is taken for a kernel, by its signature (`fuse/print.ts`); the target's own choice where there is none. */
export interface WayChoice {
  get(signature: string): string | undefined
}

/** An entry whose kernels are made in ways of its own. */
export interface TuningEntry extends EntryProgram {
  readonly ways: WayChoice
}

/** What a target answers to those who measure which way of making each kernel is the fastest. */
export interface Tuning {
  /** What the measurements hold for: the level, and what else decides which ways there are. */
  readonly section: string
  /** What this machine lacks to run the code, such as extensions of its processor; empty where it runs it. */
  lacks(): readonly string[]
  /** All ways to make a kernel, that which the target would take first; none where there is nothing to choose. */
  ways(kernel: Kernel): readonly KernelWay[]
  /** The same target, but for which ways it takes. */
  choosing(ways: WayChoice): Target
  /** One file of code, as `Target.emit` makes it, in which entries take different ways of equal kernels. */
  emit(name: string, entries: readonly TuningEntry[]): Promise<Code>
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
  /** Channels that a convolution of floats in blocks computes at once at least: what it takes is for whole multiples. Default: `channelBlock`. */
  readonly channelsAtOnce?: number
  /** Whether a convolution is better in blocks, as far as the target knows; asked where `channelBlock` is set. Default: of all of them. */
  blocks?(convolution: Node): boolean
  /**
   * What operands of products and convolutions of f32 may be rounded to, as the build was asked; weights are then rounded in the lowered
   * graph already. Default: not at all.
   */
  readonly precision?: 'bf16'
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
  /**
   * Whether its packing of this constant operand of f32, every element of which `as` holds exactly, can store 16 bits for each. The answer
   * must not depend on how many rows or pixels there are: entries share weights. Default: it cannot.
   */
  stores?(kernel: Kernel, index: number, as: StoredFloat): boolean
  /** Alignment of every buffer, a power of two. */
  readonly alignment: number
  /** Begins to load what `emit` will need, for a caller that has other work to do first. Changes no result. */
  prepare?(): void
  /** Present where the target has several ways to make some kernels. */
  readonly tuning?: Tuning
  /** One file of code for all entries of the model called `name`. Their programs share one constants region: equal offsets, equal bytes. */
  emit(name: string, entries: readonly EntryProgram[]): Promise<Code>
}

/** Computes the result of one node from the bytes of its operands; constant folding is given one. */
export type Evaluate = (node: Node, operands: readonly Uint8Array[]) => Uint8Array

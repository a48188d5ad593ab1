import type { Work } from '../cost/index.ts'
import type { Attributes, DType, Location, Node, Output, Shape, TensorType } from '../graph/index.ts'
import type { Program } from '../memory/program.ts'
import type { Decision } from './decision.ts'

/**
 * Which element of a dense row-major buffer belongs to position i of an iteration space: offset + Σ strides[d] · i[d], in elements.
 * Slices, transposes, expansions and broadcasting are accesses, not copies: a stride may be 0 or negative.
 */
export interface Access {
  readonly offset: number
  readonly strides: readonly number[]
}

/** One value of a kernel's elementwise program; `arguments` are indices of earlier steps. */
export type Step =
  | { readonly kind: 'load'; readonly input: number; readonly access: Access; readonly dtype: DType }
  /** What the anchor computed at this position. */
  | { readonly kind: 'anchor'; readonly dtype: DType }
  | { readonly kind: 'literal'; readonly value: number; readonly dtype: DType }
  /** An elementwise op; shapes no longer matter. */
  | {
      readonly kind: 'apply'
      readonly op: string
      readonly arguments: readonly number[]
      readonly attributes: Attributes
      readonly dtype: DType
    }

/** Formats of 16 bits in which constants of f32 are stored where that loses nothing. */
export type StoredFloat = 'bf16' | 'f16'

export interface KernelInput {
  /** The operand's type for inputs of the anchor; one flat dimension for inputs that only steps load. */
  readonly type: TensorType
  /** Its bytes are known at build, so that a target may pack them. */
  readonly constant: boolean
  /**
   * A constant of f32 whose every element this format holds exactly, and which the target's packing stores so; the kernel widens what it
   * reads. Default: stored as its dtype.
   */
  readonly stored?: StoredFloat
}

/**
 * The one op of a kernel that is not elementwise. Its operands are the kernel's first inputs, in order, dense, a tensor given twice
 * counting twice; after a prologue, which computes operand 0, they begin with operand 1.
 */
export interface Anchor {
  readonly op: string
  readonly attributes: Attributes
  readonly operands: readonly TensorType[]
  readonly type: TensorType
  /** What became of the graphs that the op runs; such a kernel has one result and no step but the anchor. Absent where it runs none. */
  readonly bodies?: readonly Body[]
}

/** A compiled graph that a kernel runs. Its inputs and outputs are those of the graph, but for what a loop carries: these are states. */
export interface Body {
  readonly program: Program
  /** Of one run. */
  readonly work: Work
}

/** A step that is stored at every position of the domain. */
export interface KernelResult {
  /** Index in `steps`. */
  readonly step: number
  /** dtype of the step, shape of the domain. The graph value that a call produces may have another shape with as many elements. */
  readonly type: TensorType
  /** Row r of `length` elements is stored from element r · `stride` on; dense where not given. */
  readonly rows?: { readonly length: number; readonly stride: number }
}

/**
 * A fused group: what the target emits as one function. Pure data without names or graph nodes, so equal groups are equal values.
 *
 * - without an anchor: for each position of `domain`, run `steps`, then store the results;
 * - with an anchor: for each position of the anchor's result (= `domain`), run `steps` over it, then store the results;
 * - `prologue` (reductions only): runs over the reduction's input domain before it combines; the last step is the element combined.
 *   The anchor's first operand type is then that of the prologue's result, and the kernel's inputs are those the two programs load.
 */
export interface Kernel {
  readonly anchor?: Anchor
  readonly inputs: readonly KernelInput[]
  readonly domain: Shape
  readonly prologue?: readonly Step[]
  readonly steps: readonly Step[]
  /** At least one; no two store one step. All loads of a position happen before its stores. */
  readonly results: readonly KernelResult[]
}

export interface KernelCall {
  /** Safe identifier, unique in the module; equal kernels share it. Says op, following ops and shape: `conv_relu_64x60x80`. */
  readonly name: string
  readonly kernel: Kernel
  readonly inputs: readonly Node[]
  /** The graph nodes whose values the call produces, in the order of the kernel's results. */
  readonly results: readonly Node[]
  readonly locations: readonly Location[]
}

/**
 * What is left after fusion, in order: kernel calls, values that are a contiguous part of another from `offset` elements on (`view`:
 * reshapes and slices), and concatenations (`join`, each part of which is copied into its place by the instruction stage, which then
 * elides what it can).
 */
export type KernelStep =
  | ({ readonly kind: 'call' } & KernelCall)
  | { readonly kind: 'view'; readonly of: Node; readonly offset: number; readonly result: Node }
  | {
      readonly kind: 'join'
      readonly parts: readonly Node[]
      readonly axis: number
      readonly result: Node
      readonly locations: readonly Location[]
    }

/** A graph whose nodes are kernels; the output of `fuse`. */
export interface KernelGraph {
  readonly name: string
  readonly inputs: readonly Node[]
  readonly outputs: readonly Output[]
  /** Constants that some step reads. */
  readonly constants: readonly Node[]
  readonly steps: readonly KernelStep[]
  /** For every value that is computed: where it lies and why. */
  readonly decisions: readonly Decision[]
}

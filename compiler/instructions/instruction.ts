// A copy is two-dimensional (`rows`, `rowBytes`, `fromStride`, `toStride`), so that joining along an inner axis is one instruction.
import type { Kernel } from '../fuse/kernel.ts'
import type { ConstantData, Location, TensorType } from '../graph/index.ts'

export type BufferId = number & { readonly __brand: 'buffer' }

/** How a constant is stored for its reader: as it is, or laid out anew by the target. `key` names the layout: equal keys, equal bytes. */
export interface Packing {
  readonly key: string
  readonly bytes: number
  readonly pack: (dense: Uint8Array) => Uint8Array
}

/**
 * Storage. `constant`, `input` and `output` exist for the whole run; `state` too, and keeps what it holds until the next run of a session;
 * `activation` between its alloc and dealloc; `scratch` belongs to the one call that names it; a `view` is another buffer's storage from
 * `offset` bytes on, under another type. Of a state, a view is `renewed` where it stands for the value that the run leaves there, and
 * otherwise for the one that it found.
 */
export type Buffer =
  | {
      readonly kind: 'constant'
      readonly id: BufferId
      readonly name: string
      readonly type: TensorType
      readonly bytes: number
      readonly data: ConstantData
      readonly packing?: Packing
    }
  | {
      readonly kind: 'input' | 'output' | 'state'
      readonly id: BufferId
      readonly name: string
      readonly type: TensorType
      readonly bytes: number
    }
  | {
      readonly kind: 'activation'
      readonly id: BufferId
      readonly name: string
      readonly type: TensorType
      readonly bytes: number
    }
  | { readonly kind: 'scratch'; readonly id: BufferId; readonly name: string; readonly bytes: number }
  | {
      readonly kind: 'view'
      readonly id: BufferId
      readonly name: string
      readonly type: TensorType
      readonly bytes: number
      readonly of: BufferId
      readonly offset: number
      readonly renewed?: true
    }

/** `in` is read, `out` wholly overwritten, `inout` both, `scratch` written before it is read and of no use afterwards. */
export type Qualifier = 'in' | 'out' | 'inout' | 'scratch'

export interface Operand {
  readonly buffer: BufferId
  readonly qualifier: Qualifier
}

/**
 * Moves `rows` blocks of `rowBytes` bytes: block r goes from address(from) + r · fromStride to address(to) + r · toStride. A plain
 * copy has one row. `from` and `to` may be views, whose offset says where the first block lies; the two never overlap.
 * All four numbers are bytes except `rows`; any of them may be such that nothing moves (an empty tensor).
 */
export interface Copy {
  readonly kind: 'copy'
  readonly from: BufferId
  readonly to: BufferId
  readonly rows: number
  readonly rowBytes: number
  readonly fromStride: number
  readonly toStride: number
}

/**
 * One step on addresses. A call's operands are the kernel's inputs in order, then its results in order, then the scratch where there is one.
 * In-place calls name the shared buffer twice: as `in` among the inputs and as `out`; the kernel's definition allows it.
 */
export type Instruction =
  | { readonly kind: 'alloc'; readonly buffer: BufferId }
  | { readonly kind: 'dealloc'; readonly buffer: BufferId }
  | {
      readonly kind: 'call'
      readonly name: string
      readonly kernel: Kernel
      readonly operands: readonly Operand[]
      readonly locations: readonly Location[]
    }
  | Copy

/** A state as an entry uses it: its storage, and whether a run leaves a new value there. */
export interface StateBuffer {
  readonly buffer: BufferId
  readonly renews: boolean
}

/** Instructions before buffers have addresses. Not SSA: a buffer may be written again. */
export interface InstructionList {
  readonly name: string
  readonly buffers: ReadonlyMap<BufferId, Buffer>
  readonly inputs: readonly BufferId[]
  readonly outputs: readonly BufferId[]
  /** Those that the entry reads or renews, by name; absent where there is none. */
  readonly states?: ReadonlyMap<string, StateBuffer>
  readonly instructions: readonly Instruction[]
}

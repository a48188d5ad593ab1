import type { TensorArray } from '../../../targets/runtime/tensor.ts'
import type { OurTarget } from '../ours.ts'
import type { PeerName } from '../peer.ts'
import type { Signature } from '../random.ts'
import type { Workload } from '../workloads.ts'

/** A model of a workload, ready for both. */
export interface PreparedModel {
  /** Folder of our bundle. */
  readonly bundle: string
  /** The ONNX file of the peer. */
  readonly onnx: string
  readonly inputs: readonly Signature[]
  readonly outputs: readonly Signature[]
  /** Of one run; a multiplication and its addition count two. */
  readonly operations: number
  readonly bundleBytes: number
  readonly onnxBytes: number
  /** Of our code in the bundle. */
  readonly toolchain: string
}

export interface Setting {
  readonly workload: Workload
  readonly models: readonly PreparedModel[]
  readonly target: OurTarget
  readonly peer: PeerName
  readonly threads: number
  /** Folder of the benchmark, below which peers are installed. */
  readonly home: string
}

/** One of the two that are compared. */
export interface Side {
  /** Does step number `step`, counted from 0: inputs in, run, outputs where they can be read. A promise where it has to be waited for. */
  run(step: number): void | Promise<void>
  /** Outputs of the last step, by name, until the next. */
  outputs(): Readonly<Record<string, TensorArray>>
}

export interface Sides {
  readonly ours: Side
  readonly peer: Side
  /** Steps to compare before anything is timed. */
  readonly checks: number
}

export type Driver = (setting: Setting) => Promise<Sides>

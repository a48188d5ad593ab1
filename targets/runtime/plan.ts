import type { CodeEntry, EntryPoint, TensorSignature } from './manifest.ts'
import type { TensorArray } from './tensor.ts'

/** Where a file is: a path on disk, or its bytes. */
export type Place = string | Uint8Array

/** A tensor and where it lies in the region of inputs and outputs. */
export interface TensorInfo extends TensorSignature {
  readonly offset: number
  readonly bytes: number
}

/** An entry of the code in use, and where its tensors lie. */
export interface PlacedEntry extends Omit<EntryPoint, 'inputs' | 'outputs'> {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
}

/** All that an instance is made from; can be sent to a worker. */
export interface Plan {
  /** A compiled WebAssembly module, or the text of JavaScript code. */
  readonly code: object | string
  readonly entries: readonly PlacedEntry[]
  /** Bytes of the regions of the entry that needs most. */
  readonly mutable: number
  readonly activations: number
  /** The weights file, and its bytes. */
  readonly place: Place
  readonly bytes: number
  /** The part of it that this code reads. */
  readonly weights: CodeEntry['weights']
}

/** Code on its own memory: constants, inputs and outputs, activations. */
export interface Instance {
  readonly memory: ArrayBuffer
  /** Where inputs and outputs start. */
  readonly mutable: number
  /** Runs an entry, by its index, once over the inputs in memory; returns 0 or the number of a fault. */
  run(entry: number): number
  /** Of each entry that has been called on this thread, its inputs and outputs in memory. */
  places?: [TensorArray[], TensorArray[]][]
  /** Present where memory is not the garbage collector's. */
  close?(): void
}

export interface WorkerData {
  readonly plan: Plan
  /** Check the digest of the weights. */
  readonly verify: boolean
  /** Run every entry once before the first request. */
  readonly warm: boolean
}

/** One request: the region of inputs and outputs of an entry starts at byte `start` of `region`, with its inputs filled in. */
export interface Request {
  readonly region: ArrayBuffer
  readonly start: number
  readonly entry: number
}

/** Answers a request. Nothing at all: the device stands. */
export interface Answer {
  /** The same bytes, with the outputs filled in. */
  readonly region?: ArrayBuffer
  readonly fault?: number
  /** The instance could not be made, or trapped; this worker is of no more use. */
  readonly error?: { readonly name?: string; readonly code?: string; readonly message: string }
}

/** Modules of Node are asked for when first needed: importing the loader loads none, and its text needs no import statement. */
export const builtin = <K extends keyof Builtins>(name: K): Builtins[K] => process.getBuiltinModule(name) as Builtins[K]

interface Builtins {
  crypto: typeof import('node:crypto')
  fs: typeof import('node:fs')
  os: typeof import('node:os')
  path: typeof import('node:path')
  url: typeof import('node:url')
  vm: typeof import('node:vm')
  worker_threads: typeof import('node:worker_threads')
}

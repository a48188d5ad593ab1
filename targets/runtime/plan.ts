import type { CodeEntry, EntryPoint } from './manifest.ts'

/** Where a file is: a path on disk, or its bytes. */
export type Place = string | Uint8Array

/** All that an instance is made from; can be sent to a worker. */
export interface Plan {
  /** A compiled WebAssembly module, or the address of a JavaScript module. */
  readonly code: object | string
  readonly entry: EntryPoint
  readonly place: Place
  /** Bytes of the whole weights file. */
  readonly bytes: number
  /** The part of it that this code reads. */
  readonly weights: CodeEntry['weights']
  /** Check its digest. */
  readonly verify: boolean
}

/** What a JavaScript module exports: its functions over a memory, at whatever addresses they are called with. */
export interface ModuleCode {
  instantiate(memory: ArrayBuffer): Readonly<Record<string, (constants: number, mutable: number, activations: number) => number>>
}

/** Code on its own memory: constants, inputs and outputs, activations. */
export interface Instance {
  readonly memory: ArrayBuffer
  /** Where inputs and outputs start. */
  readonly mutable: number
  /** Runs once over the inputs in memory; returns 0 or the number of a fault. */
  run(): number
}

/** Bytes of the region of inputs and outputs. */
interface Extent {
  readonly offset: number
  readonly bytes: number
}

export interface WorkerData {
  readonly plan: Plan
  readonly inputs: readonly Extent[]
  readonly outputs: readonly Extent[]
  /** Run once before the first request. */
  readonly warm: boolean
}

/** Answers a request, which is the region of inputs and outputs with its inputs filled in. Nothing at all: the worker stands. */
export interface Answer {
  /** The same bytes, with the outputs filled in. */
  readonly region?: ArrayBuffer
  readonly fault?: number
  /** The instance could not be made, or trapped; this worker is of no more use. */
  readonly error?: { readonly name?: string; readonly code?: string; readonly message: string }
}

/** Modules of Node are asked for when first needed: importing the loader loads none, and its text needs no import statement. */
export const builtin = <K extends keyof Builtins>(name: K): Builtins[K] => process.getBuiltinModule(`node:${name}`) as Builtins[K]

interface Builtins {
  crypto: typeof import('node:crypto')
  fs: typeof import('node:fs')
  url: typeof import('node:url')
  vm: typeof import('node:vm')
  worker_threads: typeof import('node:worker_threads')
}

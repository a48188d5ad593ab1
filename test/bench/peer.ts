// The runtimes that we are measured against, as far as the benchmark uses them. They are installed in this folder and nowhere else.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { TensorArray } from '../../targets/runtime/tensor.ts'

export type PeerName = 'onnxruntime-node' | 'onnxruntime-web'

export type PeerTensor = { readonly data: TensorArray; readonly dims: readonly number[] }
export type PeerTensors = Readonly<Record<string, PeerTensor>>

export interface PeerSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: PeerTensors): Promise<PeerTensors>
}

interface Runtime {
  readonly Tensor: new (type: string, data: TensorArray, dims: readonly number[]) => PeerTensor
  readonly InferenceSession: { create(model: string | Uint8Array, options: object): Promise<PeerSession> }
  readonly env: { readonly wasm: { numThreads: number }; logLevel: string }
}

export interface Peer {
  readonly runtime: Runtime
  readonly session: PeerSession
}

/** Where a peer is installed below the folder of the benchmark; throws where it is not. */
function find(folder: string, name: PeerName): string {
  const require = createRequire(join(folder, 'package.json'))
  return require.resolve(name === 'onnxruntime-web' ? 'onnxruntime-web/wasm' : name)
}

export const peerVersion = (folder: string, name: PeerName): string =>
  createRequire(join(folder, 'package.json'))(`./node_modules/${name}/package.json`).version

/**
 * A session as a careful user would open one: all optimisations, as many threads as we get, spinning as it comes (its threads spin
 * between runs), everything else as it comes.
 */
export async function openPeer(folder: string, name: PeerName, file: string, threads: number): Promise<Peer> {
  const module = await import(pathToFileURL(find(folder, name)).href)
  const runtime: Runtime = module.default ?? module
  const common = { graphOptimizationLevel: 'all', logSeverityLevel: 4 }
  if (name === 'onnxruntime-web') {
    runtime.env.wasm.numThreads = threads
    runtime.env.logLevel = 'fatal'
    return {
      runtime,
      session: await runtime.InferenceSession.create(readFileSync(file), { ...common, executionProviders: ['wasm'] }),
    }
  }
  const options = { ...common, intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: ['cpu'] }
  return { runtime, session: await runtime.InferenceSession.create(file, options) }
}

const typeNames: Readonly<Record<string, string>> = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i8: 'int8',
  u8: 'uint8',
  i16: 'int16',
  u16: 'uint16',
  i32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  u64: 'uint64',
  bool: 'bool',
}

export const peerType = (dtype: string): string => typeNames[dtype] ?? dtype

import type { OurTarget } from './ours.ts'
import type { PeerName } from './peer.ts'
import { type WorkloadName, workloads } from './workloads.ts'

/** What a row measures. */
export type Row =
  /** Both in turns, for each number of threads. */
  | { readonly kind: 'pairs'; readonly workload: WorkloadName; readonly target: OurTarget; readonly peer: PeerName }
  /** From nothing to the first answer, in fresh processes, and the memory that takes. Two rows measure it together. */
  | { readonly kind: 'start' | 'memory'; readonly workload: WorkloadName }
  | { readonly kind: 'compile'; readonly workload: WorkloadName }
  /** What a call costs, and opening a bundle. */
  | { readonly kind: 'call' | 'open'; readonly workload: WorkloadName }

const native = (workload: WorkloadName): Row => ({ kind: 'pairs', workload, target: 'native', peer: 'onnxruntime-node' })
const wasm = (workload: WorkloadName): Row => ({ kind: 'pairs', workload, target: 'wasm', peer: 'onnxruntime-web' })

const compared = Object.keys(workloads).filter((name) => name !== 'one') as WorkloadName[]

/** By name, in the order in which they are measured. */
export const rows: ReadonlyMap<string, Row> = new Map<string, Row>([
  ...compared.map((name): [string, Row] => [name, native(name)]),
  ...(['resnet50', 'bert-base', 'mobilenet-v3-large', 'ultraface', 'stories260k'] as const).map((name): [string, Row] => [
    `wasm-${name}`,
    wasm(name),
  ]),
  ['start-resnet50', { kind: 'start', workload: 'resnet50' }],
  ['memory-resnet50', { kind: 'memory', workload: 'resnet50' }],
  ['open', { kind: 'open', workload: 'resnet50' }],
  ['overhead', { kind: 'call', workload: 'one' }],
  ['compile-resnet50', { kind: 'compile', workload: 'resnet50' }],
])

// Source of the worker threads of models with state. `engine` is that of the loader, evaluated in front of it.
import type { Engine } from '../engine.ts'
import { builtin, type WorkerData } from '../plan.ts'
import { createMemory, createStatefulInstance } from './instance.ts'
import { type SessionPort, type StatePlan, serveSessions } from './serve.ts'

export interface SessionWorkerData extends WorkerData {
  readonly state: StatePlan
}

declare const engine: Engine
declare const host: typeof import('node:worker_threads')
declare const WebAssembly: any

const { plan, state, verify, warm } = host.workerData as SessionWorkerData
const { code, place, bytes, weights } = plan
const exported =
  typeof code === 'string' ? builtin('vm').runInThisContext(code)(createMemory()) : new WebAssembly.Instance(code).exports
const instance = createStatefulInstance(plan, state.bytes, exported, (constants) =>
  engine.readInto(constants, place, bytes, weights.offset, verify && weights.digest),
)
serveSessions(plan, state, instance, warm, host.parentPort as unknown as SessionPort)

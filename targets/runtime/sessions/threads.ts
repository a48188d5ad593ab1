import { fail } from '../error.ts'
import type { Driver } from '../load.ts'
import type { Executor } from '../model.ts'
import { builtin, type Plan } from '../plan.ts'
import { engine, program } from '../source.ts'
import { threads } from '../threads.ts'
import { createMemory, createStatefulInstance } from './instance.ts'
import { createLanes } from './lanes.ts'
import type { StatePlan } from './serve.ts'
import type { SessionWorkerData } from './worker.ts'
import workerText from './worker.ts?source'

/** Not among the values in the types of Node 20. */
declare const WebAssembly: any

/** A function, so that bundlers see that nothing happens where it is not called. */
const workerSource = () =>
  `const engine = {}, host = process.getBuiltinModule('worker_threads'); ${program}(engine); ${workerText}`

/** WebAssembly and JavaScript over states, each in the memory of one device. */
export const threadSessions = (stateOf: (plan: Plan) => StatePlan): Driver => ({
  prepare: threads.prepare,
  execute(plan, { verify }) {
    const { code, place, bytes, weights } = plan
    const state = stateOf(plan)
    const instantiate = () =>
      createStatefulInstance(
        plan,
        state.bytes,
        typeof code === 'string' ? builtin('vm').runInThisContext(code)(createMemory()) : new WebAssembly.Instance(code).exports,
        (constants) => engine().readInto(constants, place, bytes, weights.offset, verify === 'full' && weights.digest),
      )
    const start: Executor['start'] = (warm, answer, broken) => {
      const { Worker } = builtin('worker_threads')
      const workerData: SessionWorkerData = {
        ...{ plan, state, verify: verify !== 'code' },
        warm: warm && typeof code !== 'string',
      }
      let worker: import('node:worker_threads').Worker
      try {
        worker = new Worker(workerSource(), { eval: true, workerData, execArgv: [] })
      } catch (error) {
        fail('target-unavailable', `no worker: ${error}`, error)
      }
      worker.on('message', answer)
      worker.on('error', (error) => broken(error, plan))
      worker.on('exit', (status) => broken(Error(`worker ended with ${status}`)))
      return worker
    }
    return { lead: () => 0, instantiate, start, keepers: createLanes(weights.bytes, () => state, start) } as Executor
  },
})

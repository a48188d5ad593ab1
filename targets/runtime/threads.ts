import { fail } from './error.ts'
import type { Driver } from './load.ts'
import { builtin } from './plan.ts'
import { engine, workerSource } from './source.ts'

/** Not among the values in the types of Node 20; absent where it is switched off. */
declare const WebAssembly: any

/** WebAssembly and JavaScript: every device is a worker thread with weights and activations of its own. */
export const threads: Driver = {
  // Functions are compiled at their first call, so that this takes a millisecond for hundreds of kilobytes.
  prepare: ({ kind }, _, read) => (kind === 'wasm' ? new WebAssembly.Module(read()) : String(read())),

  execute: (plan, { verify }) => ({
    lead: () => 0,
    instantiate: () => engine().instantiate(plan, verify === 'full'),
    start(warm, answer, broken) {
      const { Worker } = builtin('worker_threads')
      const workerData = { plan, verify: verify !== 'code', warm: warm && typeof plan.code !== 'string' }
      // Without the options of the process: they may name hooks that take longer to load than the model.
      let worker: import('node:worker_threads').Worker
      try {
        worker = new Worker(workerSource, { eval: true, workerData, execArgv: [] })
      } catch (error) {
        fail('target-unavailable', `no worker: ${error}`, error)
      }
      worker.on('message', answer)
      // What was thrown there ended it.
      worker.on('error', (error) => broken(error, plan))
      worker.on('exit', (status) => broken(Error(`worker ended with ${status}`)))
      return worker
    },
  }),
}

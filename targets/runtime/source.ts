import type { Engine } from './engine.ts'
import text from './engine.ts?source'
import { builtin } from './plan.ts'

export const program = `(host=>{${text}})`

/** Source of a worker thread. */
export const workerSource = `${program}(process.getBuiltinModule('worker_threads'))`

let evaluated: Engine | undefined

/** The engine on this thread. */
export function engine(): Engine {
  if (!evaluated) {
    evaluated = {} as Engine
    builtin('vm').runInThisContext(program)(evaluated)
  }
  return evaluated
}

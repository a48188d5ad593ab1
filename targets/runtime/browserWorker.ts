// Source of the Web Workers of the loader for browsers: the first message says what to run, each later one is a request.
import { attempt, instantiate, type Port, serve } from './instance.ts'
import type { Plan, Request } from './plan.ts'

/** What starts a worker. `plan.place` holds the constants and nothing else. */
export interface WorkerStart {
  readonly plan: Plan
  readonly warm: boolean
}

declare const self: {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
}

self.onmessage = ({ data }) => {
  const { plan, warm } = data as WorkerStart
  const port: Port = {
    postMessage: (answer, transfer = []) => self.postMessage(answer, transfer),
    on(_, handler) {
      self.onmessage = (event) => attempt(port, () => handler(event.data as Request))
    },
  }
  attempt(port, () => serve(plan, instantiate(plan), warm, port))
}

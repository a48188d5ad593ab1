// Source of the Web Workers of models with state: the first message says what to run, each later one is a request.
import { attempt } from '../instance.ts'
import { instantiateStateful, type StatefulPlan } from './browserInstance.ts'
import { type SessionPort, type SessionRequest, serveSessions } from './serve.ts'

declare const self: {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
}

self.onmessage = ({ data }) => {
  const { plan, warm } = data as { readonly plan: StatefulPlan; readonly warm: boolean }
  const port: SessionPort = {
    postMessage: (answer, transfer = []) => self.postMessage(answer, transfer),
    on(_, handler) {
      self.onmessage = (event) => attempt(port, () => handler(event.data as SessionRequest))
    },
  }
  attempt(port, () => serveSessions(plan, plan.state, instantiateStateful(plan), warm, port))
}

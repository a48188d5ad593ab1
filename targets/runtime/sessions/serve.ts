import type { Answer, Plan, Request } from '../plan.ts'
import { begin, type StatefulInstance } from './instance.ts'

/** What a device needs to know of states. */
export interface StatePlan {
  /** Of the state of one session. */
  readonly bytes: number
  /** What sessions begin with; zeros where absent. */
  readonly initial: Uint8Array | undefined
}

/** A request of a session, to the device that holds its state. */
export interface SessionRequest extends Request {
  /** Absent where the entry touches no state. */
  readonly session?: number | undefined
  /** The session begins, anew or with these bytes; absent where it goes on. */
  readonly begins?: true | Uint8Array | undefined
  /** Nothing is to be run: the session goes elsewhere, and the answer has its state. */
  readonly leaves?: boolean
  /** Sessions whose states are of no more use. */
  readonly ended?: readonly number[]
}

/** The answer to it. */
export interface SessionAnswer extends Answer {
  readonly state?: ArrayBuffer
}

/** Faults of devices themselves, beside those that an entry tells by numbers above 0. */
export const deviceFault = { stateMissing: -1, noMemory: -2 } as const

/** The way to the loader; as Node's MessagePort. */
export interface SessionPort {
  postMessage(answer: SessionAnswer, transfer?: ArrayBuffer[]): void
  on(event: 'message', handler: (request: SessionRequest) => void): void
}

/** As `serve`, over the states of sessions, which stay in the memory of the instance. */
export function serveSessions(
  plan: Plan,
  { initial }: StatePlan,
  instance: StatefulInstance,
  warm: boolean,
  port: SessionPort,
): void {
  const states = new Map<number, number>()

  if (warm) {
    const state = instance.allocate()
    for (const entry of plan.entries.keys()) {
      begin(instance.bytesOf(state), initial)
      // What zeros as inputs may bring about is no matter here.
      try {
        instance.run(entry, state)
      } catch {}
    }
    instance.free(state)
  }

  /** Where the state of the request's session is, or a fault. */
  function stateOf({ session, begins, ended = [] }: SessionRequest): number {
    for (const id of ended) {
      const state = states.get(id)
      if (state !== undefined) instance.free(state)
      states.delete(id)
    }
    if (session === undefined) return 0
    const known = states.get(session)
    if (!begins) return known ?? deviceFault.stateMissing
    try {
      const state = known ?? instance.allocate()
      states.set(session, state)
      begin(instance.bytesOf(state), begins === true ? initial : begins)
      return state
    } catch {
      return deviceFault.noMemory
    }
  }

  port.on('message', (request) => {
    const { region, session, leaves } = request
    const state = stateOf(request)
    if (leaves && state >= 0) {
      const { buffer } = instance.bytesOf(state).slice() as Uint8Array<ArrayBuffer>
      instance.free(state)
      states.delete(session!)
      port.postMessage({ region, fault: 0, state: buffer }, [region, buffer])
    } else port.postMessage({ region, fault: state < 0 ? state : instance.answer(request, state) }, [region])
  })
  port.postMessage({})
}

import type { Plan } from '../plan.ts'
import { createStatefulInstance, type StatefulInstance } from './instance.ts'
import type { StatePlan } from './serve.ts'

/** Not among the values in the types of Node 20. */
declare const WebAssembly: any

/** A plan whose constants and initial states have been fetched. */
export interface StatefulPlan extends Plan {
  readonly state: StatePlan
}

export const instantiateStateful = (plan: StatefulPlan): StatefulInstance =>
  createStatefulInstance(plan, plan.state.bytes, new WebAssembly.Instance(plan.code).exports, (constants) =>
    constants.set(plan.place as Uint8Array),
  )

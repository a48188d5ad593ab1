export { type Distribution, distributionOf } from './distribution.ts'
export { type CardStateName, type Fault, faultKinds, type StateChange } from './faults.ts'
export type { Energy } from './report.ts'
export {
  type Batching,
  type SecondsOf,
  type SimulateOptions,
  type Simulation,
  type Span,
  simulate,
  type Use,
} from './simulate.ts'
export { traceOf } from './trace.ts'

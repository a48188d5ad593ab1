export { allocateMemory, lifetimesOf } from './allocate.ts'
export { type SharedConstants, shareConstants, verifyConstants } from './constants.ts'
export {
  type BodyPlan,
  type BodyRegions,
  bodiesOf,
  type ControlKernel,
  type ControlPlan,
  carriedName,
  controlPlan,
  controlScratch,
  isControl,
  type LoopPlan,
  mapBodies,
  programsWithin,
  sharedBytes,
} from './control.ts'
export { type Fault, faultCount, faultsKeepingState, faultsOf } from './faults.ts'
export { printProgram } from './print.ts'
export type * from './program.ts'
export { layOutStates, type StateLayout } from './states.ts'
export { type TimedStep, type TimesRegion, timesRegion } from './times.ts'
export { verifyProgram } from './verify.ts'

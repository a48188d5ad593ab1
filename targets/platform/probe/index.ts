export { type DeviceRates, describeMachine, type KindRate, type Probed } from './describe.ts'
export { type CacheLevel, cachesHere, type MachineRates, measureMachine } from './machine.ts'
export { type Work, works } from './works.ts'

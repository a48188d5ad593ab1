export { type Interval, liveBound, type Placement, randomNumbers, roundUp } from './problem.ts'
export type { SearchResult } from './restarts.ts'
export { fitMemory, solveMemory } from './solve.ts'
export { findOverlap } from './validate.ts'

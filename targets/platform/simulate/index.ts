export { type Distribution, distributionOf } from './distribution.ts'
export { type SecondsOf, type SimulateOptions, type Simulation, type Span, simulate, type Use } from './simulate.ts'
export { traceOf } from './trace.ts'

export { CutError, cutGraph, mergeParts, type Part, type PartitionedGraph, type Source } from './cut.ts'
export { printPlanDot } from './dot.ts'
export { type KeptStates, keepStates } from './keepStates.ts'
export type { MappedPart, PlacementMap } from './map.ts'
export { partialInputs, type ReadRange } from './partialInputs.ts'
export {
  type ModelPartition,
  type Partition,
  PartitionError,
  type PartitionOptions,
  partitionGraph,
  partitionModel,
} from './partition.ts'
export {
  type Method,
  type ModelPlan,
  methods,
  type Place,
  type Plan,
  type PlannedPart,
  type PlannedTable,
  type PlannedTransfer,
} from './plan.ts'
export {
  type Arithmetic,
  arithmetics,
  type Card,
  capacityOf,
  type Link,
  type MemoryLevel,
  type Platform,
  type Processor,
} from './platform.ts'
export { longestPlan, PlanError, printPlan, readMap, readPlan } from './readPlan.ts'
export { findUses, type InputUse } from './uses.ts'
export { type PlacementProblem, type PlacementProblemCode, validatePlaces } from './validate.ts'

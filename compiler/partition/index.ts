export { CutError, cutGraph, mergeParts, type Part, type PartitionedGraph, type Source } from './cut.ts'
export { type Partition, PartitionError, type PartitionOptions, partitionGraph } from './partition.ts'
export { type Method, methods, type Place, type Plan, type PlannedPart, type PlannedTable, type PlannedTransfer } from './plan.ts'
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
export { type PlacementProblem, type PlacementProblemCode, validatePlaces } from './validate.ts'

export { loadsOf, objectiveOf, type PartLoad, validateFlow } from './evaluate.ts'
export { type PlacedFlow, type PlaceFlowOptions, placeFlow } from './place.ts'
export {
  type DeviceType,
  type FlowNode,
  type FlowPart,
  type FlowPlacement,
  type FlowProblem,
  type Objective,
  objectives,
} from './problem.ts'

export { analysePadding, type PaddingFacts, type PaddingProblem, type SizedGraph, symbolicShape } from './analyse.ts'
export { printExtent } from './extent.ts'
export { guardGraph } from './guard.ts'
export { rows } from './rows.ts'

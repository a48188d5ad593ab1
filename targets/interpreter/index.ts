export { evaluate, runGraph } from './evaluate.ts'
export { EvaluationFault } from './fault.ts'
export { type Observation, type ObservedOperand, type Observer, printObservation } from './observe.ts'
export { interpreter, runProgram } from './target.ts'

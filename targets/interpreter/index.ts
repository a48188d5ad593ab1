export { evaluate, runGraph } from './evaluate.ts'
export { EvaluationFault } from './fault.ts'
export { interpreter, runProgram } from './target.ts'

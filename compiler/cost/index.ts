export { costOf, type Rates } from './rates.ts'
export { addWork, noWork, operandBytes, operationsPerElement, type Work, type Worker, workOf } from './work.ts'

export { costOf, type Rates } from './rates.ts'
export { addWork, noWork, operandBytes, operationsPerElement, pickedRows, type Work, type Worker, workOf } from './work.ts'

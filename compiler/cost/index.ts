export { costOf, type Rates } from './rates.ts'
export { addWork, noWork, operationsPerElement, type Work, type Worker, workOf } from './work.ts'

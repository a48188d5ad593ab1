export { costOf, type Rates } from './rates.ts'
export {
  addWork,
  noWork,
  operandBytes,
  operationsPerElement,
  pickedRows,
  type Work,
  type Worker,
  workOf,
  workOfGraph,
} from './work.ts'

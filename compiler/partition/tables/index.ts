export { placeTables } from './place.ts'
export type { Holder, Piece, Table, TablePlacement, TableProblem, TooLarge } from './problem.ts'
export { type HolderLoad, loadsOf, validatePlacement } from './validate.ts'

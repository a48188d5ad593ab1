export { type Assignment, assignLayouts } from './assign.ts'
export { rewriteLayouts } from './rewrite.ts'
export type { BlockOptions } from './row.ts'
export { verifyLayouts } from './verify.ts'

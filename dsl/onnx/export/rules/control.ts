import type { ExportContext, ExportRules } from '../context.ts'

const refused = (_: unknown, __: unknown, c: ExportContext): never =>
  c.inexpressible(
    'a loop or branch of the model has no form in ONNX here',
    'write its turns out with for, and its sides with where()',
  )

/** Ops that run graphs of their own. */
export const controlRules: Pick<ExportRules, 'loop' | 'branch' | 'resultOf'> = {
  loop: refused,
  branch: refused,
  resultOf: refused,
}

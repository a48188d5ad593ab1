import { createDiagnostic } from '../../../compiler/diagnostics/diagnostic.ts'
import { ModelProblem } from '../../../compiler/graph/index.ts'
import { isWeights, unusedWeights } from '../../../dsl/weights.ts'
import { diagnosticAt, report, type Session, spanOf } from '../session.ts'

const shownNames = 5

/** Tensors that a file carries and no model asked for. Only meaningful once all models of the file are built. */
export function reportUnusedWeights(session: Session): void {
  session.calls.length = 0
  for (const { value, node } of session.weights) {
    if (!isWeights(value.host)) continue
    try {
      const { file, names } = unusedWeights(value.host)
      if (names.length === 0) continue
      const listed = names.slice(0, shownNames).map((name) => `'${name}'`)
      const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : ''
      const message = `${file} has ${names.length === 1 ? 'a tensor' : `${names.length} tensors`} that no model uses: ${listed.join(', ')}${more}`
      report(session, createDiagnostic('weight-unused', message, { span: spanOf(session, node) }))
    } catch (error) {
      if (!(error instanceof ModelProblem)) throw error
      report(session, diagnosticAt(session, node, error.code, error.message))
    }
  }
}

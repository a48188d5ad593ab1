import type { Span } from '../graph/index.ts'
import type { DiagnosticCode } from './catalogue.ts'

export interface Note {
  readonly message: string
  readonly span?: Span
}

/** Something to tell the author of a model. Data only: the plugin and the command line draw it. */
export interface Diagnostic {
  readonly code: DiagnosticCode
  readonly severity: 'error' | 'warning'
  /** What was expected and what was found, in the words of the model. */
  readonly message: string
  readonly span?: Span
  /** The helper calls that led here, the other shape, the earlier declaration. */
  readonly notes: readonly Note[]
  /** What to write instead. */
  readonly help: string
}

/** Carries diagnostics to whoever reports them. */
export class DiagnosticError extends Error {
  override readonly name = 'DiagnosticError'
  readonly diagnostics: readonly Diagnostic[]
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => `${d.code}: ${d.message}`).join('\n'))
    this.diagnostics = diagnostics
  }
}

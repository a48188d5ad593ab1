import type { Span } from '../graph/index.ts'
import { catalogue, type DiagnosticCode } from './catalogue.ts'

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

/** A diagnostic with the severity of its catalogue entry and, unless a more precise remedy is given, the entry's help. */
export function createDiagnostic(
  code: DiagnosticCode,
  message: string,
  more: { readonly span?: Span; readonly notes?: readonly Note[]; readonly help?: string } = {},
): Diagnostic {
  const entry = catalogue[code]
  return {
    code,
    severity: entry.severity,
    message,
    ...(more.span && { span: more.span }),
    notes: more.notes ?? [],
    help: more.help ?? entry.help,
  }
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

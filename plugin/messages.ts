import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts'

/** A mistake as Rollup, Rolldown and Vite show it, and webpack in its own words: lines from 1, columns from 0. */
export interface Message {
  readonly message: string
  /** Absolute path of the file with the mistake; absent with `loc` when it has no place. */
  readonly id?: string
  readonly loc?: { readonly file: string; readonly line: number; readonly column: number }
  /** The lines of source with what is wrong underlined, the way there and the remedy. */
  readonly frame: string
  readonly pluginCode: string
}

/**
 * All errors as one message, which stands at the first of them and draws every one; undefined without errors. Bundlers end a build at
 * the first error that they are told, so there is no second chance.
 */
export async function errorOf(diagnostics: readonly Diagnostic[], root: string): Promise<Message | undefined> {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  const located = errors.find(({ span }) => span) ?? errors[0]
  if (!located) return undefined
  const others = errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`
  return describe(located, errors, root, others)
}

/** One message for each warning. */
export const warningsOf = (diagnostics: readonly Diagnostic[], root: string): Promise<Message[]> =>
  Promise.all(diagnostics.filter(({ severity }) => severity === 'warning').map((each) => describe(each, [each], root, '')))

async function describe(
  { message, code, span }: Diagnostic,
  drawn: readonly Diagnostic[],
  root: string,
  others: string,
): Promise<Message> {
  const { renderDiagnostics } = await import('../compiler/diagnostics/render.ts')
  const read = (file: string) => {
    try {
      return readFileSync(resolve(root, file), 'utf8')
    } catch {
      return undefined
    }
  }
  const file = span && resolve(root, span.file)
  return {
    message: `${message} [${code}]${others}`,
    ...(span && file && { id: file, loc: { file, line: span.line, column: span.column - 1 } }),
    frame: renderDiagnostics(drawn, read).trimEnd(),
    pluginCode: code,
  }
}

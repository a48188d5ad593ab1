import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Location, PartialMessage } from 'esbuild'
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import type { Span } from '../compiler/graph/index.ts'

/** Diagnostics as esbuild draws them: the place in the model, the calls that led there and the remedy as notes. */
export async function toMessages(
  diagnostics: readonly Diagnostic[],
  root: string,
): Promise<{ errors: PartialMessage[]; warnings: PartialMessage[] }> {
  const locate = locator(root)
  const messages = await Promise.all(
    diagnostics.map(async ({ code, severity, message, span, notes, help }) => ({
      severity,
      message: {
        id: code,
        text: `${message} [${code}]`,
        ...(await locate(span)),
        notes: [
          ...(await Promise.all(notes.map(async (note) => ({ text: note.message, ...(await locate(note.span)) })))),
          { text: help },
        ],
      },
    })),
  )
  const of = (severity: Diagnostic['severity']) =>
    messages.filter((entry) => entry.severity === severity).map(({ message }) => message)
  return { errors: of('error'), warnings: of('warning') }
}

const lineBreak = /\r\n|[\n\r\u2028\u2029]/

/** Turns spans into esbuild's locations, which count columns from 0, in bytes of UTF-8, and want the text of the line. */
function locator(root: string): (span: Span | undefined) => Promise<{ location?: Partial<Location> }> {
  const sources = new Map<string, Promise<string[]>>()
  const linesOf = (file: string) => {
    const known = sources.get(file)
    if (known) return known
    const lines = readFile(resolve(root, file), 'utf8').then(
      (text) => text.split(lineBreak),
      () => [],
    )
    sources.set(file, lines)
    return lines
  }
  return async (span) => {
    if (!span) return {}
    const lineText = (await linesOf(span.file))[span.line - 1] ?? ''
    const start = span.column - 1
    const end =
      span.endLine === span.line ? (span.endColumn ?? span.column) - 1 : span.endLine === undefined ? start : lineText.length
    const column = Buffer.byteLength(lineText.slice(0, start))
    return {
      location: { file: span.file, line: span.line, column, length: Buffer.byteLength(lineText.slice(start, end)), lineText },
    }
  }
}

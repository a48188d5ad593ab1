import pc from 'picocolors'
import { printSpan, type Span } from '../graph/index.ts'
import type { Diagnostic } from './diagnostic.ts'

export interface RenderOptions {
  /** Whether to colour for a terminal; false unless given. */
  readonly color?: boolean
}

/** By file, line and column; those without a place come first. Equal sets of diagnostics give equal lists. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const key = (d: Diagnostic) => [d.span?.file ?? '', d.span?.line ?? 0, d.span?.column ?? 0, d.code, d.message] as const
  return [...diagnostics].sort((a, b) => {
    const [left, right] = [key(a), key(b)]
    for (const [i, part] of left.entries()) {
      const other = right[i]!
      if (part !== other) return part < other ? -1 : 1
    }
    return 0
  })
}

/** Draws diagnostics with the lines of source they point at. `readSource` gives a file's text by the name that spans use, if it can. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  readSource: (file: string) => string | undefined,
  { color = false }: RenderOptions = {},
): string {
  const paint = pc.createColors(color)
  const sources = new Map<string, readonly string[] | undefined>()
  const linesOf = (file: string) => {
    if (!sources.has(file)) sources.set(file, readSource(file)?.split(/\r\n|[\n\r\u2028\u2029]/))
    return sources.get(file)
  }
  const frame = (span: Span, mark: (text: string) => string) => renderFrame(span, linesOf(span.file), paint.dim, mark)

  return sortDiagnostics(diagnostics)
    .map((diagnostic) => {
      const mark = diagnostic.severity === 'error' ? paint.red : paint.yellow
      const parts = [`${mark(`${diagnostic.severity}[${diagnostic.code}]`)} ${paint.bold(prose(diagnostic.message))}`]
      if (diagnostic.span) parts.push(frame(diagnostic.span, mark))
      for (const note of diagnostic.notes) {
        parts.push(`  ${paint.cyan('note:')} ${prose(note.message)}`)
        if (note.span) parts.push(frame(note.span, paint.cyan))
      }
      parts.push(`  ${paint.green('help:')} ${prose(diagnostic.help)}`)
      return `${parts.join('\n')}\n`
    })
    .join('\n')
}

/** Texts of a model may hold anything; what would steer a terminal is shown as an escape. */
const clean = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => (c === '\n' || c === '\t' ? c : escaped(c)))
const escaped = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`

/** Longer lines are cut, so that a minified file does not flood the terminal. */
const maximumWidth = 160
const shownBefore = 40

/** The first line of a span with what belongs to it underlined. */
function renderFrame(
  span: Span,
  lines: readonly string[] | undefined,
  dim: (text: string) => string,
  mark: (text: string) => string,
): string {
  const head = `  ${dim('-->')} ${clean(printSpan(span))}`
  const text = lines?.[span.line - 1]
  if (text === undefined) return head
  const from = span.column - 1
  const goesOn = span.endLine !== undefined && span.endLine > span.line
  const to = goesOn ? text.trimEnd().length : (span.endColumn ?? span.column + 1) - 1
  const offset = from > maximumWidth - shownBefore ? from - shownBefore : 0
  const shown = show(text.slice(offset, offset + maximumWidth))
  const before = show(text.slice(offset, from)).length
  const width = Math.max(1, show(text.slice(from, Math.min(to, offset + maximumWidth))).length)
  const number = String(span.line)
  const rows = [
    `${dim(`${number} |`)} ${shown}`,
    `${dim(`${' '.repeat(number.length)} |`)} ${' '.repeat(before)}${mark('^'.repeat(width))}${goesOn ? dim(' …') : ''}`,
  ]
  return [head, ...rows.map((row) => `  ${row}`)].join('\n')
}

/** A text of several lines stays behind its heading. */
const prose = (text: string): string => show(text).replaceAll('\n', '\n    ')
const show = (text: string): string => clean(text).replaceAll('\t', ' ')

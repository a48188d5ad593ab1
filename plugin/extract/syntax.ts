import { ts } from 'ts-morph'
import type { Span } from '../../compiler/graph/index.ts'

/**
 * The only door to ts-morph, for the TypeScript parser that it carries. Nothing here makes a Program or checks types.
 * Loading it takes about a third of a second, so whoever has a cache imports plugin/extract dynamically.
 */
export { ts }

const kinds: Readonly<Record<string, ts.ScriptKind>> = {
  ts: ts.ScriptKind.TS,
  mts: ts.ScriptKind.TS,
  cts: ts.ScriptKind.TS,
  js: ts.ScriptKind.JS,
  mjs: ts.ScriptKind.JS,
  cjs: ts.ScriptKind.JS,
  json: ts.ScriptKind.JSON,
}

/** The syntax tree of one file, with parents set. `file` is absolute. */
export function parseSource(file: string, text: string): ts.SourceFile {
  const kind = kinds[file.slice(file.lastIndexOf('.') + 1)] ?? ts.ScriptKind.TS
  return ts.createSourceFile(
    file,
    text,
    { languageVersion: ts.ScriptTarget.ESNext, impliedNodeFormat: ts.ModuleKind.ESNext },
    true,
    kind,
  )
}

export interface SyntaxError {
  readonly message: string
  readonly start: number
  readonly end: number
}

/** What the parser could not make sense of. The list is not part of TypeScript's public types. */
export function syntaxErrorsOf(source: ts.SourceFile): SyntaxError[] {
  const found = (source as unknown as { parseDiagnostics: readonly ts.DiagnosticWithLocation[] }).parseDiagnostics
  return found.map((d) => ({
    message: ts.flattenDiagnosticMessageText(d.messageText, ' '),
    start: d.start,
    end: d.start + d.length,
  }))
}

/** Lines and columns from 1 of a range of a file; `name` is what the file is called in messages. */
export function spanOfRange(source: ts.SourceFile, name: string, start: number, end: number): Span {
  const from = source.getLineAndCharacterOfPosition(start)
  const to = source.getLineAndCharacterOfPosition(end)
  return { file: name, line: from.line + 1, column: from.character + 1, endLine: to.line + 1, endColumn: to.character + 1 }
}

export const hasModifier = (node: ts.Node, kind: ts.SyntaxKind): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false)

/** The expression without the parentheses and type annotations around it. */
export function unwrap(node: ts.Expression): ts.Expression {
  let inner = node
  while (
    ts.isParenthesizedExpression(inner) ||
    ts.isAsExpression(inner) ||
    ts.isSatisfiesExpression(inner) ||
    ts.isNonNullExpression(inner) ||
    ts.isTypeAssertionExpression(inner)
  ) {
    inner = inner.expression
  }
  return inner
}

/** All identifiers that a declaration's name or pattern binds. */
export function boundNames(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name]
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundNames(element.name)))
}

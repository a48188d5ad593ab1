import type { ExtractedModel, Extraction } from '../index.ts'
import { parseSource, ts } from '../syntax.ts'
import { compose, type Piece, type SourceMap } from './map.ts'
import { reachFrom } from './reach.ts'

export interface TransformOptions {
  /** What takes the place of a model: an expression of JavaScript. */
  readonly expressionFor: (model: ExtractedModel) => string
  /** Statements put before the file's own, such as imports that the expressions need. */
  readonly header: string
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/**
 * The module with its models replaced, and without the statements and imports that only they needed. Other exports stay as they are;
 * if one of them uses the DSL, so does the result. The language stays what it was: TypeScript remains TypeScript.
 */
export function transformModule(
  source: string,
  file: string,
  extraction: Extraction,
  options: TransformOptions,
): { code: string; map: SourceMap } {
  const tree = parseSource(file, source)
  const models = extraction.models
  const gone = (node: ts.Node) =>
    node.kind !== ts.SyntaxKind.SourceFile &&
    models.some(({ start, end }) => node.getStart(tree) >= start && node.getEnd() <= end)
  const { kept, imports } = reachFrom(tree, gone, new Set(extraction.dslSpecifiers))
  const edits: Edit[] = models.map((model) => ({ start: model.start, end: model.end, text: options.expressionFor(model) }))
  for (const statement of tree.statements) {
    if (ts.isImportDeclaration(statement)) edits.push(...importEdits(statement, tree, imports))
    else if (!kept.has(statement)) edits.push({ start: statement.getStart(tree), end: statement.getEnd(), text: '' })
  }
  const outer = edits.filter(
    (edit) => !edits.some((other) => other !== edit && other.start <= edit.start && other.end >= edit.end),
  )
  outer.sort((a, b) => a.start - b.start)
  const begin = headerPosition(tree)
  const pieces: Piece[] = []
  let at = 0
  const keep = (end: number) => {
    if (at <= begin && begin <= end && options.header !== '') {
      pieces.push({ start: at, end: begin }, { text: options.header.endsWith('\n') ? options.header : `${options.header}\n` })
      at = begin
    }
    if (end > at) pieces.push({ start: at, end })
  }
  for (const { start, end, text } of outer) {
    keep(start)
    pieces.push({ text, at: start })
    at = end
  }
  keep(source.length)
  return compose(source, file, pieces)
}

/** Behind a `#!` line and directives, before the first statement. */
function headerPosition(tree: ts.SourceFile): number {
  for (const statement of tree.statements) {
    const isDirective = ts.isExpressionStatement(statement) && ts.isStringLiteral(statement.expression)
    if (!isDirective) return statement.getStart(tree)
  }
  return tree.text.length
}

/** Takes from an import what is mentioned no more; an import for its effects stays. */
function importEdits(statement: ts.ImportDeclaration, tree: ts.SourceFile, needed: ReadonlySet<string>): Edit[] {
  const { importClause: clause } = statement
  if (!clause) return []
  const range = { start: statement.getStart(tree), end: statement.getEnd() }
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return []
  const { namedBindings: bindings } = clause
  const name = clause.name && needed.has(clause.name.text) ? clause.name.text : undefined
  const all = bindings && ts.isNamedImports(bindings) ? bindings.elements : []
  const some = all.filter((element) => !element.isTypeOnly && needed.has(element.name.text))
  const namespace =
    bindings && ts.isNamespaceImport(bindings) && needed.has(bindings.name.text) ? bindings.getText(tree) : undefined
  if (name === undefined && namespace === undefined && some.length === 0) return [{ ...range, text: '' }]
  const isWhole =
    name === clause.name?.text &&
    some.length === all.length &&
    (namespace !== undefined || !bindings || ts.isNamedImports(bindings))
  if (isWhole) return []
  const named = some.length > 0 ? `{ ${some.map((element) => element.getText(tree)).join(', ')} }` : undefined
  const rest = tree.text.slice(clause.getEnd(), range.end)
  return [{ ...range, text: `import ${[name, namespace, named].filter((part) => part !== undefined).join(', ')}${rest}` }]
}

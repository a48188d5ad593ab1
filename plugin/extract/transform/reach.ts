import { globalValue } from '../builtins/global.ts'
import { boundNames, hasModifier, ts } from '../syntax.ts'
import { changedNames, freeNames, type Gone } from './names.ts'

/** A statement at the top level of a model file, and what it has to do with the others. */
interface Part {
  readonly statement: ts.Statement
  readonly declares: readonly string[]
  readonly mentions: ReadonlySet<string>
  readonly changes: ReadonlySet<string>
  readonly exported: boolean
  /** Does something besides declaring. */
  readonly acts: boolean
}

export interface Reach {
  readonly kept: ReadonlySet<ts.Statement>
  /** Imported names that kept statements mention. */
  readonly imports: ReadonlySet<string>
}

/**
 * Which statements the program still needs once the models are replaced: what is exported, what acts without touching the DSL, and what
 * those depend on. `dslSpecifiers` are imports that lead to the DSL, directly or through other modules.
 */
export function reachFrom(source: ts.SourceFile, gone: Gone, dslSpecifiers: ReadonlySet<string>): Reach {
  const parts = source.statements
    .filter((statement) => !ts.isImportDeclaration(statement))
    .map((statement) => partOf(statement, gone))
  const tainted = dslNames(source, parts, dslSpecifiers)
  const touches = (part: Part) => [...part.mentions].some((name) => tainted.has(name))
  const kept = new Set<Part>(parts.filter((part) => part.exported || (part.acts && !touches(part))))
  const needed = new Set<string>()
  for (let grown = true; grown; ) {
    grown = false
    for (const part of kept) for (const name of part.mentions) needed.add(name)
    for (const part of kept) for (const name of part.declares) needed.add(name)
    for (const part of parts) {
      if (kept.has(part)) continue
      const declared = part.declares.some((name) => needed.has(name))
      const changes =
        part.acts &&
        [...part.changes].some(
          (name) => needed.has(name) && parts.some((other) => kept.has(other) && other.declares.includes(name)),
        )
      if (!declared && !changes) continue
      kept.add(part)
      grown = true
    }
  }
  return { kept: new Set([...kept].map(({ statement }) => statement)), imports: needed }
}

function partOf(statement: ts.Statement, gone: Gone): Part {
  return {
    statement,
    declares: declaredNames(statement),
    mentions: freeNames(statement, gone),
    changes: changedNames(statement, gone),
    exported:
      hasModifier(statement, ts.SyntaxKind.ExportKeyword) ||
      ts.isExportDeclaration(statement) ||
      ts.isExportAssignment(statement) ||
      isTypeOnly(statement),
    acts: acts(statement, gone),
  }
}

/** Types cost nothing and vanish later. */
const isTypeOnly = (statement: ts.Statement) =>
  ts.isInterfaceDeclaration(statement) ||
  ts.isTypeAliasDeclaration(statement) ||
  hasModifier(statement, ts.SyntaxKind.DeclareKeyword)

export function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => boundNames(name).map((id) => id.text))
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) return statement.name ? [statement.name.text] : []
  if (ts.isEnumDeclaration(statement)) return [statement.name.text]
  return ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name) ? [statement.name.text] : []
}

/** Imported names of the DSL, and all that is made with them. */
function dslNames(source: ts.SourceFile, parts: readonly Part[], dslSpecifiers: ReadonlySet<string>): Set<string> {
  const names = new Set<string>()
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) || !dslSpecifiers.has((statement.moduleSpecifier as ts.StringLiteral).text)) continue
    const { importClause: clause } = statement
    if (clause?.name) names.add(clause.name.text)
    const bindings = clause?.namedBindings
    if (bindings && ts.isNamespaceImport(bindings)) names.add(bindings.name.text)
    else for (const element of bindings?.elements ?? []) names.add(element.name.text)
  }
  for (let grown = true; grown; ) {
    grown = false
    for (const { mentions, declares } of parts) {
      if (![...mentions].some((name) => names.has(name))) continue
      for (const name of declares) {
        if (names.has(name)) continue
        names.add(name)
        grown = true
      }
    }
  }
  return names
}

/** Whether running a statement can be noticed. Functions are not run by being declared. */
function acts(statement: ts.Statement, gone: Gone): boolean {
  if (
    ts.isFunctionDeclaration(statement) ||
    isTypeOnly(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isEmptyStatement(statement)
  )
    return false
  if (ts.isVariableStatement(statement) || ts.isClassDeclaration(statement) || ts.isExportAssignment(statement))
    return actsWithin(statement, gone)
  return true
}

function actsWithin(root: ts.Node, gone: Gone): boolean {
  const visit = (node: ts.Node): boolean => {
    if (gone(node) || ts.isFunctionLike(node) || (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node))) return false
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && !isHarmless(node.expression)) return true
    if (ts.isAwaitExpression(node) || ts.isTaggedTemplateExpression(node) || ts.isDeleteExpression(node) || ts.isDecorator(node))
      return true
    if (ts.isClassStaticBlockDeclaration(node)) return true
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      node.operatorToken.kind <= ts.SyntaxKind.LastAssignment
    )
      return true
    return ts.forEachChild(node, (child) => visit(child) || undefined) ?? false
  }
  return visit(root)
}

/** Built-ins that only compute, and methods of array and text literals. */
function isHarmless(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text !== 'console' && globalValue(callee.text) !== undefined
  if (ts.isPropertyAccessExpression(callee)) return isHarmless(callee.expression)
  return ts.isArrayLiteralExpression(callee) || ts.isStringLiteralLike(callee)
}

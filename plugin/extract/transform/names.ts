import { declaresName, type Scope, scopeWithin } from '../evaluate/scope.ts'
import { ts } from '../syntax.ts'

/** Ranges of the source that will not be there any more. */
export type Gone = (node: ts.Node) => boolean

/** Names that code reads or writes and does not declare itself. Types are no code. */
export function freeNames(root: ts.Node, gone: Gone): Set<string> {
  const free = new Set<string>()
  const visit = (node: ts.Node, scope: Scope | undefined): void => {
    if (gone(node)) return
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return
    if (ts.isIdentifier(node)) {
      if (isMention(node) && !declaresName(scope, node.text)) free.add(node.text)
      return
    }
    ts.forEachChild(node, (child) => visit(child, scopeWithin(node, scope)))
  }
  visit(root, undefined)
  return free
}

/** Whether an identifier stands for a variable: not the name of a property, a label, or what a declaration declares. */
function isMention(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent) || ts.isEnumMember(parent))
    return parent.initializer === node
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent))
    return parent.initializer === node
  if (ts.isExportSpecifier(parent))
    return !parent.parent.parent.moduleSpecifier && !parent.isTypeOnly && (parent.propertyName ?? parent.name) === node
  if (ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent) || ts.isNamespaceExport(parent))
    return false
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isMetaProperty(parent)) return false
  const declares =
    (ts.isFunctionLike(parent) || ts.isClassLike(parent) || ts.isEnumDeclaration(parent) || ts.isModuleDeclaration(parent)) &&
    parent.name === node
  return !declares
}

/** Names of which a statement may change the value: assigned, or handed to a call or a method as what it works on. */
export function changedNames(root: ts.Node, gone: Gone): Set<string> {
  const changed = new Set<string>()
  const target = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) changed.add(node.text)
    else if (
      ts.isPropertyAccessExpression(node) ||
      ts.isElementAccessExpression(node) ||
      ts.isNonNullExpression(node) ||
      ts.isParenthesizedExpression(node)
    )
      target(node.expression)
    else if (ts.isArrayLiteralExpression(node)) node.elements.forEach(target)
    else if (ts.isSpreadElement(node) || ts.isSpreadAssignment(node)) target(node.expression)
    else if (ts.isObjectLiteralExpression(node)) node.properties.forEach(target)
    else if (ts.isPropertyAssignment(node)) target(node.initializer)
    else if (ts.isShorthandPropertyAssignment(node)) target(node.name)
    else if (ts.isBinaryExpression(node)) target(node.left)
  }
  const visit = (node: ts.Node): void => {
    if (gone(node)) return
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      node.operatorToken.kind <= ts.SyntaxKind.LastAssignment
    )
      target(node.left)
    if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) target(node.operand)
    if (ts.isDeleteExpression(node)) target(node.expression)
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      if (ts.isPropertyAccessExpression(node.expression) || ts.isElementAccessExpression(node.expression))
        target(node.expression.expression)
      for (const argument of node.arguments ?? []) target(argument)
    }
    ts.forEachChild(node, visit)
  }
  visit(root)
  return changed
}

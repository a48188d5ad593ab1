import { createDiagnostic } from '../../../compiler/diagnostics/diagnostic.ts'
import { readImportQuietly } from '../modules/link.ts'
import { type Session, spanOf } from '../session.ts'
import { ts } from '../syntax.ts'
import {
  Accessor,
  ArrayValue,
  BuiltinFunction,
  HostValue,
  isObject,
  MapValue,
  ObjectValue,
  SetValue,
  Unknown,
  UrlValue,
  type Value,
} from '../values/value.ts'
import { Closure } from './functions.ts'
import { declaresName, type Frame, frameAt, resolveName, type Scope, scopeWithin, uninitialised } from './scope.ts'

/**
 * What code may have done that was not followed: because a condition is unknown, or because it belongs to Node or to a package that
 * cannot be read. Whatever such code could have changed becomes unknown too, so that no model is built on a stale value. What is
 * only read stays known.
 */

/** `value` was handed to code that cannot be read, or to a built-in that could not finish: it and all it holds may have changed. */
export function escape(session: Session, value: Value, node: ts.Node, cause?: Unknown): void {
  if (isObject(value)) spread(session, value, taintOf(session, node, cause), new Set())
}

function taintOf(session: Session, node: ts.Node, cause: Unknown | undefined): Unknown {
  const diagnostic = createDiagnostic(
    'changed-by-unknown',
    'this object may have been changed here, by code that the build cannot read',
    {
      span: spanOf(session, node),
      notes: cause ? [{ message: cause.diagnostic.message, ...(cause.diagnostic.span && { span: cause.diagnostic.span }) }] : [],
    },
  )
  const taint = new Unknown(diagnostic)
  taint.reported = cause?.reported ?? false
  return taint
}

function spread(session: Session, value: Value, taint: Unknown, visited: Set<object>): void {
  if (
    !isObject(value) ||
    visited.has(value) ||
    value instanceof HostValue ||
    value instanceof UrlValue ||
    value instanceof BuiltinFunction
  )
    return
  visited.add(value)
  session.budget.spend(1)
  if (value instanceof Closure) {
    visit(session, value.syntax, value.scope, value.frame, taint, visited)
    return
  }
  for (const property of value.properties.values()) {
    if (property instanceof Accessor) {
      for (const half of [property.get, property.set]) spread(session, half, taint, visited)
      // A property of `import * as` stands for the variable that it reads.
      if (property.get instanceof BuiltinFunction) spread(session, property.get.invoke(session, undefined, []), taint, visited)
    } else spread(session, property, taint, visited)
  }
  if (value instanceof ArrayValue) for (const item of value.items) spread(session, item, taint, visited)
  if (value instanceof MapValue)
    for (const [key, item] of value.entries) for (const part of [key, item]) spread(session, part, taint, visited)
  if (value instanceof SetValue) for (const item of value.members) spread(session, item, taint, visited)
  spread(session, value.prototype, taint, visited)
  if (!value.frozen) value.taint ??= taint
}

/** The code of `node` may have run, or not, or in part. `scope` and `frame` are where it stands. */
export function taintNode(session: Session, node: ts.Node, scope: Scope, frame: Frame, cause: Unknown): void {
  visit(session, node, scope, frame, cause, new Set())
}

function visit(session: Session, root: ts.Node, scope: Scope, frame: Frame, cause: Unknown, visited: Set<object>): void {
  if (visited.has(root)) return
  visited.add(root)
  const walk = (node: ts.Node, inner: Scope | undefined): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return
    session.budget.spend(1)
    if (node.kind === ts.SyntaxKind.ThisKeyword) {
      const { self } = frame.activation
      if (self !== uninitialised && isObject(self) && !isOnlyRead(node, self))
        spread(session, self, taintOf(session, node, cause), visited)
    } else if (ts.isIdentifier(node)) {
      if (!declaresName(inner, node.text)) taintMention(node)
    } else ts.forEachChild(node, (child) => walk(child, scopeWithin(node, inner)))
  }
  const taintMention = (node: ts.Identifier): void => {
    if (!isReference(node)) return
    const found = resolveName(scope, node.text)
    if (!found) return
    const holder = frameAt(frame, found.hops)
    const { slot, kind } = found.binding
    if (isAssigned(node)) {
      if (kind !== 'const' && kind !== 'import' && kind !== 'enum') holder.slots[slot] = cause
      return
    }
    const value = kind === 'import' ? readImportQuietly(session, node.text, holder) : holder.slots[slot]
    if (value === uninitialised || !isObject(value as Value)) return
    if (!(value instanceof Closure) && isOnlyRead(node, value as Value)) return
    spread(session, value as Value, value instanceof Closure ? cause : taintOf(session, node, cause), visited)
  }
  walk(root, undefined)
}

/** Whether an identifier stands for a variable, and not for the name of a property, a label or something declared. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isBindingElement(parent)) return parent.initializer === node || (parent.name === node && isVarName(parent))
  if (ts.isVariableDeclaration(parent)) return parent.initializer === node || isVarName(parent)
  if (ts.isParameter(parent) || ts.isPropertyDeclaration(parent) || ts.isEnumMember(parent)) return parent.initializer === node
  if (
    ts.isLabeledStatement(parent) ||
    ts.isBreakOrContinueStatement(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isExportSpecifier(parent)
  )
    return false
  return (
    !(ts.isFunctionLike(parent) && parent.name === node && !ts.isArrowFunction(parent)) &&
    !(ts.isClassLike(parent) && parent.name === node)
  )
}

function isVarName(node: ts.BindingElement | ts.VariableDeclaration): boolean {
  let at: ts.Node = node
  while (!ts.isVariableDeclarationList(at)) {
    if (ts.isFunctionLike(at) || ts.isCatchClause(at)) return false
    at = at.parent
  }
  return (at.flags & ts.NodeFlags.BlockScoped) === 0
}

const isWrapper = (node: ts.Node) =>
  ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isNonNullExpression(node) || ts.isSatisfiesExpression(node)

/** Whether a variable or property is the target of an assignment, alone or in a pattern. */
function isAssigned(node: ts.Node): boolean {
  let at = node
  while (true) {
    const { parent } = at
    if (ts.isBinaryExpression(parent) && parent.left === at) {
      const kind = parent.operatorToken.kind
      if (kind < ts.SyntaxKind.FirstAssignment || kind > ts.SyntaxKind.LastAssignment) return false
      return true
    }
    if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
      return parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken
    }
    if (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) return parent.initializer === at
    if (ts.isBindingElement(parent) || ts.isVariableDeclaration(parent)) return parent.name === at
    if (ts.isDeleteExpression(parent)) return true
    const inPattern =
      isWrapper(parent) ||
      ts.isArrayLiteralExpression(parent) ||
      ts.isSpreadElement(parent) ||
      ts.isObjectLiteralExpression(parent) ||
      ts.isShorthandPropertyAssignment(parent) ||
      ts.isSpreadAssignment(parent) ||
      (ts.isPropertyAssignment(parent) && parent.initializer === at)
    if (!inPattern) return false
    at = parent
  }
}

const readingMethods = new Set(
  'at concat entries flat get has hasOwnProperty includes indexOf join keys lastIndexOf slice toReversed toSorted toSpliced toString values with'.split(
    ' ',
  ),
)
const readingCallees =
  /^(console\.\w+|Math\.\w+|JSON\.stringify|Object\.(keys|values|entries)|Array\.(isArray|from)|String|Number|Boolean|structuredClone)$/

/** Whether a mention of an object cannot change it, nor pass it on to what might. */
function isOnlyRead(node: ts.Node, value: Value): boolean {
  let at: ts.Node = node
  let reached: Value | undefined = value
  let name = ''
  while (true) {
    const { parent } = at
    if (ts.isPropertyAccessExpression(parent) && parent.expression === at) {
      if (ts.isCallExpression(parent.parent) && parent.parent.expression === parent) {
        name = parent.name.text
        return (readingMethods.has(name) && !parent.parent.arguments.some(isFunction)) || reached instanceof HostValue
      }
      reached = plainRead(reached, parent.name.text)
    } else if (ts.isElementAccessExpression(parent) && parent.expression === at) {
      const key = parent.argumentExpression
      reached = ts.isStringLiteral(key) || ts.isNumericLiteral(key) ? plainRead(reached, key.text) : undefined
    } else if (!isWrapper(parent)) break
    at = parent
  }
  if (isAssigned(at)) return false
  if (at !== node && reached !== undefined && !isObject(reached)) return true
  if (reached instanceof HostValue || reached instanceof UrlValue) return true
  return isReadingPlace(at)
}

const isFunction = (node: ts.Node) => !ts.isLiteralExpression(node)

function plainRead(value: Value | undefined, name: string): Value | undefined {
  if (!(value instanceof ObjectValue)) return undefined
  if (value instanceof ArrayValue && /^\d+$/.test(name)) return value.items[Number(name)]
  if (value instanceof ArrayValue && name === 'length') return value.items.length
  const property = value.properties.get(name)
  return property instanceof Accessor ? undefined : property
}

/** Conditions, comparisons, texts, and calls that are known to read. */
function isReadingPlace(node: ts.Node): boolean {
  const { parent } = node
  if (ts.isCallExpression(parent)) return parent.expression !== node && readingCallees.test(parent.expression.getText())
  if (
    ts.isTemplateSpan(parent) ||
    ts.isTypeOfExpression(parent) ||
    ts.isExpressionStatement(parent) ||
    ts.isPrefixUnaryExpression(parent)
  )
    return true
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent)) return true
  if (ts.isConditionalExpression(parent)) return parent.condition === node
  if (!ts.isBinaryExpression(parent)) return false
  const kind = parent.operatorToken.kind
  const passesOn: readonly ts.SyntaxKind[] = [
    ts.SyntaxKind.AmpersandAmpersandToken,
    ts.SyntaxKind.BarBarToken,
    ts.SyntaxKind.QuestionQuestionToken,
    ts.SyntaxKind.CommaToken,
  ]
  const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
  return !assigns && !passesOn.includes(kind)
}

/** Whether code may lead somewhere else than behind itself. A `throw` ends the program, so what follows may count on it. */
export function canJumpOut(root: ts.Node): boolean {
  const visitJumps = (node: ts.Node, inLoop: boolean, inSwitch: boolean): boolean => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return false
    if (ts.isReturnStatement(node)) return true
    if (ts.isBreakStatement(node)) return node.label !== undefined || !(inLoop || inSwitch)
    if (ts.isContinueStatement(node)) return node.label !== undefined || !inLoop
    const loop = inLoop || ts.isIterationStatement(node, false)
    const within = inSwitch || ts.isSwitchStatement(node)
    return ts.forEachChild(node, (child) => visitJumps(child, loop, within) || undefined) ?? false
  }
  return visitJumps(root, false, false)
}

import { unknown } from '../session.ts'
import { ts } from '../syntax.ts'
import { isTruthy } from '../values/convert.ts'
import { typeName, Unknown, type Value } from '../values/value.ts'
import { prepareAccess, prepareChainPart, selfOf } from './access.ts'
import { prepareBinary } from './binary.ts'
import { prepareCall, prepareNew, prepareTaggedTemplate } from './calls.ts'
import { prepareClass } from './classes.ts'
import { type Code, type Evaluator, nested } from './code.ts'
import { taintNode } from './effects.ts'
import { makeClosure, prepareFunction } from './functions.ts'
import { prepareArray, prepareObject, prepareTemplate } from './literals.ts'
import { prepareIdentifier } from './names.ts'
import { createScope, declare, Frame } from './scope.ts'
import { prepareDelete } from './targets.ts'
import { prepareStep, prepareUnary } from './unary.ts'

type Prepare<N extends ts.Expression = any> = (node: N, code: Code, name: string | undefined, inChain: boolean) => Evaluator
const K = ts.SyntaxKind

const constant =
  (value: Value): Prepare =>
  () =>
  () =>
    value

const refused =
  (code: Parameters<typeof unknown>[2], message: string): Prepare =>
  (node, { session }) =>
  () =>
    unknown(session, node, code, message)

/** Expressions whose value is that of the expression within. An optional chain goes on through `!` alone. */
const transparent: Prepare<ts.AsExpression | ts.ParenthesizedExpression> = (node, code, name) =>
  prepareExpression(node.expression, code, name)
const assertion: Prepare<ts.NonNullExpression> = (node, code, name, inChain) =>
  (inChain ? prepareChainPart(node.expression, code) : prepareExpression(node.expression, code, name)) as Evaluator

const table = new Map<ts.SyntaxKind, Prepare>([
  [K.NumericLiteral, (node: ts.NumericLiteral) => fixed(Number(node.text))],
  [K.BigIntLiteral, (node: ts.BigIntLiteral) => fixed(BigInt(node.text.replace(/n$/, '')))],
  [K.StringLiteral, (node: ts.StringLiteral) => fixed(node.text)],
  [K.NoSubstitutionTemplateLiteral, (node: ts.NoSubstitutionTemplateLiteral) => fixed(node.text)],
  [K.TrueKeyword, constant(true)],
  [K.FalseKeyword, constant(false)],
  [K.NullKeyword, constant(null)],
  [K.OmittedExpression, constant(undefined)],
  [K.RegularExpressionLiteral, refused('unsupported-regex', 'the build does not evaluate regular expressions')],
  [K.AwaitExpression, prepareAwait as Prepare],
  [K.YieldExpression, refused('unsupported-generator', 'yield needs a running generator')],
  [K.TemplateExpression, prepareTemplate as Prepare],
  [K.TaggedTemplateExpression, prepareTaggedTemplate as Prepare],
  [K.ArrayLiteralExpression, prepareArray as Prepare],
  [K.ObjectLiteralExpression, prepareObject as Prepare],
  [K.Identifier, prepareIdentifier as Prepare],
  [K.ThisKeyword, (node: ts.Expression, code) => selfOf(code, node)],
  [K.PropertyAccessExpression, prepareAccess as Prepare],
  [K.ElementAccessExpression, prepareAccess as Prepare],
  [K.CallExpression, (node, code, _name, inChain) => prepareCall(node, code, inChain)],
  [K.NewExpression, prepareNew as Prepare],
  [K.ParenthesizedExpression, transparent],
  [K.AsExpression, transparent],
  [K.SatisfiesExpression, transparent],
  [K.NonNullExpression, assertion],
  [K.TypeAssertionExpression, transparent],
  [K.ExpressionWithTypeArguments, transparent],
  [K.ArrowFunction, functionExpression as Prepare],
  [K.FunctionExpression, functionExpression as Prepare],
  [K.ClassExpression, (node: ts.ClassExpression, code, name) => prepareClass(node, code, name ?? '')],
  [K.ConditionalExpression, prepareConditional as Prepare],
  [K.BinaryExpression, prepareBinary as Prepare],
  [K.PrefixUnaryExpression, prepareUnary as Prepare],
  [K.PostfixUnaryExpression, (node: ts.PostfixUnaryExpression, code) => prepareStep(node.operand, node.operator, code, false)],
  [K.TypeOfExpression, prepareTypeOf as Prepare],
  [K.VoidExpression, (node: ts.VoidExpression, code) => discarded(prepareExpression(node.expression, code))],
  [K.DeleteExpression, prepareDelete as Prepare],
  [K.MetaProperty, prepareMeta as Prepare],
])

const fixed =
  (value: Value): Evaluator =>
  () =>
    value
const discarded =
  (evaluate: Evaluator): Evaluator =>
  (frame) =>
    void evaluate(frame)

/** The one way from syntax to code. `name` is what an anonymous function or class is called; `inChain` lets an optional chain go on. */
export function prepareExpression(node: ts.Expression, code: Code, name?: string, inChain = false): Evaluator {
  return nested(code, node, () => {
    const prepare = table.get(node.kind)
    if (prepare) return prepare(node, code, name, inChain)
    const what = ts.SyntaxKind[node.kind]
    return () => unknown(code.session, node, 'unsupported-syntax', `the build does not read this kind of expression (${what})`)
  })
}

/** What is awaited is evaluated, for what it does; why it is unknown is told rather than that it is awaited. */
function prepareAwait(node: ts.AwaitExpression, code: Code): Evaluator {
  const operand = prepareExpression(node.expression, code)
  return (frame) => {
    const value = operand(frame)
    return value instanceof Unknown ? value : unknown(code.session, node, 'unsupported-async', 'await needs a running program')
  }
}

function functionExpression(node: ts.ArrowFunction | ts.FunctionExpression, code: Code, name = ''): Evaluator {
  if (ts.isArrowFunction(node) || !node.name) {
    const prepared = prepareFunction(node, code, name)
    return (frame) => makeClosure(prepared, frame)
  }
  const own = node.name.text
  const scope = createScope(code.scope)
  const { slot } = declare(scope, own, 'const', node.name)
  const prepared = prepareFunction(node, { ...code, scope }, own)
  return (frame) => {
    const around = new Frame(1, frame, frame.activation)
    const closure = makeClosure(prepared, around)
    around.slots[slot] = closure
    return closure
  }
}

function prepareConditional(node: ts.ConditionalExpression, code: Code, name: string | undefined): Evaluator {
  const { session } = code
  const condition = prepareExpression(node.condition, code)
  const whenTrue = prepareExpression(node.whenTrue, code, name)
  const whenFalse = prepareExpression(node.whenFalse, code, name)
  return (frame) => {
    const value = condition(frame)
    if (value instanceof Unknown) {
      taintNode(session, node.whenTrue, code.scope, frame, value)
      taintNode(session, node.whenFalse, code.scope, frame, value)
      return value
    }
    return isTruthy(session, value) ? whenTrue(frame) : whenFalse(frame)
  }
}

function prepareTypeOf(node: ts.TypeOfExpression, code: Code): Evaluator {
  const operand = prepareExpression(node.expression, code)
  return (frame) => {
    const value = operand(frame)
    if (value instanceof Unknown) return value.diagnostic.code === 'undefined-name' ? 'undefined' : value
    return typeName(value)
  }
}

function prepareMeta(node: ts.MetaProperty, code: Code): Evaluator {
  if (node.keywordToken === K.ImportKeyword) return () => code.module.meta
  return () => unknown(code.session, node, 'unsupported-syntax', 'the build does not read new.target')
}

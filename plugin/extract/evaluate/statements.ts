import { abandon, unknown } from '../session.ts'
import { boundNames, hasModifier, ts } from '../syntax.ts'
import type { Value } from '../values/value.ts'
import { prepareIf, prepareSwitch } from './branches.ts'
import { prepareClass } from './classes.ts'
import { type Code, inScope, type Jump, nested, type Runner } from './code.ts'
import { taintNode } from './effects.ts'
import { prepareEnum } from './enums.ts'
import { prepareThrow, prepareTry } from './exceptions.ts'
import { prepareExpression } from './expressions.ts'
import { makeClosure, prepareFunction } from './functions.ts'
import { prepareDo, prepareFor, prepareForIn, prepareForOf, prepareWhile } from './loops.ts'
import { prepareBinding, prepareNamed } from './patterns.ts'
import { createScope, declareBlock, Frame, functionName, type Scope } from './scope.ts'

type Prepare<N extends ts.Statement = any> = (node: N, code: Code) => Runner
const K = ts.SyntaxKind
const nothing: Runner = () => undefined

const table = new Map<ts.SyntaxKind, Prepare>([
  [
    K.VariableStatement,
    (node: ts.VariableStatement, code) => (isDeclared(node) ? nothing : prepareVariables(node.declarationList, code)),
  ],
  [K.ExpressionStatement, prepareExpressionStatement as Prepare],
  [K.Block, (node: ts.Block, code) => prepareBlock(node.statements, code)],
  [K.IfStatement, prepareIf as Prepare],
  [K.ReturnStatement, prepareReturn as Prepare],
  [K.ForStatement, prepareFor as Prepare],
  [K.ForOfStatement, prepareForOf as Prepare],
  [K.ForInStatement, prepareForIn as Prepare],
  [K.WhileStatement, prepareWhile as Prepare],
  [K.DoStatement, prepareDo as Prepare],
  [K.SwitchStatement, prepareSwitch as Prepare],
  [K.ThrowStatement, prepareThrow as Prepare],
  [K.TryStatement, prepareTry as Prepare],
  [K.LabeledStatement, prepareLabeled as Prepare],
  [K.BreakStatement, (node: ts.BreakStatement) => fixedJump({ kind: 'break', label: node.label?.text })],
  [K.ContinueStatement, (node: ts.ContinueStatement) => fixedJump({ kind: 'continue', label: node.label?.text })],
  [K.ClassDeclaration, prepareClassDeclaration as Prepare],
  [K.EnumDeclaration, (node: ts.EnumDeclaration, code) => (isDeclared(node) ? nothing : prepareEnum(node, code))],
  [K.ModuleDeclaration, prepareNamespace as Prepare],
  [K.ExportAssignment, prepareExportDefault as Prepare],
  [K.FunctionDeclaration, () => nothing],
  [K.EmptyStatement, () => nothing],
  [K.DebuggerStatement, () => nothing],
  [K.InterfaceDeclaration, () => nothing],
  [K.TypeAliasDeclaration, () => nothing],
  [K.ImportDeclaration, () => nothing],
  [K.ImportEqualsDeclaration, () => nothing],
  [K.ExportDeclaration, () => nothing],
])

const isDeclared = (node: ts.Node) => hasModifier(node, K.DeclareKeyword)
const fixedJump =
  (jump: Jump): Runner =>
  () =>
    jump

/** Host frames of a statement: that of its list, that of a block around the list, and its own. */
const framesOfStatement = 3

/** The one way from a statement to code. */
export function prepareStatement(node: ts.Statement, code: Code): Runner {
  const prepare = table.get(node.kind)
  if (prepare) return nested(code, node, () => prepare(node, code), framesOfStatement)
  return (frame) => {
    const cause = unknown(
      code.session,
      node,
      'unsupported-syntax',
      `the build does not read this kind of statement (${K[node.kind]})`,
    )
    taintNode(code.session, node, code.scope, frame, cause)
    return abandon(code.session, cause, node, 'it is reached here')
  }
}

/** Statements of one scope that is already declared; its functions come first. */
export function prepareStatements(statements: readonly ts.Statement[], code: Code): Runner {
  const { session, unit } = code
  const hoist = prepareHoisted(statements, code)
  const nodes: ts.Statement[] = []
  const runners: Runner[] = []
  const costs: number[] = []
  for (const statement of statements) {
    const before = unit.nodes
    const run = prepareStatement(statement, code)
    if (run === nothing) continue
    nodes.push(statement)
    runners.push(run)
    costs.push(unit.nodes - before + 1)
    unit.nodes = before
  }
  const { length } = runners
  return (frame) => {
    hoist?.(frame)
    for (let i = 0; i < length; i++) {
      session.at = nodes[i]!
      session.budget.spend(costs[i]!)
      const jump = runners[i]!(frame)
      if (jump) return jump
    }
    return undefined
  }
}

/** Function declarations are there from the start of their scope. */
export function prepareHoisted(statements: readonly ts.Statement[], code: Code): ((frame: Frame) => void) | undefined {
  const functions = statements.flatMap((statement) => {
    const inner = ts.isLabeledStatement(statement) ? statement.statement : statement
    if (!ts.isFunctionDeclaration(inner) || !inner.body || isDeclared(inner)) return []
    const name = functionName(inner)
    return [{ slot: code.scope.names.get(name)!.slot, code: prepareFunction(inner, code, name) }]
  })
  if (functions.length === 0) return undefined
  return (frame) => {
    for (const { slot, code: prepared } of functions) frame.slots[slot] = makeClosure(prepared, frame)
  }
}

/** `{ … }`, with a frame of its own when something is declared in it. */
export function prepareBlock(statements: readonly ts.Statement[], code: Code): Runner {
  const scope = createScope(code.scope)
  declareBlock(scope, statements)
  if (scope.names.size === 0) return prepareStatements(statements, { ...code, labels: [] })
  const run = prepareStatements(statements, inScope(code, scope))
  const size = scope.names.size
  return (frame) => run(new Frame(size, frame, frame.activation))
}

/** The body of a loop or a branch. */
export const prepareBranch = (node: ts.Statement, code: Code): Runner =>
  ts.isBlock(node) ? prepareBlock(node.statements, code) : prepareBlock([node], code)

function prepareExpressionStatement(node: ts.ExpressionStatement, code: Code): Runner {
  const evaluate = prepareExpression(node.expression, code)
  return (frame) => void evaluate(frame)
}

/** `const a = 1, { b } = c` */
export function prepareVariables(list: ts.VariableDeclarationList, code: Code): Runner {
  const { session } = code
  const isVar = (list.flags & ts.NodeFlags.BlockScoped) === 0
  const kind = list.flags & ts.NodeFlags.BlockScoped
  if (kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing) {
    return (frame) => {
      const cause = unknown(session, list, 'unsupported-syntax', 'the build does not read using declarations')
      taintNode(session, list, code.scope, frame, cause)
      for (const { name } of list.declarations) prepareBinding(name, undefined, code)(frame, cause)
      return undefined
    }
  }
  const declarations = list.declarations.flatMap((declaration) => {
    if (!declaration.initializer && isVar) return []
    const assign = isVar ? prepareVarTarget(declaration.name, code) : prepareBinding(declaration.name, undefined, code)
    const initial = declaration.initializer && prepareNamed(declaration.initializer, code, declaration.name)
    return [{ assign, initial }]
  })
  return (frame) => {
    for (const { assign, initial } of declarations) assign(frame, initial?.(frame))
    return undefined
  }
}

/** `var` belongs to the function, wherever it stands. */
function prepareVarTarget(name: ts.BindingName, code: Code): (frame: Frame, value: Value) => void {
  let scope: Scope | undefined = code.scope
  let hops = 0
  const [first] = boundNames(name)
  while (scope && first && scope.names.get(first.text)?.kind !== 'var' && !(scope.names.get(first.text)?.kind === 'parameter')) {
    scope = scope.parent
    hops++
  }
  if (!scope) return () => undefined
  const assign = prepareBinding(name, undefined, { ...code, scope })
  return (frame, value) => {
    let at = frame
    for (let i = 0; i < hops; i++) at = at.parent!
    assign(at, value)
  }
}

function prepareReturn(node: ts.ReturnStatement, code: Code): Runner {
  if (!node.expression) return fixedJump({ kind: 'return', value: undefined })
  const evaluate = prepareExpression(node.expression, code)
  return (frame) => ({ kind: 'return', value: evaluate(frame) })
}

function prepareLabeled(node: ts.LabeledStatement, code: Code): Runner {
  const label = node.label.text
  const run = prepareLabelled(node.statement, { ...code, labels: [...code.labels, label] })
  return (frame) => {
    const jump = run(frame)
    return jump?.kind === 'break' && jump.label === label ? undefined : jump
  }
}

const prepareLabelled = (node: ts.Statement, code: Code): Runner =>
  ts.isBlock(node) ? prepareBlock(node.statements, code) : prepareStatement(node, code)

function prepareClassDeclaration(node: ts.ClassDeclaration, code: Code): Runner {
  if (isDeclared(node)) return nothing
  const name = node.name?.text ?? 'default'
  const { slot } = code.scope.names.get(name)!
  const evaluate = prepareClass(node, code, name)
  return (frame) => {
    frame.slots[slot] = evaluate(frame)
    return undefined
  }
}

/** `namespace N { … }` is outside the subset; one that holds only types has no code. */
function prepareNamespace(node: ts.ModuleDeclaration, code: Code): Runner {
  if (isDeclared(node) || !ts.isIdentifier(node.name)) return nothing
  const { name } = node
  const { slot } = code.scope.names.get(name.text)!
  const { session } = code
  return (frame) => {
    const cause = unknown(session, name, 'unsupported-namespace', `the build does not read namespaces, such as ${name.text}`)
    taintNode(session, node, code.scope, frame, cause)
    frame.slots[slot] = cause
    return undefined
  }
}

/** `export default expression` */
function prepareExportDefault(node: ts.ExportAssignment, code: Code): Runner {
  const binding = code.scope.names.get('default')
  if (node.isExportEquals || !binding) return nothing
  const evaluate = prepareExpression(node.expression, code, 'default')
  return (frame) => {
    frame.slots[binding.slot] = evaluate(frame)
    return undefined
  }
}

import { boundNames, hasModifier, ts } from '../syntax.ts'
import type { ObjectValue, Value } from '../values/value.ts'
import type { Closure } from './functions.ts'

/**
 * Names are resolved once, when code is prepared: a scope of the syntax says which slot of which frame a name means. At run time a
 * frame holds the values; every scope has its own frame, so closures keep what they saw.
 */
export type BindingKind = 'let' | 'const' | 'var' | 'function' | 'class' | 'parameter' | 'enum' | 'import' | 'private'

export interface Binding {
  readonly slot: number
  readonly kind: BindingKind
  readonly node: ts.Node
}

export interface Scope {
  readonly names: Map<string, Binding>
  readonly parent: Scope | undefined
}

export const uninitialised: unique symbol = Symbol('uninitialised')
export type Slot = Value | typeof uninitialised | object

/** What `this`, `super` and `new.target` mean in a function; arrow functions share their surroundings'. */
export interface Activation {
  self: Value | typeof uninitialised
  /** The object on whose prototype `super.x` is looked up. */
  readonly home: ObjectValue | undefined
  /** In a constructor: its class, the class that `new` was applied to, and the call. */
  readonly construction: Construction | undefined
}

export interface Construction {
  readonly constructor: Closure
  readonly target: Closure
}

export class Frame {
  readonly slots: Slot[]
  readonly parent: Frame | undefined
  readonly activation: Activation
  constructor(size: number, parent: Frame | undefined, activation: Activation) {
    this.slots = new Array<Slot>(size).fill(uninitialised)
    this.parent = parent
    this.activation = activation
  }
}

export const createScope = (parent: Scope | undefined): Scope => ({ names: new Map(), parent })

/** Later declarations of a name that is already there (`var` twice, overloads, merged enums) share its slot. */
export function declare(scope: Scope, name: string, kind: BindingKind, node: ts.Node): Binding {
  const known = scope.names.get(name)
  if (known) return known
  const binding: Binding = { slot: scope.names.size, kind, node }
  scope.names.set(name, binding)
  return binding
}

export interface Resolved {
  readonly hops: number
  readonly binding: Binding
}

export function resolveName(scope: Scope, name: string): Resolved | undefined {
  let hops = 0
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const binding = at.names.get(name)
    if (binding) return { hops, binding }
    hops++
  }
  return undefined
}

export function frameAt(frame: Frame, hops: number): Frame {
  let at = frame
  for (let i = 0; i < hops; i++) at = at.parent!
  return at
}

/** Declares what belongs to a block: everything but `var`. */
export function declareBlock(scope: Scope, statements: readonly ts.Statement[]): void {
  for (const statement of statements) {
    if (hasModifier(statement, ts.SyntaxKind.DeclareKeyword)) continue
    if (ts.isVariableStatement(statement)) declareVariables(scope, statement.declarationList, false)
    else if (ts.isFunctionDeclaration(statement) && statement.body) declare(scope, functionName(statement), 'function', statement)
    else if (ts.isClassDeclaration(statement)) declare(scope, statement.name?.text ?? 'default', 'class', statement)
    else if (ts.isEnumDeclaration(statement)) declare(scope, statement.name.text, 'enum', statement)
    else if (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name))
      declare(scope, statement.name.text, 'const', statement)
    else if (ts.isLabeledStatement(statement)) declareBlock(scope, [statement.statement])
  }
}

export const functionName = (node: ts.FunctionDeclaration): string => node.name?.text ?? 'default'

const isVar = (list: ts.VariableDeclarationList) => (list.flags & ts.NodeFlags.BlockScoped) === 0

/** Declares the names of one `let`, `const` or `var` list; `var` only when asked. */
export function declareVariables(scope: Scope, list: ts.VariableDeclarationList, vars: boolean): void {
  if (isVar(list) !== vars) return
  const kind = vars ? 'var' : list.flags & ts.NodeFlags.Const ? 'const' : 'let'
  for (const declaration of list.declarations) {
    for (const name of boundNames(declaration.name)) declare(scope, name.text, kind, name)
  }
}

/** Declares the `var`s anywhere in a function's body, but not in functions within it. */
export function declareVars(scope: Scope, root: ts.Node): void {
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return
    if (ts.isVariableDeclarationList(node)) declareVariables(scope, node, true)
    if (ts.isExpression(node)) return
    ts.forEachChild(node, visit)
  }
  visit(root)
}

/** `var`s start as undefined. */
export function initialiseVars(scope: Scope, frame: Frame): void {
  for (const { kind, slot } of scope.names.values())
    if (kind === 'var' && frame.slots[slot] === uninitialised) frame.slots[slot] = undefined
}

/** Whether a name is declared in a scope or around it. */
export function declaresName(scope: Scope | undefined, name: string): boolean {
  for (let at = scope; at; at = at.parent) if (at.names.has(name)) return true
  return false
}

/** A scope with the names that a node declares for what stands in it, for code that looks at syntax and does not run it. */
export function scopeWithin(node: ts.Node, outer: Scope | undefined): Scope | undefined {
  const scope = createScope(outer)
  const add = (name: ts.BindingName) => boundNames(name).forEach((id) => void declare(scope, id.text, 'let', id))
  if (ts.isFunctionLike(node)) {
    if (ts.isFunctionExpression(node) && node.name) add(node.name)
    for (const parameter of node.parameters) add(parameter.name as ts.BindingName)
    if ('body' in node && node.body) declareVars(scope, node.body as ts.Node)
  } else if (ts.isBlock(node) || ts.isModuleBlock(node)) declareBlock(scope, node.statements)
  else if (ts.isCaseBlock(node)) for (const clause of node.clauses) declareBlock(scope, clause.statements)
  else if (ts.isCatchClause(node) && node.variableDeclaration) add(node.variableDeclaration.name)
  else if (ts.isClassExpression(node) && node.name) add(node.name)
  else if (
    (ts.isForStatement(node) || ts.isForOfStatement(node) || ts.isForInStatement(node)) &&
    node.initializer &&
    ts.isVariableDeclarationList(node.initializer)
  ) {
    for (const { name } of node.initializer.declarations) add(name)
  }
  return scope.names.size > 0 ? scope : outer
}

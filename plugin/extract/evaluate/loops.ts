import { unknown } from '../session.ts'
import { ts } from '../syntax.ts'
import { isTruthy } from '../values/convert.ts'
import { iterate } from '../values/iterate.ts'
import { hasOwn, ownNames } from '../values/property.ts'
import { isNullish, isObject, type ObjectValue, Unknown, type Value } from '../values/value.ts'
import { skip } from './branches.ts'
import { type Assigner, type Code, inScope, type Jump, type Runner } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { prepareBinding } from './patterns.ts'
import { createScope, declareVariables, Frame, type Scope } from './scope.ts'
import { prepareBranch, prepareVariables } from './statements.ts'
import { prepareTarget } from './targets.ts'

const goOn: unique symbol = Symbol('go on')

/** What a jump out of a loop's body means for the loop: next turn, or leave with this. */
const afterBody = (jump: Jump | undefined, labels: readonly string[]): Jump | undefined | typeof goOn => {
  if (!jump) return goOn
  const own = jump.label === undefined || labels.includes(jump.label)
  if (jump.kind === 'continue' && own) return goOn
  return jump.kind === 'break' && jump.label === undefined ? undefined : jump
}

/** The cost of one turn: the nodes of the parts that `prepare` prepares. */
function measured<T>(code: Code, prepare: () => T): { cost: number; parts: T } {
  const before = code.unit.nodes
  const parts = prepare()
  const cost = code.unit.nodes - before + 1
  code.unit.nodes = before
  return { cost, parts }
}

export function prepareWhile(node: ts.WhileStatement, code: Code): Runner {
  const { session, labels } = code
  const { cost, parts } = measured(code, () => ({
    condition: prepareExpression(node.expression, code),
    body: prepareBranch(node.statement, code),
  }))
  const { condition, body } = parts
  return (frame) => {
    while (true) {
      session.budget.spend(cost)
      const value = condition(frame)
      if (value instanceof Unknown) return skip(session, node, code, frame, value)
      if (!isTruthy(session, value)) return undefined
      const after = afterBody(body(frame), labels)
      if (after !== goOn) return after
    }
  }
}

export function prepareDo(node: ts.DoStatement, code: Code): Runner {
  const { session, labels } = code
  const { cost, parts } = measured(code, () => ({
    condition: prepareExpression(node.expression, code),
    body: prepareBranch(node.statement, code),
  }))
  const { condition, body } = parts
  return (frame) => {
    while (true) {
      session.budget.spend(cost)
      const after = afterBody(body(frame), labels)
      if (after !== goOn) return after
      const value = condition(frame)
      if (value instanceof Unknown) return skip(session, node, code, frame, value)
      if (!isTruthy(session, value)) return undefined
    }
  }
}

export function prepareFor(node: ts.ForStatement, outer: Code): Runner {
  const { session, labels } = outer
  const scope = createScope(outer.scope)
  const { initializer } = node
  const list = initializer && ts.isVariableDeclarationList(initializer) ? initializer : undefined
  if (list) declareVariables(scope, list, false)
  const code = inScope(outer, scope)
  const begin = list
    ? prepareVariables(list, code)
    : initializer
      ? prepareExpression(initializer as ts.Expression, code)
      : undefined
  const { cost, parts } = measured(code, () => ({
    condition: node.condition && prepareExpression(node.condition, code),
    step: node.incrementor && prepareExpression(node.incrementor, code),
    body: prepareBranch(node.statement, code),
  }))
  const { condition, step, body } = parts
  // Each turn has variables of its own, which only a closure can tell.
  const renews = scope.names.size > 0 && holdsFunction(node)
  return (around) => {
    let frame = new Frame(scope.names.size, around, around.activation)
    begin?.(frame)
    while (true) {
      session.budget.spend(cost)
      if (condition) {
        const value = condition(frame)
        if (value instanceof Unknown) return skip(session, node, code, frame, value)
        if (!isTruthy(session, value)) return undefined
      }
      const after = afterBody(body(frame), labels)
      if (after !== goOn) return after
      if (renews) frame = renewed(frame)
      step?.(frame)
    }
  }
}

function renewed(frame: Frame): Frame {
  const next = new Frame(frame.slots.length, frame.parent, frame.activation)
  for (const [slot, value] of frame.slots.entries()) next.slots[slot] = value
  return next
}

function holdsFunction(node: ts.Node): boolean {
  return ts.isFunctionLike(node) || ts.isClassLike(node) || (ts.forEachChild(node, holdsFunction) ?? false)
}

/** The variable of `for (const x of …)`, or the place of `for (x.y of …)`. */
function prepareHead(node: ts.ForOfStatement | ts.ForInStatement, outer: Code): { scope: Scope; code: Code; assign: Assigner } {
  const scope = createScope(outer.scope)
  const code = inScope(outer, scope)
  const { initializer } = node
  if (!ts.isVariableDeclarationList(initializer)) return { scope, code, assign: prepareTarget(initializer, code) }
  declareVariables(scope, initializer, false)
  const { name } = initializer.declarations[0]!
  const isVar = (initializer.flags & ts.NodeFlags.BlockScoped) === 0
  return { scope, code, assign: isVar ? prepareVarHead(name, code) : prepareBinding(name, undefined, code) }
}

/** `for (var x of …)` assigns a variable of the function. */
function prepareVarHead(name: ts.BindingName, code: Code): Assigner {
  if (ts.isIdentifier(name)) return prepareTarget(name, code)
  return () => void unknown(code.session, name, 'unsupported-syntax', 'write const in the head of this loop')
}

function prepareEach(
  node: ts.ForOfStatement | ts.ForInStatement,
  outer: Code,
  elementsOf: (value: Value) => Iterable<Value> | Unknown,
): Runner {
  const { session, labels } = outer
  const { scope, code, assign } = prepareHead(node, outer)
  const source = prepareExpression(node.expression, code)
  const { cost, parts: body } = measured(code, () => prepareBranch(node.statement, code))
  return (around) => {
    const value = source(new Frame(scope.names.size, around, around.activation))
    const elements = value instanceof Unknown ? value : elementsOf(value)
    if (elements instanceof Unknown) return skip(session, node, outer, around, elements)
    for (const element of elements) {
      session.budget.spend(cost)
      const frame = new Frame(scope.names.size, around, around.activation)
      assign(frame, element)
      const after = afterBody(body(frame), labels)
      if (after !== goOn) return after
    }
    return undefined
  }
}

export function prepareForOf(node: ts.ForOfStatement, code: Code): Runner {
  const { session } = code
  if (node.awaitModifier) {
    return (frame) =>
      skip(
        session,
        node,
        code,
        frame,
        unknown(session, node.awaitModifier!, 'unsupported-async', 'for await needs a running program'),
      )
  }
  return prepareEach(node, code, (value) => iterate(session, value, node.expression))
}

export function prepareForIn(node: ts.ForInStatement, code: Code): Runner {
  const { session } = code
  return prepareEach(node, code, (value) => {
    if (isNullish(value)) return []
    if (typeof value === 'string') return Object.keys(value)
    if (!isObject(value)) return []
    session.budget.spend(value.properties.size)
    return value.taint ?? inheritedNames(value)
  })
}

/** Own and inherited names, each once; one that was deleted meanwhile is left out. */
function* inheritedNames(value: ObjectValue): Generator<string> {
  const seen = new Set<string>()
  for (let holder: ObjectValue | undefined = value; holder; holder = holder.prototype) {
    for (const name of ownNames(holder)) {
      if (!seen.has(name) && hasOwn(holder, name)) yield name
      seen.add(name)
    }
    for (const name of holder.hidden ?? []) seen.add(name)
  }
}

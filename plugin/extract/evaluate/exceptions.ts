import { abandon, diagnosticAt, Thrown, throwCost } from '../session.ts'
import { boundNames, type ts } from '../syntax.ts'
import { describeError } from '../values/describe.ts'
import { Unknown, type Value } from '../values/value.ts'
import { type Code, inScope, type Jump, type Runner } from './code.ts'
import { prepareExpression } from './expressions.ts'
import { prepareBinding } from './patterns.ts'
import { createScope, declare, Frame } from './scope.ts'
import { prepareBlock } from './statements.ts'

/** `throw …` */
export function prepareThrow(node: ts.ThrowStatement, code: Code): Runner {
  const { session } = code
  const evaluate = prepareExpression(node.expression, code)
  return (frame) => {
    const value = evaluate(frame)
    if (value instanceof Unknown) return abandon(session, value, node, 'it is thrown here')
    const known = causes.get(value as object)
    session.budget.spend(throwCost)
    throw new Thrown(value, known ?? diagnosticAt(session, node, 'user-throw', describeError(value)))
  }
}

/** What was caught keeps its own diagnostic when it is thrown again. */
const causes = new WeakMap<object, Thrown['diagnostic']>()

/** `try { … } catch (…) { … } finally { … }` */
export function prepareTry(node: ts.TryStatement, code: Code): Runner {
  const { session } = code
  const attempt = prepareBlock(node.tryBlock.statements, code)
  const handler = node.catchClause && prepareCatch(node.catchClause, code)
  const last = node.finallyBlock && prepareBlock(node.finallyBlock.statements, code)
  const protectedRun: Runner = handler
    ? (frame) => {
        const { catchers } = session
        const { length } = session.calls
        const depth = session.budget.depth()
        session.catchers++
        try {
          return attempt(frame)
        } catch (error) {
          if (!(error instanceof Thrown)) throw error
          session.catchers = catchers
          session.calls.length = length
          session.budget.restore(depth)
          if (typeof error.value === 'object' && error.value !== null) causes.set(error.value, error.diagnostic)
          return handler(frame, error.value)
        } finally {
          session.catchers = catchers
        }
      }
    : attempt
  if (!last) return protectedRun
  return (frame) => {
    const { catchers } = session
    let jump: Jump | undefined
    session.catchers++
    try {
      jump = protectedRun(frame)
    } catch (error) {
      session.catchers = catchers
      if (!(error instanceof Thrown)) throw error
      const override = last(frame)
      if (override) return override
      throw error
    }
    session.catchers = catchers
    return last(frame) ?? jump
  }
}

function prepareCatch(clause: ts.CatchClause, code: Code): (frame: Frame, value: Value) => Jump | undefined {
  const { variableDeclaration: variable } = clause
  const scope = createScope(code.scope)
  const names = variable ? boundNames(variable.name) : []
  for (const name of names) declare(scope, name.text, 'let', name)
  const inner = inScope(code, scope)
  const bind = variable && prepareBinding(variable.name, undefined, inner)
  const run = prepareBlock(clause.block.statements, inner)
  return (frame, value) => {
    const caught = new Frame(scope.names.size, frame, frame.activation)
    bind?.(caught, value)
    return run(caught)
  }
}

import { Abandoned, demand, type Session } from '../session.ts'
import { ts } from '../syntax.ts'
import { isTruthy } from '../values/convert.ts'
import { Unknown } from '../values/value.ts'
import { type Code, inScope, type Runner } from './code.ts'
import { canJumpOut, taintNode } from './effects.ts'
import { prepareExpression } from './expressions.ts'
import { createScope, declareBlock, Frame } from './scope.ts'
import { prepareBranch, prepareHoisted, prepareStatements } from './statements.ts'

/** `if (…) … else …` */
export function prepareIf(node: ts.IfStatement, code: Code): Runner {
  const { session } = code
  const condition = prepareExpression(node.expression, code)
  const whenTrue = prepareBranch(node.thenStatement, code)
  const whenFalse = node.elseStatement && prepareBranch(node.elseStatement, code)
  return (frame) => {
    const value = condition(frame)
    if (value instanceof Unknown) return skip(session, node, code, frame, value)
    return isTruthy(session, value) ? whenTrue(frame) : whenFalse?.(frame)
  }
}

/**
 * A statement that hangs on an unknown value is left out: what it may change is unknown from here on. Where it may lead somewhere
 * else, or into a handler, the whole function is given up.
 */
export function skip(session: Session, node: ts.Statement, code: Code, frame: Frame, cause: Unknown): undefined {
  taintNode(session, node, code.scope, frame, cause)
  if (session.building) demand(session, cause, node, 'what happens here depends on it')
  if (session.catchers > 0 || canJumpOut(node)) throw new Abandoned(cause)
  return undefined
}

/** `switch (…) { case …: … }`: one scope for all clauses. */
export function prepareSwitch(node: ts.SwitchStatement, code: Code): Runner {
  const { session } = code
  const subject = prepareExpression(node.expression, code)
  const scope = createScope(code.scope)
  const { clauses } = node.caseBlock
  for (const clause of clauses) declareBlock(scope, clause.statements)
  const inner = inScope(code, scope)
  const hoist = prepareHoisted(
    clauses.flatMap((clause) => [...clause.statements]),
    inner,
  )
  const prepared = clauses.map((clause) => ({
    test: ts.isCaseClause(clause) ? prepareExpression(clause.expression, inner) : undefined,
    run: prepareStatements(clause.statements, inner),
  }))
  const fallback = prepared.findIndex(({ test }) => !test)
  return (outer) => {
    const value = subject(outer)
    if (value instanceof Unknown) return skip(session, node, code, outer, value)
    const frame = new Frame(scope.names.size, outer, outer.activation)
    hoist?.(frame)
    let start = -1
    for (let i = 0; i < prepared.length && start < 0; i++) {
      const test = prepared[i]!.test?.(frame)
      if (test instanceof Unknown) return skip(session, node, code, outer, test)
      if (prepared[i]!.test && test === value) start = i
    }
    if (start < 0) start = fallback
    for (let i = start; i >= 0 && i < prepared.length; i++) {
      const jump = prepared[i]!.run(frame)
      if (jump) return jump.kind === 'break' && jump.label === undefined ? undefined : jump
    }
    return undefined
  }
}

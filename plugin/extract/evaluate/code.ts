import { Exhausted, limits } from '../budget.ts'
import type { ModuleRecord } from '../modules/module.ts'
import { diagnosticAt, type Session } from '../session.ts'
import type { ts } from '../syntax.ts'
import type { Value } from '../values/value.ts'
import type { Frame, Scope } from './scope.ts'

/** Code that is ready to run: preparing resolves names and picks the rule for each syntax node once, not at each evaluation. */
export type Evaluator = (frame: Frame) => Value
/** A statement; answers with where to go on when that is not the next statement. */
export type Runner = (frame: Frame) => Jump | undefined
/** Stores into a variable, a property or a pattern. */
export type Assigner = (frame: Frame, value: Value) => void

export interface Jump {
  readonly kind: 'break' | 'continue' | 'return'
  readonly label?: string | undefined
  readonly value?: Value
}

/** What the code of one function costs and how deep it is nested, measured while it is prepared. */
export interface Unit {
  nodes: number
  level: number
}

/** Where the code being prepared stands. */
export interface Code {
  readonly session: Session
  readonly module: ModuleRecord
  readonly scope: Scope
  readonly unit: Unit
  /** Labels of the statement being prepared, for `continue label`. */
  readonly labels: readonly string[]
}

export const inScope = (code: Code, scope: Scope): Code => ({ ...code, scope, labels: [] })

/** Prepares a node further in, by the host frames that running it takes. */
export function nested<T>(code: Code, node: ts.Node, prepare: () => T, frames = 1): T {
  const { unit } = code
  unit.nodes++
  unit.level += frames
  if (unit.level > limits.syntax) {
    throw new Exhausted(diagnosticAt(code.session, node, 'depth-limit', `expressions are nested more than ${limits.syntax} deep`))
  }
  const result = prepare()
  unit.level -= frames
  return result
}

import type { Code } from '../evaluate/code.ts'
import { taintNode } from '../evaluate/effects.ts'
import { initialiseVars, uninitialised } from '../evaluate/scope.ts'
import { prepareHoisted, prepareStatement } from '../evaluate/statements.ts'
import { Abandoned, report, type Session, Thrown } from '../session.ts'
import { Unknown } from '../values/value.ts'
import type { ModuleRecord } from './module.ts'

const codeOf = (session: Session, module: ModuleRecord): Code => ({
  session,
  module,
  scope: module.scope,
  unit: { nodes: 0, level: 0 },
  labels: [],
})

/** All modules that `entry` needs, each after what it imports; `entry` is last. */
function inOrder(entry: ModuleRecord): ModuleRecord[] {
  const order: ModuleRecord[] = []
  const seen = new Set<ModuleRecord>()
  const visit = (module: ModuleRecord) => {
    if (seen.has(module)) return
    seen.add(module)
    for (const specifier of module.specifiers) {
      const target = module.targets.get(specifier)
      if (target?.kind === 'module') visit(target.module)
    }
    order.push(module)
  }
  visit(entry)
  return order
}

/** Evaluates a module after its imports, as the language orders it; functions of all modules are there from the start. */
export function evaluateModules(session: Session, entry: ModuleRecord): void {
  const modules = inOrder(entry)
  for (const module of modules) {
    initialiseVars(module.scope, module.frame)
    prepareHoisted(module.source.statements, codeOf(session, module))?.(module.frame)
  }
  for (const module of modules) evaluateModule(session, module)
}

/**
 * Statements run in order. One that hangs on an unknown value leaves what it declares and may change unknown, and the next one runs:
 * most modules do things that no model needs.
 */
function evaluateModule(session: Session, module: ModuleRecord): void {
  for (const statement of module.source.statements) {
    const code = codeOf(session, module)
    const run = prepareStatement(statement, code)
    session.at = statement
    session.calls.length = 0
    session.budget.spend(code.unit.nodes + 1)
    try {
      run(module.frame)
    } catch (error) {
      session.catchers = 0
      if (error instanceof Abandoned) {
        taintNode(session, statement, module.scope, module.frame, error.cause)
        for (const { slot, node } of module.scope.names.values()) {
          const declaredHere = node.pos >= statement.pos && node.end <= statement.end
          if (declaredHere && module.frame.slots[slot] === uninitialised) module.frame.slots[slot] = error.cause
        }
      } else if (error instanceof Thrown) {
        report(session, error.diagnostic)
        module.failure = new Unknown(error.diagnostic)
        module.failure.reported = true
        return
      } else throw error
    }
  }
}

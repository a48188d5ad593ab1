import { createDiagnostic } from '../../../compiler/diagnostics/diagnostic.ts'
import { specOf } from '../../../dsl/model.ts'
import { uninitialised } from '../evaluate/scope.ts'
import type { ModuleRecord } from '../modules/module.ts'
import { demand, diagnosticAt, type ModelCall, report, type Session } from '../session.ts'
import { hasModifier, ts } from '../syntax.ts'
import { HostValue, Unknown, type Value } from '../values/value.ts'

/** A model, and the expression at the top level of its file whose value it is. */
export interface FoundModel {
  /** Name under which the file exports it. */
  readonly exportName: string
  readonly call: ModelCall
  readonly expression: ts.Expression
}

/** The models that a file exports, in the order of the source. */
export function findModels(session: Session, module: ModuleRecord): FoundModel[] {
  const found: FoundModel[] = []
  for (const statement of module.source.statements) {
    if (ts.isExportAssignment(statement) && !statement.isExportEquals) {
      const call = callOf(session, module, 'default')
      if (call && !ts.isIdentifier(statement.expression))
        found.push({ exportName: 'default', call, expression: statement.expression })
    } else if (ts.isVariableStatement(statement) && !hasModifier(statement, ts.SyntaxKind.DeclareKeyword)) {
      for (const { name, initializer } of statement.declarationList.declarations) {
        const call = ts.isIdentifier(name) && initializer ? callOf(session, module, name.text) : undefined
        const isAlias = initializer && ts.isIdentifier(initializer)
        if (!call || isAlias) continue
        const exportName = exportedAs(module, (name as ts.Identifier).text)
        if (exportName !== undefined) found.push({ exportName, call, expression: initializer! })
      }
    }
  }
  reportStrays(session, module, found)
  reportUnknown(session, module, found.length > 0 || session.diagnostics.length > 0)
  return found
}

/** Exports that would be models, were they known; in a file where no model is found that may be any of them. */
function reportUnknown(session: Session, module: ModuleRecord, some: boolean): void {
  for (const entry of module.exports.values()) {
    const binding = entry.kind === 'local' ? module.scope.names.get(entry.name) : undefined
    const value = binding && module.frame.slots[binding.slot]
    if (value instanceof Unknown && (!some || mentionsModel(module, entry.node)))
      demand(session, value, entry.node, 'it is exported here')
  }
  const isSilent = session.diagnostics.length === 0 && session.models.length === 0
  if (!some && isSilent)
    report(
      session,
      createDiagnostic('no-model', 'the file exports no model', {
        span: { file: session.nameOf(module.file), line: 1, column: 1 },
      }),
    )
}

/** Whether code names the function `model` of the DSL. */
function mentionsModel(module: ModuleRecord, node: ts.Node): boolean {
  if (ts.isIdentifier(node)) {
    const entry = module.imports.get(node.text)
    return entry?.imported === 'model' && module.targets.get(entry.specifier)?.kind === 'dsl'
  }
  return ts.forEachChild(node, (child) => mentionsModel(module, child) || undefined) ?? false
}

function callOf(session: Session, module: ModuleRecord, name: string): ModelCall | undefined {
  const binding = module.scope.names.get(name)
  const value = binding && module.frame.slots[binding.slot]
  if (!value || value === uninitialised || !(value instanceof HostValue) || specOf(value.host) === undefined) return undefined
  return session.models.find((call) => call.value === (value as Value))
}

function exportedAs(module: ModuleRecord, local: string): string | undefined {
  for (const [name, entry] of module.exports) {
    if (entry.kind !== 'local') continue
    if (entry.name === local) return name
    // `export default m`
    if (
      name === 'default' &&
      ts.isExportAssignment(entry.node) &&
      ts.isIdentifier(entry.node.expression) &&
      entry.node.expression.text === local
    )
      return name
  }
  return undefined
}

/** Models made by this file that nothing replaces would run on the interpreter. */
function reportStrays(session: Session, module: ModuleRecord, found: readonly FoundModel[]): void {
  session.calls.length = 0
  for (const call of session.models) {
    if (call.node.getSourceFile() !== module.source || found.some((model) => model.call === call)) continue
    const callee = ts.isCallExpression(call.node) ? call.node.expression : call.node
    report(session, diagnosticAt(session, callee, 'model-not-exported', 'this model is not exported under a name of its own'))
  }
}

import { readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createDiagnostic } from '../../../compiler/diagnostics/diagnostic.ts'
import { fromJson } from '../builtins/json.ts'
import { createScope, declare, declareBlock, declareVars, Frame } from '../evaluate/scope.ts'
import { report, type Session } from '../session.ts'
import { boundNames, hasModifier, parseSource, spanOfRange, syntaxErrorsOf, ts } from '../syntax.ts'
import { ObjectValue } from '../values/value.ts'
import { registerFrame } from './link.ts'
import type { Export, Import, ModuleRecord, Target } from './module.ts'
import { type Resolver, unreadable } from './resolve.ts'

/** A program may import much that its model does not need; beyond this many modules something is wrong. */
const maximumModules = 5_000

export interface Loaded {
  readonly entry: ModuleRecord
  /** Every file that was read, in the order of reading. */
  readonly files: readonly string[]
}

/** Reads a module and all that it imports, before anything is evaluated. */
export async function loadModules(session: Session, file: string, text: string, resolver: Resolver): Promise<Loaded> {
  const files = new Set<string>([file])
  const modules = new Map<string, Promise<Target>>()

  async function load(path: string): Promise<Target> {
    if (modules.size > maximumModules) return unreadable('unreadable-module', `more than ${maximumModules} modules are imported`)
    let content: string
    try {
      content = await readFile(path, 'utf8')
    } catch {
      return unreadable('unresolved-import', `${session.nameOf(path)} cannot be read`)
    }
    files.add(path)
    if (path.endsWith('.json')) {
      const value = fromJson(session, content)
      if (value) return { kind: 'json', value: value.value }
      return unreadable('unreadable-module', `${session.nameOf(path)} is not valid JSON`)
    }
    const source = parsed(path, content)
    if (!source) return unreadable('unreadable-module', `${session.nameOf(path)} is nested too deep`)
    const [fault] = syntaxErrorsOf(source)
    if (fault) {
      const { line, column } = spanOfRange(source, path, fault.start, fault.end)
      return unreadable('unreadable-module', `${session.nameOf(path)}:${line}:${column} does not parse: ${fault.message}`)
    }
    if (isCommonJs(source))
      return unreadable('unreadable-module', `${session.nameOf(path)} is CommonJS, of which the build cannot read the exports`)
    return { kind: 'module', module: recordOf(source) }
  }

  /** Records first, their imports after, so that cycles end. */
  async function follow(module: ModuleRecord): Promise<void> {
    await Promise.all(
      module.specifiers.map(async (specifier) => {
        const resolved = await resolver.resolve(specifier, module.file)
        if (resolved.kind !== 'file') {
          module.targets.set(specifier, resolved)
          return
        }
        const known = modules.get(resolved.path)
        if (known) {
          module.targets.set(specifier, await known)
          return
        }
        const loading = load(resolved.path)
        modules.set(resolved.path, loading)
        const target = await loading
        module.targets.set(specifier, target)
        if (target.kind === 'module') await follow(target.module)
      }),
    )
  }

  const source = parsed(file, text) ?? parseSource(file, '')
  if (source.text !== text)
    report(
      session,
      createDiagnostic('depth-limit', `${session.nameOf(file)} is nested too deep to be parsed`, {
        span: { file: session.nameOf(file), line: 1, column: 1 },
      }),
    )
  for (const { message, start, end } of syntaxErrorsOf(source)) {
    report(session, createDiagnostic('syntax-error', message, { span: spanOfRange(source, session.nameOf(file), start, end) }))
  }
  const entry = recordOf(source)
  modules.set(file, Promise.resolve({ kind: 'module', module: entry }))
  session.at = source
  if (session.diagnostics.length === 0) await follow(entry)
  for (const path of resolver.files()) files.add(path)
  return { entry, files: [...files] }
}

/** A script of an installed package with neither imports nor exports can only be there for `require`. */
function isCommonJs(source: ts.SourceFile): boolean {
  const isModule = source.statements.some(
    (statement) =>
      ts.isImportDeclaration(statement) ||
      ts.isExportDeclaration(statement) ||
      ts.isExportAssignment(statement) ||
      hasModifier(statement, ts.SyntaxKind.ExportKeyword),
  )
  return !isModule && source.fileName.endsWith('.js') && source.fileName.includes(`${sep}node_modules${sep}`)
}

/** The parser follows nesting by recursion; text that is nested without measure runs the host's stack over. */
function parsed(file: string, text: string): ts.SourceFile | undefined {
  try {
    return parseSource(file, text)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Declares the names of a file and lists what it imports and exports. */
export function recordOf(source: ts.SourceFile): ModuleRecord {
  const scope = createScope(undefined)
  const imports = new Map<string, Import>()
  const exports = new Map<string, Export>()
  const stars: string[] = []
  const specifiers: string[] = []
  const use = (specifier: string) => {
    if (!specifiers.includes(specifier)) specifiers.push(specifier)
  }
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) recordImport(statement, imports, use)
    else if (ts.isExportDeclaration(statement)) recordExport(statement, exports, stars, use)
    else if (ts.isExportAssignment(statement) && !statement.isExportEquals) {
      declare(scope, 'default', 'let', statement)
      exports.set('default', { kind: 'local', name: 'default', node: statement })
    } else recordDeclaration(statement, exports)
  }
  declareVars(scope, source)
  declareBlock(scope, source.statements)
  for (const [name, { node }] of imports) declare(scope, name, 'import', node)
  const meta = new ObjectValue()
  meta.properties.set('url', pathToFileURL(source.fileName).href)
  meta.frozen = true
  const frame = new Frame(scope.names.size, undefined, { self: undefined, home: undefined, construction: undefined })
  const module: ModuleRecord = {
    file: source.fileName,
    source,
    scope,
    frame,
    imports,
    exports,
    stars,
    specifiers,
    targets: new Map(),
    meta,
    state: 'loaded',
    failure: undefined,
  }
  registerFrame(module)
  return module
}

function recordImport(statement: ts.ImportDeclaration, imports: Map<string, Import>, use: (specifier: string) => void): void {
  const specifier = (statement.moduleSpecifier as ts.StringLiteral).text
  const { importClause: clause } = statement
  if (!clause) {
    use(specifier)
    return
  }
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return
  const add = (name: ts.Identifier, imported: string) => imports.set(name.text, { specifier, imported, node: name })
  if (clause.name) add(clause.name, 'default')
  const { namedBindings: bindings } = clause
  if (bindings && ts.isNamespaceImport(bindings)) add(bindings.name, '*')
  const named = bindings && ts.isNamedImports(bindings) ? bindings.elements.filter((element) => !element.isTypeOnly) : []
  for (const element of named) add(element.name, (element.propertyName ?? element.name).text)
  if (clause.name || !bindings || ts.isNamespaceImport(bindings) || named.length > 0) use(specifier)
}

function recordExport(
  statement: ts.ExportDeclaration,
  exports: Map<string, Export>,
  stars: string[],
  use: (specifier: string) => void,
): void {
  if (statement.isTypeOnly) return
  const specifier = statement.moduleSpecifier && (statement.moduleSpecifier as ts.StringLiteral).text
  if (specifier !== undefined) use(specifier)
  const { exportClause: clause } = statement
  if (!clause) {
    if (specifier !== undefined) stars.push(specifier)
  } else if (ts.isNamespaceExport(clause)) {
    exports.set(clause.name.text, { kind: 'from', specifier: specifier!, imported: '*', node: clause })
  } else {
    for (const element of clause.elements) {
      if (element.isTypeOnly) continue
      const name = (element.propertyName ?? element.name).text
      exports.set(
        element.name.text,
        specifier === undefined
          ? { kind: 'local', name, node: element }
          : { kind: 'from', specifier, imported: name, node: element },
      )
    }
  }
}

function recordDeclaration(statement: ts.Statement, exports: Map<string, Export>): void {
  if (!hasModifier(statement, ts.SyntaxKind.ExportKeyword) || hasModifier(statement, ts.SyntaxKind.DeclareKeyword)) return
  const local = (name: string, node: ts.Node) => exports.set(name, { kind: 'local', name, node })
  if (ts.isVariableStatement(statement)) {
    for (const declaration of statement.declarationList.declarations)
      for (const name of boundNames(declaration.name)) local(name.text, declaration)
    return
  }
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
    const name = statement.name?.text ?? 'default'
    exports.set(hasModifier(statement, ts.SyntaxKind.DefaultKeyword) ? 'default' : name, { kind: 'local', name, node: statement })
  } else if (ts.isEnumDeclaration(statement)) local(statement.name.text, statement)
  else if (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name)) local(statement.name.text, statement)
}

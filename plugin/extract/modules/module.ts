import type { DiagnosticCode } from '../../../compiler/diagnostics/catalogue.ts'
import type { Frame, Scope } from '../evaluate/scope.ts'
import type { ts } from '../syntax.ts'
import type { Unknown, Value } from '../values/value.ts'

/** What an import leads to. */
export type Target =
  | { readonly kind: 'module'; readonly module: ModuleRecord }
  /** The vocabulary of glowplug: the real functions. */
  | { readonly kind: 'dsl' }
  | { readonly kind: 'json'; readonly value: Value }
  /** A module that cannot be read; names from it are unknown, and that is told when one is used. */
  | { readonly kind: 'unreadable'; readonly code: DiagnosticCode; readonly message: string; readonly help?: string }

/** One name that a module imports: from where, and under which name there; `*` is the whole module. */
export interface Import {
  readonly specifier: string
  readonly imported: string
  readonly node: ts.Node
}

export type Export =
  | { readonly kind: 'local'; readonly name: string; readonly node: ts.Node }
  /** `export { a } from`, `export * as a from`: an import that gets no name here. */
  | { readonly kind: 'from'; readonly specifier: string; readonly imported: string; readonly node: ts.Node }

/** A source file as a module: what it declares, imports and exports, and its variables. */
export interface ModuleRecord {
  readonly file: string
  readonly source: ts.SourceFile
  readonly scope: Scope
  frame: Frame
  readonly imports: ReadonlyMap<string, Import>
  readonly exports: ReadonlyMap<string, Export>
  /** Specifiers of `export * from`. */
  readonly stars: readonly string[]
  /** All specifiers in the order of the source, which is the order of evaluation. */
  readonly specifiers: readonly string[]
  readonly targets: Map<string, Target>
  /** `import.meta` */
  meta: Value
  state: 'loaded' | 'running' | 'done'
  /** Why its variables are unknown, after an exception at its top level. */
  failure: Unknown | undefined
}

/** Specifiers of a module that lead to the DSL, directly or through other modules. */
export function dslSpecifiersOf(entry: ModuleRecord): string[] {
  const leads = (target: Target | undefined, seen: Set<ModuleRecord>): boolean => {
    if (target?.kind === 'dsl') return true
    if (target?.kind !== 'module' || seen.has(target.module)) return false
    seen.add(target.module)
    return [...target.module.targets.values()].some((inner) => leads(inner, seen))
  }
  return entry.specifiers.filter((specifier) => leads(entry.targets.get(specifier), new Set([entry])))
}

import { suggestion } from '../../../dsl/check.ts'
import * as dsl from '../../../dsl/index.ts'
import { type Frame, uninitialised } from '../evaluate/scope.ts'
import { wrapHost } from '../model/host.ts'
import { languageError, type Session, unknown } from '../session.ts'
import type { ts } from '../syntax.ts'
import { hasOwn, ownNames, ownProperty } from '../values/property.ts'
import { Accessor, BuiltinFunction, isObject, ObjectValue, type Value } from '../values/value.ts'
import type { ModuleRecord, Target } from './module.ts'

/** Where an exported name leads in the end. */
type Origin =
  | { readonly kind: 'slot'; readonly module: ModuleRecord; readonly name: string }
  | { readonly kind: 'namespace'; readonly target: Target }
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'unreadable'; readonly target: Target & { kind: 'unreadable' } }
  | { readonly kind: 'missing' }

/** Reads the variable `name` that `module` imports; `node` is where it is read. */
export function readImport(session: Session, module: ModuleRecord, name: string, node: ts.Node): Value {
  const { specifier, imported } = module.imports.get(name)!
  return readOrigin(session, module.targets.get(specifier)!, specifier, imported, node)
}

/** As readImport, for what only looks at the value: undefined where reading fails. */
export function readImportQuietly(session: Session, name: string, frame: Frame): Value {
  const module = modulesByFrame.get(frame)
  const entry = module?.imports.get(name)
  if (!module || !entry) return undefined
  const origin = originOf(session, module.targets.get(entry.specifier)!, entry.imported)
  if (origin.kind === 'slot') {
    const slot = origin.module.frame.slots[origin.module.scope.names.get(origin.name)!.slot]
    return slot === uninitialised ? undefined : (slot as Value)
  }
  return origin.kind === 'value' ? origin.value : undefined
}

const modulesByFrame = new WeakMap<Frame, ModuleRecord>()
export const registerFrame = (module: ModuleRecord): void => void modulesByFrame.set(module.frame, module)

function readOrigin(session: Session, target: Target, specifier: string, imported: string, node: ts.Node): Value {
  const origin = originOf(session, target, imported)
  switch (origin.kind) {
    case 'value':
      return origin.value
    case 'namespace':
      return namespaceOf(session, origin.target, specifier, node)
    case 'unreadable':
      return unknown(session, node, origin.target.code, origin.target.message, origin.target.help)
    case 'missing':
      return languageError(
        session,
        node,
        'SyntaxError',
        'missing-export',
        `'${specifier}' has no export named '${imported}'${suggestion(imported, exportNames(target))}`,
      )
    case 'slot': {
      const { module, name } = origin
      const slot = module.frame.slots[module.scope.names.get(name)!.slot]!
      if (slot !== uninitialised) return slot as Value
      if (module.failure) return module.failure
      return languageError(
        session,
        node,
        'ReferenceError',
        'used-before-declaration',
        `Cannot access '${name}' before initialization`,
      )
    }
  }
}

/** Follows re-exports to where a name is declared. */
export function originOf(session: Session, target: Target, name: string, seen = new Set<string>()): Origin {
  if (target.kind === 'unreadable') return { kind: 'unreadable', target }
  if (name === '*') return { kind: 'namespace', target }
  if (target.kind === 'dsl') {
    return Object.hasOwn(dsl, name)
      ? { kind: 'value', value: wrapHost(session, (dsl as Readonly<Record<string, unknown>>)[name], name) }
      : { kind: 'missing' }
  }
  if (target.kind === 'json') return jsonOrigin(target.value, name)
  const { module } = target
  const visit = `${module.file}\0${name}`
  if (seen.has(visit)) return { kind: 'missing' }
  seen.add(visit)
  const found = module.exports.get(name)
  if (found?.kind === 'from') return originOf(session, module.targets.get(found.specifier)!, found.imported, seen)
  if (found) {
    const entry = module.imports.get(found.name)
    return entry
      ? originOf(session, module.targets.get(entry.specifier)!, entry.imported, seen)
      : { kind: 'slot', module, name: found.name }
  }
  if (name === 'default') return { kind: 'missing' }
  let unreadable: Origin | undefined
  for (const star of module.stars) {
    const origin = originOf(session, module.targets.get(star)!, name, seen)
    if (origin.kind === 'unreadable') unreadable ??= origin
    else if (origin.kind !== 'missing') return origin
  }
  return unreadable ?? { kind: 'missing' }
}

function jsonOrigin(value: Value, name: string): Origin {
  if (name === 'default') return { kind: 'value', value }
  return isObject(value) && hasOwn(value, name)
    ? { kind: 'value', value: ownProperty(value, name) as Value }
    : { kind: 'missing' }
}

/** All names that a target exports, sorted as a namespace object lists them. */
export function exportNames(target: Target, seen = new Set<ModuleRecord>()): string[] {
  if (target.kind === 'dsl') return Object.keys(dsl).sort()
  if (target.kind === 'json') return ['default', ...(isObject(target.value) ? ownNames(target.value) : [])].sort()
  if (target.kind === 'unreadable' || seen.has(target.module)) return []
  const { module } = target
  seen.add(module)
  const names = new Set(module.exports.keys())
  for (const star of module.stars)
    for (const name of exportNames(module.targets.get(star)!, seen)) if (name !== 'default') names.add(name)
  return [...names].sort()
}

/** A re-exported module whose names nobody can list. */
function unreadableStar(module: ModuleRecord): (Target & { kind: 'unreadable' }) | undefined {
  for (const star of module.stars) {
    const target = module.targets.get(star)
    if (target?.kind === 'unreadable') return target
  }
  return undefined
}

/** `import * as all`: an object whose properties read the variables of the module. */
function namespaceOf(session: Session, target: Target, specifier: string, node: ts.Node): Value {
  const known = session.namespaces.get(target)
  if (known) return known
  const star = target.kind === 'module' ? unreadableStar(target.module) : undefined
  if (star) return unknown(session, node, star.code, star.message, star.help)
  const namespace = new ObjectValue()
  session.namespaces.set(target, namespace)
  for (const name of exportNames(target)) {
    const read = () => readOrigin(session, target, specifier, name, node)
    namespace.properties.set(name, new Accessor(new BuiltinFunction(name, 0, read), undefined))
  }
  namespace.frozen = true
  return namespace
}

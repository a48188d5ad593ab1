import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { completePath, isFile } from './resolve.ts'

interface PackageJson {
  readonly name?: unknown
  readonly type?: unknown
  readonly exports?: unknown
  readonly imports?: unknown
  readonly module?: unknown
  readonly main?: unknown
}

export interface Package {
  readonly folder: string
  readonly json: PackageJson
}

const conditions = new Set(['import', 'node', 'module-sync', 'default'])

export interface Packages {
  /** `#name`, by the `imports` of the importer's package. */
  resolveImport(specifier: string, importer: string): string | undefined
  /** `name/part`, in node_modules or the importer's own package. */
  resolvePackage(specifier: string, importer: string): string | undefined
}

/** Packages as Node resolves them. Adds the package.json files it reads to `consulted`. */
export function createPackages(consulted: Set<string>): Packages {
  const cache = new Map<string, Package | undefined>()

  function packageIn(folder: string): Package | undefined {
    if (cache.has(folder)) return cache.get(folder)
    const file = join(folder, 'package.json')
    const found = isFile(file) ? readPackage(folder, file) : undefined
    if (found) consulted.add(file)
    cache.set(folder, found)
    return found
  }

  function packageAround(file: string): Package | undefined {
    for (const folder of foldersAbove(file)) {
      const found = packageIn(folder)
      if (found) return found
    }
    return undefined
  }

  /** What one target of `exports` or `imports` leads to: a path of the package, or for `imports` another package. */
  function follow(target: unknown, star: string, from: Package, importer: string): string | undefined {
    if (typeof target === 'string') {
      const text = target.replaceAll('*', () => star)
      if (!text.startsWith('./')) return resolvePackage(text, importer)
      const path = join(from.folder, text)
      return path.startsWith(from.folder + sep) && isFile(path) ? path : undefined
    }
    if (Array.isArray(target)) {
      for (const option of target) {
        const path = follow(option, star, from, importer)
        if (path) return path
      }
      return undefined
    }
    if (typeof target !== 'object' || target === null) return undefined
    for (const [condition, inner] of Object.entries(target)) {
      const path = conditions.has(condition) ? follow(inner, star, from, importer) : undefined
      if (path) return path
    }
    return undefined
  }

  function match(table: unknown, key: string, from: Package, importer: string): string | undefined {
    if (typeof table !== 'object' || table === null) return undefined
    const rows = Object.entries(table)
    const exact = rows.find(([pattern]) => pattern === key)
    if (exact) return follow(exact[1], '', from, importer)
    const fitting = rows
      .map(([pattern, target]) => ({ target, parts: pattern.split('*') as [string, string?] }))
      .filter(
        ({ parts: [before, after] }) =>
          after !== undefined && key.startsWith(before) && key.endsWith(after) && key.length >= before.length + after.length,
      )
      .sort((a, b) => b.parts[0].length - a.parts[0].length)
    const [best] = fitting
    return best && follow(best.target, key.slice(best.parts[0].length, key.length - best.parts[1]!.length), from, importer)
  }

  function resolveIn(found: Package, part: string, importer: string): string | undefined {
    const { exports, module, main } = found.json
    if (exports !== undefined && exports !== null) {
      const isTable =
        typeof exports === 'object' && !Array.isArray(exports) && Object.keys(exports).some((key) => key.startsWith('.'))
      return match(isTable ? exports : { '.': exports }, part, found, importer)
    }
    if (part !== '.') return completePath(join(found.folder, part))
    for (const entry of [module, main]) {
      const path = typeof entry === 'string' ? completePath(join(found.folder, entry)) : undefined
      if (path) return path
    }
    return completePath(join(found.folder, 'index'))
  }

  function resolvePackage(specifier: string, importer: string): string | undefined {
    const [, name, rest = ''] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? []
    if (!name) return undefined
    const own = packageAround(importer)
    if (own?.json.name === name && own.json.exports !== undefined) return resolveIn(own, `.${rest}`, importer)
    for (const folder of foldersAbove(importer)) {
      const found = packageIn(join(folder, 'node_modules', name))
      const path = found && resolveIn(found, `.${rest}`, importer)
      // A workspace links its packages; what they import in turn is found from where they really are.
      if (found) return path && realpathSync(path)
    }
    return undefined
  }

  return {
    resolvePackage,
    resolveImport(specifier, importer) {
      const own = packageAround(importer)
      return own && match(own.json.imports, specifier, own, importer)
    },
  }
}

function readPackage(folder: string, file: string): Package | undefined {
  try {
    const json: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof json === 'object' && json !== null ? { folder, json } : undefined
  } catch {
    return undefined
  }
}

/** The folder of a file and all above it, innermost first. */
export function* foldersAbove(file: string): Generator<string> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    yield folder
    if (dirname(folder) === folder) return
  }
}

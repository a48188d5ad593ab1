import { statSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, isAbsolute, join, resolve as resolvePath } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Target } from './module.ts'
import { createPackages } from './packages.ts'
import { createTsconfigs } from './tsconfig.ts'

export type Resolution = { readonly kind: 'file'; readonly path: string } | (Target & { kind: 'dsl' | 'unreadable' })

export interface Resolver {
  resolve(specifier: string, importer: string): Promise<Resolution>
  /** package.json and tsconfig.json files that had a say. */
  files(): readonly string[]
}

/** The bundler's own resolution: an absolute path, or undefined where it has no opinion. */
export type ResolveHook = (specifier: string, importer: string) => Promise<string | undefined>

export const unreadable = (
  code: 'unreadable-module' | 'unresolved-import',
  message: string,
  help?: string,
): Target & { kind: 'unreadable' } => ({
  kind: 'unreadable',
  code,
  message,
  ...(help && { help }),
})

export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

const extensions = ['.ts', '.mts', '.js', '.mjs', '.json']
/** An import may name the file that TypeScript will write. */
const written: readonly (readonly [string, string])[] = [
  ['.js', '.ts'],
  ['.mjs', '.mts'],
]

/** The file that a path without certain extension means. */
export function completePath(path: string): string | undefined {
  if (isFile(path)) return path
  for (const [from, to] of written) {
    const source = path.slice(0, -from.length) + to
    if (path.endsWith(from) && isFile(source)) return source
  }
  for (const extension of extensions) if (isFile(path + extension)) return path + extension
  for (const extension of extensions) if (isFile(join(path, `index${extension}`))) return join(path, `index${extension}`)
  return undefined
}

/** Finds the files behind import specifiers, as Node, TypeScript and the bundler do. */
export function createResolver(hook: ResolveHook | undefined): Resolver {
  const consulted = new Set<string>()
  const packages = createPackages(consulted)
  const tsconfigs = createTsconfigs(consulted)

  function find(specifier: string, importer: string): string | undefined {
    if (specifier.startsWith('file:')) return completePath(fileURLToPath(specifier))
    if (isAbsolute(specifier)) return completePath(specifier)
    if (/^\.\.?(\/|$)/.test(specifier)) return completePath(resolvePath(dirname(importer), specifier))
    if (specifier.startsWith('#')) return packages.resolveImport(specifier, importer)
    return tsconfigs.resolvePath(specifier, importer) ?? packages.resolvePackage(specifier, importer)
  }

  return {
    files: () => [...consulted],
    async resolve(specifier, importer) {
      if (specifier === 'glowplug') return { kind: 'dsl' }
      if (isBuiltin(specifier))
        return unreadable('unreadable-module', `'${specifier}' belongs to Node and has no value while the build reads the model`)
      const hooked = await hook?.(specifier, importer)
      const path = hooked !== undefined && isAbsolute(hooked) && isFile(hooked) ? hooked : find(specifier, importer)
      if (path === undefined) return unreadable('unresolved-import', `'${specifier}' cannot be found`)
      if (/\.(ts|mts|js|mjs|json)$/.test(path) && !/\.d\.m?ts$/.test(path)) return { kind: 'file', path }
      const help = /\.c[jt]s$/.test(path) ? 'the build reads ES modules; write the values that the model needs in one' : undefined
      return unreadable('unreadable-module', `'${specifier}' is not a TypeScript, JavaScript or JSON module`, help)
    },
  }
}

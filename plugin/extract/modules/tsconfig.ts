import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve, sep } from 'node:path'
import { ts } from '../syntax.ts'
import { foldersAbove } from './packages.ts'
import { completePath, isFile } from './resolve.ts'

/** The part of a tsconfig.json that says where names lead. */
interface Paths {
  readonly patterns: readonly (readonly [string, readonly string[]])[]
  /** What the replacements are relative to. */
  readonly base: string
  readonly baseUrl: string | undefined
}

export interface Tsconfigs {
  resolvePath(specifier: string, importer: string): string | undefined
}

const maximumExtends = 16

/** `paths` and `baseUrl` of the tsconfig.json nearest to the importer, inherited through `extends`. */
export function createTsconfigs(consulted: Set<string>): Tsconfigs {
  const cache = new Map<string, Paths | undefined>()

  function pathsOf(file: string, depth = 0): Paths | undefined {
    if (cache.has(file)) return cache.get(file)
    cache.set(file, undefined)
    const found = depth < maximumExtends ? readPaths(file, depth) : undefined
    cache.set(file, found)
    return found
  }

  function readPaths(file: string, depth: number): Paths | undefined {
    if (!isFile(file)) return undefined
    consulted.add(file)
    const { config } = ts.parseConfigFileTextToJson(file, readFileSync(file, 'utf8'))
    if (typeof config !== 'object' || config === null) return undefined
    const folder = dirname(file)
    const bases: unknown[] = Array.isArray(config.extends) ? config.extends : [config.extends]
    const inherited = bases
      .filter((base): base is string => typeof base === 'string')
      .map((base) => pathsOf(extendedFile(base, file), depth + 1))
      .findLast((paths) => paths !== undefined)
    const options = typeof config.compilerOptions === 'object' && config.compilerOptions !== null ? config.compilerOptions : {}
    const baseUrl = typeof options.baseUrl === 'string' ? resolve(folder, options.baseUrl) : inherited?.baseUrl
    if (typeof options.paths !== 'object' || options.paths === null)
      return inherited || baseUrl ? { patterns: [], base: folder, ...inherited, baseUrl } : undefined
    const patterns = Object.entries(options.paths as Record<string, unknown>).map(
      ([pattern, targets]) =>
        [pattern, Array.isArray(targets) ? targets.filter((target) => typeof target === 'string') : []] as const,
    )
    return { patterns, base: baseUrl ?? folder, baseUrl }
  }

  return {
    resolvePath(specifier, importer) {
      if (importer.includes(`${sep}node_modules${sep}`)) return undefined
      for (const folder of foldersAbove(importer)) {
        const file = join(folder, 'tsconfig.json')
        if (isFile(file)) return applyPaths(pathsOf(file), specifier)
      }
      return undefined
    },
  }
}

function extendedFile(base: string, from: string): string {
  if (/^\.\.?[/\\]/.test(base) || base.startsWith('/')) {
    const path = resolve(dirname(from), base)
    return isFile(path) ? path : `${path}.json`
  }
  try {
    return createRequire(from).resolve(base.endsWith('.json') ? base : `${base}/tsconfig.json`)
  } catch {
    return base
  }
}

function applyPaths(paths: Paths | undefined, specifier: string): string | undefined {
  if (!paths) return undefined
  const fitting = paths.patterns
    .map(([pattern, targets]) => ({ targets, pattern, parts: pattern.split('*') as [string, string?] }))
    .filter(({ pattern, parts: [before, after] }) =>
      after === undefined
        ? pattern === specifier
        : specifier.startsWith(before) && specifier.endsWith(after) && specifier.length >= before.length + after.length,
    )
    .sort((a, b) => Number(a.parts.length > 1) - Number(b.parts.length > 1) || b.parts[0].length - a.parts[0].length)
  const [best] = fitting
  if (best) {
    const star = best.parts[1] === undefined ? '' : specifier.slice(best.parts[0].length, specifier.length - best.parts[1].length)
    for (const target of best.targets) {
      const path = completePath(
        resolve(
          paths.base,
          target.replace('*', () => star),
        ),
      )
      if (path) return path
    }
  }
  return paths.baseUrl === undefined ? undefined : completePath(join(paths.baseUrl, specifier))
}

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assertInvariant, InvariantError } from '../../compiler/graph/problem.ts'
import { countParts } from '../c/parts.ts'
import type { Compiler } from './compiler.ts'
import { demandsOf } from './elf.ts'
import { addonFlags, commonFlags, kernelFlags, linkFlags } from './flags.ts'
import { type NativeLevel, platforms } from './levels.ts'
import { inScratch } from './scratch.ts'
import { addonSources, declarations } from './sources.ts'
import { runTool } from './tool.ts'

export interface Compiled {
  readonly bytes: Uint8Array
  /** What compiler and linker said; empty when there was nothing to say. */
  readonly warnings: string
}

/**
 * Compiles generated C at its level and links it with the addon. Equal inputs give equal bytes. Throws InvariantError with the
 * compiler's words where it refuses. `extra` are flags for every step, such as those of sanitizers; with any, what the addon asks of its
 * loader is not checked.
 */
export async function compileAddon(
  source: string,
  level: NativeLevel,
  compiler: Compiler,
  extra: readonly string[] = [],
): Promise<Compiled> {
  const flags = [...kernelFlags, ...level.flags, ...extra]
  const count = countParts(source)
  const compilePart = (part: number) =>
    inScratch(async (folder) => {
      await writeFile(join(folder, 'kernels.c'), source)
      return compile(compiler, folder, 'kernels', count > 1 ? [...flags, `-DGLOWPLUG_PART=${part}`] : flags)
    })
  const [addon, ...kernels] = await Promise.all([
    addonObject(compiler, extra),
    ...Array.from({ length: count }, (_, part) => compilePart(part)),
  ])
  const linked = await inScratch(async (folder) => {
    const objects = [...kernels, addon].map(({ bytes }, i) => ({ bytes, name: `${i}.o` }))
    await Promise.all(objects.map(({ bytes, name }) => writeFile(join(folder, name), bytes)))
    return step(compiler, folder, [...linkFlags, ...extra, ...objects.map(({ name }) => name)], 'model.node')
  })
  if (extra.length === 0) assertSelfContained(linked.bytes)
  return { bytes: linked.bytes, warnings: [addon, ...kernels, linked].map(({ warnings }) => warnings).join('') }
}

const addonObjects = new Map<string, Promise<Compiled>>()

/** The addon's own C, once for each compiler. Its files are compiled as one. */
export function addonObject(compiler: Compiler, extra: readonly string[] = []): Promise<Compiled> {
  const key = JSON.stringify([compiler, extra])
  const known =
    addonObjects.get(key) ??
    inScratch(async (folder) => {
      const files = Object.entries(addonSources)
      await Promise.all(files.map(([name, text]) => writeFile(join(folder, name), text)))
      const all = files.filter(([name]) => name.endsWith('.c')).map(([name]) => `#include "${name}"\n`)
      await writeFile(join(folder, 'all.c'), all.join(''))
      return compile(compiler, folder, 'all', [...addonFlags, ...platforms[compiler.platform].baseline, ...extra])
    })
  addonObjects.set(key, known)
  return known
}

const compile = (compiler: Compiler, folder: string, name: string, flags: readonly string[]): Promise<Compiled> =>
  step(compiler, folder, [...commonFlags, ...flags, '-c', `${name}.c`], `${name}.o`)

/** Runs the compiler on files of a folder; names are relative, so that nothing of the folder gets into what it makes. */
async function step(compiler: Compiler, folder: string, flags: readonly string[], output: string): Promise<Compiled> {
  const { status, said } = await runTool([...compiler.command, ...flags, '-o', output], folder)
  if (status !== 0)
    throw new InvariantError(`${compiler.family} ${compiler.version} rejects the generated C (status ${status}):\n${said}`)
  return { bytes: new Uint8Array(await readFile(join(folder, output))), warnings: said }
}

/** Compilers call these without being asked. */
const implicit = ['memcpy', 'memmove', 'memset', 'memcmp']

/** An addon asks for what is declared to it and nothing else, in whatever version: then every C library will do. */
function assertSelfContained(file: Uint8Array): void {
  const { symbols, libraries, versions } = demandsOf(file)
  const known = new Set([...implicit, ...declarations.matchAll(/\w+/g)].map(String))
  const unknown = symbols.filter((symbol) => !known.has(symbol))
  assertInvariant(unknown.length === 0, `the generated C calls ${unknown.join(', ')}, which no process provides`)
  assertInvariant(
    libraries.length === 0 && !versions,
    `the addon was linked with ${libraries.join(', ') || 'versions of symbols'}`,
  )
}

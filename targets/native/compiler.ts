import { type Candidate, candidatesFor, compilerFingerprint, hostPlatform } from './candidates.ts'
import { addonFlags, commonFlags, linkFlags } from './flags.ts'
import { type PlatformName, platforms } from './levels.ts'
import { inScratch } from './scratch.ts'
import { runTool } from './tool.ts'

/** A C compiler that makes addons for a platform. */
export interface Compiler {
  readonly platform: PlatformName
  /** Path and arguments. */
  readonly command: readonly string[]
  readonly family: 'gcc' | 'clang'
  /** Such as `12.2.0`. */
  readonly version: string
  /** What the linker says of itself. */
  readonly linker: string
}

/** There is no compiler for a platform. The message says what was looked for, what was found, and what to do. */
export class CompilerMissing extends Error {
  override readonly name = 'CompilerMissing'
}

const oldest = { gcc: 10, clang: 14 } as const

const found = new Map<string, Promise<Compiler>>()

/** The compiler for a platform; throws CompilerMissing. Looks again when the environment or a file has changed. */
export function findCompiler(platform: PlatformName): Promise<Compiler> {
  const key = `${platform} ${compilerFingerprint(platform)}`
  const known = found.get(key) ?? search(platform)
  found.set(key, known)
  return known
}

async function search(platform: PlatformName): Promise<Compiler> {
  const candidates = candidatesFor(platform)
  const complaints: string[] = []
  for (const candidate of candidates) {
    const result = await examine(candidate, platform)
    if (typeof result !== 'string') return result
    complaints.push(`${candidate.from}${candidate.asked ? ` (${candidate.text})` : ''} ${result}`)
    // A compiler for another platform was not meant for this one.
    if (candidate.asked && !result.startsWith(elsewhere)) break
  }
  const { variable, triple } = platforms[platform]
  throw new CompilerMissing(
    [
      `no C compiler for ${platform}`,
      ...complaints.map((complaint) => `  ${complaint}`),
      platform === hostPlatform
        ? `install gcc ${oldest.gcc} or clang ${oldest.clang} or later (Debian: gcc; Alpine: gcc binutils), or name one in $CC`
        : `install one (Debian: gcc-${triple.replace('_', '-')}), or name one in $${variable}`,
    ].join('\n'),
  )
}

const elsewhere = 'compiles for'

/** The compiler, or why it is of no use. */
async function examine({ command }: Candidate, platform: PlatformName): Promise<Compiler | string> {
  if (!command) return 'was not found'
  try {
    return await inScratch((folder) => examineIn(folder, command, platform))
  } catch (error) {
    return `cannot be started: ${(error as Error).message}`
  }
}

async function examineIn(folder: string, command: readonly string[], platform: PlatformName): Promise<Compiler | string> {
  const [asked, linked] = await Promise.all([
    runTool([...command, '-dM', '-E', '-x', 'c', '-'], folder),
    // With what every addon is made with, so that what cannot link is found here.
    runTool(
      [...command, ...commonFlags, ...addonFlags, ...linkFlags, '-Wl,-v', '-x', 'c', '-', '-o', 'probe.node'],
      folder,
      'int glowplug_probe(int x);\nint glowplug_probe(int x) { return x + 1; }\n',
    ),
  ])
  const macros = new Map([...asked.output.matchAll(/^#define (\w+) (.*)$/gm)].map(([, name, value]) => [name!, value!]))
  const identity = identify(macros)
  if (asked.status !== 0 || !identity) return `is neither gcc nor clang${firstLine(asked.said)}`
  const { family, version } = identity
  const wrong = mismatch(macros, platform)
  if (wrong) return `${elsewhere} ${wrong}`
  if (Number.parseInt(version, 10) < oldest[family])
    return `is ${family} ${version}; ${oldest[family]} is the oldest that will do`
  if (linked.status !== 0) return `is ${family} ${version} but cannot link${firstLine(linked.said)}`
  const linker = `${linked.output}\n${linked.said}`
    .split('\n')
    .find((line) => /\b(ld|lld|gold|mold)\b/i.test(line) && /\d/.test(line))
  return { platform, command, family, version, linker: linker?.trim() ?? 'linker of unknown version' }
}

const firstLine = (said: string): string => {
  const line = said.split('\n').find((text) => text.trim() !== '')
  return line ? `: ${line.trim().slice(0, 200)}` : ''
}

function identify(macros: ReadonlyMap<string, string>): Pick<Compiler, 'family' | 'version'> | undefined {
  const version = (...names: string[]) => names.map((name) => macros.get(name) ?? '0').join('.')
  if (macros.has('__clang__'))
    return { family: 'clang', version: version('__clang_major__', '__clang_minor__', '__clang_patchlevel__') }
  if (macros.has('__INTEL_COMPILER') || macros.has('__TINYC__') || !macros.has('__GNUC__')) return undefined
  return { family: 'gcc', version: version('__GNUC__', '__GNUC_MINOR__', '__GNUC_PATCHLEVEL__') }
}

/** What a compiler's machine is called, where it is not the platform. The C library does not matter: none is linked, none of its headers read. */
function mismatch(macros: ReadonlyMap<string, string>, platform: PlatformName): string | undefined {
  const { macro } = platforms[platform]
  const has = (name: string) => macros.has(name)
  if (has('__linux__') && has(macro) && has('__LP64__') && has('__ELF__') && !has('__AARCH64EB__')) return undefined
  const system = has('__linux__') ? 'linux' : has('__APPLE__') ? 'macOS' : has('_WIN32') ? 'Windows' : 'another system'
  const machine = Object.values(platforms).find((each) => has(each.macro))?.arch ?? 'another processor'
  return `${system} on ${machine}${has('__LP64__') ? '' : ' with 32-bit addresses'}`
}

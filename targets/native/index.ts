import { readFileSync } from 'node:fs'
import { timesRegion } from '../../compiler/memory/index.ts'
import type { Code, EntryProgram, Target, WayChoice } from '../../compiler/target.ts'
import { timedSteps } from '../c/entry.ts'
import { waysOfKernel } from '../c/function.ts'
import { levelWith, sectionOf, type TargetOptions } from '../c/level.ts'
import { countParts, firstPart } from '../c/parts.ts'
import { programWithSharing } from '../c/program.ts'
import { answersAt, hasKernel } from '../c/target.ts'
import { hostPlatform } from './candidates.ts'
import { type Compiler, CompilerMissing, findCompiler } from './compiler.ts'
import { lackingHere } from './lacking.ts'
import { type NativeLevel, type PlatformName, platformNames, platforms } from './levels.ts'
import { codeHeader } from './sources.ts'
import { addonObject, compileAddon } from './toolchain.ts'

export { compilerFingerprint } from './candidates.ts'
export { type Compiler, CompilerMissing, findCompiler } from './compiler.ts'
export type { PlatformName } from './levels.ts'

/** Work that threads divide is worth calling them from here on: to wake one takes 20 microseconds. */
const worthCalling = 50_000

/** C of a model for a level, and what it says about itself to the addon. `ways`, by entry, are those that kernels take. */
export function nativeText(
  name: string,
  entries: readonly EntryProgram[],
  { level, needs }: NativeLevel,
  ways?: readonly WayChoice[],
): string {
  const { text, sharing } = programWithSharing(name, entries, level, {
    attributes: () => 'static ',
    divided: true,
    ...(ways && { ways }),
  })
  const rows = entries.map(({ export: exported, program }, i) => {
    const { constants, activations, state } = program.regions
    const { mutable } = level.trace ? timesRegion(program.regions, timedSteps(program).length) : program.regions
    const { ownBytes, nanoseconds } = sharing[i]!
    const divided = nanoseconds < worthCalling ? 0 : nanoseconds
    const [stateless, stateful] = state === undefined ? [exported, 0] : [0, exported]
    // An entry that touches no state is called like the others and never looks.
    const carried = program.states ? (state ?? 0) : 0
    return `  {${stateless}, ${constants}, ${mutable}, ${activations}, ${ownBytes}, ${divided}, ${stateful}, ${carried}},`
  })
  const tables = [
    codeHeader,
    'const struct glowplug_entry glowplug_entries[] = {',
    ...rows,
    '};',
    `const unsigned glowplug_entry_count = ${entries.length};`,
    `const char glowplug_needs[] = "${needs.map((feature) => `${feature} `).join('')}";`,
  ]
  return [text, ...(countParts(text) > 1 ? firstPart(tables) : tables), ''].join('\n')
}

const targetAt = (level: NativeLevel, compiler: Compiler): Target => {
  const emit = async (name: string, entries: readonly EntryProgram[], ways?: readonly WayChoice[]): Promise<Code> => {
    const source = nativeText(name, entries, level, ways)
    const { bytes } = await compileAddon(source, level, compiler)
    return {
      kind: 'addon',
      level: level.name,
      platform: { os: 'linux', arch: platforms[compiler.platform].arch, libc: 'glibc' },
      extension: 'node',
      bytes,
      source,
      ...(level.level.trace && { timed: entries.map(({ program }) => timedSteps(program)) }),
      toolchain: { [`native-${compiler.platform}`]: `${compiler.family} ${compiler.version}, ${compiler.linker}` },
    }
  }
  return {
    name: 'native',
    level: level.name,
    ...answersAt(level.level),
    unsupported: (node) => (node.bodies || hasKernel(node.op) ? undefined : `native has no kernel for ${node.op}`),
    prepare() {
      // Whoever emits learns of a failure.
      addonObject(compiler).catch(() => undefined)
    },
    tuning: {
      section: sectionOf(level.level),
      lacks: () => lackingHere(compiler.platform, level),
      ways: (kernel) => waysOfKernel(kernel, level.level),
      choosing: (chosen) => targetAt({ ...level, level: { ...level.level, chosen } }, compiler),
      emit: (name, entries) =>
        emit(
          name,
          entries,
          entries.map(({ ways }) => ways),
        ),
    },
    emit: (name, entries) => emit(name, entries),
  }
}

/**
 * Native code for a platform, by default that of this machine, as one target for each level, the most demanding first. Throws
 * CompilerMissing, which says what was looked for and found, where nothing here compiles for it.
 */
export async function nativeTargets(
  platform: PlatformName = thisPlatform(),
  options: TargetOptions = {},
): Promise<readonly Target[]> {
  const compiler = await findCompiler(platform)
  return platforms[platform].levels.map((native) => targetAt({ ...native, level: levelWith(native.level, options) }, compiler))
}

/** Whether native code for this machine can be compiled on it, and by what. */
export async function nativeAvailable(): Promise<
  { readonly ok: true; readonly identity: string } | { readonly ok: false; readonly reason: string }
> {
  try {
    const { command, family, version, linker } = await findCompiler(thisPlatform())
    return { ok: true, identity: `${command.join(' ')}: ${family} ${version}, ${linker}` }
  } catch (error) {
    if (error instanceof CompilerMissing) return { ok: false, reason: error.message }
    throw error
  }
}

/** The platform of this machine, where it has native code; throws CompilerMissing. */
function thisPlatform(): PlatformName {
  const platform = platformNames.find((name) => name === hostPlatform)
  if (!platform)
    throw new CompilerMissing(`native code is made for ${platformNames.join(' and ')}; this machine is ${hostPlatform}`)
  if (/ld-musl-/.test(readFileSync('/proc/self/maps', 'latin1')))
    throw new CompilerMissing('native code needs glibc; the C library of this Node is musl')
  return platform
}

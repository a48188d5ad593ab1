import { readFileSync } from 'node:fs'
import { findExecutable, hostPlatform, splitCommand } from '../../targets/native/candidates.ts'
import { commonFlags, kernelFlags } from '../../targets/native/flags.ts'
import { type NativeLevel, platformNames, platforms } from '../../targets/native/levels.ts'
import type { Machine } from './executable.ts'

/** Says that tests did not run for want of a tool; counted by `test/run.mjs`. */
export const skip = (what: string, tool: string): void => console.log(`skipped: ${what} needs ${tool}`)

/** Kernels compiled as for an addon of that level, for one thread: `executable.c` has no team. `flags` come last. */
export const machineOf = (compiler: string, { name, level, flags: own }: NativeLevel, flags: readonly string[]): Machine => ({
  name: `${compiler}, ${name}`,
  level: { ...level, teams: false },
  compiler: [...splitCommand(compiler), ...commonFlags, ...kernelFlags, ...own, ...flags],
})

export const installed = (command: string): boolean => findExecutable(splitCommand(command)[0]!) !== undefined

/** Compilers for aarch64, whose programs run under an emulator; those that are not there are named as skipped. */
export function emulatedMachines(what: string): Machine[] {
  const emulator = 'qemu-aarch64'
  return ['aarch64-linux-gnu-gcc', 'clang --target=aarch64-linux-gnu'].flatMap((compiler) => {
    // clang links with the libraries that come with gcc.
    const missing = [emulator, 'aarch64-linux-gnu-gcc', compiler].find((command) => !installed(command))
    if (missing) skip(`${what} by ${compiler}`, splitCommand(missing)[0]!)
    const [level] = platforms['linux-arm64'].levels
    return missing ? [] : [{ ...machineOf(compiler, level!, ['-static']), emulator: [emulator] }]
  })
}

/** The levels of native code that this processor runs; tells which it does not. */
export function levelsHere(what: string): readonly NativeLevel[] {
  const platform = platformNames.find((name) => name === hostPlatform)
  if (!platform) return []
  const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? ''
  const features = new Set(line.split(' ').map((name) => (name === 'pni' ? 'sse3' : name)))
  return platforms[platform].levels.filter((level) => {
    const lacking = level.needs.filter((name) => !features.has(name))
    if (lacking.length > 0) console.log(`not run: ${what} at ${level.name}, as this processor lacks ${lacking.join(', ')}`)
    return lacking.length === 0
  })
}

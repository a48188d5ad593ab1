import { type Level, neon, x86v3, x86v4 } from '../c/level.ts'

/** An operating system and architecture, as in `process.platform` and `process.arch`. */
export type PlatformName = 'linux-x64' | 'linux-arm64'

/** An instruction-set level of native code. */
export interface NativeLevel {
  /** As the manifest names it. */
  readonly name: string
  /** What the kernel templates know of it. */
  readonly level: Level
  /** Flags of the compiler for kernels. */
  readonly flags: readonly string[]
  /** What the processor must have, in the words of `addon/extensions.c`. */
  readonly needs: readonly string[]
}

export interface NativePlatform {
  readonly name: PlatformName
  readonly arch: 'x64' | 'arm64'
  /** The macro by which a compiler for it is known. */
  readonly macro: string
  /** The variable that names its compiler, where the build is to have one for each. */
  readonly variable: string
  /** As compilers call it. */
  readonly triple: string
  /** Flags for code that every processor of it runs. */
  readonly baseline: readonly string[]
  /** Most demanding first. */
  readonly levels: readonly NativeLevel[]
}

/**
 * Extensions one by one, as pairs of flag and feature: gcc 10 does not know the names of levels, and the list that the addon checks is
 * then the list that the compiler was given.
 */
const extensionsV3 = [
  ['-msse3', 'sse3'],
  ['-mssse3', 'ssse3'],
  ['-msse4.1', 'sse4_1'],
  ['-msse4.2', 'sse4_2'],
  ['-mcx16', 'cx16'],
  ['-mpopcnt', 'popcnt'],
  ['-msahf', 'lahf_lm'],
  ['-mavx', 'avx'],
  ['-mavx2', 'avx2'],
  ['-mfma', 'fma'],
  ['-mf16c', 'f16c'],
  ['-mbmi', 'bmi1'],
  ['-mbmi2', 'bmi2'],
  ['-mlzcnt', 'abm'],
  ['-mmovbe', 'movbe'],
] as const
const extensionsV4 = [
  ...extensionsV3,
  ['-mavx512f', 'avx512f'],
  ['-mavx512bw', 'avx512bw'],
  ['-mavx512cd', 'avx512cd'],
  ['-mavx512dq', 'avx512dq'],
  ['-mavx512vl', 'avx512vl'],
  ['-mavx512vnni', 'avx512_vnni'],
  ['-mavx512bf16', 'avx512_bf16'],
] as const

/** clang splits vectors of 64 bytes into halves unless it is told how wide they are to be. */
const x64Level = (level: Level, extensions: readonly (readonly [string, string])[]): NativeLevel => ({
  name: level.name,
  level: { ...level, teams: true },
  flags: ['-march=x86-64', ...extensions.map(([flag]) => flag), `-mprefer-vector-width=${level.vectorBytes * 8}`],
  needs: extensions.map(([, feature]) => feature),
})

export const platforms: Readonly<Record<PlatformName, NativePlatform>> = {
  'linux-x64': {
    name: 'linux-x64',
    arch: 'x64',
    macro: '__x86_64__',
    variable: 'CC_X86_64',
    triple: 'x86_64-linux-gnu',
    baseline: ['-march=x86-64'],
    levels: [x64Level(x86v4, extensionsV4), x64Level(x86v3, extensionsV3)],
  },
  'linux-arm64': {
    name: 'linux-arm64',
    arch: 'arm64',
    macro: '__aarch64__',
    variable: 'CC_AARCH64',
    triple: 'aarch64-linux-gnu',
    // Atomic operations in line: the helpers that choose at run time are a library's.
    baseline: ['-march=armv8-a', '-mno-outline-atomics'],
    levels: [{ name: 'aarch64', level: { ...neon, teams: true }, flags: ['-march=armv8-a', '-mno-outline-atomics'], needs: [] }],
  },
}

export const platformNames = Object.keys(platforms) as readonly PlatformName[]

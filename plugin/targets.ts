import type { Target } from '../compiler/target.ts'
import type { TargetOptions } from '../targets/c/level.ts'
import { compilerFingerprint } from '../targets/native/candidates.ts'

/** Every target by name, as one `Target` for each of its levels, the most demanding first. A target is loaded when first asked for. */
const targets = {
  native: async (options) => (await import('../targets/native/index.ts')).nativeTargets(undefined, options),
  'native-linux-x64': async (options) => (await import('../targets/native/index.ts')).nativeTargets('linux-x64', options),
  'native-linux-arm64': async (options) => (await import('../targets/native/index.ts')).nativeTargets('linux-arm64', options),
  wasm: async (options) => [(await import('../targets/wasm/index.ts')).wasmTarget(options)],
  interpreter: async ({ precision }) => {
    const { interpreter } = await import('../targets/interpreter/index.ts')
    return [precision === 'bf16' ? { ...interpreter, precision } : interpreter]
  },
} as const satisfies Readonly<Record<string, (options: TargetOptions) => Promise<readonly Target[]>>>

export type TargetName = keyof typeof targets
export const targetNames = Object.keys(targets) as readonly TargetName[]

/** `auto` is native code for this machine where a C compiler can make it, and wasm. Others are made, all of a list, or the build fails. */
export type TargetChoice = 'auto' | TargetName | readonly TargetName[]

/** What the plugin and the command line compile for where nothing else is asked. */
export const defaultChoice: TargetChoice = 'auto'

/** What `compile` compiles for where nothing else is asked: every machine can make it, and opens it from memory. */
export const defaultTarget: TargetName = 'wasm'

export const isTargetName = (name: unknown): name is TargetName => typeof name === 'string' && Object.hasOwn(targets, name)

/** A target that cannot be made on this machine, or does not fit where the model is to run; the message says why. */
export class TargetUnavailable extends Error {
  override readonly name = 'TargetUnavailable'
}

/**
 * The levels of a target. Throws RangeError, which lists the names, where there is no such target, and TargetUnavailable where this machine
 * lacks what it takes to compile for it.
 */
export async function loadTargets(name: string, options: TargetOptions = {}): Promise<readonly Target[]> {
  if (!isTargetName(name)) throw new RangeError(`there is no target '${name}'; targets are ${targetNames.join(', ')}`)
  if (!name.startsWith('native')) return targets[name](options)
  try {
    return await targets[name](options)
  } catch (error) {
    throw new TargetUnavailable(`target '${name}' cannot be compiled here: ${(error as Error).message}`, { cause: error })
  }
}

export interface ChosenTargets {
  /** In the order in which the loader tries them; those of one name stand together. */
  readonly targets: readonly Target[]
  /** Why `auto` did without native code, in one line. */
  readonly omitted?: string
}

/** `native x86-64-v3`, or `wasm`. */
export const describeTarget = ({ name, level }: Target): string => (level === 'any' ? name : `${name} ${level}`)

/** Lets a target load what it will need while the model is still being read. */
const prepared = (list: readonly Target[]): readonly Target[] => {
  for (const target of list) target.prepare?.()
  return list
}

/** A name for what `native` means on this machine, so that it and the platform's own name are one target. */
const identityOf = (target: string | Target) => (target === 'native' ? `native-${process.platform}-${process.arch}` : target)

/**
 * Loads what is to be compiled for, and lets it prepare; `options` are for those given by name. Where the model runs in a browser only wasm does; a choice without it throws
 * TargetUnavailable. Other errors are those of `loadTargets`.
 */
export async function chooseTargets(
  choice: string | readonly (string | Target)[],
  platform: 'node' | 'browser' = 'node',
  options: TargetOptions = {},
): Promise<ChosenTargets> {
  const list = [choice].flat()
  if (platform === 'browser') {
    if (choice !== 'auto' && !list.includes('wasm'))
      throw new TargetUnavailable(
        `a browser runs wasm alone, and the model is compiled for ${list.join(', ')}; add 'wasm' to the targets`,
      )
    return { targets: prepared(await loadTargets('wasm', options)) }
  }
  if (choice === 'auto') {
    const wasm = prepared(await loadTargets('wasm', options))
    const { nativeAvailable } = await import('../targets/native/index.ts')
    const native = await nativeAvailable()
    if (!native.ok) return { targets: wasm, omitted: `no native code: ${native.reason.replace(/\s*\n\s*/g, '; ')}` }
    return { targets: [...prepared(await loadTargets('native', options)), ...wasm] }
  }
  if (list.length === 0) throw new RangeError('no target was given')
  const distinct = list.filter((target, i) => list.findIndex((other) => identityOf(other) === identityOf(target)) === i)
  const loaded = await Promise.all(
    distinct.map(async (target) => prepared(typeof target === 'string' ? await loadTargets(target, options) : [target])),
  )
  return { targets: together(loaded.flat()) }
}

/**
 * What decides about the C compilers that a choice needs, without starting one: part of the key of the cache. Empty where none is needed.
 */
export function compilersOf(choice: TargetChoice, platform: 'node' | 'browser' = 'node'): string {
  const asked = choice === 'auto' ? ['native'] : [choice].flat()
  const names = platform === 'browser' ? [] : asked.filter((name) => name.startsWith('native'))
  return names.map((name) => compilerFingerprint(name.slice('native-'.length) || undefined)).join('\n')
}

/** Targets of one name one after another, at the place of the first. */
function together(list: readonly Target[]): Target[] {
  const names = [...new Set(list.map(({ name }) => name))]
  return names.flatMap((name) => list.filter((target) => target.name === name))
}

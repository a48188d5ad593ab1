import type { Target } from '../compiler/target.ts'

/** Every target by name. A target is loaded when it is first asked for. */
const targets = {
  wasm: async (): Promise<Target> => (await import('../targets/wasm/index.ts')).wasm,
  interpreter: async (): Promise<Target> => (await import('../targets/interpreter/index.ts')).interpreter,
} as const

export type TargetName = keyof typeof targets
export const targetNames = Object.keys(targets) as readonly TargetName[]

/** What is compiled for where nothing else is asked: it works after every install. */
export const defaultTarget: TargetName = 'wasm'

export const isTargetName = (name: unknown): name is TargetName => typeof name === 'string' && Object.hasOwn(targets, name)

/** Throws RangeError, which lists the names, where there is no such target. */
export async function loadTarget(name: string): Promise<Target> {
  if (!isTargetName(name)) throw new RangeError(`there is no target '${name}'; targets are ${targetNames.join(', ')}`)
  return targets[name]()
}

/** Lets targets load what they will need while the model is still being read. */
export async function prepareTargets(names: readonly string[]): Promise<void> {
  for (const name of names) (await loadTarget(name)).prepare?.()
}

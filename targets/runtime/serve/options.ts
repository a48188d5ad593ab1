import { fail } from '../error.ts'
import type { TensorSignature } from '../manifest.ts'
import { copyInput, type TensorArray } from '../tensor.ts'
import type { ServeOptions } from './api.ts'
import { arraysFor } from './tensors.ts'

/** Of options that are not given. */
export const defaults = { active: 48, queue: 100, timeout: 10_000, threads: 1 } as const

/** Throws `bad-option` for options that mean nothing. */
export function checkOptions(options: ServeOptions): void {
  const demand = (name: 'cards' | 'threads' | 'active' | 'queue' | 'timeout' | 'sessions', least: number) => {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= least))
      fail('bad-option', `${name} must be a whole number of at least ${least}, got ${value}`)
  }
  for (const name of ['cards', 'threads', 'active', 'timeout'] as const) demand(name, 1)
  demand('queue', 0)
  demand('sessions', 0)
  const { device = 'worker', sanitize = 1 } = options
  if (device !== 'worker' && device !== 'process') fail('bad-option', `device must be worker or process, got ${device}`)
  if (![undefined, 0, 1, 2, 3].includes(options.overhead))
    fail('bad-option', `overhead must be 0, 1, 2 or 3, got ${options.overhead}`)
  if (!(sanitize >= 0 && sanitize <= 1)) fail('bad-option', `sanitize must be from 0 to 1, got ${sanitize}`)
}

/** The values of inputs that are the same for all requests, by the inputs of a flow. */
export function fixedOf(
  tensors: readonly TensorSignature[],
  statics: ServeOptions['statics'],
): readonly (TensorArray | undefined)[] {
  return tensors.map((tensor) => {
    const value = statics?.[tensor.name]
    if (value === undefined) return undefined
    const [array] = arraysFor([tensor])
    copyInput(tensor, value, array)
    return array
  })
}

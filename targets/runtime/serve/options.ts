import { fail } from '../error.ts'
import type { TensorSignature } from '../manifest.ts'
import { copyInput, type TensorArray } from '../tensor.ts'
import type { ServeOptions } from './api.ts'
import type { BatchOptions } from './batch/batcher.ts'
import { arraysFor } from './tensors.ts'

/** Of options that are not given. */
export const defaults = { active: 48, queue: 100, timeout: 10_000, threads: 1, sessions: 16 } as const

/** More of something than a server can have is a mistake of whoever asks: it would be told after minutes, or by the end of the process. */
const most = { cards: 4096, threads: 4096, active: 2 ** 20, queue: 2 ** 53, sessions: 2 ** 20 } as const

/** Milliseconds that timers count at most: some 24 days. */
export const longestTimer = 2 ** 31 - 1

const whole =
  (least: number, largest: number) =>
  (value: unknown): string | undefined =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= largest
      ? undefined
      : `a whole number from ${least} to ${largest}`

const among =
  (...values: readonly unknown[]) =>
  (value: unknown): string | undefined =>
    values.includes(value) ? undefined : `one of ${values.map((each) => JSON.stringify(each)).join(', ')}`

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)
const object = (value: unknown) => (isObject(value) ? undefined : 'an object')
const milliseconds = (accepts: (value: number) => boolean, expected: string) => (value: unknown) =>
  typeof value === 'number' && accepts(value) && value <= longestTimer
    ? undefined
    : `milliseconds, ${expected} and up to ${longestTimer}`
const name = (value: unknown) => (typeof value === 'string' && value !== '' ? undefined : 'a name')

/** What each option must be, where it is not. */
type Checks<T> = { readonly [K in keyof Required<T>]: (value: unknown) => string | undefined }

const checks: Checks<ServeOptions> = {
  cards: whole(1, most.cards),
  device: among('worker', 'process'),
  target: name,
  threads: whole(1, most.threads),
  active: whole(1, most.active),
  queue: whole(0, most.queue),
  timeout: whole(1, longestTimer),
  sanitize: (value) => (typeof value === 'number' && value >= 0 && value <= 1 ? undefined : 'a share, 0 to 1'),
  peerToPeer: among(true, false),
  statics: object,
  verify: among('code', 'full'),
  batching: object,
  sessions: whole(0, most.sessions),
  overhead: among(0, 1, 2, 3),
}

const batchChecks: Checks<BatchOptions> = {
  delay: milliseconds((value) => value >= 0, '0 or more'),
  most: whole(1, 2 ** 31 - 1),
  budget: milliseconds((value) => value > 0, 'more than 0'),
  dim: name,
  rows: whole(1, 2 ** 31 - 1),
  masked: (value) => (Array.isArray(value) && value.every((each) => !name(each)) ? undefined : 'a list of names'),
}

/** Throws `bad-option` where options are none that there are, or mean nothing. `where` stands before their names. */
function check<T extends object>(options: T, rules: Checks<T>, where: string): void {
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, key))
      fail('bad-option', `there is no option '${where}${key}'; options are ${Object.keys(rules).join(', ')}`)
    const expected = value === undefined ? undefined : rules[key as keyof T](value)
    if (expected) fail('bad-option', `${where}${key} is ${show(value)}, expected ${expected}`)
  }
}

const show = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : isObject(value) ? 'an object' : `${value}`)

/** Throws `bad-option` for options that mean nothing. */
export function checkOptions(options: ServeOptions): void {
  if (!isObject(options)) fail('bad-option', `the options of serve() are ${show(options)}, expected an object`)
  check(options, checks, '')
  if (options.batching !== undefined) check(options.batching, batchChecks, 'batching.')
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

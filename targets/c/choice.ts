import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import type { Level } from './level.ts'

/** One way to make a kernel: what it is called, and what a call of it is expected to take on one thread. */
export interface Candidate<Value> {
  /** Unique among the ways of one kernel, and the same in every build: lock files of a tuner name it. */
  readonly name: string
  readonly nanoseconds: number
  readonly value: Value
}

/**
 * The way that was measured to be the best for this kernel, where one was, else the one that is estimated to be the fastest; of equal
 * ones the first. A name that is no longer among them was measured with other templates and says nothing.
 */
export function choose<Value>(kernel: Kernel, level: Level, candidates: readonly Candidate<Value>[]): Value {
  const [first, ...others] = candidates
  assertInvariant(first, 'a kernel without a way to make it')
  const measured = level.chosen?.get(kernelSignature(kernel))
  const found = measured === undefined ? undefined : candidates.find(({ name }) => name === measured)
  if (found) return found.value
  return others.reduce((best, other) => (other.nanoseconds < best.nanoseconds ? other : best), first).value
}

/** What remembers the answers of `make` for a kernel at a level: templates are asked the same several times. */
export function remembered<Value>(make: (kernel: Kernel, level: Level) => Value): (kernel: Kernel, level: Level) => Value {
  const known = new WeakMap<Level, WeakMap<Kernel, Value>>()
  return (kernel, level) => {
    const ofLevel = known.get(level) ?? new WeakMap<Kernel, Value>()
    known.set(level, ofLevel)
    if (!ofLevel.has(kernel)) ofLevel.set(kernel, make(kernel, level))
    return ofLevel.get(kernel)!
  }
}

/** Nanoseconds that one thread takes for so many multiply-adds of f32, at a part of its peak; for the estimates of candidates. */
export const workNanoseconds = (multiplyAdds: number, level: Level, efficiency = 1): number =>
  multiplyAdds / (level.multiplyAddsPerNanosecond * efficiency)

/** Nanoseconds that one thread takes to move so many bytes through its second-level cache, and through memory or the last-level cache. */
export const cacheNanoseconds = (bytes: number): number => bytes / 60
export const memoryNanoseconds = (bytes: number): number => bytes / 20

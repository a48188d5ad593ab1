import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import type { KernelWay, WayChoice } from '../../compiler/target.ts'
import type { Level } from './level.ts'

/** One way to make a kernel, with what templates need for it. */
export interface Candidate<Value> extends KernelWay {
  readonly value: Value
}

/** What was measured to be the fastest. */
export interface Chosen extends WayChoice {
  /** Told a name for a kernel that has no way of this name: it was measured with other templates. */
  unknown?(signature: string, name: string): void
}

/** Kernels that are made as parts of others. */
const wholes = new WeakMap<Kernel, Kernel>()

/** A kernel that is made of the anchor of `whole` alone is made in the way that is chosen for `whole`. */
export const standsFor = (part: Kernel, whole: Kernel): void => void wholes.set(part, whole)

/**
 * The way that was measured to be the best for this kernel, where one was, else the one that is estimated to be the fastest; of equal
 * ones the first. A name that is no longer among them says nothing.
 */
export function choose<Value>(kernel: Kernel, level: Level, candidates: readonly Candidate<Value>[]): Value {
  const signature = level.chosen && kernelSignature(wholes.get(kernel) ?? kernel)
  const measured = signature === undefined ? undefined : level.chosen?.get(signature)
  if (measured === undefined) return cheapest(candidates).value
  const found = candidates.find(({ name }) => name === measured)
  if (!found) level.chosen?.unknown?.(signature!, measured)
  return (found ?? cheapest(candidates)).value
}

/** The first of those that are estimated to take least. */
export function cheapest<Value>([first, ...others]: readonly Candidate<Value>[]): Candidate<Value> {
  assertInvariant(first, 'a kernel without a way to make it')
  return others.reduce((best, other) => (other.nanoseconds < best.nanoseconds ? other : best), first)
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

import type { Regions } from './program.ts'

/** A step of a program whose time is told: its name, and the line of the model that it comes from; empty where it comes from none. */
export interface TimedStep {
  readonly name: string
  readonly at: string
}

/** Where times lie: behind inputs and outputs. */
export interface TimesRegion {
  readonly offset: number
  /** Of the region of inputs and outputs, times included. */
  readonly mutable: number
}

/**
 * Where code that tells the times of its steps writes them: 64-bit integers, of which the first is how many follow, 0 where the run did not come to its end; then
 * nanoseconds, of the beginning and of the end of each step.
 */
export function timesRegion({ mutable }: Regions, steps: number): TimesRegion {
  const offset = Math.ceil(mutable / 64) * 64
  return { offset, mutable: offset + 8 * (steps + 2) }
}

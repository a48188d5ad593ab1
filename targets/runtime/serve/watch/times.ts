import { fail } from '../../error.ts'
import type { PlacedEntry } from '../../plan.ts'
import type { TensorArray } from '../../tensor.ts'
import type { KernelTime } from '../api.ts'

/** Steps beyond these are damage. */
const mostSteps = 2 ** 20

/**
 * The entry with its times as one output more, behind those that the model has, so that cards bring them like any other. As it is, where its code tells none. Errors:
 * `bundle-malformed` where they do not lie in its region.
 */
export function withTimes(entry: PlacedEntry): PlacedEntry {
  const { times, regions, outputs, name } = entry
  if (times === undefined) return entry
  const { offset, steps } = Object(times)
  const isText = (value: unknown) => typeof value === 'string'
  if (
    !Array.isArray(steps) ||
    steps.length > mostSteps ||
    !steps.every((step) => isText(step?.name) && isText(step.at)) ||
    offset >>> 0 !== offset ||
    offset % 8 !== 0 ||
    offset + 8 * (steps.length + 2) > regions.mutable
  )
    fail('bundle-malformed', `the times of entry '${name}' do not lie among its inputs and outputs; build it again`)
  const length = steps.length + 2
  return { ...entry, outputs: [...outputs, { name: 'times', dtype: 'i64', shape: [length], offset, bytes: 8 * length }] }
}

/** What a run of such an entry tells in its outputs; nothing where it did not come to its end. */
export function readTimes({ times, outputs: { length } }: PlacedEntry, outputs: readonly TensorArray[]): readonly KernelTime[] {
  const told = outputs[length - 1] as BigInt64Array
  const steps = times!.steps
  if (Number(told[0]) !== steps.length + 1) return []
  const at = (i: number) => Number(told[i + 1]!) / 1e6
  return steps.map(({ name, at: line }, i) => ({ name, at: line, time: at(i), milliseconds: at(i + 1) - at(i) }))
}

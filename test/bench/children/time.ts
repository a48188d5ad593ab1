// Compares outputs of both, then times them in turns.
import { checkSides } from '../agreement.ts'
import type { Driver, Setting } from '../drivers/driver.ts'
import { type Comparison, comparePairs } from '../statistics.ts'
import { paceOf, timePairs } from '../turns.ts'
import type { Workload } from '../workloads.ts'
import { answer, progress } from './answer.ts'

export interface TimeTask extends Setting {
  readonly seconds: number
}

export interface Timed {
  readonly comparison: Comparison
  /** How far outputs were apart. */
  readonly error: number
}

const drivers: Readonly<Record<Workload['driver'], () => Promise<{ readonly createSides: Driver }>>> = {
  forward: () => import('../drivers/forward.ts'),
  arrays: () => import('../drivers/arrays.ts'),
  stories: () => import('../drivers/stories.ts'),
  dtln: () => import('../drivers/dtln.ts'),
}

await answer(async ({ seconds, ...setting }: TimeTask): Promise<Timed> => {
  const { createSides } = await drivers[setting.workload.driver]()
  progress('opening')
  const sides = await createSides(setting)
  progress('comparing outputs')
  const error = await checkSides(sides, setting.workload.tolerance)
  const pairs = await timePairs(sides, paceOf(seconds, setting.threads), (count) => {
    progress(`${count} pairs`)
  })
  return { comparison: comparePairs(pairs), error }
})

// Runs in a process of its own, whose job lies in the folder that is its only argument: a bundle, and what of it to measure.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHost } from '../../targets/runtime/load.ts'
import { native } from '../../targets/runtime/native.ts'
import { threads } from '../../targets/runtime/threads.ts'
import { type Course, measure } from './measure.ts'

export interface Job extends Course {
  readonly seconds: number
  readonly threads: number
  /** Where inputs of floats lie among inputs and outputs: as offset and number of elements. */
  readonly floats: readonly (readonly [offset: number, count: number])[]
}

const folder = process.argv[1]!
const job = JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8')) as Job
const { instantiate } = createHost(
  folder,
  { threads: job.threads, verify: 'code' },
  { wasm: threads, module: threads, addon: native },
).load()
const instance = instantiate()
for (const [offset, count] of job.floats) {
  const input = new Float32Array(instance.memory, instance.mutable + offset, count)
  // Numbers between -1 and 1: what is multiplied should neither vanish nor grow beyond all bounds.
  for (let i = 0; i < count; i++) input[i] = (((i * 2654435761) % 4096) - 2048) / 2048
}
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
/** Microseconds of processor time that may be missing, because the two clocks are not read at once. */
const tolerance = 10
function run(entry: number): number | undefined {
  const used = process.cpuUsage()
  const from = performance.now()
  instance.run(entry)
  const milliseconds = performance.now() - from
  const { user, system } = process.cpuUsage(used)
  // Of several threads, some wait.
  const disturbed = job.threads === 1 && milliseconds * 1e3 > user + system + tolerance
  return disturbed ? undefined : milliseconds * 1e6
}
const measurements = measure(job, {
  run,
  now: () => performance.now() * 1e6,
  budget: job.seconds * 1e9,
  onRound: (round) => say({ round }),
})
instance.close?.()
say({ measurements })

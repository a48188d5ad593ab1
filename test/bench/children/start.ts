// From nothing to the first answer, once, in a process of its own, by one side; then what memory it took.

import type { Setting } from '../drivers/driver.ts'
import { drawInputs, feedsOf } from '../drivers/forward.ts'
import { openOurs } from '../ours.ts'
import { openPeer } from '../peer.ts'
import { answer } from './answer.ts'

export interface StartTask extends Setting {
  readonly side: 'ours' | 'peer'
  /** How ours is asked: `run`, which checks the weights first, or `runSync`, which does not. */
  readonly call: 'run' | 'runSync'
}

export interface Started {
  /** Milliseconds from before anything of the runtime is loaded. */
  readonly opened: number
  readonly answered: number
  /** Most memory that was resident, after some more runs, in MB. */
  readonly peak: number
}

/** Runs after the first. */
const more = 5

await answer(async (task: StartTask): Promise<Started> => {
  const prepared = task.models[0]!
  const { entry } = task.workload.models[0]!
  const inputs = drawInputs({ workload: { ...task.workload, rotation: 1 } }, prepared)[0]!
  const begun = performance.now()
  const since = () => performance.now() - begun
  let run: () => Promise<unknown>
  if (task.side === 'ours') {
    const model = await openOurs(prepared.bundle, task.target, task.threads)
    const called = entry === undefined ? model : model.entries[entry]!
    run = task.call === 'run' ? () => called.run(inputs) : async () => called.runSync(inputs)
  } else {
    const peer = await openPeer(task.home, task.peer, prepared.onnx, task.threads)
    const feeds = feedsOf(peer, prepared, inputs)
    run = () => peer.session.run(feeds)
  }
  const opened = since()
  await run()
  const answered = since()
  for (let i = 0; i < more; i++) await run()
  return { opened, answered, peak: process.resourceUsage().maxRSS / 1024 }
})

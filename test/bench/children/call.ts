// What a call costs beside the kernel, and what it takes to open a bundle.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PreparedModel } from '../drivers/driver.ts'
import { loadOurs, type OurTarget, openOurs } from '../ours.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import { answer } from './answer.ts'

export interface CallTask {
  readonly what: 'call' | 'open'
  readonly model: PreparedModel
  readonly target: OurTarget
}

/** Microseconds of `bind().run()`, batch by batch. */
function timeCalls(run: () => void): Spread {
  const batches: number[] = []
  for (let i = 0; i < 60; i++) {
    const begun = performance.now()
    for (let n = 0; n < 50_000; n++) run()
    batches.push(((performance.now() - begun) * 1000) / 50_000)
  }
  // The first ones warm up the engine.
  return spreadOf(batches.slice(10))
}

await answer(async ({ what, model, target }: CallTask): Promise<Spread> => {
  if (what === 'call') {
    const opened = await openOurs(model.bundle, target, 1)
    return timeCalls(opened.bind().run)
  }
  // As in a server: it has loaded Node's own modules for other ends, its bundler has put loader and manifest into it.
  for (const name of ['node:http', 'node:crypto', 'node:vm']) await import(name)
  const manifest = readdirSync(model.bundle).find((file) => file.endsWith('.manifest.json'))!
  const source = {
    manifest: JSON.parse(readFileSync(join(model.bundle, manifest), 'utf8')),
    base: pathToFileURL(join(model.bundle, '/')),
  }
  const { open } = await loadOurs()
  const begun = performance.now()
  open(source, { target }).bind()
  const time = performance.now() - begun
  return { low: time, median: time, high: time }
})

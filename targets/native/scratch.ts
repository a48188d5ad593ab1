import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atExit } from './atExit.ts'

/** Runs `work` with an empty folder of its own, which is gone when that ends, and when the process ends before. */
export async function inScratch<T>(work: (folder: string) => Promise<T>, prefix = 'glowplug-'): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), prefix))
  const done = atExit(() => rmSync(folder, { recursive: true, force: true }))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
    done()
  }
}

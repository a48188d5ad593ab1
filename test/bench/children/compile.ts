// What it takes to compile a model for one level in a fresh process, nothing cached.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeBundle } from '../../../plugin/bundle/write.ts'
import { compile } from '../../../plugin/compile.ts'
import { answer } from './answer.ts'
import { readModelFile, targetAt } from './models.ts'

export interface CompileTask {
  readonly file: string
  readonly level?: string | undefined
}

/** Seconds, the start of Node included. */
export interface CompileTimes {
  readonly total: number
  readonly read: number
  readonly compile: number
  readonly write: number
  readonly toolchain: string
}

await answer(async ({ file, level }: CompileTask): Promise<CompileTimes> => {
  const seconds = () => performance.now() / 1000
  const begun = seconds()
  const model = await readModelFile(file)
  const read = seconds()
  const bundle = await compile(model, { target: [await targetAt('native', level)] })
  const compiled = seconds()
  const folder = mkdtempSync(join(tmpdir(), 'glowplug-bench-'))
  try {
    await writeBundle(bundle, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const total = seconds()
  const native = Object.entries(bundle.manifest.toolchain).find(([name]) => name.startsWith('native'))
  return { total, read: read - begun, compile: compiled - read, write: total - compiled, toolchain: native?.[1] ?? '' }
})

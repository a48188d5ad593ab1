import { join, relative, resolve } from 'node:path'
import { findForeignFile, writeFolder } from '../bundle/folder.ts'
import { compile } from '../compile.ts'
import { formatReport, summariesOf } from '../report.ts'
import { chooseTargets, describeTarget } from '../targets.ts'
import { parseTargets, readModel } from './models.ts'
import { Failure, UsageError, withProgress } from './terminal.ts'

export interface BuildOptions {
  readonly out?: string
  readonly target?: string
  readonly model?: unknown
  readonly json?: boolean
}

/** `glowplug build`: a model file becomes a folder that can be imported. */
export async function build(file: string, options: BuildOptions): Promise<void> {
  if (options.out === undefined) throw new UsageError("'build' needs --out <folder>", "see 'glowplug build --help'")
  const started = performance.now()
  const choice = parseTargets(options.target)
  const out = resolve(String(options.out))
  const foreign = await findForeignFile(out)
  if (foreign !== undefined)
    throw new Failure(
      `${relative(process.cwd(), join(out, foreign))} was not written by glowplug and would be replaced; choose another folder`,
    )
  const { bundle, omitted } = await withProgress(`reading ${file}`, async (update) => {
    const choosing = chooseTargets(choice)
    choosing.catch(() => undefined)
    const model = await readModel(file, options.model === undefined ? undefined : String(options.model))
    const { targets: target, omitted } = await choosing
    update(`compiling ${model.name} for ${target.map(describeTarget).join(', ')}`)
    const bundle = await compile(model, {
      target,
      observe: (event) => event.kind === 'stage' && update(`compiling ${model.name}: ${event.stage}`),
    })
    return { bundle, omitted }
  })
  await writeFolder(bundle, out)
  const milliseconds = performance.now() - started
  const models = summariesOf(bundle, { file: relative(process.cwd(), file), milliseconds, omitted })
  const files = ['index.js', 'index.d.ts', ...bundle.files.keys()]
  process.stdout.write(options.json ? `${JSON.stringify({ out, files, models }, undefined, 2)}\n` : formatReport({ models }))
}

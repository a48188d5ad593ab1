import { relative, resolve } from 'node:path'
import { writeFolder } from '../bundle/folder.ts'
import { compile } from '../compile.ts'
import { formatReport, type ModelSummary } from '../report.ts'
import { prepareTargets } from '../targets.ts'
import { parseTargets, readModel } from './models.ts'
import { UsageError, withProgress } from './terminal.ts'

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
  const target = parseTargets(options.target)
  const out = resolve(String(options.out))
  const bundle = await withProgress(`reading ${file}`, async (update) => {
    await prepareTargets(target)
    const graph = await readModel(file, options.model === undefined ? undefined : String(options.model))
    update(`compiling ${graph.name} for ${target.join(', ')}`)
    return compile(graph, {
      target,
      observe: (event) => event.kind === 'stage' && update(`compiling ${graph.name}: ${event.stage}`),
    })
  })
  await writeFolder(bundle, out)
  const milliseconds = performance.now() - started
  const models = bundle.manifest.codes.map(({ target, level, bytes: code, weights, entries }): ModelSummary => {
    const { activations, lowerBound } = entries[0]!.regions
    return {
      file: relative(process.cwd(), file),
      model: bundle.name,
      target,
      level,
      code,
      weights: weights.bytes,
      activations,
      lowerBound,
      milliseconds,
      cached: false,
    }
  })
  const files = ['index.js', 'index.d.ts', ...bundle.files.keys()]
  process.stdout.write(options.json ? `${JSON.stringify({ out, files, models }, undefined, 2)}\n` : formatReport({ models }))
}

import { join, relative, resolve } from 'node:path'
import { type Budgets, budgetNames } from '../budgets.ts'
import { findForeignFile, writeFolder } from '../bundle/folder.ts'
import { compile } from '../compile.ts'
import { formatReport, summariesOf } from '../report.ts'
import { chooseTargets, describeTarget } from '../targets.ts'
import { parseTargets, readModel, tunedOf } from './models.ts'
import { buildOptionsOf } from './source.ts'
import { Failure, report, UsageError, withProgress } from './terminal.ts'

export interface BuildOptions {
  readonly out?: string
  readonly target?: string
  readonly model?: unknown
  readonly json?: boolean
  readonly memory?: unknown
  readonly weights?: unknown
  readonly code?: unknown
  readonly recompute?: boolean
  readonly winograd?: boolean
  readonly precision?: unknown
  readonly tuned?: boolean
}

/** The budgets among the options. */
function budgetsOf(options: BuildOptions): Budgets {
  const stated = budgetNames.filter((name) => options[name] !== undefined)
  for (const name of stated)
    if (!Number.isSafeInteger(Number(options[name])) || Number(options[name]) < 0)
      throw new UsageError(
        `--${name} '${options[name]}' is no budget: a budget is a whole number of bytes, 0 or more`,
        `write --${name} 1048576`,
      )
  return Object.fromEntries(stated.map((name) => [name, Number(options[name])]))
}

/** `glowplug build`: a model file becomes a folder that can be imported. */
export async function build(file: string, options: BuildOptions): Promise<void> {
  if (options.out === undefined) throw new UsageError("'build' needs --out <folder>", "see 'glowplug build --help'")
  const started = performance.now()
  const choice = parseTargets(options.target)
  const budgets = budgetsOf(options)
  const recompute = options.recompute === true
  if (recompute && budgets.memory === undefined)
    throw new UsageError('--recompute has no budget to meet', 'state it: --memory 1048576')
  const out = resolve(String(options.out))
  const foreign = await findForeignFile(out)
  if (foreign !== undefined)
    throw new Failure(
      `${relative(process.cwd(), join(out, foreign))} was not written by glowplug and would be replaced; choose another folder`,
    )
  const { bundle, omitted, warnings } = await withProgress(`reading ${file}`, async (update) => {
    const tuned = await tunedOf(file, options)
    const choosing = chooseTargets(choice, 'node', { ...buildOptionsOf(options), ...(tuned && { tuned: tuned.chosen }) })
    choosing.catch(() => undefined)
    const model = await readModel(file, options.model === undefined ? undefined : String(options.model))
    const { targets: target, omitted } = await choosing
    update(`compiling ${model.name} for ${target.map(describeTarget).join(', ')}`)
    const bundle = await compile(model, {
      target,
      budgets,
      recompute,
      observe: (event) => event.kind === 'stage' && update(`compiling ${model.name}: ${event.stage}`),
    })
    // A file with one model was compiled whole.
    return { bundle, omitted, warnings: tuned?.stale(options.model === undefined) ?? [] }
  })
  await report(warnings)
  await writeFolder(bundle, out)
  const milliseconds = performance.now() - started
  const models = summariesOf(bundle, { file: relative(process.cwd(), file), milliseconds, omitted })
  const files = ['index.js', 'index.d.ts', ...bundle.files.keys()]
  process.stdout.write(options.json ? `${JSON.stringify({ out, files, models }, undefined, 2)}\n` : formatReport({ models }))
}

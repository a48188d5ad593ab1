import { join, relative, resolve } from 'node:path'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import type { PlacedModel } from '../../targets/runtime/serve/readPlacement.ts'
import { type Budgets, budgetNames } from '../budgets.ts'
import { findForeignFile, writeFolder, writePlaced } from '../bundle/folder.ts'
import { compile, compilePlaced } from '../compile.ts'
import { describePlaced, formatPlaced, placedSummaries } from '../placedReport.ts'
import { formatReport, summariesOf } from '../report.ts'
import { chooseTargets, describeTarget } from '../targets.ts'
import { parseTargets, readModel, tunedOf } from './models.ts'
import { choosePlatform, type PlacementOptions, readPlacementOptions } from './placement.ts'
import { buildOptionsOf } from './source.ts'
import { Failure, report, UsageError, withProgress } from './terminal.ts'

export interface BuildOptions extends PlacementOptions {
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
  readonly trace?: boolean
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
  const placement = options.platform === undefined ? undefined : await readPlacement(options)
  const unplaced = ['method', 'contexts', 'map', 'plan'].find((name) => name in options)
  if (!placement && unplaced !== undefined)
    throw new UsageError(`--${unplaced} is for models over several cards`, 'name them, as --platform six-cards')
  const { made, omitted, warnings } = await withProgress(`reading ${file}`, async (update) => {
    const tuned = await tunedOf(file, options)
    const choosing = chooseTargets(choice, 'node', {
      ...buildOptionsOf(options),
      trace: options.trace === true,
      ...(tuned && { tuned: tuned.chosen }),
    })
    choosing.catch(() => undefined)
    const model = await readModel(file, options.model === undefined ? undefined : String(options.model))
    const { targets: target, omitted } = await choosing
    const whom = target.map(describeTarget).join(', ')
    update(`compiling ${model.name} for ${whom}`)
    let what = model.name
    const shared = {
      target,
      budgets,
      recompute,
      observe: (event: { readonly kind: string; readonly stage?: string }) =>
        event.kind === 'stage' && update(`compiling ${what}: ${event.stage}`),
    }
    const made = placement
      ? await compilePlaced(model, placement.platform, {
          ...shared,
          ...placement.how,
          begin(part, index, count) {
            what = `${model.name}, part ${index + 1} of ${count}, ${part}`
            update(`compiling ${what}`)
          },
        })
      : await compile(model, shared)
    // A file with one model was compiled whole.
    return { made, omitted, warnings: tuned?.stale(options.model === undefined) ?? [] }
  })
  await report(warnings)
  const about = { file: relative(process.cwd(), file), milliseconds: performance.now() - started, omitted }
  await ('placement' in made ? writePlaced(made, out) : writeFolder(made, out))
  const files = ['index.js', 'index.d.ts', ...made.files.keys()]
  process.stdout.write(
    options.json ? `${JSON.stringify({ out, files, ...dataOf(made, about) }, undefined, 2)}\n` : tableOf(made, about),
  )
}

type About = Parameters<typeof summariesOf>[1]

const dataOf = (made: Bundle | PlacedModel, about: About) =>
  'placement' in made ? { models: placedSummaries(made, about), ...describePlaced(made) } : { models: summariesOf(made, about) }

const tableOf = (made: Bundle | PlacedModel, about: About): string =>
  'placement' in made ? formatPlaced(made) : formatReport({ models: summariesOf(made, about) })

const readPlacement = async (options: BuildOptions) => ({
  platform: (await choosePlatform(String(options.platform))).platform,
  how: await readPlacementOptions(options),
})

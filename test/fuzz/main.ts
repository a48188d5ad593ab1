// The command behind `npm run fuzz`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { extractModule } from '../../plugin/extract/index.ts'
import { broken } from './broken.ts'
import { createCase, createChecks } from './checks.ts'
import { kinds } from './drawn.ts'
import { describe, type FuzzReport, fuzz } from './fuzz.ts'
import { enginesHere, runOn } from './targets.ts'
import { isWorker, serve } from './worker.ts'

const usage = `npm run fuzz -- [options]
  --seconds N      stops after N seconds (default 60)
  --count N        stops after N graphs
  --seed S         number of the first graph (default: drawn, and printed)
  --target NAMES   wasm, levels of native code, or none: the code that runs (default all that this machine runs)
  --only TEXT      checks whose name contains the text: pass, 'pass fold-affine', optimise, lower, program, wasm
  --recipe NAME    graphs of one kind: ${kinds.join(', ')}
  --batch N        graphs that share one run of a C compiler (default 24)
  --out FOLDER     where fuzz-<seed>.model.ts goes (default: a folder for temporary files)
  --model FILE     tries everything on a model file instead
  --break NAME     adds a pass that is wrong on purpose: ${Object.keys(broken).join(', ')}
  --list           names of all checks`

const number = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0) return value
  throw new Error(`--${name} takes a whole number, got ${text}`)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      count: { type: 'string' },
      seed: { type: 'string' },
      target: { type: 'string' },
      only: { type: 'string' },
      recipe: { type: 'string' },
      batch: { type: 'string' },
      out: { type: 'string' },
      model: { type: 'string' },
      break: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  const checks = createChecks().map(({ name }) => name)
  if (values.help) console.log(usage)
  if (values.list) console.log([...checks, ...(await enginesHere()).map(({ name }) => name)].join('\n'))
  if (values.help || values.list) return 0
  if (values.break !== undefined && !Object.hasOwn(broken, values.break))
    throw new Error(`--break knows ${Object.keys(broken).join(', ')}`)
  if (values.recipe !== undefined && !kinds.includes(values.recipe)) throw new Error(`--recipe knows ${kinds.join(', ')}`)
  const targets = values.target === undefined ? undefined : values.target.split(',').filter((name) => name !== 'none')
  const known = (await enginesHere()).map(({ name }) => name)
  const unknown = targets?.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`--target knows ${[...known, 'none'].join(', ')}; got ${unknown}`)
  if (values.model !== undefined) return tryModel(values.model, number('seed', values.seed) ?? 0, values.only ?? '')

  const seed = number('seed', values.seed) ?? Math.floor(Math.random() * 1e6)
  const [seconds, count] = [number('seconds', values.seconds), number('count', values.count)]
  console.log(`fuzzing from seed ${seed}`)
  const report = await fuzz({
    seed,
    ...(count === undefined ? { seconds: seconds ?? 60 } : { count, ...(seconds === undefined ? {} : { seconds }) }),
    batch: Math.max(1, number('batch', values.batch) ?? 24),
    targets,
    only: values.only,
    recipe: values.recipe,
    broken: values.break,
    worker: fileURLToPath(import.meta.url),
    tell: (line) => console.log(`  ${line}`),
  })
  const folder = resolve(values.out ?? join(tmpdir(), 'glowplug-fuzz'))
  for (const finding of report.findings) {
    const file = join(folder, `fuzz-${finding.failure.seed}.model.ts`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, finding.source)
    console.log(`\n${describe(finding, file)}`)
  }
  console.log(summary(report))
  return report.findings.length > 0 ? 1 : 0
}

const summary = ({ graphs, nodes, faults, runs, seconds, findings }: FuzzReport): string =>
  `\n${graphs} graphs of ${(nodes / Math.max(1, graphs)).toFixed(1)} nodes, ${runs} checks, ${faults} left out, in ${seconds.toFixed(0)} s: ` +
  `${(graphs / seconds).toFixed(1)} graphs per second, ${findings.length} failures`

/** Every check on the graphs of a model file; prints what fails. */
async function tryModel(file: string, seed: number, only: string): Promise<number> {
  const path = resolve(file)
  const { models, diagnostics } = await extractModule(path, { root: join(path, '..') })
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  for (const { code, message } of errors) console.log(`${relative('.', path)}: ${code}: ${message}`)
  let failed = errors.length
  for (const { model } of models)
    for (const { name, graph } of model.entries) {
      const tell = (check: string, error: unknown) => {
        failed++
        console.log(`${model.name} ${name}: ${check}: ${error instanceof Error ? error.message : error}`)
      }
      for (const check of createChecks().filter((one) => one.name.includes(only))) {
        try {
          check.run(createCase(graph, seed))
        } catch (error) {
          tell(check.name, error)
        }
      }
      for (const engine of (await enginesHere()).filter((one) => one.name.includes(only))) {
        const [outcome] = await runOn(engine, [createCase(graph, seed)], () => undefined)
        if (outcome) tell(engine.name, outcome)
      }
    }
  console.log(failed > 0 ? `${failed} failures` : 'nothing fails')
  return failed > 0 ? 1 : 0
}

if (isWorker()) serve()
else
  main().then(
    (status) => process.exit(status),
    (error) => {
      console.error(error instanceof Error ? error.message : error)
      process.exit(2)
    },
  )

import { cpus } from 'node:os'
import { resolve } from 'node:path'
import colors from 'picocolors'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Target, Tuning } from '../../compiler/target.ts'
import { describeTarget, isTargetName, loadTargets, targetNames } from '../targets.ts'
import { digestOfKernel, LockProblem, lockFileOf, mergeLock, readLock, type TunedKernel, writeLock } from '../tune/lock.ts'
import type { MeasuredKernel } from '../tune/tune.ts'
import { readModels } from './models.ts'
import { buildOptionsOf, readNumber } from './source.ts'
import { Failure, formatTable, nearest, printJson, report, UsageError } from './terminal.ts'

export interface TuneOptions {
  readonly target?: unknown
  readonly level?: unknown
  readonly model?: unknown
  readonly entry?: unknown
  readonly seconds?: unknown
  readonly threads?: unknown
  readonly dryRun?: boolean
  readonly winograd?: boolean
  readonly precision?: unknown
  readonly json?: boolean
}

type Tunable = Target & { readonly tuning: Tuning }
const isTunable = (target: Target): target is Tunable => target.tuning !== undefined

/** `glowplug tune`: measures on this machine which way of making each kernel is the fastest, and keeps it in a file beside the model. */
export async function tune(file: string, options: TuneOptions): Promise<void> {
  if (!/\.model\.(?:ts|tsx|mts|js|mjs)$/.test(file))
    throw new UsageError(
      `'tune' takes a model file: what it measures is kept beside one, and ${file} is none`,
      "an ONNX model becomes a model file by 'glowplug import'",
    )
  const seconds = readNumber(options.seconds, '--seconds', 60)
  const threads = readNumber(options.threads, '--threads', 1)
  if (seconds < 1) throw new UsageError('--seconds 0 is no time to measure anything', 'write --seconds 60')
  if (threads < 1) throw new UsageError('--threads 0 is nobody to measure with', 'write --threads 1')
  const target = await findTunable(options)
  const lockFile = lockFileOf(file)
  const earlier = await readLock(resolve(lockFile), lockFile).catch((error) => {
    if (error instanceof LockProblem) throw new Failure(`${error.message}; remove it, and all is measured anew`)
    throw error
  })
  const { models, diagnostics } = await readModels(file)
  if (diagnostics.some(({ severity }) => severity === 'error')) throw new DiagnosticError(diagnostics)
  await report(diagnostics)
  if (models.length === 0) throw new Failure(`${file} exports no model`)
  const selects = selection(
    models.map(({ model }) => model),
    options,
  )
  const progress = showProgress()
  const started = performance.now()
  const { tune: measure } = await import('../tune/tune.ts')
  const { kernels, skipped, signatures } = await measure({
    models: models.map(({ model }) => model),
    selects,
    target,
    seconds,
    threads,
    update: progress.update,
  }).finally(progress.end)
  const rows = kernels.map(rowOf)
  const present = new Set([...signatures].map(digestOfKernel))
  const { section } = target.tuning
  const measuredOn = `${cpus()[0]?.model.trim() ?? 'an unknown processor'}, ${threads} thread${threads === 1 ? '' : 's'}`
  const { lock, dropped } = mergeLock(
    earlier,
    section,
    { measuredOn, kernels: Object.fromEntries(kernels.map((kernel) => [digestOfKernel(kernel.signature), tunedOf(kernel)])) },
    (digest) => present.has(digest),
  )
  if (!options.dryRun) await writeLock(resolve(lockFile), lock)
  const took = (performance.now() - started) / 1000
  const gone = dropped.map(({ kernel }) => kernel)
  if (options.json) {
    printJson({ file: options.dryRun ? null : lockFile, section, seconds: took, kernels: rows, skipped, dropped: gone })
    return
  }
  for (const line of skipped) process.stderr.write(`${colors.yellow('skipped')}: ${line}\n`)
  for (const kernel of gone) process.stderr.write(`dropped, since no model has it any more: ${kernel}\n`)
  process.stdout.write(formatRows(rows))
  process.stdout.write(
    kernels.length === 0
      ? `no kernel at ${section} was measured${options.dryRun ? '' : `; see ${lockFile}`}\n`
      : `${kernels.length} kernels at ${section} in ${took.toFixed(0)} s; ${options.dryRun ? 'nothing was written (--dry-run)' : `builds take them from ${lockFile}`}\n`,
  )
}

/** One level of one target that has ways to choose from, as builds without measurements see it. */
async function findTunable(options: TuneOptions): Promise<Tunable> {
  const { target: asked = 'native', level } = options
  const name = String(asked)
  if (!isTargetName(name))
    throw new UsageError(
      name.includes(',') ? 'tune takes one target' : `there is no target '${name}'${nearest(name, targetNames)}`,
      `targets are ${targetNames.join(', ')}`,
    )
  const targets = await loadTargets(name, buildOptionsOf(options))
  const runs = ({ tuning }: Target) => tuning?.lacks().length === 0
  const found =
    level === undefined ? (targets.find(runs) ?? targets[0]) : targets.find((target) => target.level === String(level))
  const levels = targets.map((target) => target.level)
  if (!found)
    throw new UsageError(
      `target '${name}' has no level '${level}'${nearest(String(level), levels)}`,
      `levels are ${levels.join(', ')}`,
    )
  if (!isTunable(found)) throw new UsageError(`there is nothing to choose at target '${name}'`, 'write --target native or wasm')
  const lacking = found.tuning.lacks()
  if (lacking.length > 0)
    throw new Failure(`${describeTarget(found)} cannot be measured on this machine, which lacks ${lacking.join(', ')}`)
  return found
}

function selection(
  models: readonly { readonly name: string; readonly entries: readonly { readonly name: string }[] }[],
  options: TuneOptions,
) {
  const check = (what: string, name: unknown, names: readonly string[]): string | undefined => {
    if (name === undefined) return undefined
    if (!names.includes(String(name)))
      throw new UsageError(`there is no ${what} '${name}'${nearest(String(name), names)}`, `there is ${names.join(', ')}`)
    return String(name)
  }
  const model = check(
    'model',
    options.model,
    models.map(({ name }) => name),
  )
  const entry = check(
    'entry',
    options.entry,
    models.flatMap(({ entries }) => entries.map(({ name }) => name)),
  )
  return ({ name }: { readonly name: string }, ofEntry: string): boolean =>
    (model === undefined || name === model) && (entry === undefined || ofEntry === entry)
}

interface Row {
  readonly kernel: string
  readonly location: string
  readonly calls: number
  readonly estimated: { readonly way: string; readonly nanoseconds: number }
  readonly best: { readonly way: string; readonly nanoseconds: number }
  /** Of all ways that were measured, by name. */
  readonly nanoseconds: Readonly<Record<string, number>>
  /** What the cost model expected of them. */
  readonly expected: Readonly<Record<string, number>>
}

function rowOf({ about, location, calls, ways, best }: MeasuredKernel): Row {
  const [own] = ways
  const measured = ways.filter((way) => way.measured !== undefined)
  return {
    kernel: about,
    location,
    calls,
    estimated: { way: own!.name, nanoseconds: Math.round(own!.measured!) },
    best: { way: best.name, nanoseconds: Math.round(best.measured!) },
    nanoseconds: Object.fromEntries(measured.map((way) => [way.name, Math.round(way.measured!)])),
    expected: Object.fromEntries(measured.map((way) => [way.name, Math.round(way.nanoseconds)])),
  }
}

function tunedOf({ about, ways, best }: MeasuredKernel): TunedKernel {
  const timed = (way: MeasuredKernel['best']) => ({ way: way.name, nanoseconds: Math.round(way.measured!) })
  return { kernel: about, ...timed(best), estimated: timed(ways[0]!) }
}

const milliseconds = (nanoseconds: number): string => (nanoseconds / 1e6).toPrecision(3)
const percent = (now: number, before: number): string => `${(100 * (1 - now / before)).toFixed(1)} %`

/** The kernels that take longest first, and what all of them gain. */
function formatRows(rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  const total = (time: (row: Row) => number) => rows.reduce((sum, row) => sum + row.calls * time(row), 0)
  const [before, after] = [total((row) => row.estimated.nanoseconds), total((row) => row.best.nanoseconds)]
  const ordered = [...rows].sort((a, b) => b.calls * b.estimated.nanoseconds - a.calls * a.estimated.nanoseconds)
  return formatTable(
    [
      ['kernel', 'at', 'calls', 'by estimate', 'ms', 'fastest', 'ms', 'gain'],
      ...ordered.map(({ kernel, location, calls, estimated, best }) => [
        kernel.length > 60 ? `${kernel.slice(0, 59)}…` : kernel,
        location,
        String(calls),
        estimated.way,
        milliseconds(estimated.nanoseconds),
        best.way === estimated.way ? 'the same' : best.way,
        milliseconds(best.nanoseconds),
        best.way === estimated.way ? '' : percent(best.nanoseconds, estimated.nanoseconds),
      ]),
      ['all calls', '', '', '', milliseconds(before), '', milliseconds(after), percent(after, before)],
    ],
    [2, 4, 6, 7],
  )
}

/** What is done, on standard error: one line that changes on a terminal, else a line for each change. */
function showProgress(): { readonly update: (what: string) => void; readonly end: () => void } {
  const { stderr } = process
  let last = ''
  return {
    update(what) {
      if (stderr.isTTY) stderr.write(`\r\u001b[2K${colors.dim(what)}`)
      else if (what !== last) stderr.write(`${what}\n`)
      last = what
    },
    end: () => void (stderr.isTTY && stderr.write('\r\u001b[2K')),
  }
}

import { resolve } from 'node:path'
import { type Diagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { ModelGraph } from '../../compiler/graph/index.ts'
import { extract } from '../compile.ts'
import { modelPattern } from '../core.ts'
import { defaultChoice, isTargetName, type TargetChoice, type TargetName, targetNames } from '../targets.ts'
import { readTuned, type Tuned } from '../tune/tuned.ts'
import { checkFile, Failure, nearest, report, UsageError } from './terminal.ts'

export interface ReadModels {
  readonly models: readonly { readonly exportName: string; readonly model: ModelGraph }[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads the models of a file. Throws Failure where there is no such file. */
export async function readModels(file: string): Promise<ReadModels> {
  checkFile(file)
  return extract(resolve(file), { root: process.cwd() })
}

/** The one model of a file, or the one called `name`. Reports warnings; throws DiagnosticError for errors. */
export async function readModel(file: string, name: string | undefined): Promise<ModelGraph> {
  const { models, diagnostics } = await readModels(file)
  if (diagnostics.some(({ severity }) => severity === 'error')) throw new DiagnosticError(diagnostics)
  await report(diagnostics)
  const names = models.map(({ model }) => model.name)
  if (models.length === 0) throw new Failure(`${file} exports no model`)
  if (name === undefined) {
    if (models.length > 1)
      throw new UsageError(`${file} has ${models.length} models: ${names.join(', ')}`, 'choose one with --model')
    return models[0]!.model
  }
  const found = models.find(({ model, exportName }) => model.name === name || exportName === name)
  if (!found) throw new UsageError(`${file} has no model '${name}'${nearest(name, names)}`, `it has ${names.join(', ')}`)
  return found.model
}

/** What was measured for a model file; nothing for other files, and where it is not wanted. */
export const tunedOf = async (file: string, { tuned }: { readonly tuned?: boolean }): Promise<Tuned | undefined> =>
  tuned !== false && modelPattern.test(file) ? readTuned(resolve(file), file) : undefined

/** The entry called `name`, or the one entry that there is. */
export function chooseEntry({ name: model, entries }: ModelGraph, name: string | undefined): ModelGraph['entries'][number] {
  const found = name === undefined && entries.length === 1 ? entries[0] : entries.find((entry) => entry.name === name)
  if (found) return found
  const names = entries.map((entry) => entry.name)
  if (name === undefined)
    throw new UsageError(`model '${model}' has ${names.length} entries: ${names.join(', ')}`, 'choose one with --entry')
  throw new UsageError(`model '${model}' has no entry '${name}'${nearest(name, names)}`, `it has ${names.join(', ')}`)
}

/** The entry that callers know by `name`, or the only one: those that it is made of, where its dimensions have several sizes. */
export function chooseCallable(model: ModelGraph, name: string | undefined): ModelGraph['entries'] {
  const { buckets = [], entries } = model
  const only = buckets.length === 1 && buckets[0]!.entries.length === entries.length ? buckets[0] : undefined
  const found = name === undefined ? only : buckets.find((bucketed) => bucketed.name === name)
  return found ? entries.filter((entry) => found.entries.includes(entry.name)) : [chooseEntry(model, name)]
}

/** `native,wasm` as a list; `auto` stands alone. */
export function parseTargets(text: string | undefined): TargetChoice {
  if (text === undefined) return defaultChoice
  if (text.trim() === 'auto') return 'auto'
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) {
    if (name && !isTargetName(name))
      throw new UsageError(
        name === 'auto' ? '--target auto stands alone' : `there is no target '${name}'${nearest(name, targetNames)}`,
        `targets are ${targetNames.join(', ')}, or auto`,
      )
  }
  if (new Set(names).size < names.length || names.includes(''))
    throw new UsageError(`--target '${text}' is not a list of different targets`, 'write --target native,wasm')
  return names as TargetName[]
}

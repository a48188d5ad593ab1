import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Diagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Graph } from '../../compiler/graph/index.ts'
import { extract } from '../compile.ts'
import { defaultTarget, isTargetName, targetNames } from '../targets.ts'
import { Failure, nearest, report, UsageError } from './terminal.ts'

export interface ReadModels {
  readonly models: readonly { readonly exportName: string; readonly graph: Graph }[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads the models of a file. Throws Failure where there is no such file. */
export async function readModels(file: string): Promise<ReadModels> {
  if (!existsSync(file)) throw new Failure(`there is no file ${file}`)
  return extract(resolve(file), { root: process.cwd() })
}

/** The one model of a file, or the one called `name`. Reports warnings; throws DiagnosticError for errors. */
export async function readModel(file: string, name: string | undefined): Promise<Graph> {
  const { models, diagnostics } = await readModels(file)
  if (diagnostics.some(({ severity }) => severity === 'error')) throw new DiagnosticError(diagnostics)
  await report(diagnostics)
  const names = models.map(({ graph }) => graph.name)
  if (models.length === 0) throw new Failure(`${file} exports no model`)
  if (name === undefined) {
    if (models.length > 1)
      throw new UsageError(`${file} has ${models.length} models: ${names.join(', ')}`, 'choose one with --model')
    return models[0]!.graph
  }
  const found = models.find(({ graph, exportName }) => graph.name === name || exportName === name)
  if (!found) throw new UsageError(`${file} has no model '${name}'${nearest(name, names)}`, `it has ${names.join(', ')}`)
  return found.graph
}

/** `wasm,interpreter` as a list. */
export function parseTargets(text: string | undefined): string[] {
  const names = (text ?? defaultTarget).split(',').map((name) => name.trim())
  for (const name of names) {
    if (name && !isTargetName(name))
      throw new UsageError(`there is no target '${name}'${nearest(name, targetNames)}`, `targets are ${targetNames.join(', ')}`)
  }
  if (new Set(names).size < names.length || names.includes(''))
    throw new UsageError(`--target '${text}' is not a list of different targets`, 'write --target wasm,interpreter')
  return names
}

import { type Graph, type ModelGraph, mainEntry } from '../../../compiler/graph/index.ts'
import type { Target } from '../../../compiler/target.ts'
import { extract } from '../../../plugin/compile.ts'
import { loadTargets } from '../../../plugin/targets.ts'
import type { TargetOptions } from '../../../targets/c/level.ts'

/** The model that a file exports as its default; throws with what is wrong with the file. */
export async function readModelFile(file: string): Promise<ModelGraph> {
  const { models, diagnostics } = await extract(file)
  const found = models.find(({ exportName }) => exportName === 'default')
  if (!found) throw new Error(diagnostics[0]?.message ?? `${file} exports no model as its default`)
  return found.model
}

export const graphOf = ({ entries }: ModelGraph, entry: string = mainEntry): Graph =>
  (entries.find(({ name }) => name === entry) ?? entries[0]!).graph

/** A target at one level: the best that this processor has, unless one is named. */
export async function targetAt(target: string, level: string | undefined, options: TargetOptions = {}): Promise<Target> {
  const targets = await loadTargets(target, options)
  const found = level === undefined ? targets[0] : targets.find((each) => each.level === level)
  if (!found) throw new Error(`${target} has no level '${level}'; it has ${targets.map((each) => each.level).join(', ')}`)
  return found
}

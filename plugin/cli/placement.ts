// What `plan` and `build` read of where parts of a model are to be.
import { readFile, stat } from 'node:fs/promises'
import { objectives } from '../../compiler/partition/graph/index.ts'
import { longestPlan, methods, type PartitionOptions, type Place, readMap, readPlan } from '../../compiler/partition/index.ts'
import { presets } from '../../targets/platform/index.ts'
import { type FoundPlatform, findPlatform, isPlatformFile } from '../platform.ts'
import { readNumber } from './source.ts'
import { checkFile, Failure, nearest, UsageError } from './terminal.ts'

export interface PlacementOptions {
  readonly platform?: unknown
  readonly method?: unknown
  readonly objective?: unknown
  readonly contexts?: unknown
  readonly map?: unknown
  readonly plan?: unknown
}

/** A whole number of at least 1. */
export function positive(value: unknown, option: string, fallback: number): number {
  const number = readNumber(value, option, fallback)
  if (number < 1) throw new UsageError(`${option} '${value}' is no whole number of at least 1`, `write ${option} ${fallback}`)
  return number
}

/** A preset, or what a file describes. */
export async function choosePlatform(name: string): Promise<FoundPlatform> {
  if (!Object.hasOwn(presets, name) && !isPlatformFile(name))
    throw new UsageError(
      `there is no platform '${name}'${nearest(name, Object.keys(presets))}`,
      `platforms are ${Object.keys(presets).join(', ')}, or a JSON file`,
    )
  if (isPlatformFile(name)) checkFile(name)
  return findPlatform(name)
}

async function readText<T>(file: string, read: (content: string, source: string) => T): Promise<T> {
  checkFile(file)
  if ((await stat(file)).size > 4 * longestPlan) throw new Failure(`${file} is longer than ${4 * longestPlan} bytes`)
  return read(await readFile(file, 'utf8'), file)
}

/** How to place, as the options say. */
export async function readPlacementOptions({
  method,
  objective,
  contexts,
  map,
  plan,
}: PlacementOptions): Promise<PartitionOptions> {
  const known = methods.find((name) => name === method)
  if (method !== undefined && !known)
    throw new UsageError(`there is no method '${method}'${nearest(String(method), methods)}`, `methods are ${methods.join(', ')}`)
  const ways = Object.entries({ method, map, plan }).filter(([, value]) => value !== undefined)
  if (ways.length > 1)
    throw new UsageError(`${ways.map(([name]) => `--${name}`).join(' and ')} say the same in two ways`, 'keep one of them')
  const aim = objectives.find((name) => name === objective)
  if (objective !== undefined && !aim)
    throw new UsageError(
      `there is no objective '${objective}'${nearest(String(objective), objectives)}`,
      `objectives are ${objectives.join(', ')}`,
    )
  return {
    ...(known && { method: known }),
    ...(aim && { objective: aim }),
    ...(contexts !== undefined && { contexts: positive(contexts, '--contexts', 1) }),
    ...(map !== undefined && { map: await readText(String(map), readMap) }),
    ...(plan !== undefined && { plan: await readText(String(plan), readPlan) }),
  }
}

/** Where a part is, in words; `cards` is how many there are. */
export const describePlace = (place: Place, cards: number): string =>
  place === 'host'
    ? 'host'
    : place.length > 1 && place.length === cards
      ? 'each card'
      : place.map((index) => `card ${index}`).join(', ')

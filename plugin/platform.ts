import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  type DescribedPlatform,
  describePlatform,
  isPresetName,
  loadPreset,
  longestFile,
  PlatformError,
  type PlatformFile,
  presets,
  readPlatform,
} from '../targets/platform/index.ts'

/** A preset by name, a JSON file that describes a platform, or what such a file holds. */
export type PlatformChoice = string | PlatformFile

export interface FoundPlatform extends DescribedPlatform {
  /** The file that it was read from. */
  readonly file?: string
}

/** Presets have names without a dot or a slash. */
export const isPlatformFile = (choice: string): boolean => /[./\\]/.test(choice)

/**
 * The platform that is meant; files are relative to `folder`. Throws PlatformError where there is no such preset, no such file, or where it describes
 * none.
 */
export async function findPlatform(choice: PlatformChoice, folder = '.'): Promise<FoundPlatform> {
  if (typeof choice !== 'string') return describePlatform(choice, 'the option platform')
  if (isPresetName(choice)) return loadPreset(choice)
  if (!isPlatformFile(choice)) {
    const { suggestion } = await import('../compiler/graph/suggestion.ts')
    const names = Object.keys(presets)
    throw new PlatformError(`'${choice}'`, [`expected ${names.join(', ')}, or a JSON file${suggestion(choice, names)}`])
  }
  const file = resolve(folder, choice)
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) throw new PlatformError(choice, ['there is no such file'])
  if (found.size > 4 * longestFile)
    throw new PlatformError(choice, [`expected at most ${4 * longestFile} bytes, found ${found.size}`])
  return { ...readPlatform(await readFile(file, 'utf8'), choice), file }
}

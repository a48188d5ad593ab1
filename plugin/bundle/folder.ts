import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasBounds } from '../../targets/runtime/bounded.ts'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import type { PlacedModel } from '../../targets/runtime/serve/readPlacement.ts'
import { declarationOf, servedDeclarationOf } from './declaration.ts'
import loaderText from './standalone.ts?module'
import boundedText from './standaloneBounded.ts?module'
import bucketsText from './standaloneBuckets.ts?module'
import serveText from './standaloneServe.ts?module'
import sessionsText from './standaloneSessions.ts?module'
import { removeSuperseded, writeFiles, writeWhole } from './write.ts'

/** How the files begin that are written under names that others may use too. */
const beginnings = {
  'index.js': ['const GLOWPLUG_MANIFEST = ', 'const GLOWPLUG_PLACEMENT = '],
  'index.d.ts': ['// Written by glowplug '],
} as const

/** The name of a file in the folder that `writeFolder` or `writePlaced` would replace although neither wrote it. */
export async function findForeignFile(folder: string): Promise<string | undefined> {
  for (const [name, known] of Object.entries(beginnings)) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (text !== undefined && !known.some((beginning) => text.startsWith(beginning))) return name
  }
  return undefined
}

/** Files by content first, then the module that opens them, and what no build but an earlier one of the model needs goes. */
async function writeModule(
  { name, files }: Pick<Bundle, 'name' | 'files'>,
  folder: string,
  module: { readonly code: string; readonly declaration: string },
): Promise<void> {
  await writeFiles(files, folder)
  await writeWhole(join(folder, 'index.js'), module.code)
  await writeWhole(join(folder, 'index.d.ts'), module.declaration)
  if (!existsSync(join(folder, 'package.json'))) await writeWhole(join(folder, 'package.json'), '{ "type": "module" }\n')
  await removeSuperseded({ name, files }, folder)
}

/**
 * Writes a folder that can be imported and that runs wherever Node is: the bundle, `index.js` with the loader in it, `index.d.ts`, and a
 * `package.json` that says what kind of module it is, where there is none. Removes what an earlier build of the model left there.
 */
export async function writeFolder(bundle: Bundle, folder: string): Promise<void> {
  const { entries, buckets, state } = bundle.manifest
  const loader = state ? sessionsText : hasBounds(entries) ? boundedText : buckets ? bucketsText : loaderText
  await writeModule(bundle, folder, {
    code: `${beginnings['index.js'][0]}${JSON.stringify(bundle.manifest)};\n${loader}`,
    declaration: declarationOf(bundle.manifest),
  })
}

/** The same for a model over several cards: the bundles of all parts, the placement, and an `index.js` whose default export serves it. */
export async function writePlaced(model: PlacedModel, folder: string): Promise<void> {
  // What was planned is for people and tools, which read the placement file.
  const { plan: _, ...placement } = model.placement
  await writeModule(model, folder, {
    code: `${beginnings['index.js'][1]}${JSON.stringify(placement)};\n${serveText}`,
    declaration: servedDeclarationOf(model.placement),
  })
}

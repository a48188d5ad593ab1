import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import { declarationOf } from './declaration.ts'
import loaderText from './standalone.ts?source'
import bucketsText from './standaloneBuckets.ts?source'
import { removeSuperseded, writeBundle, writeWhole } from './write.ts'

/** How the files begin that `writeFolder` writes under names that others may use too. */
const beginnings = { 'index.js': 'const GLOWPLUG_MANIFEST = ', 'index.d.ts': '// Written by glowplug ' } as const

/** The name of a file in the folder that `writeFolder` would replace although it did not write it. */
export async function findForeignFile(folder: string): Promise<string | undefined> {
  for (const [name, beginning] of Object.entries(beginnings)) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (text !== undefined && !text.startsWith(beginning)) return name
  }
  return undefined
}

/**
 * Writes a folder that can be imported and that runs wherever Node is: the bundle, `index.js` with the loader in it, `index.d.ts`, and a
 * `package.json` that says what kind of module it is, where there is none. Removes what an earlier build of the model left there.
 */
export async function writeFolder(bundle: Bundle, folder: string): Promise<void> {
  await writeBundle(bundle, folder)
  const loader = bundle.manifest.buckets ? bucketsText : loaderText
  await writeWhole(join(folder, 'index.js'), `${beginnings['index.js']}${JSON.stringify(bundle.manifest)};\n${loader}`)
  await writeWhole(join(folder, 'index.d.ts'), declarationOf(bundle.manifest))
  if (!existsSync(join(folder, 'package.json'))) await writeWhole(join(folder, 'package.json'), '{ "type": "module" }\n')
  await removeSuperseded(bundle, folder)
}

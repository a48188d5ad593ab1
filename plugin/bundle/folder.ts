import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import { declarationOf } from './declaration.ts'
import loaderText from './standalone.ts?source'
import { removeSuperseded, writeBundle, writeWhole } from './write.ts'

/**
 * Writes a folder that can be imported and that runs wherever Node is: the bundle, `index.js` with the loader in it, `index.d.ts`, and a
 * `package.json` that says what kind of module it is, where there is none. Removes what an earlier build of the model left there.
 */
export async function writeFolder(bundle: Bundle, folder: string): Promise<void> {
  await writeBundle(bundle, folder)
  await writeWhole(join(folder, 'index.js'), `const GLOWPLUG_MANIFEST = ${JSON.stringify(bundle.manifest)};\n${loaderText}`)
  await writeWhole(join(folder, 'index.d.ts'), declarationOf(bundle.manifest))
  if (!existsSync(join(folder, 'package.json'))) await writeWhole(join(folder, 'package.json'), '{ "type": "module" }\n')
  await removeSuperseded(bundle, folder)
}

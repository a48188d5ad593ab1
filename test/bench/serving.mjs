// How serving fares on this machine: `node test/bench/serving.mjs --help`. Needs no peers.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { buildDist, bundleOptions, definitions, root } from '../../plugin/build.mjs'

await buildDist()
// Below dist/, where the packages of the repository are found.
const folder = join(root, 'dist', `serving-${process.pid}`)
mkdirSync(folder, { recursive: true })
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
process.env.GLOWPLUG_ROOT = root
await build({
  ...bundleOptions,
  define: definitions(),
  entryPoints: { main: join(root, 'test/bench/serving/main.ts'), row: join(root, 'test/bench/serving/row.ts') },
  outdir: folder,
  splitting: true,
})
const { main } = await import(pathToFileURL(join(folder, 'main.js')).href)
process.exitCode = await main(process.argv.slice(2), join(folder, 'row.js'))

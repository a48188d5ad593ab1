// `node test/bench/modelled.mjs [--seconds 4] [--cards 2] [models]`: probes this machine, builds the models of fixtures/zoo, and prints what serving
// them is modelled to do beside what it does in so many windows of a second in which others leave the processors alone. Their weights are made first: `node fixtures/zoo/write.mjs resnet50 dlrm bert-base`.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { buildDist, bundleOptions, definitions, root } from '../../plugin/build.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '4' }, cards: { type: 'string', default: '2' } },
})
const models = positionals.length > 0 ? positionals : ['dlrm', 'resnet50', 'bert-base']
await buildDist()
const folder = join(root, 'dist/modelled')
mkdirSync(folder, { recursive: true })
const built = join(root, `dist/bench-modelled-${process.pid}`)
process.on('exit', () => rmSync(built, { recursive: true, force: true }))
await build({
  ...bundleOptions,
  define: definitions(),
  entryPoints: { modelled: join(root, 'test/bench/modelled.ts') },
  outdir: built,
  splitting: true,
})
const glowplug = (...args) => execFileSync(process.execPath, [join(root, 'plugin/bin.mjs'), ...args], { stdio: 'inherit' })
const platform = join(folder, 'machine.json')
glowplug('probe', '--cards', values.cards, '--out', platform)
const { compare, printCompared } = await import(pathToFileURL(join(built, 'modelled.js')).href)
const rows = []
for (const model of models) {
  const bundle = join(folder, model)
  const file = join(root, `fixtures/zoo/${model}.model.ts`)
  if (!existsSync(join(bundle, 'index.js'))) glowplug('build', file, '--target', 'native', '--out', bundle)
  const cards = Array.from({ length: Number(values.cards) }, (_, i) => i + 1)
  rows.push(...(await compare({ model, file, bundle, platform }, cards, Number(values.seconds))))
}
console.log(printCompared(rows))

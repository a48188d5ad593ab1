// `node dump.mjs TREE OUT [--c]`: writes every stage of every model file of a tree, compiled by the dist/ of that tree, as text below OUT. Asks nothing of the
// tree but what `glowplug/compiler` exports, so that it works on earlier revisions.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'

const [tree, out, ...options] = process.argv.slice(2)
const { extract, compileStages, compileCode, printStage, stageNames } = await import(
  pathToFileURL(join(tree, 'dist', 'compiler.js')).href
)
const only = options.find((option) => option.startsWith('--only='))?.slice('--only='.length)

const modelFiles = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    // Diagnostics are shown on models that are wrong; the weights of the zoo lie in no tree.
    if (entry.isDirectory()) return ['node_modules', 'diagnostics', 'zoo'].includes(entry.name) ? [] : modelFiles(path)
    return entry.name.endsWith('.model.ts') ? [path] : []
  })

const write = (name, text) => {
  const path = join(out, `${name}.txt`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

process.chdir(tree)
for (const path of ['fixtures', 'test/goldens'].flatMap((folder) => modelFiles(join(tree, folder))).sort()) {
  const name = relative(tree, path).replace(/\.model\.ts$/, '')
  if (only !== undefined && !name.includes(only)) continue
  const { models, diagnostics } = await extract(path, { root: tree })
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) write(join(name, 'errors'), errors.map(({ code, message }) => `${code}: ${message}\n`).join(''))
  for (const { model } of models)
    for (const target of ['interpreter', 'wasm', 'native']) {
      for (const { name: entry, graph } of model.entries) {
        const place = join(name, `${model.name}.${entry}`, target)
        try {
          const stages = await compileStages(graph, { target })
          for (const stage of stageNames) write(join(place, stage), printStage(stages, stage))
        } catch (error) {
          // Where there is no C compiler there is none for either tree.
          if (error.name !== 'TargetUnavailable') write(join(place, 'failure'), `${error.name}: ${error.message}\n`)
        }
      }
      if (options.includes('--c') && target !== 'interpreter')
        write(join(name, model.name, `${target}.c`), (await compileCode(model, { target })).code.source)
    }
}

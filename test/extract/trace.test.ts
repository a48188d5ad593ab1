import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelGraph } from '../../compiler/graph/index.ts'
import { printGraph } from '../../compiler/graph/print.ts'
import { extractModule } from '../../plugin/extract/index.ts'

const root = process.env.GLOWPLUG_ROOT!
const folder = join(root, 'dist', `trace-${process.pid}`)

/** Models of the zoo and of the cards have weights only once these were written; test/zoo and test/serve read them. */
const fixtures = readdirSync(join(root, 'fixtures'), { withFileTypes: true, recursive: true })
  .filter((entry) => entry.name.endsWith('.model.ts'))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => !/[/\\](cards|diagnostics|node_modules|zoo)[/\\]/.test(relative(root, file)))
  .sort()

/** Runs a model file, with the DSL of this repository, and traces the models it exports. */
async function traceFile(file: string): Promise<Map<string, ModelGraph>> {
  const dsl = join(root, 'dsl')
  const outfile = join(folder, `${relative(root, file).replaceAll(/[^\w]/g, '_')}.mjs`)
  await build({
    stdin: {
      contents: `import * as models from ${JSON.stringify(file)}\nexport { models }\nexport { traceModel } from ${JSON.stringify(join(dsl, 'trace.ts'))}\nexport { specOf } from ${JSON.stringify(join(dsl, 'model.ts'))}`,
      resolveDir: root,
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    // Running a model is not what is tested; its interpreter would be bundled along.
    external: ['./interpreted.ts'],
    alias: { glowplug: join(dsl, 'index.ts') },
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(file).href), GLOWPLUG_VERSION: '"test"' },
    logLevel: 'error',
    outfile,
  })
  const { models, traceModel, specOf } = await import(pathToFileURL(outfile).href)
  const traced = new Map<string, ModelGraph>()
  for (const [name, value] of Object.entries(models)) if (specOf(value) !== undefined) traced.set(name, traceModel(value))
  return traced
}

mkdirSync(folder, { recursive: true })
test.after(() => rmSync(folder, { recursive: true, force: true }))

for (const file of fixtures) {
  test(`${relative(root, file)}: reading gives the graph that running gives (BP-03)`, async () => {
    const traced = await traceFile(file)
    const { models, diagnostics } = await extractModule(file, { root })
    assert.equal(diagnostics, [])
    assert.equal(models.map(({ exportName }) => exportName).sort(), [...traced.keys()].sort())
    assert.ok(models.length > 0)
    for (const { exportName, model } of models) {
      const expected = traced.get(exportName)!
      assert.equal(
        model.entries.map(({ name }) => name),
        expected.entries.map(({ name }) => name),
      )
      for (const [i, { graph }] of model.entries.entries()) {
        assert.fixture(printGraph(graph), printGraph(expected.entries[i]!.graph))
        for (const node of graph.nodes) {
          const places = graph.locations.get(node)!
          assert.ok(places.length > 0 && places.every((place) => place.kind === 'source'), `${node.op} has no place`)
        }
      }
    }
  })
}

test('there are fixtures', () => assert.ok(fixtures.length > 0))

test.run()

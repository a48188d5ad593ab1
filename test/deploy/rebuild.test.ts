// A bundler writes its output again while a server runs from there: what has the code and the weights mapped must not lose them.
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bundlers, createProject, type Name } from '../bundlers/support.ts'
import { bundle, cleanUp, scaleModel, scaleWeights } from '../esbuild/support.ts'
import { levelsHere } from '../support/machines.ts'
import { serve, server } from './support.ts'

const files = { 'server.mjs': server, 'half.model.ts': scaleModel('half'), 'half.safetensors': scaleWeights([0.5, 0.5]) }
const targets = ['native'] as const

/** Code and weights in the output, each as a file of its own and by its name. */
function mapped(folder: string): Record<string, number> {
  const names = readdirSync(folder, { recursive: true }).map(String)
  return Object.fromEntries(
    names.filter((name) => /\.(?:node|weights)$/.test(name)).map((name) => [name, statSync(join(folder, name)).ino]),
  )
}

async function rebuildUnder(project: string, build: () => Promise<unknown>): Promise<void> {
  const out = join(project, 'out')
  await build()
  const before = mapped(out)
  assert.ok(Object.keys(before).length >= 2)
  const running = await serve(out)
  const ask = async () => assert.equal((await running.get([1, 2])).y, [0.5, 1])
  await ask()
  for (let round = 0; round < 3; round++) {
    await build()
    for (let i = 0; i < 20; i++) await ask()
  }
  assert.is(await running.stop(), '')
  assert.equal(Object.keys(mapped(out)), Object.keys(before))
}

if (levelsHere('rebuilding under a running process').length > 0) {
  test('a server goes on while esbuild builds into its folder', async () => {
    const project = createProject(files)
    await rebuildUnder(project, () =>
      bundle(project, { entryPoints: ['server.mjs'], outExtension: { '.js': '.mjs' } }, { targets }),
    )
  })

  for (const name of ['rollup', 'rolldown', 'webpack', 'rspack'] satisfies Name[]) {
    test(`a server goes on while ${name} builds into its folder`, async () => {
      const project = createProject(files)
      mkdirSync(join(project, 'out'), { recursive: true })
      await rebuildUnder(project, async () => {
        const { error } = await bundlers[name].build(project, { entry: { server: './server.mjs' } }, { targets })
        assert.is(error, undefined, error?.text)
      })
    })
  }
}

test.after(cleanUp)
test.run()

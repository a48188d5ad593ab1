// Models over cards, through the plugin: the import is a server.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { clickModel, smallCards } from '../support/clickModel.ts'
import { bundle, cleanUp, createProject, emptyFolder, runAlone } from './support.ts'

test.after(cleanUp)

const platform = (bytes: number) => JSON.stringify(smallCards(bytes))
const app = `import click from './click.model.ts'
const { clicks } = await click.run({ ids: Int32Array.from({ length: 96 }, (_, i) => (i * 37) % 1500) })
const cards = (click as any).info.cards?.map(({ parts }: any) => parts)
let code: string | undefined
try { click.runSync({ ids: new Int32Array(96) }) } catch (error: any) { code = error.code }
console.log(JSON.stringify({ clicks: [...clicks.data], cards, code }))
await click.close()
`

test('with a platform, an import is a server over its cards; without, serve makes one of it (FB-01)', async () => {
  const project = createProject({
    'click.model.ts': clickModel,
    'cards.json': platform(150_000),
    'app.ts': app,
    'serving.ts': `import { serve } from 'glowplug/serve'
import click from './click.model.ts'
const server = serve(click, { cards: 2 })
const { clicks } = await server.run({ ids: Int32Array.from({ length: 96 }, (_, i) => (i * 37) % 1500) })
console.log(JSON.stringify({ clicks: [...clicks.data], cards: server.info.cards.map(({ parts }) => parts) }))
await server.close()
await click.close()
`,
  })
  const out = emptyFolder()
  const cache = emptyFolder()
  const build = (folder: string, entry: string, more = {}) =>
    bundle(
      project,
      { entryPoints: [join(project, entry)], outdir: join(out, folder) },
      { cache, targets: ['interpreter'], ...more },
    )
  const { models } = await build('placed', 'app.ts', { platform: './cards.json' })
  assert.equal(
    models.map(({ model, cached }) => [model, cached]),
    ['narrowing', 'tables0', 'tables1', 'tables2', 'dense'].map((part) => [`click.${part}`, false]),
  )
  const placed = JSON.parse(runAlone(join(out, 'placed'), 'app.js'))
  assert.equal(placed.cards, [['tables0', 'dense'], ['tables1', 'dense'], ['tables2', 'dense'], ['narrowing']])
  assert.is(placed.code, 'no-sync')

  await build('plain', 'app.ts')
  const plain = JSON.parse(runAlone(join(out, 'plain'), 'app.js'))
  assert.is(plain.code, undefined)
  const difference = plain.clicks.map((value: number, i: number) => Math.abs(value - placed.clicks[i]))
  assert.ok(Math.max(...difference) < 1e-6)
  await build('serving', 'serving.ts')
  assert.equal(JSON.parse(runAlone(join(out, 'serving'), 'serving.js')), {
    clicks: plain.clicks,
    cards: [['whole'], ['whole']],
  })

  const again = await build('again', 'app.ts', { platform: './cards.json' })
  assert.ok(again.models.every(({ cached }) => cached))
  // What the platform is, is read like any other file.
  writeFileSync(join(project, 'cards.json'), platform(250_000))
  const changed = await build('changed', 'app.ts', { platform: './cards.json' })
  assert.ok(changed.models.every(({ cached }) => !cached))
})

test('a model without a place, and a platform that is none, fail the build (PA-09)', async () => {
  const project = createProject({ 'click.model.ts': clickModel, 'cards.json': platform(10_000), 'app.ts': app })
  const failing = async (given: unknown) => {
    try {
      await bundle(project, { entryPoints: [join(project, 'app.ts')] }, { targets: ['interpreter'], platform: given as never })
    } catch (error: any) {
      return error.errors.map(({ text }: { text: string }) => text).join('\n')
    }
    throw new Error('it did not fail')
  }
  assert.match(await failing('./cards.json'), /'click' has no place on 'six cards':\n {2}card-full: /)
  assert.match(await failing('./none.json'), /\.\/none\.json describes no platform:\n {2}there is no such file/)
  assert.match(
    await failing('six-card'),
    /'six-card' describes no platform:\n {2}expected six-cards, .*; did you mean 'six-cards'\?/,
  )
  assert.match(await failing({ name: 'mine' }), /the option platform describes no platform:\n/)
  assert.match(
    await failing(6),
    /option 'platform' must be 'six-cards' or another preset, a JSON file, or what such a file holds/,
  )
})

test.run()

// `glowplug plan` on a model with tables, in a process of its own and with wrong usage.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { presets } from '../../targets/platform/index.ts'
import { execute, glowplug } from './support.ts'

const repository = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-plan-'))
const home = process.cwd()
process.chdir(folder)
test.after(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})

writeFileSync(
  'click.model.ts',
  `import { concat, constant, embedding, linear, model, sigmoid, slice, squeeze, sum, tensor } from 'glowplug'
const rows = 1500
const table = (seed: number) => constant('f32', [rows, 16], Array.from({ length: rows * 16 }, (_, i) => ((i * seed) % 17) / 17))
const top = constant('f32', [1, 48], Array.from({ length: 48 }, (_, i) => i / 48))
export default model({
  name: 'click',
  inputs: { ids: tensor('i32', [3, 8, 4]) },
  forward({ ids }) {
    const bags = [3, 5, 7].map((seed, t) => {
      const own = squeeze(slice(ids, { axis: 0, start: t, stop: t + 1 }), { axes: 0 })
      return sum(embedding(own, table(seed)), { axes: 1 })
    })
    return { clicks: sigmoid(linear(concat(bags, { axis: 1 }), top)) }
  },
})
`,
)
const small = structuredClone(presets['six-cards']) as any
small.name = 'three small cards'
small.cards[0].count = 3
small.types['M.2 card'].memory = [{ name: 'DRAM', bytes: 150_000, bytesPerSecond: 1e9 }]
writeFileSync('small.json', JSON.stringify(small))

test('plan prints where tables are, and how requests would fare (HW-05, HW-06)', async () => {
  const args = [
    'plan',
    'click.model.ts',
    '--platform',
    './small.json',
    '--rate',
    '1000',
    '--requests',
    '500',
    '--trace',
    'trace.json',
    '--tables',
  ]
  const { status, out, err } = await execute(process.execPath, [join(repository, 'plugin/bin.mjs'), ...args], folder)
  assert.is(status, 0, err)
  assert.match(
    out,
    /^click on three small cards: tables spread over the cards, the rest on each of them\. Times are modelled; \d+ figures/,
  )
  for (let i = 0; i < 3; i++) assert.match(out, new RegExp(`\\ntables${i} +card ${i} +\\d+ +1 +32 +93\\.8 KiB`))
  assert.match(out, /\ndense +each card +\d+/)
  assert.match(out, /\ntables0 +\S.* +whole +93\.8 KiB +32 /)
  assert.match(out, /\n500 requests, 1000 a second \(modelled\): \d+\.\d answered a second, \d\.\d+ J each\nlatency: p50 \d/)
  assert.match(out, /\nuplink down +\d+\.\d % +/)
  const { traceEvents } = JSON.parse(readFileSync('trace.json', 'utf8'))
  assert.ok(traceEvents.some(({ name }: any) => name === 'tables1'))
  const json = JSON.parse(
    (await glowplug('plan', 'click.model.ts', '--platform', './small.json', '--rate', '1000', '--requests', '500', '--json')).out,
  )
  assert.is(json.plan.method, 'tables')
  assert.is(json.modelled.requests, 500)
})

test('a model without a place, and wrong usage, are told in a sentence', async () => {
  small.types['M.2 card'].memory[0].bytes = 10_000
  writeFileSync('tiny.json', JSON.stringify(small))
  writeFileSync('broken.json', JSON.stringify({ ...small, uplink: 3 }))
  const cases: readonly (readonly [args: readonly string[], status: number, message: RegExp])[] = [
    [['--platform', './tiny.json'], 1, /'click' has no place on 'three small cards':\n {2}card-full: /],
    [['--platform', './broken.json'], 1, /\.\/broken\.json describes no platform:\n {2}uplink: /],
    [['--platform', './none.json'], 1, /there is no file \.\/none\.json/],
    [['--platform', 'six-card'], 2, /there is no platform 'six-card', did you mean 'six-cards'\?\nplatforms are six-cards, /],
    [['--method', 'copie'], 2, /plan has no method 'copie', did you mean 'copies'\?/],
    [['--trace', 'x.json'], 2, /--trace is of served requests\nsay how many come each second, as --rate 1000/],
    [['--rate', '0'], 2, /--rate '0' is no whole number of at least 1/],
  ]
  for (const [args, status, message] of cases) {
    const told = await glowplug('plan', 'click.model.ts', ...args)
    assert.is(told.status, status, told.err)
    assert.match(told.err, message)
    assert.is(told.out, '')
  }
})

test.run()

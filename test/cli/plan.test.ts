// `glowplug plan` on a model with tables, in a process of its own and with wrong usage.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { clickModel, smallCards } from '../support/clickModel.ts'
import { execute, glowplug } from './support.ts'

const repository = process.env.GLOWPLUG_ROOT!
const folder = mkdtempSync(join(tmpdir(), 'glowplug-plan-'))
const home = process.cwd()
process.chdir(folder)
test.after(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})

writeFileSync('click.model.ts', clickModel)
const small = { ...smallCards(150_000), name: 'three small cards' }
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
  assert.match(out, /\n500 requests, 1000 a second \(modelled\): \d+\.\d answered a second; fullest is [\w ]+\nlatency: p50 \d/)
  assert.match(out, /\nenergy: \d\.\d+ J a request, \d\.\d+ of them idle; \d+\.\d requests a second for each watt/)
  assert.match(out, /\nuplink down +\d+\.\d % +/)
  const { traceEvents } = JSON.parse(readFileSync('trace.json', 'utf8'))
  assert.ok(traceEvents.some(({ name }: any) => name === 'tables1'))
  const json = JSON.parse(
    (await glowplug('plan', 'click.model.ts', '--platform', './small.json', '--rate', '1000', '--requests', '500', '--json')).out,
  )
  assert.is(json.plan.method, 'tables')
  assert.is(json.modelled.requests, 500)
})

test('plan tells what becomes of a card that hangs, and what a larger model would need (HW-07, FB-25)', async () => {
  const on = ['plan', 'click.model.ts', '--platform', './small.json']
  const serving = [
    '--rate',
    '1000',
    '--requests',
    '500',
    '--batch',
    '4',
    '--fault',
    'hang:1@0.1',
    '--fault',
    'throttle:0@0.2+0.1x0.5',
  ]
  const { status, out, err } = await glowplug(...on, ...serving, '--grow', '3')
  assert.is(status, 0, err)
  assert.match(out, /\n0\.200 s: card 1 is lost \(hang\)\n/)
  assert.match(out, /card 0 is slow \(throttle\)\n/)
  assert.match(out, /\n\d+ requests ran twice, 0 have no answer\n/)
  assert.match(
    out,
    /\ngrown 3 times, to [\d.]+ KiB: weights of (16|8) bits fit on the 3 cards that there are, or take \d+ cards\n/,
  )
  const placed = await glowplug(...on, '--method', 'graph', '--objective', 'latency')
  assert.match(placed.out, /^click on three small cards: each node where it suits the whole\./)
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
    [['--method', 'copie'], 2, /there is no method 'copie', did you mean 'copies'\?/],
    [['--trace', 'x.json'], 2, /--trace is of served requests\nsay how many come each second, as --rate 1000/],
    [['--batch', '4'], 2, /--batch and --fault are of served requests/],
    [['--rate', '100', '--delay', '5'], 2, /--delay is how long a batch waits/],
    [['--rate', '100', '--fault', 'hand:1'], 2, /--fault 'hand:1' is no fault, did you mean 'hang'\?\nfaults are hang, link, /],
    [['--grow', '0'], 2, /--grow '0' is no number up to 64/],
    [['--method', 'graph', '--objective', 'speed'], 2, /there is no objective 'speed'/],
    [['--rate', '0'], 2, /--rate '0' is no whole number of at least 1/],
  ]
  for (const [args, status, message] of cases) {
    const told = await glowplug('plan', 'click.model.ts', ...args)
    assert.is(told.status, status, told.err)
    assert.match(told.err, message)
    assert.is(told.out, '')
  }
})

test('a plan reads back to the same plan; one that does not fit says where (PA-19, IR-29)', async () => {
  small.types['M.2 card'].memory[0].bytes = 150_000
  writeFileSync('small.json', JSON.stringify(small))
  const on = ['--platform', './small.json']
  const first = await glowplug('plan', 'click.model.ts', ...on, '--out', 'plan.json', '--dot', 'plan.dot')
  assert.is(first.status, 0, first.err)
  const again = await glowplug('plan', 'click.model.ts', ...on, '--plan', 'plan.json', '--out', 'again.json')
  assert.is(again.out, first.out)
  assert.is(readFileSync('again.json', 'utf8'), readFileSync('plan.json', 'utf8'))
  const drawing = readFileSync('plan.dot', 'utf8')
  assert.match(drawing, /^digraph "click on three small cards" \{\n/)
  assert.match(drawing, /\n {2}"tables0" \[label="tables0\\ncard 0\\n\d+ nodes, 1 tables\\n93\.8 KiB of weights/)
  assert.match(drawing, /\n {2}"tables1" -> "dense" \[label="tables1_0 512 B"\]\n/)

  const plan = JSON.parse(readFileSync('plan.json', 'utf8'))
  const changed = (change: (plan: any) => void) => {
    const copy = structuredClone(plan)
    change(copy)
    return JSON.stringify(copy)
  }
  const entry = (plan: any) => plan.entries[0].plan
  const cases: readonly (readonly [content: string, message: RegExp])[] = [
    ['{', /changed\.json is no plan:\n {2}expected JSON: /],
    [changed((plan) => (entry(plan).parts[0].on = [])), /changed\.json is no plan:\n {2}entries\.0\.plan\.parts\.0\.on: /],
    [changed((plan) => (plan.model = 'clack')), /plan-unfit: the plan is of model 'clack'/],
    [changed((plan) => (plan.platform = 'two')), /plan-unfit: the plan is for platform 'two'/],
    [changed((plan) => (plan.entries[0].name = 'mein')), /plan-unfit: the plan has no entry 'main'; did you mean 'mein'\?/],
    [
      changed((plan) => (entry(plan).ops = entry(plan).ops.replace('sigmoid', 'tanh'))),
      /plan-unfit: entry 'main': node \d+ is sigmoid at click\.model\.ts:13:\d+, in the plan tanh/,
    ],
    [changed((plan) => (entry(plan).ops += ' relu×9')), /the model has \d+ nodes, the plan more/],
    [changed((plan) => (entry(plan).parts.at(-1).computes = '0-999999999')), /part 'dense' has node \d+ of \d+/],
    [changed((plan) => (entry(plan).parts.at(-1).on = [7])), /no-such-card: part 'dense' is on card 7/],
    [
      changed((plan) => {
        entry(plan).parts.find(({ name }: any) => name === 'tables1').tables = []
      }),
      /plan-unfit: table '.*' is nowhere/,
    ],
    [
      changed((plan) => {
        entry(plan).parts.find(({ name }: any) => name === 'tables1').on = [0]
      }),
      /plan-unfit: 'card 0' has \d+ bytes, \d+ are placed there/,
    ],
  ]
  for (const [content, message] of cases) {
    writeFileSync('changed.json', content)
    const told = await glowplug('plan', 'click.model.ts', ...on, '--plan', 'changed.json')
    assert.is(told.status, 1, told.err)
    assert.match(told.err, message)
  }
})

test('build --platform writes a folder that serves the model, twice the same (PA-19)', async () => {
  const platform = ['--platform', './small.json', '--target', 'interpreter']
  const made = await glowplug('build', 'click.model.ts', ...platform, '--out', 'placed')
  assert.is(made.status, 0, made.err)
  assert.match(made.out, /^click on three small cards\n {2}part +on +target +code +weights +activations +a request\n/)
  assert.match(made.out, /\n {2}tables1 +card 1 +interpreter +\S+ \S+ +93\.8 KiB /)
  assert.match(made.out, /\n {2}card 1 +tables1, dense +\d+\.\d KiB /)
  const files = readdirSync('placed').sort()
  const contents = files.map((name) => readFileSync(join('placed', name)))
  assert.is((await glowplug('build', 'click.model.ts', '--plan', 'plan.json', ...platform, '--out', 'placed')).status, 0)
  assert.equal(readdirSync('placed').sort(), files)
  assert.equal(
    files.map((name) => readFileSync(join('placed', name))),
    contents,
  )
  const script = `import click, { open, GlowplugError } from './placed/index.js'
const ids = Int32Array.from({ length: 96 }, (_, i) => (i * 37) % 1500)
const { clicks } = await click.run({ ids })
const other = open({ cards: 3 })
const again = await other.run({ ids })
console.log(JSON.stringify([clicks.shape, [...clicks.data], [...again.clicks.data], click.info.cards.map(({ name, parts }) => [name, parts])]))
await click.run({ ids: [1] }).catch((error) => console.log(error instanceof GlowplugError, error.code))
await click.close()
await other.close()
`
  writeFileSync('serving.mjs', script)
  const { status, out, err } = await execute(process.execPath, ['serving.mjs'], folder)
  assert.is(status, 0, err)
  const [line = '', refused] = out.trim().split('\n')
  assert.is(refused, 'true input-length')
  const [shape, clicks, again, cards] = JSON.parse(line)
  assert.equal(shape, [8, 1])
  assert.equal(again, clicks)
  assert.equal(cards.filter(([, parts]: any) => parts.length === 2).length, 3)
  // The whole model, unplaced, in the same folder: the files of the placed one go, and no others.
  assert.is((await glowplug('build', 'click.model.ts', '--target', 'interpreter', '--out', 'placed')).status, 0)
  assert.not.ok(readdirSync('placed').some((name) => /placement|tables/.test(name)))
  writeFileSync(
    'whole.mjs',
    `import click from './placed/index.js'
const { clicks } = await click.run({ ids: Int32Array.from({ length: 96 }, (_, i) => (i * 37) % 1500) })
console.log(JSON.stringify([...clicks.data]))
await click.close()
`,
  )
  const whole = await execute(process.execPath, ['whole.mjs'], folder)
  assert.is(whole.status, 0, whole.err)
  const difference = (JSON.parse(whole.out) as number[]).map((value, i) => Math.abs(value - clicks[i]))
  assert.ok(Math.max(...difference) <= 1e-6)
  for (const [args, message] of [
    [['--method', 'tables'], /--method is for models over several cards\nname them, as --platform six-cards/],
    [['--platform', 'six-cards', '--method', 'tables', '--plan', 'plan.json'], /--method and --plan say the same in two ways/],
  ] as const) {
    const told = await glowplug('build', 'click.model.ts', ...args, '--out', 'none')
    assert.is(told.status, 2)
    assert.match(told.err, message)
  }
})

test.run()

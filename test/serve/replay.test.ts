// FB-20, TO-07, TO-11: requests that failed are kept and run again; traces are compared.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { keepFailed, serve, watchWith } from '../../targets/runtime/serve/index.ts'
import { glowplug } from '../cli/support.ts'
import { codeOf, kinds, modes, newFolder, unruly, unrulyBundle, unrulyInputs, until, writeFiles } from './support.ts'

const kind = kinds[0]!

/** A folder with kept requests: one that the model refused, and one that killed its cards. */
async function keep(bundle: string): Promise<{ readonly fault: string; readonly crash: string }> {
  const folder = newFolder()
  const server = serve<any, any>(bundle, { cards: 2, device: 'process' })
  const stop = watchWith(server, keepFailed(folder, { limit: 2 }))
  const run = (mode: number, more = {}) => codeOf(() => server.entries.main!.run(unrulyInputs(mode), more))
  assert.is(await run(modes.fault), 'run-fault')
  // What the caller has brought about is not kept, and takes no place.
  assert.is(await run(modes.sum, { signal: AbortSignal.abort() }), 'run-aborted')
  assert.is(await run(modes.crash), 'card-lost')
  assert.is(await run(modes.fault), 'run-fault')
  const kept = () => readdirSync(folder).filter((name) => !name.startsWith('.'))
  await until(() => kept().length === 2, 'they were written')
  stop()
  await server.close()
  assert.equal(readdirSync(folder).length, 2)
  const of = (code: string) =>
    join(folder, kept().find((name) => JSON.parse(readFileSync(join(folder, name, 'failure.json'), 'utf8')).error.code === code)!)
  return { fault: of('run-fault'), crash: of('card-lost') }
}

test('what failed is kept with its inputs, card and bundle, and fails again; with another bundle it does not (FB-20 TO-07)', async () => {
  const bundle = await unruly(kind)
  const { fault, crash } = await keep(bundle)
  const about = JSON.parse(readFileSync(join(fault, 'failure.json'), 'utf8'))
  assert.equal(
    [about.model, about.entry, about.error.code, about.error.message],
    ['unruly', 'main', 'run-fault', 'the mode is one'],
  )
  assert.match(about.bundle, /^[0-9a-f]{8}$/)
  assert.match(about.cards[0].name, /^card[01]$/)
  assert.match(about.cards[0].target, new RegExp(`^${kind} `))
  assert.equal([...new Float32Array(new Uint8Array(readFileSync(join(fault, 'input0.bin'))).buffer)], [1, 2, 3, 4])

  const again = await glowplug('replay', fault, bundle)
  assert.is(again.status, 1, again.err)
  assert.match(again.out, /it was: run-fault: the mode is one; on card[01]/)
  assert.match(again.out, /it still fails: run-fault: the mode is one/)
  assert.not.match(again.out, /the bundle is another/)
  const killed = JSON.parse((await glowplug('replay', crash, bundle, '--json')).out)
  assert.equal([killed.verdict, killed.code], ['same', 'card-lost'])
  assert.ok(killed.cards.length > 0)

  // The same model with its mode heeded no more.
  const file = join(fault, 'input1.bin')
  writeFileSync(file, new Uint8Array(4))
  const other = writeFiles((await unrulyBundle({ kinds: [kind], c: [1, 1, 1, 1] })).files)
  const answered = await glowplug('replay', fault, other)
  assert.is(answered.status, 0, answered.err)
  assert.match(answered.out, /it is answered, on card0/)
  assert.match(answered.out, /the bundle is another: [0-9a-f]{8}/)
})

test('a folder with something else is refused in words (FB-20)', async () => {
  const bundle = await unruly(kind)
  const refused = async (content: string) => {
    const folder = newFolder()
    writeFileSync(join(folder, 'failure.json'), content)
    const { status, err } = await glowplug('replay', folder, bundle)
    assert.ok(status !== 0)
    return err
  }
  assert.match(await refused('{'), /holds no request that was kept/)
  assert.match(await refused('{"format":2}'), /failure\.json: format/)
  const valid = {
    format: 1,
    glowplug: '',
    model: '',
    bundle: '',
    entry: 'main',
    request: 0,
    time: '',
    error: { code: 'a', message: '' },
  }
  assert.match(
    await refused(JSON.stringify({ ...valid, cards: [], inputs: [{ name: 'x', shape: [1], file: '../x' }] })),
    /inputs\.0\.file/,
  )
  assert.match((await glowplug('replay', newFolder(), bundle)).err, /holds no request/)
  assert.match((await glowplug('replay', 'nowhere', bundle)).err, /there is no file or folder nowhere/)
  assert.match((await glowplug('replay', bundle, bundle, '--device', 'gpu')).err, /none of process and worker/)
})

const event = (name: string, cat: string, dur: number, at?: string) => ({
  ...{ name, cat, ph: 'X', ts: 0, dur, pid: 1, tid: 1 },
  args: at === undefined ? {} : { at },
})

test('traces are compared operator by operator, the largest difference first (TO-11)', async () => {
  const folder = newFolder()
  const write = (name: string, content: unknown) => {
    const path = join(folder, name)
    writeFileSync(path, JSON.stringify(content))
    return path
  }
  const before = write('before.json', {
    traceEvents: [
      event('matmul_a', 'operator', 10, 'm.ts:1:1'),
      event('matmul_a', 'operator', 30, 'm.ts:1:1'),
      event('relu_b', 'operator', 5, 'm.ts:2:1'),
      event('request 1', 'request', 100),
      event('old_c', 'operator', 1),
      { name: 'ready', cat: 'runtime', ph: 'I', ts: 0, pid: 1, tid: 1, s: 't', args: {} },
    ],
  })
  const after = write('after.json', [
    event('matmul_a', 'operator', 40, 'm.ts:1:1'),
    event('relu_b', 'operator', 4, 'm.ts:2:1'),
    event('request 7', 'request', 150),
  ])
  const { differences } = JSON.parse((await glowplug('trace', 'compare', before, after, '--json')).out)
  assert.equal(
    differences.map(({ name, change }: { name: string; change?: number }) => [name, change]),
    [
      ['request', 50],
      ['matmul_a', 20],
      ['old_c', undefined],
      ['relu_b', -1],
    ],
  )
  const { out, status } = await glowplug('trace', 'compare', before, after)
  assert.is(status, 0)
  assert.match(out, /matmul_a +m\.ts:1:1 +2 +1 +20\.00 +40\.00 +\+20\.00 +100\.0 %/)
  assert.match((await glowplug('trace', 'compare', before, write('none.json', { traceEvents: [{}] }))).err, /is no trace/)
  assert.match((await glowplug('trace', 'invert', before, after)).err, /there is no 'trace invert'/)
})

test.run()

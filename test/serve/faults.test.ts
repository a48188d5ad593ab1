// All that can befall a program that serves: its folder built, itself a process of its own, with processes as cards that are killed for real.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ServeOptions } from '../../targets/runtime/serve/index.ts'
import { childrenOf, kinds, modes, newFolder, sums, unavailable, unruly, unrulyBundle, until, writeFiles } from './support.ts'

const root = process.env.GLOWPLUG_ROOT!
const program = newFolder()
copyFileSync(join(root, 'test/serve/served.mjs'), join(program, 'served.mjs'))
copyFileSync(join(root, 'dist/serve.js'), join(program, 'serve.js'))
writeFileSync(join(program, 'package.json'), '{"type":"module"}')

interface Said {
  readonly id?: number
  readonly ready?: readonly number[]
  readonly card?: number
  readonly state?: string
  readonly code?: string
  readonly error?: string
  readonly message?: string
  readonly y?: readonly number[]
  readonly closed?: boolean
}

const started: ChildProcess[] = []
test.after(() => {
  for (const child of started) child.kill('SIGKILL')
})

/** A program that serves a folder on two cards. `limit`: KiB of addresses that it and its cards may take. */
function serveFolder(folder: string, options: ServeOptions = {}, limit?: number) {
  const command = [join(program, 'served.mjs'), folder, JSON.stringify({ cards: 2, device: 'process', ...options })]
  const quoted = [process.execPath, ...command].map((word) => `'${word}'`).join(' ')
  const [file, list] =
    limit === undefined ? [process.execPath, command] : ['/bin/sh', ['-c', `ulimit -v ${limit}; exec ${quoted}`]]
  const child = spawn(file, list, { stdio: ['pipe', 'pipe', 'inherit'], cwd: program, detached: true })
  started.push(child)
  const said: Said[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => said.push(JSON.parse(line)))
  let ids = 0
  let status: string | number | undefined
  child.on('exit', (code, signal) => {
    status = signal ?? code ?? undefined
  })
  const hears = async (what: string, holds: (each: Said) => boolean): Promise<Said> => {
    await until(() => said.some(holds) || status !== undefined, what)
    const found = said.find(holds)
    if (!found) throw new Error(`the program ended with ${status} before ${what}: ${JSON.stringify(said)}`)
    return found
  }
  const tell = (value: object) => {
    const id = ids++
    child.stdin!.write(`${JSON.stringify({ id, ...value })}\n`)
    return hears(`it answered ${JSON.stringify(value)}`, (each) => each.id === id)
  }
  return {
    ...{ child, said, hears },
    pids: async () => (await hears('it stood', ({ ready }) => ready !== undefined)).ready!,
    run: (mode: number) => tell({ mode }),
    close: () => tell({ close: true }),
    ended: async () => {
      await until(() => status !== undefined, 'the program ended')
      return status
    },
    /** How often a card was in that state. */
    states: (state: string, card?: number) =>
      said.filter((each) => each.state === state && (card === undefined || each.card === card)).length,
  }
}

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return /^\S+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

/** Other contents under the name of the first file that ends so; what is mapped stays what it was. */
function damage(folder: string, ending: string): void {
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith(ending))!)
  const bytes = readFileSync(file)
  bytes[bytes.length - 1]! ^= 0xff
  writeFileSync(`${file}.tmp`, bytes)
  renameSync(`${file}.tmp`, file)
}

for (const kind of kinds) {
  test(`${kind}: processes are killed in all ways, and every request is answered (HW-07, RT-13, RT-29)`, async () => {
    const served = serveFolder(await unruly(kind), { timeout: 1000 })
    const [stays, first] = await served.pids()
    let victim = first
    const signals =
      kind === kinds[0] ? (['SIGKILL', 'SIGSEGV', 'SIGBUS', 'SIGSTOP', 'SIGTERM'] as const) : (['SIGKILL', 'SIGSTOP'] as const)
    for (const signal of signals) {
      const before = served.states('ready', 1)
      process.kill(victim!, signal)
      // Both cards have something to do, so that one that was stopped is found out.
      const answers = await Promise.all(Array.from({ length: 6 }, () => served.run(modes.sum)))
      for (const { y } of answers) assert.equal(y, [...sums], signal)
      await until(() => served.states('ready', 1) > before, `the card stood again after ${signal}`)
      const other = childrenOf(served.child.pid!)
      assert.is(other.length, 2, signal)
      assert.not.ok(other.includes(victim!), signal)
      victim = other.find((pid) => pid !== stays)!
    }
    assert.is(served.states('lost', 0), 0)
    assert.is(served.states('lost', 1), signals.length)
    const pids = childrenOf(served.child.pid!)
    await served.close()
    assert.is(await served.ended(), 0)
    assert.ok(pids.every(isGone))
  })

  test(`${kind}: a card whose file was damaged meanwhile fails, and the others go on`, async () => {
    const folder = await unruly(kind)
    const served = serveFolder(folder)
    const [, victim] = await served.pids()
    damage(folder, '.weights')
    process.kill(victim!, 'SIGKILL')
    const failed = await served.hears('the card failed', ({ card, state }) => card === 1 && state === 'failed')
    assert.is(failed.code, 'bundle-digest')
    for (let i = 0; i < 4; i++) assert.equal((await served.run(modes.sum)).y, [...sums])
    assert.is(childrenOf(served.child.pid!).length, 1)
    await served.close()
    assert.is(await served.ended(), 0)
  })

  for (const [ending, what] of [
    ['.weights', 'weights'],
    [kind === 'native' ? '.node' : '.wasm', 'code'],
  ] as const)
    test(`${kind}: ${what} with a wrong digest are refused before anything is served`, async () => {
      const folder = await unruly(kind)
      damage(folder, ending)
      const served = serveFolder(folder)
      const { error } = await served.hears('it failed', (each) => each.error !== undefined)
      assert.is(error, 'bundle-digest')
      served.child.stdin!.end()
      assert.is(await served.ended(), 0)
    })

  test(`${kind}: a bundle of another version is refused (HW-07)`, async () => {
    const { files } = await unrulyBundle({ kinds: [kind] })
    const folder = writeFiles(files)
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.manifest.json'))!)
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), format: 999 }))
    const served = serveFolder(join(folder, 'manifest.json'))
    assert.is((await served.hears('it failed', (each) => each.error !== undefined)).error, 'bundle-format')
    served.child.stdin!.end()
    assert.is(await served.ended(), 0)
  })
}

test(`one that is slow, since it stops again and again, is no loss (HW-07)`, async () => {
  const served = serveFolder(await unruly(kinds[0]!), { timeout: 5000 })
  const [, slow] = await served.pids()
  const throttle = setInterval(() => {
    process.kill(slow!, 'SIGSTOP')
    setTimeout(() => process.kill(slow!, 'SIGCONT'), 10)
  }, 30)
  for (let round = 0; round < 10; round++)
    for (const { y } of await Promise.all(Array.from({ length: 6 }, () => served.run(modes.sum)))) assert.equal(y, [...sums])
  clearInterval(throttle)
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.is(served.states('lost'), 0)
  await served.close()
  assert.is(await served.ended(), 0)
})

for (const [what, signal, whom] of [
  ['the program is killed', 'SIGKILL', 'itself'],
  ['somebody presses Ctrl-C', 'SIGINT', 'its group'],
  ['the program is told to end', 'SIGTERM', 'itself'],
] as const)
  test(`no process of a card is left when ${what}`, async () => {
    const served = serveFolder(await unruly(kinds[0]!))
    const pids = await served.pids()
    assert.is(childrenOf(served.child.pid!).length, 2)
    // One is busy.
    served.child.stdin!.write(`${JSON.stringify({ id: -1, mode: kinds[0] === 'native' ? modes.hang : modes.sum })}\n`)
    process.kill(whom === 'itself' ? served.child.pid! : -served.child.pid!, signal)
    assert.is(await served.ended(), signal)
    await until(() => pids.every(isGone), 'the cards have ended')
  })

/** KiB: Node itself takes about a GiB. */
const addresses = 2 * 2 ** 20
const limited = spawnSync('/bin/sh', ['-c', `ulimit -v ${addresses} && exec '${process.execPath}' -e 0`]).status === 0

if (!unavailable && limited) {
  test('native: a card that takes all memory is ended by it, and the others answer', async () => {
    const served = serveFolder(await unruly('native'), { timeout: 30_000 }, addresses)
    await served.pids()
    assert.is((await served.run(modes.eat)).error, 'card-lost')
    assert.ok(served.states('lost') >= 1)
    assert.equal((await served.run(modes.sum)).y, [...sums])
    await served.close()
    assert.is(await served.ended(), 0)
  })

  test('native: a model that asks for more memory than there is, is refused with its code', async () => {
    const { files } = await unrulyBundle({ kinds: ['native'] })
    const folder = writeFiles(files)
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.manifest.json'))!)
    const manifest = readFileSync(file, 'utf8').replaceAll('"activations":0', `"activations":${2 ** 32 - 64}`)
    writeFileSync(join(folder, 'manifest.json'), manifest)
    const served = serveFolder(join(folder, 'manifest.json'), {}, addresses)
    assert.is((await served.hears('it failed', (each) => each.error !== undefined)).error, 'out-of-memory')
    served.child.stdin!.end()
    assert.is(await served.ended(), 0)
  })
}

test.run()

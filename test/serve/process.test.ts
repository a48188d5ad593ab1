// Cards that are processes, killed for real.
import { spawn } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Addon } from '../../targets/runtime/addon.ts'
import { GlowplugError } from '../../targets/runtime/error.ts'
import { createHost } from '../../targets/runtime/load.ts'
import { locate } from '../../targets/runtime/locate.ts'
import { native } from '../../targets/runtime/native.ts'
import type { Card, CardCopy, CardOptions } from '../../targets/runtime/serve/card.ts'
import { createProcessCards } from '../../targets/runtime/serve/process/card.ts'
import { kinds as frameKinds } from '../../targets/runtime/serve/process/frames.ts'
import { threads } from '../../targets/runtime/threads.ts'
import { kinds, modes, newFolder, sums, unruly, unrulyBundle, until, writeFiles, xs } from './support.ts'

interface Change {
  readonly card: number
  readonly state: string
  readonly code: string | undefined
  readonly message: string | undefined
}

const opened: Card[] = []
// Also after one that failed: names of processes are those of cards.
test.after.each(async () => {
  await Promise.all(opened.splice(0).map((card) => card.close()))
})

/** Cards with the whole model of a folder on each; its first entry is program 0, its second program 1. */
function cardsOf(
  folder: string,
  options: Partial<CardOptions> & { readonly cards?: number; readonly peerToPeer?: boolean } = {},
) {
  const located = locate(folder)
  const loaded = createHost(folder, {}, { wasm: threads, module: threads, addon: native }).load()
  const changes: Change[] = []
  const cards = createProcessCards(
    Array.from({ length: options.cards ?? 1 }, (_, index) => ({
      index,
      name: `c${index}`,
      programs: loaded.entries.map((placed, entry) => ({ id: entry, part: 0, entry, placed })),
      parts: [{ index: 0, name: 'whole', located, loaded }],
      slots: 2,
      kept: 0,
      threads: 1,
      timeout: 5000,
      watcher: {
        changed: (card, state, error) => changes.push({ card: card.index, state, code: error?.code, message: error?.message }),
      },
      ...options,
    })),
    options.peerToPeer,
  )
  opened.push(...cards)
  return { cards, card: cards[0]!, changes, states: () => changes.map(({ state }) => state) }
}

/** Runs a program in a slot; what it throws is the error that it ended with. */
const run = (card: Card, mode: number, { program = 0, slot = 0, x = xs, copies = [] as readonly CardCopy[] } = {}) => {
  const [to, how] = card.inputs(program, slot)
  if (copies.length === 0) to!.set(x as never)
  how![0] = mode
  return new Promise<number>((resolve, reject) =>
    card.submit({ program, slot, copies }, (fault, error) => (error ? reject(error) : resolve(fault))),
  )
}
const result = (card: Card, program = 0, slot = 0) => new Float32Array(card.outputs(program, slot)[0] as Float32Array)
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing',
    (error) => (error instanceof GlowplugError ? `${error.code}: ${error.message}` : `${error}`),
  )

/** Processes whose parent is that one, with what their names begin with. */
function childrenOf(parent: number, name = 'glowplug '): number[] {
  return readdirSync('/proc')
    .filter((pid) => {
      try {
        const [, state, ppid] = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/s, '').split(' ')
        return Number(ppid) === parent && state !== 'Z' && readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(name)
      } catch {
        return false
      }
    })
    .map(Number)
}
/** The process of a card of the unruly model. */
const pidOf = (card: Card) => childrenOf(process.pid, `glowplug unruly ${card.name}`)[0]!
const exists = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}
/** While `body` runs, processes are started by a script in place of Node; `$NODE` is Node. */
async function startedBy<T>(script: string, body: () => Promise<T>): Promise<T> {
  const node = process.execPath
  const path = join(newFolder(), 'node')
  writeFileSync(path, `#!/bin/sh\nNODE='${node}'\n${script}\n`)
  chmodSync(path, 0o755)
  process.execPath = path
  try {
    return await body()
  } finally {
    process.execPath = node
  }
}

for (const kind of kinds) {
  const folder = await unruly(kind)

  test(`${kind}: runs in all slots and programs, and faults are numbers (RT-10)`, async () => {
    const { card, states } = cardsOf(folder)
    await Promise.all([card.start(), card.start()])
    assert.equal(states(), ['ready'])
    assert.is(card.target, `${kind} any`)
    const all = [0, 1].flatMap((program) =>
      [0, 1].map((slot) => ({ program, slot, x: xs.map((value) => value + program * 7 + slot) })),
    )
    assert.equal(await Promise.all(all.map((where) => run(card, modes.sum, where))), [0, 0, 0, 0])
    for (const { program, slot } of all)
      assert.equal(
        result(card, program, slot),
        sums.map((value) => value + program * 7 + slot),
      )
    assert.is(await run(card, modes.fault), 1)
    assert.is(await run(card, modes.sum), 0)
    await card.close()
    await card.close()
    assert.equal(states(), ['ready', 'closed'])
    assert.is(await failure(card.start()), "closed: card 'c0' is closed")
    assert.is(
      await failure(new Promise((_, reject) => card.submit({ program: 0, slot: 0, copies: [] }, (_, error) => reject(error)))),
      "closed: card 'c0' is closed",
    )
  })

  test(`${kind}: answers come in order, none before submit returns, and what a listener throws harms no other`, async () => {
    const { card } = cardsOf(folder)
    await card.start()
    const order: number[] = []
    const thrown: unknown[] = []
    const listen = (error: unknown) => thrown.push(error)
    process.on('uncaughtException', listen)
    card.inputs(0, 0)[1]![0] = modes.sum
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 100; i++)
        card.submit({ program: 0, slot: 0, copies: [] }, () => {
          order.push(i)
          if (i === 99) setImmediate(resolve)
          if (i === 50) throw new Error('of a listener')
        })
      assert.is(order.length, 0)
    })
    process.off('uncaughtException', listen)
    assert.equal(
      order,
      Array.from({ length: 100 }, (_, i) => i),
    )
    assert.equal(thrown.map(String), ['Error: of a listener'])
    assert.is(card.state, 'ready')
  })

  const deaths: readonly {
    readonly name: string
    readonly mode: number
    readonly signal?: NodeJS.Signals
    readonly says: RegExp
  }[] = [
    { name: 'a crash', mode: modes.crash, says: kind === 'native' ? /was ended by SIGSEGV/ : /was lost: .*crashed/ },
    { name: 'a hang', mode: modes.hang, says: /did not answer in 300 ms/ },
    { name: 'SIGKILL', mode: 250, signal: 'SIGKILL', says: /was ended by SIGKILL/ },
    { name: 'SIGBUS', mode: 250, signal: 'SIGBUS', says: /was ended by SIGBUS/ },
    { name: 'SIGSTOP, which is a hang', mode: 200, signal: 'SIGSTOP', says: /did not answer in 300 ms/ },
    ...(kind === 'native' ? [{ name: 'an exit', mode: modes.exit, says: /ended with 3/ }] : []),
  ]
  for (const { name, mode, signal, says } of deaths)
    test(`${kind}: ${name} fails what was under way with card-lost, and the card stands again (RT-29, HW-07)`, async () => {
      const { cards, changes } = cardsOf(folder, { cards: 2, timeout: 300 })
      const [card, other] = cards as [Card, Card]
      await Promise.all(cards.map((each) => each.start()))
      const pid = pidOf(card)
      // The second waits behind the first. WebAssembly counts turns, so that these are more than a signal takes.
      const turns = kind === 'wasm' && signal ? modes.hang : mode
      const [first, second] = [failure(run(card, turns)), failure(run(card, modes.sum, { slot: 1 }))]
      if (signal) process.kill(pid, signal)
      for (const said of [await first, await second]) {
        assert.match(said, /^card-lost: card 'c0' /)
        assert.match(said, says)
      }
      assert.is(card.state, 'lost')
      assert.match(await failure(run(card, modes.sum)), /^card-lost: card 'c0' is lost/)
      assert.is(await run(other, modes.sum), 0)
      await until(() => card.state === 'ready', 'the card stands again')
      assert.is(exists(pid), false)
      assert.is(card.restarts, 1)
      assert.is(await run(card, modes.sum), 0)
      assert.equal(result(card), sums)
      assert.equal(
        changes.filter((change) => change.card === 0).map(({ state }) => state),
        ['ready', 'lost', 'ready'],
      )
      assert.is(other.restarts, 0)
      await Promise.all(cards.map((each) => each.close()))
    })

  test(`${kind}: an idle card that dies or stops is found out, and stands again`, async () => {
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const { card, states, changes } = cardsOf(folder, { timeout: 300 })
      await card.start()
      process.kill(pidOf(card), signal)
      await until(() => card.state === 'lost', 'it is lost')
      // Who asks does not wait for the time between attempts.
      if (signal === 'SIGKILL') await Promise.all([card.start(), card.start()])
      await until(() => card.restarts === 1 && card.state === 'ready', 'it stands again')
      assert.equal(states(), ['ready', 'lost', 'ready'])
      assert.match(changes[1]!.message!, signal === 'SIGKILL' ? /was ended by SIGKILL/ : /did not answer in 300 ms/)
      assert.is(await run(card, modes.sum), 0)
      await card.close()
    }
  })

  test(`${kind}: closing fails what is under way with closed, and leaves nothing behind`, async () => {
    const { cards } = cardsOf(folder, { cards: 2 })
    const starting = failure(cards[1]!.start())
    await cards[0]!.start()
    const pids = childrenOf(process.pid)
    const said = [failure(run(cards[0]!, modes.hang)), failure(run(cards[0]!, modes.sum, { slot: 1 }))]
    await Promise.all(cards.map((card) => card.close()))
    assert.equal(await Promise.all(said), ["closed: card 'c0' is closed", "closed: card 'c0' is closed"])
    assert.match(await starting, /^(nothing|closed: .*)$/)
    assert.equal(pids.filter(exists), [])
  })

  test(`${kind}: one card reads what another made, where it may, with the same result (RT-24, RT-25, FB-11)`, async () => {
    for (const peerToPeer of [true, false]) {
      const { cards } = cardsOf(folder, { cards: 2, peerToPeer })
      const [first, second] = cards as [Card, Card]
      await Promise.all(cards.map((card) => card.start()))
      assert.is(first.reaches(0), true)
      assert.is(first.reaches(1), kind === 'native' && peerToPeer)
      assert.is(first.reaches(-1), false)
      await run(first, modes.sum, { slot: 1 })
      // Card-side on the same card, without the host.
      await run(first, modes.sum, { program: 1, slot: 1, copies: [{ to: 0, card: 0, program: 0, output: 0 }] })
      assert.equal(result(first, 1, 1), new Float32Array([21, 42, 63, 84]))
      if (second.reaches(0)) {
        await run(second, modes.sum, { program: 1, slot: 1, copies: [{ to: 0, card: 0, program: 1, output: 0 }] })
        // Also when the one that made it is gone.
        process.kill(pidOf(first), 'SIGKILL')
        await until(() => first.state === 'lost', 'the card is lost')
        await run(second, modes.sum, { program: 0, slot: 1, copies: [{ to: 0, card: 0, program: 1, output: 0 }] })
        assert.equal(result(second, 0, 1), new Float32Array([31, 62, 93, 124]))
      } else await run(second, modes.sum, { program: 1, slot: 1, x: result(first, 1, 1) })
      assert.equal(result(second, 1, 1), new Float32Array([31, 62, 93, 124]))
      await Promise.all(cards.map((card) => card.close()))
    }
  })

  test(`${kind}: cards that come and go, by themselves or closed, leave no process, descriptor or mapping (RT-30)`, async () => {
    const mappings = () =>
      readFileSync('/proc/self/maps', 'latin1')
        .split('\n')
        .filter((line) => line.includes('memfd:glowplug')).length
    const held = () => [
      childrenOf(process.pid).length,
      readdirSync('/proc/self/fd').length,
      mappings(),
      process.getActiveResourcesInfo().filter((name) => /Process|Pipe/.test(name)).length,
    ]
    let before: readonly number[] = []
    for (let round = 0; round < 3; round++) {
      // What tests before it left goes with the first.
      if (round < 2) before = held()
      const { cards } = cardsOf(folder, { cards: 2 })
      await Promise.all(cards.map((card) => card.start()))
      await run(cards[0]!, modes.sum)
      const standing = held()
      assert.ok(standing[0] === 2 && standing[1]! > before[1]!, `${standing}`)
      process.kill(pidOf(cards[0]!), 'SIGKILL')
      await until(() => cards[0]!.restarts === 1, 'it stands again')
      assert.equal(held(), standing)
      const views = cards[0]!.inputs(0, 0)
      await Promise.all(cards.map((card) => card.close()))
      // What is shared is given back at once, though somebody still has views of it: they are empty.
      assert.is(views[0]!.length, kind === 'native' ? 0 : 4)
      if (round > 0) await until(() => held().every((count, i) => count <= before[i]!), `${held()} is ${before} again`)
    }
  })

  test(`${kind}: a damaged bundle is what the start says, and no reason to try again`, async () => {
    const damages: readonly [string, (file: string) => void][] = [
      [
        'bundle-digest',
        (file) => {
          const bytes = readFileSync(file)
          bytes[bytes.length - 5]! ^= 1
          rmSync(file)
          writeFileSync(file, bytes)
        },
      ],
      ['bundle-truncated', (file) => truncateSync(file, 4100)],
      ['bundle-missing-file', (file) => rmSync(file)],
    ]
    for (const [code, damage] of damages) {
      const broken = await unruly(kind)
      const { card, changes } = cardsOf(broken)
      const weights = join(broken, readdirSync(broken).find((name) => name.endsWith('.weights'))!)
      const whole = readFileSync(weights)
      if (code === 'bundle-truncated') {
        // Found out when a card that stood is to stand again.
        await card.start()
        damage(weights)
        process.kill(pidOf(card), 'SIGKILL')
        await until(() => card.state === 'failed', 'the card fails')
      } else {
        damage(weights)
        assert.match(await failure(card.start()), RegExp(`^${code}: `))
      }
      assert.is(card.state, 'failed')
      assert.is(changes.at(-1)!.code, code)
      assert.match(await failure(run(card, modes.sum)), /^card-lost: card 'c0' is failed/)
      // Somebody has copied it again.
      rmSync(weights, { force: true })
      writeFileSync(weights, whole)
      await card.start()
      assert.is(await run(card, modes.sum), 0)
      await card.close()
    }
  })
}

test('memory that runs out on a card is out-of-memory (HW-07)', async () => {
  for (const kind of kinds) {
    const { files, manifest } = await unrulyBundle({ kinds: [kind] })
    const large = structuredClone(manifest) as any
    // More than WebAssembly addresses; more than the process may have.
    for (const entry of large.codes[0].entries) entry.regions.activations = kind === 'wasm' ? 2 ** 32 - 1 : 2 ** 30
    const folder = writeFiles(new Map([...files].filter(([name]) => !name.endsWith('.json'))))
    writeFileSync(join(folder, 'large.manifest.json'), JSON.stringify(large))
    const { card } = cardsOf(folder)
    const said = await startedBy('ulimit -d 600000; exec $NODE "$@"', () => failure(card.start()))
    assert.match(said, /^out-of-memory: /)
    assert.is(card.state, 'failed')
  }
})

if (kinds.includes('native')) {
  const folder = await unruly('native')

  test('a card that takes all memory it may have is lost, and stands again', async () => {
    await startedBy('ulimit -d 600000; exec $NODE "$@"', async () => {
      const { card } = cardsOf(folder)
      await card.start()
      assert.is(await failure(run(card, modes.eat)), "card-lost: card 'c0' ended with 4")
      await until(() => card.state === 'ready', 'it stands again')
      assert.is(await run(card, modes.sum), 0)
    })
  })

  test('without memory to share, tensors go through the channel, and with a file that has no name they do not', async () => {
    const located = locate(folder)
    const loaded = createHost(folder, {}, { wasm: threads, module: threads, addon: native }).load()
    const addon = loaded.code as Addon
    const refuse = () => {
      throw Object.assign(new Error('ENOSYS'), { code: 'ENOSYS' })
    }
    const variants: readonly [boolean, Partial<Addon>][] = [
      [true, { ...addon, share: refuse }],
      // As older versions made them.
      [false, { ...addon, share: undefined as never }],
      [false, { ...addon, map: refuse }],
    ]
    for (const [shares, code] of variants) {
      const { cards } = cardsOf(folder, { cards: 2, parts: [{ index: 0, name: 'whole', located, loaded: { ...loaded, code } }] })
      await Promise.all(cards.map((card) => card.start()))
      assert.is(cards[0]!.reaches(1), shares)
      assert.is(await run(cards[0]!, modes.sum), 0)
      assert.is(await run(cards[0]!, modes.sum, { program: 1, copies: [{ to: 0, card: 0, program: 0, output: 0 }] }), 0)
      assert.equal(result(cards[0]!, 1), new Float32Array([21, 42, 63, 84]))
      assert.equal(result(cards[0]!), sums)
      await Promise.all(cards.map((card) => card.close()))
    }
  })

  test('what another card may read it cannot write', async () => {
    const { card } = cardsOf(folder)
    await card.start()
    const links = () =>
      readdirSync('/proc/self/fd').filter((file) => {
        try {
          return readlinkSync(`/proc/self/fd/${file}`).includes('memfd:glowplug')
        } catch {
          return false
        }
      })
    const flags = (file: string) =>
      Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'latin1'))![1]!, 8) & 3
    const own = links()
    assert.equal(own.map(flags).sort(), [0, 2])
    assert.throws(
      () => writeFileSync(`/proc/self/fd/${own.find((file) => flags(file) === 2)}`, ''),
      /EPERM/,
      'its size is sealed',
    )
    await card.close()
    assert.equal(links(), [])
  })
}

test('a process that is no card, or has gone mad, is ended, and what it says harms nobody', async () => {
  const folder = await unruly(kinds[0]!)
  const frame = (...words: number[]) => `f(${words})`
  /** Hears its setup, then says what it should not. */
  const speaker = (says: string, wait = 1000) =>
    `exec $NODE -e "const fs=require('fs'),f=(...w)=>{const b=Buffer.alloc(32);b.write('GLOW');w.forEach((x,i)=>b.writeUInt32LE(x,4+4*i));fs.writeSync(4,b)};${says};setTimeout(()=>{},${wait})"`
  const { ready, progress, done, pong, error } = frameKinds
  const mad: readonly [string, RegExp][] = [
    ['exit 7', /^card-lost: card 'c0' ended with 7/],
    ['kill -9 $$', /^card-lost: card 'c0' was ended by SIGKILL/],
    ['exec sleep 100 4>&-', /^card-lost: card 'c0' was ended by SIGKILL/],
    ['head -c 100 /dev/zero >&4; exec sleep 100', /does not keep to the protocol: it sent what is no frame/],
    ['exec cat /dev/urandom >&4', /does not keep to the protocol/],
    [speaker(frame(99)), /a frame of kind 99/],
    [speaker(frame(done, 0)), /an answer that nobody waits for/],
    [speaker(frame(ready, 0, 0, 0, 0, 5)), /an answer of 5 bytes/],
    [speaker(frame(error, 0, 0, 0, 0, 2 ** 32 - 1)), /too long an error/],
    [speaker(`${frame(error, 0, 0, 0, 0, 4)};fs.writeSync(4,'null')`), /does not keep to the protocol/],
    [speaker(`${frame(progress)};fs.writeSync(4,'GL');process.exit(5)`), /ended with 5/],
  ]
  for (const [script, says] of mad) {
    const { card } = cardsOf(folder)
    assert.match(await startedBy(script, () => failure(card.start())), says, script)
    assert.is(card.state, 'failed')
    await card.close()
  }
  // After it stood.
  for (const says of [frame(pong, 0), frame(done, 7), frame(ready), frame(done, 0, 1, 0, 0, 2 ** 31)]) {
    const { card, changes } = cardsOf(folder)
    await startedBy(speaker(`${frame(ready)};${says}`), async () => {
      await card.start()
      await until(() => changes.length > 1, 'it is found out')
    })
    assert.match(changes[1]!.message!, /does not keep to the protocol/)
    await card.close()
  }
  const { card } = cardsOf(folder)
  const node = process.execPath
  process.execPath = '/nonexistent/node'
  const said = await failure(card.start())
  process.execPath = node
  assert.match(said, /^card-lost: card 'c0' cannot be started: .*ENOENT/)
  assert.equal(childrenOf(process.pid, ''), [], 'none is left')
})

for (const kind of kinds)
  for (const [name, mode] of [
    ['is idle', undefined],
    // Native code never ends here; turns of WebAssembly do, before the channel is read again.
    ['runs', kind === 'native' ? modes.hang : 2 ** 28],
  ] as const)
    test(`${kind}: a card whose host dies ends, also where it ${name}`, async () => {
      const serve = pathToFileURL(join(process.env.GLOWPLUG_ROOT!, 'dist/serve.js'))
      const script = `import { serve } from '${serve}'
        const server = serve(${JSON.stringify(await unruly(kind))}, { device: 'process', cards: 2 })
        await server.ready()
        ${mode === undefined ? '' : `for (let i = 0; i < 2; i++) server.entries.main.run({ x: [1, 2, 3, 4], mode: [${mode}] }).catch(() => {})`}
        setInterval(() => {}, 1000)
        console.log('ready')`
      const host = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
      await new Promise((resolve) => host.stdout.once('data', resolve))
      const cards = childrenOf(host.pid!)
      assert.is(cards.length, 2)
      host.kill('SIGKILL')
      await until(() => !cards.some(exists), 'the cards are gone')
    })

test('a host that has nothing more to do ends, and its cards with it, closed or not', async () => {
  const serve = pathToFileURL(join(process.env.GLOWPLUG_ROOT!, 'dist/serve.js'))
  for (const end of ['', 'await server.close()', 'process.exit()']) {
    const script = `import { serve } from '${serve}'
      const server = serve(${JSON.stringify(await unruly(kinds[0]!))}, { device: 'process', cards: 2 })
      await server.ready()
      const { y } = await server.entries.main.run({ x: [1, 2, 3, 4], mode: [0] })
      console.log(...y.data)
      ${end}`
    const host = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    host.stdout.on('data', (chunk) => {
      said += chunk
    })
    // Standard output is that of the cards too: its end is theirs.
    const status = await new Promise((resolve) => host.on('close', resolve))
    assert.equal([status, said], [0, '11 22 33 44\n'], end)
  }
})

test.run()

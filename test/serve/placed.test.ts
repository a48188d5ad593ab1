// Models in parts over cards: what comes out is what the whole model gives, wherever its parts run.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compile } from '../../plugin/compile.ts'
import { compilePlaced } from '../../plugin/compilePlaced.ts'
import { type Bundle, open } from '../../targets/runtime/index.ts'
import type { ServeEvent } from '../../targets/runtime/serve/index.ts'
import type { PlacedModel } from '../../targets/runtime/serve/readPlacement.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { idsBelow, recommender, six } from '../support/recommender.ts'
import { kinds, writeFiles } from './support.ts'

const sizes = [9000, 8000, 7000, 6000]
const graph = recommender(sizes)
const requestOf = (seed: number) => {
  const { ids, dense } = idsBelow(sizes, seed)
  return { ids: new BigInt64Array(ids!.buffer), dense: new Float32Array(dense!.buffer) }
}

for (const kind of kinds) {
  const platform = { ...six, cards: six.cards.slice(0, 2) }
  let compiled: Promise<readonly [PlacedModel, Bundle]> | undefined
  const compileBoth = () => {
    compiled ??= Promise.all([
      compilePlaced(graph, platform, { target: [kind], method: 'tables' }),
      compile(graph, { target: [kind] }),
    ])
    return compiled
  }

  for (const device of ['worker', 'process'] as const)
    test(`${kind} ${device}: tables on two cards, the rest on each, is the whole model (FB-01, RT-09, RT-24, RT-25)`, async () => {
      const [placed, whole] = await compileBoth()
      const folder = writeFiles(placed.files)
      const model = open(writeFiles(whole.files))
      const requests = Array.from({ length: 24 }, (_, i) => ({ inputs: requestOf(i), expected: model.runSync(requestOf(i)) }))
      const bytes: unknown[] = []
      for (const peerToPeer of [true, false]) {
        const server = openServer(folder, { device, peerToPeer, active: 5, queue: 24 })
        const events: ServeEvent[] = []
        await server.ready()
        server.watch((event) => events.push(event))
        const answers = await Promise.all(requests.map(({ inputs }) => server.run(inputs)))
        for (const [i, answer] of answers.entries()) assert.equal(answer, requests[i]!.expected, `request ${i}`)
        const commands = events.flatMap((event) => (event.kind === 'command' ? [event] : []))
        assert.is(commands.length, requests.length * server.opened().recorded.flows[0]!.steps.length)
        const sum = (of: 'fromHost' | 'fromCards') => commands.reduce((all, { bytes }) => all + bytes[of], 0)
        bytes.push([sum('fromHost') > 0, sum('fromCards') > 0])
        assert.ok(server.info.crossing.main! > 0)
        if (device === 'process' && peerToPeer) {
          const again = requests.map(({ inputs }) => server.run(inputs))
          process.kill(server.info.cards[1]!.pid!, 'SIGKILL')
          // What the other card had made for them is made again with what this one had.
          for (const [i, answer] of (await Promise.all(again)).entries())
            assert.equal(answer, requests[i]!.expected, `request ${i}`)
          assert.ok(events.some((event) => event.kind === 'card' && event.state === 'lost'))
        }
        await server.close()
      }
      // What a card makes crosses by the host where cards do not read each other.
      assert.equal(bytes, [
        [true, device === 'worker' || kind === 'native'],
        [true, false],
      ])
      await model.close()
    })

  test(`${kind}: cards look up for the next requests before the rest of a request has run (FB-04)`, async () => {
    const server = openServer(writeFiles((await compileBoth())[0].files))
    await server.ready()
    const { steps } = server.opened().recorded.flows[0]!
    const last = steps.find(({ readers }) => readers.length === 0)!.program.part
    const commands: { readonly request: number; readonly part: number; readonly card: number }[] = []
    server.watch((event) => {
      if (event.kind === 'command') commands.push(event)
    })
    const overlaps = () => {
      const requests = [...new Set(commands.map(({ request }) => request))].sort((a, b) => a - b)
      return requests.slice(0, -1).some((request, i) => {
        const rest = commands.findIndex((each) => each.request === request && each.part === last)
        return commands
          .slice(0, rest)
          .some(({ request, part, card }) => request === requests[i + 1] && part !== last && card >= 0)
      })
    }
    // Which of them overlap is a matter of who is faster; that none ever does would mean that each waits for the one before.
    for (let round = 0; round < 20 && !overlaps(); round++)
      await Promise.all([1, 2, 3, 4, 5, 6].map((seed) => server.run(requestOf(seed))))
    assert.ok(overlaps())
    await server.close()
  })
}

test.run()

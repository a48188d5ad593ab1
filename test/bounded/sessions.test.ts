// Outputs whose size data decides, of models that remember: sessions of programs, of loaders and of servers.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, bounded, model, mul, nonZero, state, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { writeBundle } from '../../plugin/bundle/index.ts'
import { compile } from '../../plugin/compile.ts'
import { compilePlaced } from '../../plugin/compilePlaced.ts'
import { openBucketsSessions, withBounds } from '../../targets/runtime/index.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { kinds, writeFiles } from '../serve/support.ts'
import { six } from '../support/recommender.ts'

/** Where the sum of all that came is not zero. */
const marks = model({
  name: 'marks',
  state: { total: state('f32', [4]) },
  inputs: { x: tensor('f32', [4]) },
  forward({ x }, { total }) {
    const next = add(total, x)
    const { indices, count } = nonZero(next)
    return { at: bounded(indices, count, { axis: 1 }), sum: mul(next, 1), total: next }
  },
})
const folder = mkdtempSync(join(tmpdir(), 'glowplug-bounded-sessions-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))

const steps = [
  { x: [0, 0, 3, 0], at: [2] },
  { x: [1, 0, 0, 0], at: [0, 2] },
  { x: [0, 0, -3, 0], at: [0] },
  { x: [-1, 0, 0, 0], at: [] },
] as const

/** `run` gives what is filled, of a session and of its entry, and nothing else than the model returns. */
async function check(session: any): Promise<void> {
  for (const [i, { x, at }] of steps.entries()) {
    const outputs = await (i % 2 ? session : session.entries.main).run({ x: [...x] })
    assert.equal(Object.keys(outputs).sort(), ['at', 'sum'])
    assert.equal([[...outputs.at.shape], Array.from(outputs.at.data, Number)], [[1, at.length], [...at]])
  }
  session.reset()
  assert.equal((await session.run({ x: [1, 1, 0, 0] })).at.shape, [1, 2])
}

test('not compiled', () => check((marks as any).session()))

for (const target of ['interpreter', ...kinds])
  test(`${target}: sessions of a loader trim what they give, at once and later`, async () => {
    const path = join(folder, target)
    await writeBundle(await compile(traceModel(marks), { target }), path)
    const net = withBounds(openBucketsSessions<any, any>(path))
    await check(net.session())
    const session = net.session()
    for (const { x, at } of steps) {
      const outputs: any = session.runSync({ x: [...x] })
      assert.equal([[...outputs.at.shape], Array.from(outputs.at.data, Number)], [[1, at.length], [...at]])
    }
    await net.close()
  })

for (const kind of kinds)
  test(`${kind}: so do sessions of a server`, async () => {
    const platform = { ...six, cards: six.cards.slice(0, 2) }
    const placed = await compilePlaced(traceModel(marks), platform, { target: [kind], method: 'copies' })
    const server: any = openServer(writeFiles(placed.files), {})
    try {
      await check(server.session())
    } finally {
      await server.close()
    }
  })

test.run()

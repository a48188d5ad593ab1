// Models that declare states: what sessions of a server carry is known without being said.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { add, constant, model, mul, state, tensor } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { compile } from '../../plugin/compile.ts'
import { compilePlaced } from '../../plugin/compilePlaced.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { six } from '../support/recommender.ts'
import { codeOf, kinds, writeFiles } from './support.ts'

const graph = traceModel(
  model({
    name: 'counter',
    state: { total: state('f32', [4]), steps: state('i32', [1], { initial: constant('i32', [1], [7]) }) },
    entries: {
      count: {
        inputs: { x: tensor('f32', [4]) },
        forward({ x }, { total, steps }) {
          const [next, after] = [add(total, x), add(steps, 1)]
          return { sum: mul(next, 2), seen: mul(after, 1), total: next, steps: after }
        },
      },
      plain: { inputs: { x: tensor('f32', [4]) }, forward: ({ x }) => ({ y: mul(x, 3) }) },
    },
  }),
)
const platform = { ...six, cards: six.cards.slice(0, 2) }
const x = [1, 2, 3, 4]

for (const kind of kinds)
  for (const device of ['worker', 'process'] as const)
    test(`${kind} ${device}: sessions carry the states that the model declares`, async () => {
      const placed = await compilePlaced(graph, platform, { target: [kind], method: 'copies' })
      const server: any = openServer(writeFiles(placed.files), { device })
      try {
        await server.ready()
        assert.is(await codeOf(() => server.entries.count.run({ x })), 'session-needed')
        assert.equal([...(await server.entries.plain.run({ x })).y.data], [3, 6, 9, 12])
        const [one, two] = [server.session(), server.session()]
        for (let i = 1; i <= 3; i++) {
          const { sum, seen, ...others } = await one.entries.count.run({ x })
          assert.equal([[...sum.data], [...seen.data], others], [x.map((value) => 2 * i * value), [7 + i], {}])
        }
        assert.equal([...(await two.entries.count.run({ x })).seen.data], [8])
        one.reset()
        assert.equal([...(await one.entries.count.run({ x })).seen.data], [8])
        one.close()
        two.close()
      } finally {
        await server.close()
      }
    })

test('a bundle that is not placed says what to do', async () => {
  const server: any = openServer(writeFiles((await compile(graph, { target: 'interpreter' })).files), {})
  assert.is(await codeOf(() => server.ready()), 'session-needed')
  await server.close()
})

test.run()

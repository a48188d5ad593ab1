// Bags of various lengths over cards: of indices and of their factors only what is in bags is sent.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compile } from '../../plugin/compile.ts'
import { compilePlaced } from '../../plugin/compilePlaced.ts'
import { open } from '../../targets/runtime/index.ts'
import { checkPlacement } from '../../targets/runtime/serve/checkPlacement.ts'
import type { ServeEvent } from '../../targets/runtime/serve/index.ts'
import { copyRead } from '../../targets/runtime/serve/partial.ts'
import type { InputUse, ReadRange } from '../../targets/runtime/serve/placement.ts'
import { sanitize } from '../../targets/runtime/serve/sanitize.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import type { TensorArray } from '../../targets/runtime/tensor.ts'
import { type Bagged, baggedRecommender, baggedRequest } from '../support/baggedRecommender.ts'
import { cards } from '../support/recommender.ts'
import { kinds, writeFiles } from './support.ts'

const sizes = [5000, 4000, 3000, 2500]
const settings: readonly (readonly [string, Bagged])[] = [
  ['inputs of each table', { sizes, together: false, by: 'lengths', weighted: true }],
  ['inputs of all tables', { sizes, together: true, by: 'offsets', mean: true }],
]
/** An index that no table has, in i32 and in i64. */
const nowhere = 2n ** 40n

for (const [i, kind] of kinds.entries())
  for (const [name, setting] of kinds.length > 1 ? settings.slice(i, i + 1) : settings)
    test(`${kind}: what is in no bag is not sent, and never looked at: ${name} (RT-22, RT-23, FB-05)`, async () => {
      const graph = baggedRecommender(setting)
      const folder = writeFiles((await compilePlaced(graph, cards(2, 2 ** 30), { target: [kind], method: 'tables' })).files)
      const model = open(writeFiles((await compile(graph, { target: [kind] })).files))
      for (const device of ['worker', 'process'] as const) {
        const server = openServer(folder, { device, active: 2 })
        await server.ready()
        const sent: number[] = []
        server.watch((event: ServeEvent) => {
          if (event.kind === 'command' && event.card >= 0) sent.push(event.bytes.fromHost)
        })
        const bytesOf = async (seed: number, change?: (request: Record<string, any>) => void) => {
          const request: Record<string, any> = baggedRequest(setting, seed, nowhere)
          change?.(request)
          sent.length = 0
          const { clicks } = await server.run(request)
          assert.equal(clicks, model.runSync(request).clicks, `${device} ${seed}`)
          return sent.reduce((sum, bytes) => sum + bytes, 0)
        }
        const some: number[] = []
        for (let seed = 0; seed < 8; seed++) some.push(await bytesOf(seed))
        assert.ok(new Set(some).size > 1, `${some}`)
        const none = await bytesOf(9, (request) => {
          for (const [input, array] of Object.entries(request)) if (/^(lengths|offsets)/.test(input)) array.fill(0)
        })
        assert.ok(none < Math.min(...some), `${none} of ${some}`)
        // Of indices and factors nothing is left.
        assert.is(none % 4, 0)
        assert.ok(server.info.crossing.main! > Math.max(...some))
        await server.close()
      }
      await model.close()
    })

test('as many elements are copied as lengths and offsets say, all where they say what cannot be, and none of none (RT-22)', () => {
  const value = Int32Array.from({ length: 10 }, (_, i) => i + 1)
  const copied = (ranges: readonly ReadRange[], ...inputs: TensorArray[]) => {
    const target = new Int32Array(10)
    const bytes = copyRead(ranges, value, target, inputs)
    assert.is(bytes, 4 * target.filter(Boolean).length)
    return [...target].join(' ')
  }
  const by = (kind: 'lengths' | 'offsets', from: number, to: number) => [
    { from: 2, to: 8, used: { by: kind, input: 0, from, to } },
  ]
  assert.is(copied([{ from: 1, to: 3 }]), '0 2 3 0 0 0 0 0 0 0')
  assert.is(copied(by('lengths', 0, 2), Int32Array.of(1, 2, 9)), '0 0 3 4 5 0 0 0 0 0')
  assert.is(copied(by('lengths', 1, 3), BigInt64Array.of(9n, 0n, 2n)), '0 0 3 4 0 0 0 0 0 0')
  assert.is(copied(by('offsets', 0, 3), BigInt64Array.of(0n, 3n, 4n)), '0 0 3 4 5 6 0 0 0 0')
  const all = '0 0 3 4 5 6 7 8 0 0'
  for (const wrong of [Int32Array.of(3, -1, 0), Int32Array.of(4, 3, 0), BigInt64Array.of(0n, 2n ** 32n + 1n, 0n)])
    assert.is(copied(by('lengths', 0, 2), wrong), all)
  for (const wrong of [Int32Array.of(0, 0, 7), Int32Array.of(0, 0, -1), BigInt64Array.of(0n, 0n, -(2n ** 40n))])
    assert.is(copied(by('offsets', 0, 3), wrong), all)
  assert.is(copied(by('lengths', 0, 0), Int32Array.of()), '0 0 0 0 0 0 0 0 0 0')
  assert.is(copied([]), '0 0 0 0 0 0 0 0 0 0')
})

test('a placement that says what is read of inputs otherwise than can be is refused', async () => {
  const { placement, files } = await compilePlaced(baggedRecommender(settings[1]![1]), cards(2, 2 ** 30), {
    target: 'interpreter',
    method: 'tables',
  })
  const text = JSON.stringify(placement)
  const check = (value: unknown) =>
    checkPlacement(value, ({ file }) => JSON.parse(new TextDecoder().decode(files.get(file)!))).placement
  assert.equal(check(JSON.parse(text)), JSON.parse(text))
  const refused = (damage: (step: any, uses: any[]) => void, field: RegExp) => {
    const value = JSON.parse(text)
    const [flow] = value.flows
    damage(
      flow.steps.find(({ reads }: any) => reads),
      flow.uses,
    )
    assert.throws(
      () => check(value),
      (error: any) => error.code === 'placement-malformed' && field.test(error.message),
    )
  }
  const at = /flows\.0\.steps\.\d\.reads/
  const first = ({ reads }: any) => reads.find(Boolean)
  refused((step) => step.reads.pop(), at)
  refused((step) => first(step).reverse(), at)
  refused((step) => (first(step)[0].to = 2 ** 31), at)
  refused((step) => (first(step)[0].to = -1), at)
  refused((step) => (first(step)[0].from = first(step)[0].to + 1), at)
  const used = (step: any) => first(step).find((range: any) => range.used).used
  refused((step) => (used(step).input = 99), at)
  refused((step) => (used(step).input = placement.entries[0]!.inputs.findIndex(({ dtype }) => dtype === 'f32')), at)
  refused((step) => (used(step).to = 2 ** 20), at)
  refused((step) => (used(step).from = used(step).to), at)
  refused((step) => (used(step).by = 'weights'), at)
  const groups = /uses\.\d\.groups/
  refused((_, uses) => (uses.find((use) => use.groups).groups[0].ofTo = 2 ** 20), groups)
  refused((_, uses) => (uses.find((use) => use.groups).groups[0].to = 2 ** 20), groups)
  refused((_, uses) => (uses.find((use) => use.groups).groups = 4), groups)
})

test('parts of an input are looked at as far as their own lengths say (RT-14)', () => {
  const picks = (table: string, rows: number, from: number) => ({ table, rows, from, to: from + 4 })
  const uses: InputUse[] = [
    { indices: [picks('a', 10, 0), picks('b', 5, 4)] },
    {
      lengthsOf: 0,
      groups: [
        { from: 0, to: 2, ofFrom: 0, ofTo: 4 },
        { from: 2, to: 4, ofFrom: 4, ofTo: 8 },
      ],
    },
  ]
  const inputs = [
    { name: 'ids', dtype: 'i32', shape: [2, 4] },
    { name: 'lengths', dtype: 'i32', shape: [2, 2] },
  ] as const
  const check = (ids: number[], lengths: number[]) => sanitize(uses, inputs, [Int32Array.from(ids), Int32Array.from(lengths)])
  check([9, 9, 99, 99, 4, 99, 99, 99], [1, 1, 1, 0])
  const refused = (ids: number[], lengths: number[], message: RegExp) => assert.throws(() => check(ids, lengths), message)
  refused([9, 9, 99, 0, 0, 0, 0, 0], [1, 2, 1, 0], /'ids'\[2\] is 99, which picks no row of table 'a'/)
  refused([9, 9, 0, 0, 4, 5, 0, 0], [0, 0, 1, 1], /'ids'\[5\] is 5, which picks no row of table 'b'/)
  refused([0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 3, 2], /'lengths'\[3\] is the length 2, with which bags have 5 indices; 'ids' has 4/)
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, type Node } from '../../compiler/graph/index.ts'
import { proposeGrowth } from '../../compiler/partition/grow.ts'
import type { Platform } from '../../compiler/partition/index.ts'
import { loadPreset } from '../../targets/platform/index.ts'

const { platform: six } = loadPreset('six-cards')
const cards = (bytes: number): Platform => ({
  ...six,
  cards: six.cards.map((card) => ({ ...card, memory: [{ name: 'DRAM', bytes, bytesPerSecond: 67e9 }] })),
})

/** Twelve tables of 10,000 rows of 256 bytes: 30.72 MB. */
function tables(): Graph {
  const b = createBuilder()
  const ids = b.input('ids', { dtype: 'i64', shape: [12, 4] })
  const sums = Array.from({ length: 12 }, (_, t): Node => {
    const own = b.add('slice', { input: ids }, { start: [t, 0], size: [1, 4], step: [1, 1] })
    const table = b.constant({ dtype: 'f32', shape: [10_000, 64] }, { label: `t${t}`, read: () => new Uint8Array() })
    return b.add('reduceSum', { input: b.add('embedding', { indices: own, table }) }, { axes: [1], keepDims: false })
  })
  return b.finish('tables', [ids], [{ name: 'y', value: b.add('concat', { inputs: sums }, { axis: 1 }) }])
}

test('a model with more tables: it fits, or with fewer bits, or on more cards; the tool proposes which (FB-25)', () => {
  const graph = tables()
  const about = ({ proposal, bits, cards: count }: ReturnType<typeof proposeGrowth>) => [proposal, bits, count]
  assert.equal(about(proposeGrowth(graph, cards(1e9), 2)), ['fits', 32, 6])
  // 10.24 MB for each of six cards, 8 MB each: half of the bits do, or eight cards.
  assert.equal(about(proposeGrowth(graph, cards(8e6), 2)), ['bits', 16, 8])
  // Twenty times as many: 102 MB a card.
  assert.equal(about(proposeGrowth(graph, cards(13e6), 20)), ['cards', 4, 48])
  assert.equal(about(proposeGrowth(graph, cards(1.2e6), 20)), ['none', undefined, undefined])
  const grown = proposeGrowth(graph, cards(1e9), 2)
  assert.is(grown.bytes, 2 * 12 * 10_000 * 256)
})

test('a model without tables grows by its weights', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [1, 1024] })
  const weight = b.constant({ dtype: 'f32', shape: [1024, 1024] }, { label: 'w', read: () => new Uint8Array() })
  const graph = b.finish('layer', [x], [{ name: 'y', value: b.add('linear', { input: x, weight }) }])
  assert.is(proposeGrowth(graph, cards(1e6), 1).proposal, 'fits')
  assert.is(proposeGrowth(graph, cards(1e6), 4).proposal, 'bits')
})

test.run()

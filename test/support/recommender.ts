// A small recommendation model, and platforms for it.
import { createBuilder, type Graph, type Node } from '../../compiler/graph/index.ts'
import type { Card, Platform } from '../../compiler/partition/index.ts'
import { loadPreset } from '../../targets/platform/index.ts'
import { mulberry } from './randomGraph.ts'

export const { platform: six } = loadPreset('six-cards')

/** The six cards with so many bytes each, and whatever else. */
export const cards = (count: number, bytes: number, more: Partial<Card> = {}): Platform => ({
  ...six,
  cards: six.cards.slice(0, count).map((card) => ({
    ...card,
    memory: [{ name: 'DRAM', bytes, bytesPerSecond: 67.2e9 }],
    ...more,
  })),
})

export const floats = (count: number, seed: number): Uint8Array => {
  const random = mulberry(seed)
  return new Uint8Array(Float32Array.from({ length: count }, () => random() * 2 - 1).buffer)
}

/** Tables of so many rows each, bags of four, a layer before and one after. */
export function recommender(sizes: readonly number[], width = 16): Graph {
  const b = createBuilder()
  const [batch, bag] = [8, 4]
  const weights = (label: string, seed: number, ...shape: number[]): Node =>
    b.constant(
      { dtype: 'f32', shape },
      {
        label,
        read: () =>
          floats(
            shape.reduce((a, c) => a * c),
            seed,
          ),
      },
    )
  const ids = b.input('ids', { dtype: 'i64', shape: [sizes.length, batch, bag] })
  const dense = b.input('dense', { dtype: 'f32', shape: [batch, 8] })
  const bags = sizes.map((rows, t) => {
    const own = b.add('slice', { input: ids }, { start: [t, 0, 0], size: [1, batch, bag], step: [1, 1, 1] })
    const picked = b.add('embedding', {
      indices: b.add('reshape', { input: own }, { shape: [batch, bag] }),
      table: weights(`table ${t}`, t, rows, width),
    })
    return b.add('reduceSum', { input: picked }, { axes: [1], keepDims: false })
  })
  const seen = b.add('relu', { input: b.add('linear', { input: dense, weight: weights('bottom', 90, width, 8) }) })
  const joined = b.add('concat', { inputs: [seen, ...bags] }, { axis: 1 })
  const clicks = b.add('sigmoid', {
    input: b.add('linear', { input: joined, weight: weights('top', 91, 1, width * (1 + sizes.length)) }),
  })
  return b.finish('recommender', [ids, dense], [{ name: 'clicks', value: clicks }])
}

/** Inputs of `recommender`. */
export const idsBelow = (sizes: readonly number[], seed: number): Record<string, Uint8Array> => {
  const random = mulberry(seed)
  const ids = sizes.flatMap((rows) => Array.from({ length: 32 }, () => BigInt(Math.floor(random() * rows))))
  return { ids: new Uint8Array(BigInt64Array.from(ids).buffer), dense: floats(64, seed) }
}

// A small recommendation model whose bags have various lengths, as the DSL would write it.
import { createBuilder, type Graph, type Node } from '../../compiler/graph/index.ts'
import { mulberry } from './randomGraph.ts'
import { floats } from './recommender.ts'

export const batch = 8
/** Indices that a request may bring for each table. */
export const room = 40

export interface Bagged {
  /** Rows of each table. */
  readonly sizes: readonly number[]
  readonly width?: number
  /** One input for the indices of all tables, and one for their lengths; or each table with its own. */
  readonly together: boolean
  readonly by: 'lengths' | 'offsets'
  readonly mean?: boolean
  /** Rows are multiplied by factors of the request. */
  readonly weighted?: boolean
  readonly averageLength?: number
}

const one = (axis: number, at: number, shape: readonly number[]) => ({
  start: shape.map((_, i) => (i === axis ? at : 0)),
  size: shape.map((extent, i) => (i === axis ? 1 : extent)),
  step: shape.map(() => 1),
})

/** clicks: f32[8, 1] of `dense` and, by table, indices, lengths or offsets, and weights. */
export function baggedRecommender({
  sizes,
  width = 16,
  together,
  by,
  mean = false,
  weighted = false,
  averageLength,
}: Bagged): Graph {
  const b = createBuilder()
  const weights = (label: string, seed: number, ...shape: number[]): Node => {
    const read = () =>
      floats(
        shape.reduce((a, c) => a * c),
        seed,
      )
    return b.constant({ dtype: 'f32', shape }, { label, read })
  }
  const inputs: Node[] = []
  /** The part of an input that a table has. */
  const inputOf = (name: string, dtype: 'i64' | 'i32' | 'f32', count: number): ((table: number) => Node) => {
    const make = (label: string, shape: readonly number[]) => {
      const input = b.input(label, { dtype, shape })
      inputs.push(input)
      return input
    }
    if (!together) {
      const all = sizes.map((_, t) => make(`${name}${t}`, [count]))
      return (table) => all[table]!
    }
    const shape = [sizes.length, count]
    const input = make(name, shape)
    return (table) => b.add('reshape', { input: b.add('slice', { input }, one(0, table, shape)) }, { shape: [count] })
  }
  const indicesOf = inputOf('indices', 'i64', room)
  const lengthsOf = inputOf(by, 'i32', by === 'lengths' ? batch : batch + 1)
  const scaleOf = weighted ? inputOf('weights', 'f32', room) : undefined
  const dense = b.input('dense', { dtype: 'f32', shape: [batch, 8] })
  const bags = sizes.map((rows, t) =>
    b.add(
      'raggedEmbeddingBag',
      {
        indices: indicesOf(t),
        table: weights(`table ${t}`, t, rows, width),
        offsets: b.add('bagOffsets', { lengths: lengthsOf(t) }, { limit: room, given: by }),
        ...(scaleOf && { scale: scaleOf(t) }),
      },
      { mean, ...(averageLength !== undefined && { averageLength }) },
    ),
  )
  const seen = b.add('relu', { input: b.add('linear', { input: dense, weight: weights('bottom', 90, width, 8) }) })
  const joined = b.add('concat', { inputs: [seen, ...bags.map((input) => b.add('tanh', { input }))] }, { axis: 1 })
  const clicks = b.add('linear', { input: joined, weight: weights('top', 91, 1, width * (1 + sizes.length)) })
  return b.finish('bagged', [...inputs, dense], [{ name: 'clicks', value: clicks }])
}

type Arrays = Record<string, BigInt64Array | Int32Array | Float32Array>

/** A request. What is in no bag is `tail`. */
export function baggedRequest({ sizes, together, by, weighted = false }: Bagged, seed: number, tail = 0n): Arrays {
  const random = mulberry(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const tables = sizes.map((rows) => {
    const lengths = Array.from({ length: batch }, () => below(1 + Math.floor(room / batch)))
    const used = lengths.reduce((sum, length) => sum + length, 0)
    const offsets = [0, ...lengths].map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0))
    return {
      indices: BigInt64Array.from({ length: room }, (_, i) => (i < used ? BigInt(below(rows)) : tail)),
      [by]: Int32Array.from(by === 'lengths' ? lengths : offsets),
      ...(weighted && { weights: Float32Array.from({ length: room }, (_, i) => (i < used ? random() : Number.NaN)) }),
    } as Arrays
  })
  const result: Arrays = { dense: new Float32Array(floats(batch * 8, seed).buffer) }
  for (const name of Object.keys(tables[0]!)) {
    if (!together)
      tables.forEach((own, t) => {
        result[`${name}${t}`] = own[name]!
      })
    else {
      const first = tables[0]![name]!
      const all = new (first.constructor as Float32ArrayConstructor)(first.length * tables.length) as Float32Array
      tables.forEach((own, t) => {
        all.set(own[name] as Float32Array, t * first.length)
      })
      result[name] = all
    }
  }
  return result
}

export const bytesOfRequest = (request: Arrays): Record<string, Uint8Array> =>
  Object.fromEntries(
    Object.entries(request).map(([name, { buffer, byteOffset, byteLength }]) => [
      name,
      new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
    ]),
  )

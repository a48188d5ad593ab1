import { isInteger } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { dimsOf, range, reshaped } from './shared.ts'

/** An n-gram of the pool: its words, the column of the result that it counts in, its weight. */
interface Gram {
  readonly words: readonly number[]
  readonly column: number
  readonly weight: number
}

function poolOf(c: OpContext): readonly Gram[] {
  if (c.node.attributes.has('pool_strings'))
    return c.unsupported('its words are strings', 'number the words before the model, in TypeScript')
  const [words, starts] = [c.ints('pool_int64s') ?? [], c.ints('ngram_counts') ?? c.unsupported('it has no ngram_counts')]
  const columns = c.ints('ngram_indexes') ?? c.unsupported('it has no ngram_indexes')
  const weights = c.floats('weights')
  const grams = starts.flatMap((start, i) => {
    const end = starts[i + 1] ?? words.length
    if (!(start >= 0 && start <= end && end <= words.length && (end - start) % (i + 1) === 0))
      return c.unsupported(`ngram_counts [${starts.join(', ')}] do not divide a pool of ${words.length}`)
    return range((end - start) / (i + 1)).map((n) => words.slice(start + n * (i + 1), start + (n + 1) * (i + 1)))
  })
  if (columns.length !== grams.length || (weights && weights.length !== grams.length))
    return c.unsupported(`${columns.length} ngram_indexes for ${grams.length} n-grams`)
  if (new Set(columns).size !== columns.length || columns.some((column) => column < 0 || column > 1 << 20))
    return c.unsupported('its ngram_indexes are not distinct columns')
  return grams.map((words, i) => ({ words, column: columns[i]!, weight: weights?.[i] ?? 1 }))
}

/** How often n-grams of one length occur among words that stand `distance` apart: i32 [rows, grams]. */
function occurrences(c: OpContext, x: Value, grams: readonly Gram[], length: number, distance: number): Value | undefined {
  const [rows, columns] = dimsOf(x) as [number, number]
  const places = columns - (length - 1) * distance
  if (places <= 0) return undefined
  const parts = range(length).map((word): Value => {
    const at = c.d.slice(x, { axis: 1, start: word * distance, stop: word * distance + places }) as Value
    const sought = c.literal(
      x.dtype,
      [1, 1, grams.length],
      grams.map(({ words }) => words[word]!),
    )
    return c.d.equal(c.d.reshape(at, [rows, places, 1]) as Value, sought) as Value
  })
  const whole = parts.reduce((left, right) => c.d.and(left, right) as Value)
  return c.d.sum(c.d.cast(whole, 'i32') as Value, { axes: 1 }) as Value
}

/**
 * How often n-grams occur in lists of numbered words (ONNX TfIdfVectorizer 9): words of an n-gram stand next to each other, or each so many
 * places behind the one before.
 */
const tfIdf: OpRule = (c) => {
  const [mode, least, most, skips] = [c.text('mode'), c.int('min_gram_length'), c.int('max_gram_length'), c.int('max_skip_count')]
  if (!['TF', 'IDF', 'TFIDF'].includes(mode)) return c.unsupported(`mode '${mode}' is unknown`)
  const pool = poolOf(c)
  const given = c.input(0)
  if (!isInteger(given.dtype)) return c.unsupported(`its input is of ${given.dtype}`)
  const shape = dimsOf(given)
  if (shape.length !== 1 && shape.length !== 2) return c.unsupported(`its input is [${shape.join(', ')}]`)
  const x = shape.length === 2 ? given : reshaped(c, given, [1, shape[0]!])
  const rows = dimsOf(x)[0]!
  const width = pool.reduce((size, { column }) => Math.max(size, column + 1), 0)
  const outer = shape.length === 2 ? [rows, width] : [width]

  const columns: { readonly grams: readonly Gram[]; readonly counts: Value }[] = []
  const longest = pool.reduce((length, { words }) => Math.max(length, words.length), 0)
  for (let length = Math.max(1, least); length <= Math.min(most, longest); length++) {
    const grams = pool.filter(({ words }) => words.length === length)
    if (grams.length === 0) continue
    // A single word has no distance: it is counted once.
    const counts = range(length === 1 ? 1 : Math.min(skips, dimsOf(x)[1]!) + 1).flatMap(
      (skip) => occurrences(c, x, grams, length, skip + 1) ?? [],
    )
    if (counts.length > 0) columns.push({ grams, counts: counts.reduce((left, right) => c.d.add(left, right) as Value) })
  }
  if (columns.length === 0) return c.d.full('f32', outer, 0) as Value
  const found = columns.flatMap(({ grams }) => grams)
  const none = c.d.full('i32', [rows, 1], 0) as Value
  const all = c.d.concat([...columns.map(({ counts }) => counts), none], { axis: 1 }) as Value
  const places = new Map(found.map(({ column }, at) => [column, at]))
  const order = range(width).map((column) => places.get(column) ?? found.length)
  const counts = c.d.gather(all, c.literal('i64', [width], order), { axis: 1 }) as Value
  const weights = c.literal(
    'f32',
    [1, width],
    order.map((at) => found[at]?.weight ?? 0),
  )
  const numbers = c.d.cast(counts, 'f32') as Value
  const result =
    mode === 'TF' ? numbers : mode === 'IDF' ? c.d.where(c.d.greater(counts, 0) as Value, weights, 0) : c.d.mul(numbers, weights)
  return reshaped(c, result as Value, outer)
}

export const texts: OpRules = { TfIdfVectorizer: tfIdf }

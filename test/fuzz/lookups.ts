// Look-ups of recommenders: bags of various lengths in tables of numbers and of rows of bytes, and what comes after them.
import type { DType, Node } from '../../compiler/graph/index.ts'
import { rowFormatNames, rowFormats } from '../../compiler/graph/ops/rowFormat.ts'
import type { Tensor } from '../../dsl/index.ts'
import * as d from '../../dsl/index.ts'
import type { Recipe, Sketch } from './sketch.ts'

type Any = Tensor<any, any>

const listOf = (s: Sketch, values: readonly number[], dtype: DType): Node => {
  let at = 0
  return s.weight([values.length], dtype, () => values[at++]!)
}

/**
 * Lengths of bags that hold `count` indices together at most: constants, at the borders too, or what an input decides. `filled`: how many indices
 * may be in bags.
 */
function lengthsOf(s: Sketch, bags: number, count: number): { readonly lengths: Node; readonly filled: number } {
  const dtype = s.pick(['i32', 'i64', 'u8'] as const)
  const each = Math.floor(count / bags)
  if (s.chance(3)) {
    const x = s.input([bags], s.pick(['i32', 'i64'] as const))
    const isWhole = s.chance(2)
    const lengths = s.written([x], (x) => {
      const own = x as Any
      return (
        isWhole
          ? d.where(d.less(own, 0) as Any, d.expand(d.constant('i32', [], [each]), [bags]) as Any, 0)
          : d.mod(d.abs(own) as Any, each + 1)
      ) as Any
    })
    return { lengths, filled: count }
  }
  const one = s.below(bags)
  const lengths = s.pick([
    () => s.cut(count + bags, bags).map((length) => length - 1),
    () => Array.from({ length: bags }, (_, i) => (i === one ? count : 0)),
    () => new Array<number>(bags).fill(0),
    () => new Array<number>(bags).fill(each),
    () => Array.from({ length: bags }, () => s.below(each + 1)),
  ])()
  return { lengths: listOf(s, lengths, dtype), filled: lengths.reduce((sum, length) => sum + length, 0) }
}

/** Where each bag begins and the last one ends. */
const ends = (lengths: Any): Any => {
  const own = d.cast(lengths, 'i32') as Any
  return d.concat([d.constant('i32', [1], [0]) as Any, d.cumSum(own, { axis: 0 }) as Any], { axis: 0 }) as Any
}

/** A table of numbers, or of rows of bytes whose scales and offsets are drawn by themselves. */
function tableOf(s: Sketch, rows: number) {
  const width = s.pick([1, 2, 4, 17])
  if (!s.chance(3)) {
    const dtype = s.pick(['f32', 'f32', 'f16', 'f64'] as const)
    return { table: s.chance(2) ? s.input([rows, width], dtype) : s.weight([rows, width], dtype), dtype, format: {} }
  }
  const format = s.pick(rowFormatNames)
  const { bits } = rowFormats[format]
  const integers = s.weight([rows, Math.ceil((width * bits) / 8)], 'u8', (r) => Math.floor(r * 256))
  const parameters = [0, 1].map(() => s.weight([rows], 'f32', (r) => Math.floor(r * 9) / 8 - 0.5))
  const table = s.written([integers, ...parameters], (q, scale, offset) =>
    d.fuseRows(q as Any, scale as Any, offset as Any, format),
  )
  return { table, dtype: 'f32' as const, format: { rows: format } }
}

/** Bags of one table, or of two side by side, weighted or averaged, and a layer over them. */
export const lookups: Recipe = (s) => {
  const [bags, rows, count] = [1 + s.below(4), 1 + s.below(6), s.pick([0, 1, 4, 7, 12])]
  const { table, dtype, format } = tableOf(s, rows)
  const { lengths, filled } = lengthsOf(s, bags, count)
  // What lies in no bag may be anything.
  let at = 0
  const index = (r: number) => (at++ < filled ? Math.floor(r * 2 * rows) - rows : s.pick([0, 99, -99]))
  const kind = s.pick(['i32', 'i64'] as const)
  const indices = s.chance(3) ? s.input([count], kind) : s.weight([count], kind, index)
  const perSampleWeights = s.chance(2) ? s.weight([count], dtype) : undefined
  const options = { ...format, ...(s.chance(3) && { averageLength: 1.5 }) }
  const operands = [table, indices, lengths, ...(perSampleWeights ? [perSampleWeights] : [])]
  const bag = s.written(operands, (table, indices, lengths, weights) => {
    const [t, i, l] = [table as Any, indices as Any, lengths as Any]
    switch (s.below(4)) {
      case 0:
        return d.sparseLengthsSum(t, i, l, weights as Any, options) as Any
      case 1: {
        const two = { table: t, ...format }
        // The first of the tables has all bags but none of the second's.
        const offsets = d.concat([ends(l), d.expand(d.slice(ends(l), { axis: 0, start: -1 }) as Any, [bags]) as Any], { axis: 0 })
        return d.splitEmbeddingBags([two, two], i, offsets as Any, weights ? { perSampleWeights: weights as Any } : {}) as Any
      }
      default: {
        const mode = weights ? { perSampleWeights: weights } : { mode: s.pick(['sum', 'mean'] as const) }
        return d.embeddingBag(t, i, ends(l), { ...mode, ...options, includeLastOffset: true }) as Any
      }
    }
  })
  const x = s.chance(3) ? s.spice(bag) : bag
  if (!s.chance(2)) return x
  return s.chance(2)
    ? s.join([x, s.input([bags, 2], dtype)], 1)
    : s.op('linear', { input: x, weight: s.weight([3, x.type.shape[1]!], dtype) })
}

import type { Node } from '../graph/index.ts'
import { type RowFormat, rowFormats, widthOfRow } from '../graph/ops/rowFormat.ts'
import { unpack } from './blocks.ts'
import type { LoweringRule, Scope } from './scope.ts'

/** 16-bit rows are summed in f32 once they are picked: the table stays as it is. */
const heldOf = (table: Node): 'f32' | 'f64' => (table.type.dtype === 'f64' ? 'f64' : 'f32')

/** Rows of bytes as the numbers that they stand for. */
function decoded(g: Scope, rows: Node, format: RowFormat): Node {
  const { bits, parameter, header, first } = rowFormats[format]
  const { shape } = rows.type
  const [lead, bytes] = [shape.slice(0, -1), shape.at(-1)!]
  const cut = (from: number, count: number) =>
    g.node('slice', { input: rows }, { start: [...lead.map(() => 0), from], size: [...lead, count], step: shape.map(() => 1) })
  const [at, data] = first ? [0, header] : [bytes - header, 0]
  const number = (from: number) => g.cast(g.node('bitCast', { input: cut(from, header / 2) }, { dtype: parameter }), 'f32')
  const integers = unpack(g, cut(data, bytes - header), bits, false, widthOfRow(format, bytes))
  return g.add(g.mul(g.cast(integers, 'f32'), number(at)), number(at + header / 2))
}

/** Rows that indices pick, times what each is multiplied by. */
function pickRows(g: Scope, table: Node, indices: Node, scale: Node | undefined, format: RowFormat | undefined): Node {
  const held = heldOf(table)
  const picked = g.node('gather', { input: table, indices }, { axis: 0 })
  const rows = format ? decoded(g, picked, format) : g.cast(picked, held)
  return scale ? g.mul(rows, g.reshape(g.cast(scale, held), [...scale.type.shape, 1])) : rows
}

const embeddingBag: LoweringRule<'embeddingBag'> = ({ indices, table, scale }, { mean, rows: format }, g, type) => {
  const axes = [indices.type.shape.length - 1]
  const rows = pickRows(g, table, indices, scale, format)
  return g.cast(g.node(mean ? 'reduceMean' : 'reduceSum', { input: rows }, { axes, keepDims: false }), type.dtype)
}

/** Elements `from` … `to - 1` of the first dimension. */
const part = (g: Scope, input: Node, from: number, to: number): Node =>
  g.node(
    'slice',
    { input },
    {
      start: input.type.shape.map((_, axis) => (axis === 0 ? from : 0)),
      size: input.type.shape.map((extent, axis) => (axis === 0 ? to - from : extent)),
      step: input.type.shape.map(() => 1),
    },
  )

const filled = (g: Scope, dtype: 'i32' | 'f32' | 'f64', shape: readonly number[], value: number): Node =>
  g.node('expand', { input: g.constant({ dtype, shape: [] }, [value], `${value}`) }, { shape: [...shape] })

/**
 * The number of the bag of an index, counted from 1, is how many offsets are at or before its place: 0 in front of the first bag, more than there
 * are bags behind the last. Rows are added to the sum of that number, one after the other; the first and the last sum are nobody's.
 */
const raggedEmbeddingBag: LoweringRule<'raggedEmbeddingBag'> = (
  { indices, table, offsets, scale },
  { mean, rows: format },
  g,
  type,
) => {
  const [count, bags, width] = [indices.type.shape[0]!, offsets.type.shape[0]! - 1, type.shape[1]!]
  const held = heldOf(table)
  const add = (input: Node, at: Node, updates: Node) =>
    g.node('scatterNd', { input, indices: g.reshape(at, [...at.type.shape, 1]), updates }, { reduction: 'add' })
  const marks = add(filled(g, 'i32', [count + 1], 0), offsets, filled(g, 'i32', [bags + 1], 1))
  const bag = part(g, g.node('cumSum', { input: marks }, { axis: 0, exclusive: false, reverse: false }), 0, count)
  // What is in no bag may be anything.
  const picked = g.where(g.less(bag, 1), 0, g.where(g.less(bags, bag), 0, indices))
  const sums = add(filled(g, held, [bags + 2, width], 0), bag, pickRows(g, table, picked, scale, format))
  const own = part(g, sums, 1, bags + 1)
  if (!mean) return g.cast(own, type.dtype)
  const lengths = g.maximum(g.sub(part(g, offsets, 1, bags + 1), part(g, offsets, 0, bags)), 1)
  return g.cast(g.div(own, g.reshape(g.cast(lengths, held), [bags, 1])), type.dtype)
}

export const embeddingBagRules: {
  readonly [K in 'embeddingBag' | 'raggedEmbeddingBag']: LoweringRule<K>
} = { embeddingBag, raggedEmbeddingBag }

import type { LoweringRule } from './scope.ts'

/** 16-bit rows are summed in f32 once they are picked: the table stays as it is. */
const embeddingBag: LoweringRule<'embeddingBag'> = ({ indices, table, scale }, { mean }, g) => {
  const { dtype } = table.type
  const held = dtype === 'f64' ? 'f64' : 'f32'
  const rows = g.cast(g.node('gather', { input: table, indices }, { axis: 0 }), held)
  const scaled = scale ? g.mul(rows, g.reshape(g.cast(scale, held), [...scale.type.shape, 1])) : rows
  const axes = [indices.type.shape.length - 1]
  return g.cast(g.node(mean ? 'reduceMean' : 'reduceSum', { input: scaled }, { axes, keepDims: false }), dtype)
}

export const embeddingBagRules: { readonly embeddingBag: LoweringRule<'embeddingBag'> } = { embeddingBag }

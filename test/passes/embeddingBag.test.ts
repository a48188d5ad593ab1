// Bags of rows as sums and means of what is picked, and what only looks like one.
import { test } from 'uvu'
import type { Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { passSuite } from './suite.ts'

const [rows, width, bags, lookups] = [7, 4, 3, 5] as const

const table = (g: TestGraph) => g.input('table', [rows, width])
const ids = (g: TestGraph) => g.weight('ids', [bags, lookups], (i) => (i * 3) % rows, 'i32')
const embedding = (g: TestGraph) => g.op('embedding', { table: table(g), indices: ids(g) })
const gather = (g: TestGraph, axis = 0) => g.op('gather', { input: table(g), indices: ids(g) }, { axis })
const sum = (g: TestGraph, input: Node, axes = [1], keepDims = false) => g.op('reduceSum', { input }, { axes, keepDims })
const mul = (g: TestGraph, left: Node, right: Node) => g.op('mul', { left, right })

passSuite(passes.raiseEmbeddingBag, ({ rewrites, leaves }) => {
  const numeric = { numeric: true, attributes: true } as const
  rewrites('sum of an embedding', (g) => sum(g, embedding(g)), numeric)
  rewrites('sum of a gather, with the dimension kept', (g) => sum(g, gather(g), [-2], true), numeric)
  rewrites('mean', (g) => g.op('reduceMean', { input: embedding(g) }, { axes: [1], keepDims: false }), numeric)
  rewrites('rows times factors', (g) => sum(g, mul(g, embedding(g), g.input('scale', [bags, lookups, 1]))), numeric)
  rewrites('factors that are the same for all bags', (g) => sum(g, mul(g, g.input('scale', [lookups, 1]), gather(g))), numeric)
  leaves('a sum over the width', (g) => sum(g, embedding(g), [2]))
  leaves('a sum over the bags', (g) => sum(g, embedding(g), [0]))
  leaves('a sum over both', (g) => sum(g, embedding(g), [0, 1]))
  leaves('a gather of columns', (g) =>
    sum(g, g.op('gather', { input: table(g), indices: g.weight('ids', [2], (i) => i, 'i32') }, { axis: 1 }), [0]),
  )
  leaves('factors of columns', (g) => sum(g, mul(g, embedding(g), g.input('scale', [width]))))
  leaves('rows that somebody else uses', (g) => {
    const picked = embedding(g)
    return [sum(g, picked), picked]
  })
  leaves('a table that is converted', (g) =>
    sum(
      g,
      g.op('embedding', {
        table: g.op('cast', { input: g.input('table', [rows, width], 'f16') }, { dtype: 'f32' }),
        indices: ids(g),
      }),
    ),
  )
})

test.run()

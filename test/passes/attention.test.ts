// Attention written in products and softmax, in the forms of exporters, and what only looks like it.
import { test } from 'uvu'
import type { Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { passSuite } from './suite.ts'

const [batch, heads, length, keys, size] = [2, 3, 4, 5, 8] as const

const matmul = (g: TestGraph, left: Node, right: Node) => g.op('matmul', { left, right })
const times = (g: TestGraph, left: Node, factor: number) => g.op('mul', { left, right: g.number(factor) })
const turn = (g: TestGraph, input: Node, order: number[]) => g.op('transpose', { input }, { order })
const softmax = (g: TestGraph, input: Node, axis = -1) => g.op('softmax', { input }, { axis })
const reshape = (g: TestGraph, input: Node, shape: number[]) => g.op('reshape', { input }, { shape })
const where = (g: TestGraph, condition: Node, whenTrue: Node, hidden = Number.NEGATIVE_INFINITY) =>
  g.op('where', { condition, whenTrue, whenFalse: g.number(hidden) })
const operands = (g: TestGraph, lead: number[] = [batch, heads]) => ({
  q: g.input('q', [...lead, length, size]),
  k: g.input('k', [...lead, keys, size]),
  v: g.input('v', [...lead, keys, 6]),
})
const lower = (i: number, past: number) => i % keys <= Math.floor(i / keys) + past

passSuite(passes.raiseAttention, ({ rewrites, leaves }) => {
  const numeric = { numeric: true, attributes: true } as const
  rewrites(
    'a scale on the scores',
    (g) => {
      const { q, k, v } = operands(g)
      return matmul(g, softmax(g, times(g, matmul(g, q, turn(g, k, [0, 1, 3, 2])), 0.25)), v)
    },
    numeric,
  )
  rewrites(
    'roots of the scale on query and key, a mask that is added',
    (g) => {
      const { q, k, v } = operands(g)
      const scores = matmul(g, times(g, q, 0.5), turn(g, times(g, k, 0.5), [0, 1, 3, 2]))
      return matmul(g, softmax(g, g.op('add', { left: scores, right: g.input('mask', [batch, 1, 1, keys]) })), v)
    },
    numeric,
  )
  rewrites(
    'a chosen mask, keys transposed as they are taken apart into heads',
    (g) => {
      const { q, v } = operands(g)
      const k = turn(g, g.input('apart', [batch, keys, heads, size]), [0, 2, 3, 1])
      return matmul(g, softmax(g, where(g, g.input('mask', [length, keys], 'bool'), matmul(g, q, k))), v)
    },
    { ...numeric, prepares: 'a kernel without the scores' },
  )
  rewrites(
    'a mask of what is not seen, with a finite score',
    (g) => {
      const { q, k, v } = operands(g)
      const scores = matmul(g, q, turn(g, k, [0, 1, 3, 2]))
      const hidden = g.op('where', { condition: g.input('mask', [keys], 'bool'), whenTrue: g.number(-1e9), whenFalse: scores })
      return matmul(g, softmax(g, hidden), v)
    },
    numeric,
  )
  rewrites(
    'zeros where nobody may look',
    (g) => {
      const { q, k, v } = operands(g)
      const mask = g.input('mask', [batch, 1, length, keys], 'bool')
      const shares = softmax(g, where(g, mask, matmul(g, q, turn(g, k, [0, 1, 3, 2]))))
      return matmul(g, g.op('where', { condition: mask, whenTrue: shares, whenFalse: g.number(0) }), v)
    },
    numeric,
  )
  rewrites(
    'a constant mask of what stands behind, in three dimensions',
    (g) => {
      const { q, k, v } = operands(g, [heads])
      const mask = g.weight('mask', [length, keys], (i) => Number(lower(i, 0)), 'bool')
      return matmul(g, softmax(g, where(g, mask, matmul(g, q, turn(g, k, [0, 2, 1])))), v)
    },
    { ...numeric, prepares: 'a kernel without the scores' },
  )
  rewrites(
    'a constant mask that is added, after keys of the past',
    (g) => {
      const { q, k, v } = operands(g)
      const mask = g.weight('mask', [1, 1, length, keys], (i) => (lower(i, 1) ? 0 : Number.NEGATIVE_INFINITY))
      const scores = matmul(g, q, turn(g, k, [0, 1, 3, 2]))
      return matmul(g, softmax(g, g.op('add', { left: scores, right: mask })), v)
    },
    numeric,
  )
  rewrites(
    'query heads that share a key as rows of one product',
    (g) => {
      const q = g.input('q', [heads, 2 * length, size])
      const { k, v } = { k: g.input('k', [heads, keys, size]), v: g.input('v', [heads, keys, 6]) }
      const scores = reshape(g, matmul(g, q, turn(g, k, [0, 2, 1])), [heads, 2, length, keys])
      const shares = softmax(g, where(g, g.input('mask', [length, keys], 'bool'), times(g, scores, 0.5)))
      return matmul(g, reshape(g, shares, [heads, 2 * length, keys]), v)
    },
    numeric,
  )
  rewrites(
    'heads of keys that broadcast',
    (g) => {
      const q = g.input('q', [batch, heads, 2, length, size])
      const { k, v } = { k: g.input('k', [batch, heads, 1, keys, size]), v: g.input('v', [batch, heads, 1, keys, 6]) }
      return matmul(g, softmax(g, matmul(g, q, turn(g, k, [0, 1, 2, 4, 3]))), v)
    },
    { ...numeric, prepares: 'a kernel without the scores' },
  )
  rewrites(
    'heads of keys that were repeated',
    (g) => {
      const again = (name: string, last: number) => {
        const apart = g.input(name, [batch, heads, 1, keys, last])
        return reshape(g, g.op('expand', { input: apart }, { shape: [batch, heads, 2, keys, last] }), [
          batch,
          2 * heads,
          keys,
          last,
        ])
      }
      return g.op('attention', {
        query: g.input('q', [batch, 2 * heads, length, size]),
        key: again('k', size),
        value: again('v', 6),
      })
    },
    numeric,
  )
  rewrites(
    'a limit on the scores',
    (g) => {
      const { q, k, v } = operands(g)
      const scores = times(g, matmul(g, q, turn(g, k, [0, 1, 3, 2])), 0.5)
      const capped = times(g, g.op('tanh', { input: times(g, scores, 0.25) }), 4)
      return matmul(g, softmax(g, capped), v)
    },
    numeric,
  )
  leaves('softmax over the queries', (g) => {
    const { q, k, v } = operands(g)
    return matmul(g, softmax(g, matmul(g, q, turn(g, k, [0, 1, 3, 2])), -2), v)
  })
  leaves('a product with keys that are not transposed', (g) => {
    const { q, v } = operands(g)
    return matmul(g, softmax(g, matmul(g, q, g.input('turned', [batch, heads, size, keys]))), v)
  })
  leaves('shares that are an output as well', (g) => {
    const { q, k, v } = operands(g)
    const shares = softmax(g, matmul(g, q, turn(g, k, [0, 1, 3, 2])))
    return [matmul(g, shares, v), shares]
  })
  leaves('scores that are an output as well', (g) => {
    const { q, k, v } = operands(g)
    const scores = matmul(g, q, turn(g, k, [0, 1, 3, 2]))
    return [matmul(g, softmax(g, scores), v), scores]
  })
  leaves('a scale that is no constant', (g) => {
    const { q, k, v } = operands(g)
    const scores = matmul(g, q, turn(g, k, [0, 1, 3, 2]))
    return matmul(g, softmax(g, g.op('mul', { left: scores, right: g.input('scale', [1, heads, 1, 1]) })), v)
  })
  leaves('a guard by another condition than the mask', (g) => {
    const { q, k, v } = operands(g)
    const mask = (name: string) => g.input(name, [length, keys], 'bool')
    const shares = softmax(g, where(g, mask('mask'), matmul(g, q, turn(g, k, [0, 1, 3, 2]))))
    return matmul(g, g.op('where', { condition: mask('other'), whenTrue: shares, whenFalse: g.number(0) }), v)
  })
  leaves('one value for all batches, keys for each', (g) => {
    const { q, k } = operands(g)
    return matmul(g, softmax(g, matmul(g, q, turn(g, k, [0, 1, 3, 2]))), g.input('one', [heads, keys, 6]))
  })
  leaves('a scale behind the mask', (g) => {
    const { q, k, v } = operands(g)
    const scores = matmul(g, q, turn(g, k, [0, 1, 3, 2]))
    const biased = g.op('add', { left: scores, right: g.input('mask', [length, keys]) })
    return matmul(g, softmax(g, times(g, biased, 0.5)), v)
  })
})

test.run()

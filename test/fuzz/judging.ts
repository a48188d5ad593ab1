// Graphs at the end of networks that judge: losses, decision trees, sequences of different lengths, small matrices.
import * as d from '../../dsl/index.ts'
import type { Recipe, Sketch } from './sketch.ts'

const floatOf = (s: Sketch) => s.pick(['f32', 'f32', 'f32', 'f64', 'f16'] as const)

/** A tree of some depth as a table: node n has the branches 2n + 1 and 2n + 2, leaves lead to themselves. */
function treeOf(depth: number) {
  const [inner, nodes] = [2 ** depth - 1, 2 ** (depth + 1) - 1]
  const branch = (offset: number) => Array.from({ length: nodes }, (_, n) => (n < inner ? 2 * n + offset : n))
  return { nodes, yes: branch(1), no: branch(2) }
}

/** Losses of scores, sequences turned round, forests, inverses. */
export const judgements: Recipe = (s) => {
  const dtype = floatOf(s)
  switch (s.below(4)) {
    case 0: {
      const [batch, classes, places] = [1 + s.below(4), 2 + s.below(5), 1 + s.below(3)]
      const scores = s.spice(s.input([batch, classes, places], dtype))
      const weight = s.weight([classes], dtype, (r) => r + 0.5)
      const reduction = s.pick(['mean', 'sum', 'none'] as const)
      const ignore = s.chance(2) ? { ignore: s.below(classes) } : {}
      const targets = Array.from({ length: batch * places }, () => s.below(classes))
      return s.written([scores, weight], (x, w) =>
        d.crossEntropy(x!, d.constant('i64', [batch, places], targets), { weight: w!, reduction, ...ignore }),
      )
    }
    case 1: {
      const [rows, steps, width] = [1 + s.below(4), 1 + s.below(6), 1 + s.below(3)]
      const x = s.spice(s.input([rows, steps, width], dtype))
      const lengths = Array.from({ length: rows }, () => s.below(steps + 1))
      return s.spice(s.written([x], (x) => d.reverseSequence(x!, d.constant('i32', [rows], lengths))))
    }
    case 2: {
      const [rows, features, targets, depth] = [1 + s.below(4), 1 + s.below(4), 1 + s.below(3), 1 + s.below(4)]
      const { nodes, yes, no } = treeOf(depth)
      const x = s.input([rows, features], dtype)
      const [threshold, values] = [s.weight([nodes], dtype), s.weight([nodes, targets], dtype)]
      const feature = Array.from({ length: nodes }, () => s.below(features))
      const combine = s.pick(['sum', 'mean', 'min', 'max'] as const)
      const list = (entries: readonly number[]) => d.constant('i32', [entries.length], entries)
      return s.spice(
        s.written([x, threshold, values], (x, threshold, values) =>
          d.decisionTrees(
            x!,
            {
              feature: list(feature),
              threshold: threshold!,
              yes: list(yes),
              no: list(no),
              roots: list([0, s.below(nodes)]),
              values: values!,
            },
            { depth, combine },
          ),
        ),
      )
    }
    default: {
      const [count, size] = [1 + s.below(3), 1 + s.below(4)]
      const x = s.weight([count, size, size], dtype, (r) => r * 2 - 1)
      // A large diagonal keeps the matrices far from those without an inverse.
      const far = s.written([x, s.input([count, 1, 1], dtype)], (x, shift) => {
        const unit = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 4 : 0))
        return d.add(d.add(x!, d.mul(d.sigmoid(shift!), 0.25)), d.constant(dtype, [size, size], unit))
      })
      return s.written([far], (x) => d.inverse(x!))
    }
  }
}

/** What the editor knows of losses, trees and running products. Compiled by `tsc`, never run. */
import {
  binaryCrossEntropy,
  crossEntropy,
  cumProd,
  decisionTrees,
  inverse,
  negativeLogLikelihood,
  type Tensor,
  tensor,
} from 'glowplug'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <A>() => ({ of: <B>(_: B, ..._same: Same<A, B> extends true ? [] : [never]) => {} })

const scores = tensor('f32', [4, 10, 3])
const target = tensor('i64', [4, 3])
is<Tensor<'f32', []>>().of(crossEntropy(scores, target))
is<Tensor<'f32', []>>().of(crossEntropy(scores, target, { reduction: 'sum' }))
is<Tensor<'f32', [4, 3]>>().of(crossEntropy(scores, target, { reduction: 'none', ignore: -1 }))
is<Tensor<'f32', [4, 3]>>().of(negativeLogLikelihood(scores, target, { reduction: 'none' }))
is<Tensor<'f32', [4, 10, 3]>>().of(binaryCrossEntropy(scores, scores, { reduction: 'none' }))
is<Tensor<'f32', []>>().of(binaryCrossEntropy(scores, scores))
// @ts-expect-error: scores are floats
crossEntropy(tensor('i32', [4, 10]), tensor('i64', [4]))
// @ts-expect-error: targets are integers
crossEntropy(scores, tensor('f32', [4, 3]))
// @ts-expect-error: there is no such reduction
crossEntropy(scores, target, { reduction: 'middle' })

const table = tensor('i32', [7])
const trees = {
  feature: table,
  threshold: tensor('f32', [7]),
  yes: table,
  no: table,
  roots: tensor('i32', [2]),
  values: tensor('f32', [7, 5]),
}
is<Tensor<'f32', [6, 5]>>().of(decisionTrees(tensor('f32', [6, 4]), trees, { depth: 2 }))

is<Tensor<'f32', [3, 3]>>().of(inverse(tensor('f32', [3, 3])))
is<Tensor<'i32', [2, 3]>>().of(cumProd(tensor('i32', [2, 3]), { axis: 0 }))

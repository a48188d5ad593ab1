import type { Node } from '../graph/index.ts'
import { elementCount } from '../graph/index.ts'
import { inFloat32, type LoweringRule, pick } from './scope.ts'

const rotaryEmbedding = inFloat32<'rotaryEmbedding'>(({ input, cos, sin }, { interleaved }, g) => {
  const { shape } = input.type
  const last = shape.length - 1
  const [size, pairs] = [shape[last]!, cos.type.shape.at(-1)!]
  const elements = (first: number, step: number, count = pairs): Node =>
    pick(
      g,
      input,
      last,
      Array.from({ length: count }, (_, i) => first + i * step),
    )
  const [a, b] = interleaved ? [elements(0, 2), elements(1, 2)] : [elements(0, 1), elements(pairs, 1)]
  const turned = [g.sub(g.mul(a, cos), g.mul(b, sin)), g.add(g.mul(a, sin), g.mul(b, cos))]
  const concat = (inputs: readonly Node[], axis: number) => g.node('concat', { inputs }, { axis })
  const rows = elementCount(shape.slice(0, -1))
  // The rows become one dimension, because there may be no room for one more.
  const apart = () => turned.map((half) => g.reshape(half, [rows, pairs, 1]))
  const parts = interleaved ? [g.reshape(concat(apart(), 2), [...shape.slice(0, -1), 2 * pairs])] : turned
  const rest = size > 2 * pairs ? [elements(2 * pairs, 1, size - 2 * pairs)] : []
  const all = [...parts, ...rest]
  return all.length === 1 ? all[0]! : concat(all, last)
})

export const rotaryEmbeddingRules: { readonly rotaryEmbedding: LoweringRule<'rotaryEmbedding'> } = { rotaryEmbedding }

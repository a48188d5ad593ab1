import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { elementCount, maximumElements, printType, sameShape, type TensorType } from '../type.ts'
import { floats, one, optional, real, requireRank, requireSameDType, size, withShape } from './shared.ts'

function requireBroadcast(mask: TensorType, shape: readonly number[]): void {
  const fits =
    mask.shape.length <= shape.length &&
    mask.shape.every((extent, i) => extent === 1 || extent === shape[shape.length - mask.shape.length + i])
  if (!fits) reject('shape-mismatch', `attention: mask ${printType(mask)} does not broadcast to [${shape.join(', ')}]`)
}

/**
 * softmax(softcap(scale · query · keyᵀ) + mask) · value for each head (ONNX Attention 23, on heads that lie apart). Heads of key and value
 * divide those of the query; each serves as many of them as follow one another.
 *
 * - `causal`: query i looks at no key behind i + `past`;
 * - `softcap`: scores s become softcap · tanh(s / softcap); 0 for not;
 * - `hidden`: the score of a key that a bool mask hides;
 * - `blind`: what a query gets that a mask lets look nowhere: zeros, or NaN, as softmax of −∞ gives.
 */
export const attention = composite({
  name: 'attention',
  summary: 'Values averaged by how well their keys agree with a query',
  operands: {
    query: one('[batch, heads, length, size]', floats),
    key: one('[batch, keyHeads, keys, size]', floats),
    value: one('[batch, keyHeads, keys, size of a result]', floats),
    mask: optional('broadcasts to [batch, heads, length, keys]: bool, true where a query may look, or added to the scores', [
      ...floats,
      'bool',
    ]),
  },
  attributes: z.strictObject({
    scale: z.number().default(1),
    causal: z.boolean().default(false),
    past: size.default(0),
    softcap: z.number().min(0).default(0),
    hidden: real.default(Number.NEGATIVE_INFINITY),
    blind: z.enum(['nan', 'zero']).default('zero'),
  }),
  traits: ['pure', 'anchor'],
  infer: ({ query, key, value, mask }) => {
    for (const [name, type] of Object.entries({ query, key, value })) {
      requireRank(type, 4, 'attention', name, '[batch, heads, length, size]')
      requireSameDType(query, type, 'attention', ['query', name])
    }
    const [batch, heads, length, width] = query.shape as [number, number, number, number]
    const [, groups, keys, keyWidth] = key.shape as [number, number, number, number]
    const shown = `query ${printType(query)}, key ${printType(key)} and value ${printType(value)}`
    if (key.shape[0] !== batch || keyWidth !== width || !sameShape(key.shape.slice(0, 3), value.shape.slice(0, 3)))
      reject('shape-mismatch', `attention: ${shown} differ in batch, keys or size of a head`)
    if (groups === 0 ? heads > 0 : heads % groups !== 0)
      reject('shape-mismatch', `attention: ${shown} differ in heads, and ${groups} do not divide ${heads}`)
    // Targets that lower it have a tensor of scores.
    if (elementCount([batch, heads, length, keys]) > maximumElements)
      reject('too-large', `attention: ${shown} make scores of more than ${maximumElements} elements`)
    if (keys === 0) reject('shape-mismatch', `attention: ${shown} have no key to look at`)
    if (mask) {
      if (mask.dtype !== 'bool') requireSameDType(query, mask, 'attention', ['query', 'mask'])
      requireBroadcast(mask, [batch, heads, length, keys])
    }
    return withShape(query, [batch, heads, length, value.shape[3]!])
  },
})

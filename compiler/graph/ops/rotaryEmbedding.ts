import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, sameShape } from '../type.ts'
import { floats, one, requireSameDType, sameAs } from './shared.ts'

/**
 * Pairs (a, b) of elements of the last dimension, turned: (a · cos − b · sin, a · sin + b · cos) (ONNX RotaryEmbedding 23). The tables say
 * how many pairs turn; what is behind these stays.
 *
 * - `interleaved`: pair i is made of the elements 2i and 2i + 1; otherwise of i and i + pairs.
 */
export const rotaryEmbedding = composite({
  name: 'rotaryEmbedding',
  summary: 'Pairs of elements turned by angles that stand for positions',
  operands: {
    input: one('[…, size]', floats),
    cos: one('cosines, [pairs] behind dimensions that broadcast to those of the input', floats),
    sin: one('sines, shaped as cos', floats),
  },
  attributes: z.strictObject({ interleaved: z.boolean().default(false) }),
  traits: ['pure', 'anchor'],
  infer: ({ input, cos, sin }) => {
    requireSameDType(input, cos, 'rotaryEmbedding', ['input', 'cos'])
    requireSameDType(input, sin, 'rotaryEmbedding', ['input', 'sin'])
    const shown = `cos ${printType(cos)} and sin ${printType(sin)} of input ${printType(input)}`
    if (!sameShape(cos.shape, sin.shape)) reject('shape-mismatch', `rotaryEmbedding: ${shown} differ in shape`)
    const extra = input.shape.length - cos.shape.length
    const fits = cos.shape.length > 0 && extra >= 0
    if (!fits || cos.shape.slice(0, -1).some((extent, i) => extent !== 1 && extent !== input.shape[extra + i]))
      reject('shape-mismatch', `rotaryEmbedding: ${shown} do not broadcast to it`)
    const pairs = cos.shape.at(-1)!
    if (pairs < 1 || 2 * pairs > input.shape.at(-1)!)
      reject('shape-mismatch', `rotaryEmbedding: ${shown} are for ${2 * pairs} of its ${input.shape.at(-1)} elements`)
    return sameAs(input)
  },
})

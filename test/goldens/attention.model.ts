// keeps: softmax, linear
import { add, linear, matmul, model, mul, reshape, softmax, type Tensor, tensor, transpose } from 'glowplug'
import { parameter } from './parameters.ts'

const [tokens, heads, width] = [6, 2, 8]

/** One attention block: the scale of the query moves through transpose and reshape into its weights. */
export default model({
  name: 'attention',
  inputs: { x: tensor('f32', [1, tokens, width]) },
  forward({ x }) {
    const split = (t: Tensor<'f32'>) => transpose(reshape(t, [1, tokens, heads, width / heads]), [0, 2, 1, 3])
    const query = mul(split(linear(x, parameter([width, width]))), 1 / Math.sqrt(width / heads))
    const key = split(linear(x, parameter([width, width], 4)))
    const value = split(linear(x, parameter([width, width], 1), parameter([width], 2)))
    const scores = softmax(matmul(query, transpose(key, [0, 1, 3, 2])))
    const joined = reshape(transpose(matmul(scores, value), [0, 2, 1, 3]), [1, tokens, width])
    return { y: add(linear(joined, parameter([width, width], 3)), x) }
  },
})

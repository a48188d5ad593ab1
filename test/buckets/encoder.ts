// A small transformer encoder that reads sequences of any length: what buckets are for.
import {
  add,
  attention,
  cast,
  constant,
  type Dim,
  div,
  embedding,
  gelu,
  layerNorm,
  linear,
  model,
  reshape,
  slice,
  sum,
  type Tensor,
  tensor,
  validLength,
  validMask,
  where,
} from '../../dsl/index.ts'
import { numbers } from './support.ts'

const [vocabulary, width, heads, layers, longest] = [50, 16, 2, 2, 32]

let seed = 0
const parameter = (...shape: number[]) =>
  constant(
    'f32',
    shape as [number],
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed++,
    ).map((value) => value / 2),
  ) as Tensor<'f32'>

const table = parameter(vocabulary, width)
const positions = parameter(longest, width)
const weights = Array.from({ length: layers }, () => ({
  query: parameter(width, width),
  key: parameter(width, width),
  value: parameter(width, width),
  out: parameter(width, width),
  up: parameter(4 * width, width),
  down: parameter(width, 4 * width),
  norms: [parameter(width), parameter(width)] as const,
}))

export const encoder = ({ seq }: Readonly<Record<string, Dim>>) =>
  model({
    name: 'encoder',
    inputs: { tokens: tensor('i64', [1, seq!]) },
    forward({ tokens }) {
      const mask = validMask(seq!) as Tensor<'bool'>
      let x: Tensor<'f32'> = add(embedding(tokens, table), slice(positions, { axis: 0, stop: seq! }))
      for (const { query, key, value, out, up, down, norms } of weights) {
        const seen = layerNorm(x, norms[0])
        const looked = attention(linear(seen, query), linear(seen, key), linear(seen, value), { heads, mask })
        x = add(x, linear(looked, out))
        x = add(x, linear(gelu(linear(layerNorm(x, norms[1]), up)), down))
      }
      const real = where(reshape(mask, [1, seq!, 1]), x, 0) as Tensor<'f32'>
      const mean = div(sum(real, { axes: 1 }), cast(validLength(seq!), 'f32')) as Tensor<'f32'>
      return { hidden: x, pooled: mean }
    },
  })

// Each kind of operation over padding: refused where it would mix padding into results, accepted and exact with the remedy.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  add,
  argMax,
  attention,
  avgPool1d,
  cast,
  concat,
  constant,
  conv1d,
  convTranspose1d,
  cumSum,
  type Dim,
  div,
  embedding,
  exp,
  expand,
  flatten,
  gather,
  gridSample,
  groupNorm,
  gru,
  layerNorm,
  less,
  logSumExp,
  lstm,
  type Model,
  matmul,
  max,
  maxPool1d,
  mean,
  min,
  model,
  mul,
  oneHot,
  pad,
  prod,
  reshape,
  resize,
  rotaryEmbedding,
  slice,
  softmax,
  sub,
  sum,
  type Tensor,
  tensor,
  topK,
  transpose,
  tril,
  unsqueeze,
  validLength,
  validMask,
  variance,
  where,
} from '../../dsl/index.ts'
import { assertSame, bucketed, exactly, mistakes, numbers, reference } from './support.ts'

type Any = Tensor<any, any>
interface Given {
  /** f32[2, seq, 4] */
  readonly x: Any
  readonly seq: Dim
  /** `x` with a value in its padding. */
  readonly fill: (value: number, x?: Any) => Any
  readonly mask: Any
}
type Body = (given: Given) => unknown

const dark = Number.NEGATIVE_INFINITY
const table = (...shape: number[]) =>
  constant(
    'f32',
    shape as [number],
    numbers(
      shape.reduce((a, b) => a * b, 1),
      5,
    ),
  ) as Any
/** Weights of a layer over four features. */
const cell = (gates: number, directions: number) => ({
  input: table(directions, gates * 3, 4),
  recurrent: table(directions, gates * 3, 3),
  bias: table(directions, gates * 6),
})
const turned = (x: Any) => transpose(x, [0, 2, 1]) as Any

const make =
  (body: Body) =>
  ({ seq }: Readonly<Record<string, Dim>>) =>
    model({
      name: 'rule',
      inputs: { x: tensor('f32', [2, seq!, 4]) },
      forward({ x }) {
        const mask = validMask(seq!) as Any
        const fill = (value: number, of: Any = x as Any) => where(reshape(mask, [seq!, 1]) as Any, of, value) as Any
        return { y: body({ x: x as Any, seq: seq!, mask, fill }) as Any }
      },
    })

/** What is refused with which words, and what is written instead. */
const cases: Readonly<Record<string, readonly [wrong: RegExp, refused: Body, accepted: Body]>> = {
  gridSample: [
    /^padding-mixed gridSample: .* the result depends on where it ends/,
    ({ x }) => gridSample(unsqueeze(x, { axes: [1] }) as Any, table(2, 3, 2)),
    ({ x }) => gridSample(table(2, 3, 4, 4), slice(x, { axis: 2, stop: 2 }) as Any),
  ],
  sum: [
    /^padding-mixed sum: axis 1 of f32\[2, 4, 4\] is 'seq'/,
    ({ x }) => sum(exp(x) as Any, { axes: 1 }),
    ({ x, fill }) => sum(fill(0, exp(x) as Any), { axes: 1 }),
  ],
  prod: [/^padding-mixed prod/, ({ x }) => prod(x, { axes: [1] }), ({ fill }) => prod(fill(1), { axes: [1] })],
  max: [/^padding-mixed max: .* −∞/, ({ x }) => max(x, { axes: 1 }), ({ fill }) => max(fill(dark), { axes: 1 })],
  min: [/^padding-mixed min: .* ∞/, ({ x }) => min(x, { axes: 1 }), ({ fill }) => min(fill(-dark), { axes: 1 })],
  logSumExp: [/^padding-mixed logSumExp/, ({ x }) => logSumExp(x, { axes: 1 }), ({ fill }) => logSumExp(fill(dark), { axes: 1 })],
  mean: [
    /^padding-mixed mean: .* count as elements/,
    ({ x }) => mean(x, { axes: 1 }),
    ({ fill, seq }) => div(sum(fill(0), { axes: 1 }), cast(validLength(seq), 'f32') as Any),
  ],
  variance: [/^padding-mixed (variance|mean)/, ({ x }) => variance(x, { axes: 1 }), ({ x }) => variance(x, { axes: 2 })],
  softmax: [/^padding-mixed softmax/, ({ x }) => softmax(x, { axis: 1 }), ({ fill }) => softmax(fill(dark), { axis: 1 })],
  argMax: [/^padding-mixed argMax/, ({ x }) => argMax(x, { axis: 1 }), ({ fill }) => argMax(fill(dark), { axis: 1 })],
  topK: [
    /^padding-mixed topK: 3 elements are more/,
    ({ fill }) => topK(fill(dark), 3, { axis: 1 }).values,
    ({ fill }) => topK(fill(dark), 2, { axis: 1 }).values,
  ],
  cumSum: [
    /^padding-mixed cumSum/,
    ({ x }) => cumSum(exp(x) as Any, { axis: 1, reverse: true }),
    ({ x }) => cumSum(exp(x) as Any, { axis: 1 }),
  ],
  layerNorm: [/^padding-mixed layerNorm/, ({ x }) => layerNorm(turned(x)), ({ x }) => layerNorm(x)],
  groupNorm: [
    /^padding-mixed groupNorm/,
    ({ x }) => groupNorm(turned(x), undefined, undefined, { groups: 2 }),
    ({ x }) => groupNorm(transpose(x, [1, 2, 0]) as Any, undefined, undefined, { groups: 2 }),
  ],
  matmul: [
    /^padding-mixed matmul: the inner dimension/,
    ({ x }) => matmul(turned(exp(x) as Any), exp(x) as Any),
    ({ x, fill }) => matmul(turned(fill(0)), div(1, x) as Any),
  ],
  'attention without a mask': [
    /^padding-mixed attention/,
    ({ x }) => attention(x as never, x as never, x as never, { heads: 2 }),
    ({ x, mask }) => attention(x as never, x as never, div(x, x) as never, { heads: 2, mask }),
  ],
  'causal attention': [
    /^padding-mixed attention/,
    ({ x }) => attention(x as never, x as never, x as never, { heads: 2, causal: true, past: 1 }),
    ({ x }) => attention(x as never, x as never, x as never, { heads: 2, causal: true }),
  ],
  'rotary embedding': [
    /^padding-mixed rotaryEmbedding/,
    ({ x }) => {
      const table = slice(turned(x), { axis: 2, stop: 1 }) as never
      return rotaryEmbedding(turned(x) as never, table, table, { heads: 1, dims: 2 })
    },
    ({ x }) => {
      const table = slice(x, { axis: 2, stop: 1 }) as never
      return rotaryEmbedding(x as never, table, table, { heads: 2 })
    },
  ],
  'a recurrent layer': [
    /^padding-mixed lstm: the steps are axis 0 of f32\[4, 2, 4\], which is 'seq'/,
    ({ x }) => lstm(x, cell(4, 1), { batchFirst: true }).output,
    ({ x, seq }) => {
      const options = { batchFirst: true, direction: 'bidirectional', lengths: validLength(seq) } as const
      const { output, hidden, cell: last } = lstm(x, cell(4, 2), options)
      return add(output, reshape(add(hidden, last), [2, 1, 2, 3]) as Any)
    },
  ],
  'a recurrent layer over a batch of several sizes': [
    /^padding-mixed gru: axis 2 of f32\[2, 4, 4\] is 'seq', and its padding would get into the sums/,
    ({ x, seq }) => {
      const rows = reshape(turned(x), [1, 8, seq]) as Any
      const input = concat([rows, slice(rows, { axis: 1, stop: 1 })], { axis: 1 }) as Any
      return gru(turned(x), { input, recurrent: table(1, 9, 3) }).output
    },
    ({ x }) => gru(x, cell(3, 1), { direction: 'reverse' }).output,
  ],
  'a causal mask by hand': [
    /^padding-mixed softmax/,
    ({ x }) => softmax(tril(matmul(x, turned(x)) as Any)),
    ({ x, seq }) => {
      const list = Array.from({ length: Number(seq) }, (_, i) => i)
      const until = less(
        constant('i32', [seq], list) as Any,
        constant(
          'i32',
          [seq, 1],
          list.map((i) => i + 1),
        ) as Any,
      ) as Any
      return softmax(where(until, matmul(x, turned(x)) as Any, dark) as Any)
    },
  ],
  conv: [
    /^padding-mixed conv: windows reach 1 behind the end/,
    ({ x }) => conv1d(turned(exp(x) as Any), table(3, 4, 3), undefined, { padding: 1 }),
    ({ x }) => conv1d(turned(exp(x) as Any), table(3, 4, 2), undefined, { stride: 2 }),
  ],
  convTranspose: [
    /^padding-mixed convTranspose/,
    ({ x }) => convTranspose1d(turned(exp(x) as Any), table(4, 3, 3)),
    ({ x }) => convTranspose1d(turned(x), table(4, 3, 3), undefined, { stride: 2 }),
  ],
  maxPool: [
    /^padding-mixed maxPool/,
    ({ x }) => maxPool1d(turned(x), 3, { stride: 1, padding: 1 }),
    ({ x }) => maxPool1d(turned(x), 2, { stride: 2 }),
  ],
  avgPool: [
    /^padding-mixed avgPool/,
    ({ x }) => avgPool1d(turned(x), 3, { stride: 1, padding: 1, countPadding: false }),
    ({ x }) => avgPool1d(turned(x), 2),
  ],
  'the last element': [
    /^padding-mixed slice: .* counted from the end/,
    ({ x }) => slice(x, { axis: 1, start: -1 }),
    ({ x, seq }) => gather(x, sub(validLength(seq), 1) as Any, { axis: 1 }),
  ],
  'more elements than there may be': [
    /^padding-mixed slice: element 2/,
    ({ x }) => slice(x, { axis: 1, stop: 3 }),
    ({ x }) => slice(x, { axis: 1, stop: 2 }),
  ],
  backwards: [
    /^padding-mixed slice/,
    ({ x }) => slice(x, { axis: 1, step: -1, start: -1 }),
    ({ x }) => slice(x, { axis: 1, start: 1, step: 2 }),
  ],
  concat: [
    /^padding-mixed concat: part 1 of 2/,
    ({ x }) => concat([x, table(2, 3, 4)], { axis: 1 }),
    ({ x }) => concat([table(2, 3, 4), x], { axis: 1 }),
  ],
  pad: [
    /^padding-mixed pad/,
    ({ x }) => pad(exp(x) as Any, { before: [0, 0, 0], after: [0, 2, 0] }),
    ({ x, fill }) => pad(fill(7, exp(x) as Any), { before: [0, 1, 0], after: [0, 2, 0], value: 7 }),
  ],
  reshape: [
    /^padding-mixed reshape: axis 1 .* between elements/,
    ({ x }) => reshape(x, [-1, 4]),
    ({ x }) => flatten(x, { axis: 1 }),
  ],
  'reshape that divides': [
    /^padding-mixed reshape/,
    ({ x, seq }) => reshape(turned(x), [2, seq, 4]),
    ({ x }) => reshape(x, [2, -1, 2]),
  ],
  resize: [
    /^(size-dependent|padding-mixed)/,
    ({ x, seq }) => resize(turned(x), [2 * seq], { mode: 'linear' }),
    ({ x }) => resize(x, [8], { mode: 'linear' }),
  ],
  'indices of padding': [
    /^padding-mixed gather: what stands in the padding/,
    ({ x }) => gather(table(9, 3), cast(add(x, 100), 'i32') as Any),
    ({ x, fill }) => gather(table(9, 3), cast(fill(0, mul(x, x) as Any), 'i32') as Any),
  ],
  embedding: [
    /^padding-mixed embedding/,
    ({ x }) => embedding(cast(add(x, 100), 'i32') as Any, table(9, 3)),
    ({ x }) => embedding(cast(x, 'i32') as Any, table(9, 3)),
  ],
  'a mask by numbers': [
    /^padding-mixed sum/,
    ({ x, mask, seq }) => sum(mul(div(1, x) as Any, reshape(cast(mask, 'f32') as Any, [seq, 1]) as Any) as Any, { axes: 1 }),
    ({ x, mask, seq }) => sum(mul(x, reshape(cast(mask, 'f32') as Any, [seq, 1]) as Any) as Any, { axes: 1 }),
  ],
  'the size as a number': [
    /^size-dependent a constant of f32\[\] has other elements with seq = 8 than with seq = 4/,
    ({ x, seq }) => div(x, seq),
    ({ x, seq }) => div(x, cast(validLength(seq), 'f32') as Any),
  ],
  'a branch over the size': [
    /^size-dependent the model applies another op/,
    ({ x, seq }) => (seq > 5 ? exp(x) : x),
    ({ x }) => exp(x),
  ],
  'an option that follows the size': [
    /^size-dependent oneHot: depth is another/,
    ({ x, seq }) => oneHot(cast(x, 'i32') as Any, seq),
    ({ x }) => oneHot(cast(x, 'i32') as Any, 5),
  ],
  'two sizes at once': [
    /^padding-mixed sum/,
    ({ x }) => sum(exp(matmul(x, turned(x)) as Any) as Any, { axes: [1, 2] }),
    ({ x, mask, seq }) =>
      sum(where(reshape(mask, [seq, 1]) as Any, where(mask, exp(matmul(x, turned(x)) as Any) as Any, 0) as Any, 0) as Any, {
        axes: [1, 2],
      }),
  ],
  'a table of positions': [
    /^size-dependent/,
    ({ x, seq }) =>
      add(x, table(seq, 4)) &&
      add(
        x,
        constant(
          'f32',
          [seq, 1],
          Array.from({ length: seq }, (_, i) => i / seq),
        ) as Any,
      ),
    ({ x, seq }) =>
      add(
        x,
        expand(
          constant(
            'f32',
            [seq, 1],
            Array.from({ length: seq }, (_, i) => i),
          ) as Any,
          [seq, 4],
        ) as Any,
      ),
  ],
}

for (const [name, [wrong, refused, accepted]] of Object.entries(cases)) {
  test(`${name}: refused where padding would count, exact as it is to be written`, async () => {
    const told = mistakes(bucketed(make(refused), { seq: [4, 8] }, { seq: 2 }))
    assert.match(told.join('\n'), wrong)
    const right = bucketed(make(accepted), { seq: [4, 8] }, { seq: 2 })
    assert.equal(mistakes(right), [])
    for (const seq of [2, 3, 4, 5, 8]) {
      const x = Float32Array.from(numbers(2 * seq * 4, seq))
      assertSame(await (right as Model<any, any>).run({ x }), reference(exactly(make(accepted), { seq }), { x }), 0, `seq ${seq}`)
    }
  })
}

test.run()

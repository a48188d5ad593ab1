/** What the editor knows. Compiled by `tsc`, never run: a line that is wrong, or a mistake that is no longer one, fails `npm run check`. */
import {
  adaptiveAvgPool2d,
  add,
  argMax,
  avgPool2d,
  batchNorm,
  cast,
  concat,
  constant,
  conv1d,
  conv2d,
  conv3d,
  convInteger,
  convTranspose2d,
  dequantize,
  dim,
  type EntriesModel,
  type Entry,
  embedding,
  embeddingBag,
  exp,
  expand,
  expectShape,
  flatten,
  full,
  gather,
  gatherElements,
  gatherNd,
  globalAvgPool,
  layerNorm,
  less,
  linear,
  lookup,
  matmul,
  matmulInteger,
  maxPool1d,
  maxPool2d,
  mean,
  model,
  mul,
  oneHot,
  pad,
  pow,
  quantize,
  type Rank,
  relu,
  requantize,
  reshape,
  resize,
  type StatefulEntriesModel,
  type StatefulModel,
  slice,
  softmax,
  sparseLengthsSum,
  split,
  squeeze,
  stack,
  standardDeviation,
  state,
  sub,
  sum,
  type Tensor,
  tensor,
  tile,
  topK,
  transpose,
  unsqueeze,
  updateSlice,
  validLength,
  validMask,
  weights,
  where,
} from 'glowplug'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <A>() => ({ of: <B>(_: B, ..._same: Same<A, B> extends true ? [] : [never]) => {} })
declare function value<S extends number[]>(...shape: S): Tensor<'f32', S>

const w = weights(new URL('./x.safetensors', import.meta.url))
const image = tensor('f32', [1, 3, 224, 224])
const hidden = tensor('f32', [1, 128, 768])
const ids = tensor('i64', [1, 128])
const unknown: Tensor<'f32'> = image
const n = Number('3')
const dims: number[] = [1, 2]

// ---------------------------------------------------------------- what is known stays known
is<Tensor<'f32', [1, 3, 224, 224]>>().of(image)
const stem = conv2d(image, w.get('conv1', 'f32', [64, 3, 7, 7]), undefined, { stride: 2, padding: 3 })
is<Tensor<'f32', [1, 64, 112, 112]>>().of(stem)
is<Tensor<'f32', [1, 64, 56, 56]>>().of(maxPool2d(stem, 3, { stride: 2, padding: 1 }))
is<Tensor<'f32', [1, 64, 56, 56]>>().of(maxPool2d(stem, 2))
is<Tensor<'f32', [1, 64, 37, 56]>>().of(maxPool2d(stem, [3, 2]))
is<Tensor<'f32', [1, 64, 112, 112]>>().of(avgPool2d(stem, 3, { stride: 1, padding: 1, countPadding: false }))
is<Tensor<'f32', [1, 64, 112, 112]>>().of(relu(stem))
is<Tensor<'f32', [1, 64, 56, 112]>>().of(
  conv2d(stem, w.get('a', 'f32', [64, 64, 3, 3]), undefined, { stride: [2, 1], padding: 1 }),
)
is<Tensor<'f32', [1, 64, 112, 112]>>().of(conv2d(image, value(64, 3, 3, 3), undefined, { stride: 2, padding: 'same' }))
is<Tensor<'f32', [1, 64, 113, 113]>>().of(
  conv2d(image, value(64, 3, 2, 2), undefined, { stride: 2, padding: { before: 1, after: 2 } }),
)
is<Tensor<'f32', [1, 64, 113, 112]>>().of(
  conv2d(image, value(64, 3, 2, 2), undefined, { stride: 2, padding: { before: [1, 0], after: [2, 1] } }),
)
is<Tensor<'f32', [1, 64, 220, 220]>>().of(conv2d(image, value(64, 3, 3, 3), undefined, { dilation: 2 }))
is<Tensor<'f32', [1, 8, 50]>>().of(conv1d(value(1, 4, 100), value(8, 4, 3), undefined, { stride: 2, padding: 1 }))
is<Tensor<'f32', [1, 8, 4, 5, 6]>>().of(conv3d(value(1, 4, 4, 5, 6), value(8, 4, 3, 3, 3), undefined, { padding: 1 }))
is<Tensor<'f32', [1, 4, 50]>>().of(maxPool1d(value(1, 4, 100), 2))
is<Tensor<'f32', [1, 64, 7, 7]>>().of(adaptiveAvgPool2d(stem, 7))
is<Tensor<'f32', [1, 64, 1, 1]>>().of(globalAvgPool(stem))
is<Tensor<'f32', [1, 100352]>>().of(flatten(value(1, 2048, 7, 7)))
is<Tensor<'f32', [1, 2048, 49]>>().of(flatten(value(1, 2048, 7, 7), { axis: 2 }))
is<Tensor<'f32', [1, 128, 3072]>>().of(linear(value(1, 128, 768), value(3072, 768)))
is<Tensor<'f32', [12, 128, 64]>>().of(matmul(value(12, 128, 128), value(12, 128, 64)))
is<Tensor<'f32', [1, 12, 128, 64]>>().of(transpose(reshape(value(1, 128, 768), [1, 128, 12, 64]), [0, 2, 1, 3]))
is<Tensor<'f32', [1, 128, 12, 64]>>().of(reshape(value(1, 128, 768), [1, 128, 12, -1]))
is<Tensor<'f32', [8, 3, 5]>>().of(add(value(8, 1, 5), value(3, 1)))
is<Tensor<'f32', [8, 1, 5]>>().of(add(value(8, 1, 5), 2))
is<Tensor<'i64', [1, 128]>>().of(sub(1, ids))
is<Tensor<'bool', [8, 3, 5]>>().of(less(value(8, 1, 5), value(3, 1)))
is<Tensor<'f32', [8, 3, 5]>>().of(where(less(value(8, 1, 5), 0), value(3, 1), 0))
is<Tensor<'f16', [1, 128]>>().of(cast(ids, 'f16'))
is<Tensor<'f32', [1, 96, 7, 7]>>().of(concat([value(1, 32, 7, 7), value(1, 64, 7, 7)], { axis: 1 }))
is<Tensor<'f32', [2, 3, 10]>>().of(concat([value(2, 3, 4), value(2, 3, 4), value(2, 3, 2)], { axis: -1 }))
is<Tensor<'f32', [2, 3, 4]>>().of(stack([value(3, 4), value(3, 4)]))
is<Tensor<'f32', [3, 4, 2]>>().of(stack([value(3, 4), value(3, 4)], { axis: -1 }))
const [q, k, v] = split(value(1, 128, 2304), 3, { axis: -1 })
is<Tensor<'f32', [1, 128, 768]>>().of(q)
is<typeof q>().of(k)
is<typeof q>().of(v)
const [s0, s1] = split(value(1, 10), [4, 6], { axis: 1 })
is<Tensor<'f32', [1, 4]>>().of(s0)
is<Tensor<'f32', [1, 6]>>().of(s1)
is<Tensor<'f32', [1, 128, 768]>>().of(embedding(ids, value(30522, 768)))
is<Tensor<'f32', [5, 1, 128, 7]>>().of(gather(value(5, 100, 7), ids, { axis: 1 }))
is<Tensor<'f32', [1, 128, 7]>>().of(gather(value(100, 7), ids))
is<Tensor<'f32', [4, 2]>>().of(slice(value(4, 10), { axis: 1, start: 3, stop: 5 }))
is<Tensor<'f32', [4, 7]>>().of(slice(value(4, 10), { axis: -1, start: 2, stop: -1 }))
is<Tensor<'f32', [3, 2]>>().of(
  slice(value(4, 10), [
    { axis: 0, start: 1 },
    { axis: 1, stop: 2 },
  ]),
)
is<Tensor<'f32', [4, any]>>().of(slice(value(4, 10), { axis: 1, stop: 12 }))
is<Tensor<'f32', [4, any]>>().of(slice(value(4, 10), { axis: 1, step: 2 }))
is<Tensor<'f32', [4, 3]>>().of(squeeze(value(4, 1, 3, 1), { axes: [1, -1] }))
is<Tensor<'f32', [1, 4, 1, 3]>>().of(unsqueeze(value(4, 3), { axes: [0, 2] }))
is<Tensor<'f32', [4, 3, 1]>>().of(unsqueeze(value(4, 3), { axes: -1 }))
is<Tensor<'f32', [1, 3, 8, 10]>>().of(pad(value(1, 3, 5, 7), { before: [0, 0, 1, 1], after: [0, 0, 2, 2] }))
is<Tensor<'f32', [4, 3, 2]>>().of(expand(value(3, 1), [4, 3, 2]))
is<Tensor<'f32', [1, 3, 10, 12]>>().of(resize(value(1, 3, 5, 7), [10, 12]))
is<Tensor<'f32', [4, 6]>>().of(mean(value(4, 5, 6), { axes: 1 }))
is<Tensor<'f32', [1, 5, 1]>>().of(sum(value(4, 5, 6), { axes: [0, -1], keepDims: true }))
is<Tensor<'f32', []>>().of(sum(value(4, 5, 6)))
is<Tensor<'f32', [4]>>().of(standardDeviation(value(4, 5), { axes: -1, correction: 1 }))
is<Tensor<'f32', [2]>>().of(constant('f32', [2], [0.1, 0.2]))
is<Tensor<'i32', [2, 2]>>().of(full('i32', [2, 2], 7))

// ---------------------------------------------------------------- what is unknown never blocks
is<Tensor<'f32', [any, 64, any, any]>>().of(conv2d(unknown, w.get('a', 'f32', [64, 3, 7, 7])))
is<Tensor<'f32', [1, any, any, any]>>().of(conv2d(image, w.get('a', 'f32', [n, 3, n, n])))
is<Tensor<'f32', any>>().of(add(unknown, stem))
is<Tensor<'f32', [any, any]>>().of(reshape(stem, [n, n]))
is<Tensor<'f32', [1, any]>>().of(reshape(unknown, [1, -1]))
is<Tensor<'f32', any>>().of(matmul(unknown, value(3, 4)))
is<Tensor<'f32', [any, any, any]>>().of(transpose(unknown, [0, 2, 1]))
is<Tensor<'f32', [any, 64]>>().of(add(value(1, 64), tensor('f32', [n, 64])))
is<Tensor<'f32', [8, 64]>>().of(add(value(8, 64), tensor('f32', [n, 64])))
is<Tensor<'f32', [any, 64]>>().of(add(tensor('f32', [n, 64]), value(1, 64)))
is<Tensor<'f32', any>>().of(reshape(stem, dims))
is<Tensor<'f32', any>>().of(add(reshape(stem, dims), value(3)))
is<Tensor<'f32', any>[]>().of(split(stem, n, { axis: 1 }))
is<Tensor<'f32', [1, 64, any, any]>>().of(conv2d(image, value(64, 3, 3, 3), undefined, { stride: n }))
is<Tensor<'f32', any>>().of(mean(stem, { axes: dims }))
is<Tensor<'f32', [any, any, any, any]>>().of(concat([stem, stem], { axis: n }) as Tensor<'f32', Rank<4>>)
transpose(stem, dims)
expectShape(stem, dims)
expectShape(stem, [n, 64, n, 112])
const wants = (x: Tensor<'f32', [1, 64, 56, 56]>) => x
wants(unknown)
wants(conv2d(unknown, w.get('a', 'f32', [64, n, 3, 3])) as Tensor<'f32', Rank<4>>)
is<Tensor<'f32', [1, 64, 7, 7]>>().of(expectShape(unknown, [1, 64, 7, 7]))

// ---------------------------------------------------------------- let, loops, arrays, conditionals
let x: Tensor<'f32'> = stem
for (let i = 0; i < 4; i++) {
  const y = relu(conv2d(x, w.get(`l${i}`, 'f32', [64 * 2 ** i, 64, 3, 3]), undefined, { stride: i ? 2 : 1 }))
  x = add(y, i ? x : y)
}
const branches: Tensor<'f32'>[] = []
for (const c of [32, 64]) branches.push(conv2d(x, w.get(`b${c}`, 'f32', [c, 64, 1, 1])))
is<Tensor<'f32', any>>().of(concat(branches, { axis: 1 }))
const either = n > 2 ? stem : maxPool2d(stem, 2)
is<Tensor<'f32', [1, 128, 112, 112] | [1, 128, 56, 56]>>().of(conv2d(either, w.get('c', 'f32', [128, 64, 1, 1])))

// ---------------------------------------------------------------- helpers: exact, generic, loose
function bottleneck<N extends number, C extends number, H extends number, W extends number>(
  x: Tensor<'f32', [N, C, H, W]>,
  name: string,
) {
  const y = relu(conv2d(x, w.get(name, 'f32', [x.shape[1], x.shape[1], 3, 3]), undefined, { padding: 1 }))
  return relu(add(y, x))
}
is<Tensor<'f32', [1, 64, 112, 112]>>().of(bottleneck(stem, 'a'))
bottleneck(unknown, 'a')
function residual<X extends Tensor<'f32'>>(x: X, f: (x: X) => Tensor<'f32'>): Tensor<'f32'> {
  return mul(relu(add(x, f(x))), 0.5)
}
residual(stem, (y) => relu(y))
const keep = <X extends Tensor>(x: X): X => softmax(relu(x))
is<typeof stem>().of(keep(stem))
function normalise<X extends Tensor<'f32'>>(x: X): Tensor<'f32'> {
  const centred = sub(x, mean(x, { axes: -1, keepDims: true }))
  return layerNorm(exp(centred), w.get('g', 'f32', [768]))
}
normalise(hidden)

// ---------------------------------------------------------------- a long chain stays within TypeScript's limits
const c0 = conv2d(image, w.get('c0', 'f32', [8, 3, 3, 3]), undefined, { padding: 1 })
const c1 = relu(
  batchNorm(
    conv2d(c0, w.get('c1', 'f32', [8, 8, 3, 3]), undefined, { padding: 1 }),
    w.get('s', 'f32', [8]),
    unknown,
    unknown,
    unknown,
  ),
)
is<Tensor<'f32', [1, 8, 224, 224]>>().of(add(c1, c0))

// ---------------------------------------------------------------- model()
const net = model({
  name: 'net',
  inputs: { image: tensor('f32', [1, 3, 224, 224]), mask: tensor('bool', [1]), ids: tensor('i64', [n, 16]) },
  forward({ image, ids }) {
    const x = flatten(globalAvgPool(conv2d(image, w.get('a', 'f32', [64, 3, 7, 7]))))
    return { logits: linear(x, w.get('fc', 'f32', [1000, 64])), ids, open: unknown }
  },
})
const backwards = model({
  forward({ image }) {
    return { y: relu(image) }
  },
  name: 'b',
  inputs: { image: tensor('f32', [1, 3]) },
})
export async function consumer() {
  const inputs = { image: new Float32Array(3), mask: new Uint8Array(1), ids: new BigInt64Array(16) }
  const out = await net.run(inputs, { signal: new AbortController().signal })
  is<readonly [1, 1000]>().of(out.logits.shape)
  is<Float32Array>().of(out.logits.data)
  is<readonly number[]>().of(out.open.shape)
  is<readonly [number, 16]>().of(out.ids.shape)
  is<BigInt64Array>().of(net.runSync(inputs).ids.data)
  net.runSync({ ...inputs, ids: [1, 2], image: [0.5] }, { into: { logits: out.logits, open: new Float32Array(1) } })
  const bound = net.bind()
  is<Float32Array>().of(bound.inputs.image)
  is<BigInt64Array>().of(bound.outputs.ids)
  is<readonly [1, 3]>().of((await backwards.run({ image: new Float32Array(3) })).y.shape)
  await net.ready()
  await net.close()
}

// ---------------------------------------------------------------- model() with entries
const cache = tensor('f32', [5, 4, 512, 8])
const stories = model({
  name: 'stories',
  entries: {
    prefill: {
      inputs: { tokens: tensor('i64', [1, 128]) },
      forward: ({ tokens }) => ({
        logits: linear(embedding(tokens, value(512, 64)), value(512, 64)),
        cache: full('f32', [5, 4, 512, 8], 0),
      }),
    },
    step: {
      inputs: { token: tensor('i64', [1, 1]), pos: tensor('i64', [1]), cache },
      forward({ token, pos, cache }) {
        is<Tensor<'i64', [1]>>().of(pos)
        is<Tensor<'f32', [5, 4, 512, 8]>>().of(cache)
        const x: Tensor<'f32'> = embedding(token, value(512, 64))
        return { logits: expectShape(x, [1, 1, 64]), cache: add(cache, 1), open: x }
      },
    },
  },
})
const reversed = model({
  entries: {
    only: {
      forward({ image }) {
        return { y: relu(image) }
      },
      inputs: { image: tensor('f32', [1, 3]) },
    },
  },
  name: 'r',
})
const shared = { x: tensor('f32', [2]) }
const helper = ({ x }: typeof shared) => ({ y: relu(x) })
const { first, second } = model({
  name: 's',
  entries: {
    first: { inputs: shared, forward: helper },
    second: { inputs: shared, forward: ({ x }) => ({ z: exp(x), ...helper({ x }) }) },
  },
}).entries
export const entriesType: EntriesModel<{ only: { image: Tensor<'f32', [1, 3]> } }, { only: { y: Tensor<'f32', [1, 3]> } }> =
  reversed
export const entryType: Entry<{ image: Tensor<'f32', [1, 3]> }, { y: Tensor<'f32', [1, 3]> }> = backwards.entries.main
export async function teller() {
  const { prefill, step } = stories.entries
  const read = await prefill.run({ tokens: new BigInt64Array(128) })
  is<readonly [1, 128, 512]>().of(read.logits.shape)
  const next = await step.run({ token: [1], pos: [2n], cache: read.cache }, { into: { cache: read.cache } })
  is<Float32Array>().of(next.cache.data)
  is<readonly [1, 1, 64]>().of(next.logits.shape)
  is<readonly number[]>().of(next.open.shape)
  is<readonly [1, 3]>().of(reversed.entries.only.runSync({ image: [1, 2, 3] }).y.shape)
  is<Float32Array>().of(first.bind().outputs.y)
  is<Float32Array>().of(second.bind().outputs.z)
  is<string>().of(stories.info.target)
  is<readonly [1, 3]>().of((await backwards.entries.main.run({ image: [1, 2, 3] })).y.shape)
  await stories.ready()
  await stories.close()
}

// ---------------------------------------------------------------- mistakes: delete a directive to read its sentence
// @ts-expect-error conv2d: input [1, 3, 224, 224] has 3 channels, weight [64, 4, 7, 7] expects 4
conv2d(image, w.get('conv1', 'f32', [64, 4, 7, 7]))
// @ts-expect-error matmul: inner dimensions 768 and 512 differ
matmul(hidden, w.get('a', 'f32', [512, 768]))
// @ts-expect-error matmul: left is f32, right is f64
matmul(hidden, w.get('a', 'f64', [768, 768]))
// @ts-expect-error matmul: leading dimensions do not broadcast
matmul(value(2, 3, 4), value(3, 4, 5))
// @ts-expect-error add: shapes do not broadcast
add(hidden, tensor('f32', [1, 128, 512]))
// @ts-expect-error add: left is f32, right is i64
add(hidden, ids)
// @ts-expect-error add: one of left and right must be a tensor
add(1, 2)
// @ts-expect-error exp: input is i64
exp(ids)
// @ts-expect-error reshape: 98304 elements, 99840
reshape(hidden, [1, 128, 12, 65])
// @ts-expect-error transpose: 4 entries for 3 dimensions
transpose(hidden, [0, 2, 1, 3])
// @ts-expect-error conv2d: input must be [batch, channels, height, width]
conv2d(hidden, w.get('conv1', 'f32', [64, 3, 7, 7]))
// @ts-expect-error maxPool2d: input must be [batch, channels, height, width]
maxPool2d(hidden, 2)
// @ts-expect-error linear: 768 features, weight expects 2048
linear(hidden, w.get('fc', 'f32', [1000, 2048]))
// @ts-expect-error 'strides' does not exist
conv2d(image, w.get('conv1', 'f32', [64, 3, 7, 7]), undefined, { strides: 2 })
// @ts-expect-error three entries for two axes
conv2d(image, w.get('conv1', 'f32', [64, 3, 7, 7]), undefined, { stride: [1, 2, 3] })
// @ts-expect-error expectShape: another size
expectShape(hidden, [1, 128, 1024])
// @ts-expect-error expectShape: another rank
expectShape(hidden, [1, 128])
// @ts-expect-error where: whenTrue is f32, whenFalse is i64
where(tensor('bool', [1]), hidden, ids)
// @ts-expect-error where: the condition is no bool
where(hidden, hidden, hidden)
// @ts-expect-error not a tensor
conv2d(image, 'conv1.weight')
// @ts-expect-error element type name
tensor('float32', [1])
// @ts-expect-error pow: one of left and right must be a tensor
pow(2, 3)
let y = conv2d(image, w.get('conv1', 'f32', [64, 3, 7, 7]), undefined, { stride: 2, padding: 3 })
// @ts-expect-error a `let` without annotation keeps its first shape
y = maxPool2d(y, 2)
const stage = (z: Tensor<'f32', [1, 64, 56, 56]>) => z
// @ts-expect-error the helper wants another shape
stage(y)
// @ts-expect-error input name
backwards.run({ img: new Float32Array(1) })
// @ts-expect-error array type
backwards.run({ image: new Float64Array(1) })
// @ts-expect-error output name
backwards.runSync({ image: new Float32Array(1) }).z
// @ts-expect-error outputs need names
model({ name: 'net', inputs: { image }, forward: ({ image }) => relu(image) })
model({
  name: 'net',
  // @ts-expect-error outputs of an entry need names
  entries: { step: { inputs: { image }, forward: ({ image }) => relu(image) } },
})
model({
  name: 'net',
  // @ts-expect-error forward is missing
  entries: { step: { inputs: { image } } },
})
model({
  name: 'net',
  // @ts-expect-error inputs are tensors
  entries: { step: { inputs: { image: 3 }, forward: () => ({ y: unknown }) } },
})
model({
  name: 'net',
  // @ts-expect-error there is no input of that name
  entries: { step: { inputs: { image }, forward: ({ picture }) => ({ y: relu(picture) }) } },
})
// @ts-expect-error entries stand in the place of inputs and forward
model({
  name: 'net',
  inputs: { image },
  entries: { step: { inputs: { image }, forward: ({ image }) => ({ y: relu(image) }) } },
})
model({
  name: 'net',
  entries: {
    step: {
      inputs: { image },
      // @ts-expect-error conv2d: the mistake stands where it is made
      forward: ({ image }) => ({ y: conv2d(image, value(1, 4, 3, 3)) }),
    },
  },
})
// @ts-expect-error a model with several entries is called by them
stories.run
// @ts-expect-error entry name
stories.entries.steps
// @ts-expect-error input of another entry
stories.entries.step.run({ tokens: new BigInt64Array(128) })
// @ts-expect-error input left out
stories.entries.step.run({ token: [1], pos: [2] })
// @ts-expect-error output of another entry
stories.entries.prefill.runSync({ tokens: [1] }).open
// @ts-expect-error what is not the same for all entries
stories.info.regions
// @ts-expect-error a model with one forward has one entry
net.entries.step

// ---------------------------------------------------------------- models that remember
const counter = model({
  name: 'counter',
  state: { total: state('f32', [1, 4]), steps: state('i32', [], { initial: constant('i32', [], [1]) }) },
  inputs: { x: tensor('f32', [1, 4]) },
  forward({ x }, { total, steps }) {
    is<Tensor<'f32', [1, 4]>>().of(total)
    is<Tensor<'i32', []>>().of(steps)
    return { y: add(x, total), total: add(x, total) }
  },
})
is<StatefulModel<{ x: Tensor<'f32', [1, 4]> }, { y: Tensor<'f32', [1, 4]> }>>().of(counter)
const generating = model({
  name: 'generating',
  state: { cache: state('f32', [2, 64, 8]) },
  entries: {
    fill: { inputs: { k: tensor('f32', [2, 16, 8]) }, forward: ({ k }, { cache }) => ({ cache: updateSlice(cache, k, 0) }) },
    step: {
      inputs: { k: tensor('f32', [2, 1, 8]), at: tensor('i64', [1]) },
      forward({ k, at }, { cache }) {
        const next = updateSlice(cache, k, at)
        return { best: argMax(next, { axis: 1 }), cache: next }
      },
    },
  },
})
is<
  StatefulEntriesModel<
    { fill: { k: Tensor<'f32', [2, 16, 8]> }; step: { k: Tensor<'f32', [2, 1, 8]>; at: Tensor<'i64', [1]> } },
    // biome-ignore lint/complexity/noBannedTypes: an entry that only renews states has no outputs
    { fill: {}; step: { best: Tensor<'i64', [2, 8]> } }
  >
>().of(generating)
model({
  name: 'counter',
  state: { total: state('f32', [1, 4]) },
  inputs: { x: tensor('f32', [1, 5]) },
  // @ts-expect-error another shape than the state
  forward: ({ x }) => ({ y: x, total: x }),
})
model({
  name: 'counter',
  state: { total: state('f32', [1, 4]) },
  inputs: { x: tensor('f32', [1, 4]) },
  // @ts-expect-error another element type than the state
  forward: ({ x }) => ({ y: x, total: cast(x, 'f16') }),
})
// @ts-expect-error a state is described by state()
model({ name: 'counter', state: { total: tensor('f32', [1]) }, inputs: { image }, forward: ({ image }) => ({ y: relu(image) }) })
// @ts-expect-error the first value has another shape
state('f32', [4], { initial: value(5) })
// @ts-expect-error the update has another element type
updateSlice(hidden, cast(hidden, 'f16'), 0)
// @ts-expect-error a model that remembers is called in sessions
counter.run

// ---------------------------------------------------------------- order and indices
is<Tensor<'i64', [2, 4]>>().of(argMax(value(2, 3, 4), { axis: 1 }))
is<Tensor<'i64', [2, 3, 1]>>().of(argMax(value(2, 3, 4), { keepDims: true }))
is<Tensor<'i64', [2, 3]>>().of(argMax(value(2, 3, 4)))
const best = topK(value(2, 100), 5)
is<Tensor<'f32', [2, 5]>>().of(best.values)
is<Tensor<'i64', [2, 5]>>().of(best.indices)
is<Tensor<'f32', [any, 100]>>().of(topK(value(2, 100), n, { axis: 0 }).values)
is<Tensor<'f32', [2, 5]>>().of(gatherElements(value(2, 100), best.indices, { axis: 1 }))
is<Tensor<'f32', [1, 128, 7]>>().of(oneHot(ids, 7))
is<Tensor<'bool', [7, 1, 128]>>().of(oneHot(ids, 7, { axis: 0, dtype: 'bool' }))
const bagLengths = cast(value(9), 'i32')
is<Tensor<'f32', [9, 16]>>().of(sparseLengthsSum(value(1000, 16), cast(value(40), 'i64'), bagLengths))
is<Tensor<'f32', [9, 16]>>().of(embeddingBag(value(1000, 16), cast(value(40), 'i64'), bagLengths, { mode: 'mean' }))
is<Tensor<'f32', [8, 16]>>().of(embeddingBag(value(1000, 16), cast(value(40), 'i64'), bagLengths, { includeLastOffset: true }))
is<Tensor<'f32', [6, 5]>>().of(gatherNd(value(3, 4, 5), cast(value(6, 2), 'i64')))
is<Tensor<'f32', any>>().of(gatherNd(value(3, 4, 5), cast(value(3, 2, 1), 'i64'), { batchDims: 1 }))
is<Tensor<'f32', [1, 8, 448, 448]>>().of(convTranspose2d(image, value(3, 8, 4, 4), undefined, { stride: 2, padding: 1 }))
is<Tensor<'f32', [1, 16, 224, 224]>>().of(
  convTranspose2d(value(1, 4, 112, 112), value(4, 8, 3, 3), undefined, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
)
// @ts-expect-error channels
convTranspose2d(image, value(4, 8, 2, 2))
// @ts-expect-error element type
convTranspose2d(image, cast(value(3, 8, 2, 2), 'f16'))
// @ts-expect-error lengths are integers
sparseLengthsSum(value(1000, 16), cast(value(40), 'i64'), value(9))
// @ts-expect-error mode
embeddingBag(value(1000, 16), cast(value(40), 'i64'), bagLengths, { mode: 'max' })
// @ts-expect-error indices are integers
gatherNd(value(3, 4), value(2, 1))
// @ts-expect-error option
topK(value(3, 4), 2, { sorted: true })
is<Tensor<'f32', [any, any, any]>>().of(resize(value(4, 6, 2), [9], { axes: [0] }))

// ---------------------------------------------------------------- named dimensions
const seq = dim('seq', [128])
const words = tensor('i64', [1, seq])
const embedded = embedding(words, value(512, 768))
const heads: Tensor<'f32', [1, any, 12, 64]> = reshape(embedded, [1, seq, 12, 64])
const scores: Tensor<'f32', [1, 12, any, any]> = matmul(transpose(heads, [0, 2, 1, 3]), transpose(heads, [0, 2, 3, 1]))
const masked: Tensor<'f32', [1, 12, any, any]> = add(scores, expand(value(1, 1, 1, 1), [1, 1, seq, seq]))
const folded: Tensor<'f32', [any, 768]> = reshape(embedded, [seq * 1, 768])
const joined: Tensor<'f32', [1, any, 768]> = concat([embedded, expand(value(1, 1, 768), [1, seq, 768])], { axis: 1 })
const cut: Tensor<'f32', [1, any, 768]> = slice(joined, { axis: 1, start: seq })
const half: number = seq / 2
const lengths = dim('lengths', [32, 64], { least: 2 })
const where32: Tensor<'bool', [any]> = validMask(lengths)
const where4: Tensor<'bool', [4]> = validMask(4)
const count: Tensor<'i32', []> = validLength(lengths)
const bucketed = model({
  name: 'bucketed',
  inputs: { x: tensor('f32', [1, lengths]) },
  forward: ({ x }) => ({ y: relu(x) }),
})
const bucketedShape: Promise<readonly [1, number]> = bucketed.run({ x: [1, 2, 3] }).then(({ y }) => y.shape)
bucketed.runSync({ x: { data: new Float32Array(3), shape: [1, 3] } })
bucketed.bind({ lengths: 3 }).run()
// @ts-expect-error a dimension is no option
dim('seq', [32, 64], { most: 3 })
// @ts-expect-error a dimension has a name
dim(3, [128])
// @ts-expect-error and sizes that are numbers
dim('seq', ['128'])
const tiled: Tensor<'f32', [4, 9, 1]> = tile(value(2, 3, 1), [2, 3, 1])
void [masked, folded, cut, half, tiled, where32, where4, count, bucketedShape]

// ---------------------------------------------------------------- integers that stand for numbers
const photo = tensor('u8', [1, 3, 224, 224], { scale: 1 / 128, zeroPoint: 128 })
const filters = constant('i8', [8, 3, 3, 3], [])
is<Tensor<'f32', [1, 3, 224, 224]>>().of(dequantize(photo))
is<Tensor<'i8', [1, 8, 222, 222]>>().of(
  quantize(conv2d(dequantize(photo), dequantize(filters, { scale: [0.5], axis: 0 })), {
    dtype: 'i8',
    scale: constant('f32', [], [0.1]),
  }),
)
const sums = convInteger(photo, filters, undefined, { stride: 2, padding: 1, inputZeroPoint: 128 })
is<Tensor<'i32', [1, 8, 112, 112]>>().of(sums)
is<Tensor<'u8', [1, 8, 112, 112]>>().of(requantize(sums, { dtype: 'u8', inputScale: 0.01, scale: 0.02 }))
is<Tensor<'i32', [4, 6]>>().of(
  matmulInteger(cast(value(4, 5), 'u8'), cast(value(5, 6), 'i8'), { rightZeroPoint: [1, 2, 3, 4, 5, 6] }),
)
is<Tensor<'f32', [1, 3, 224, 224]>>().of(lookup(photo, value(256)))
// @ts-expect-error numbers are f32
quantize(cast(image, 'f16'), { dtype: 'u8', scale: 1 })
// @ts-expect-error an element type that holds integers
quantize(image, { dtype: 'f16', scale: 1 })
// @ts-expect-error scale is missing
quantize(image, { dtype: 'u8' })
// @ts-expect-error floats stand for themselves
dequantize(image)
// @ts-expect-error products take bytes
matmulInteger(value(4, 5), cast(value(5, 6), 'i8'))
// @ts-expect-error matmulInteger: inner dimensions 5 and 4 differ
matmulInteger(cast(value(4, 5), 'u8'), cast(value(4, 6), 'i8'))
// @ts-expect-error a table has 256 entries
lookup(photo, value(255))

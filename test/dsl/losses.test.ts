import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { binaryCrossEntropy, crossEntropy, logSoftmax, negativeLogLikelihood } from '../../dsl/index.ts'
import { assertNear, at, build, noise, run } from './run.ts'

const [batch, classes, places] = [3, 4, 5]
const scores = noise([batch, classes, places], 1)
const target = build([batch, places], (b, p) => (b * 3 + p * 2) % classes)
const weights = noise([classes], 2)

/** −log softmax of the target at each place, times its weight, with the weight. */
function losses(ignore?: number) {
  return Array.from({ length: batch * places }, (_, i) => {
    const [b, p] = [Math.floor(i / places), i % places]
    const score = (k: number) => at(scores)(b, k, p)
    const all = Math.log(Array.from({ length: classes }, (_, k) => Math.exp(score(k))).reduce((x, y) => x + y, 0))
    const k = at(target)(b, p)
    return k === ignore ? { loss: 0, weight: 0 } : { loss: (all - score(k)) * at(weights)(k), weight: at(weights)(k) }
  })
}
const total = (list: readonly number[]) => list.reduce((x, y) => x + y, 0)

for (const ignore of [undefined, 2])
  test(`a cross entropy is that of its parts, ${ignore === undefined ? 'all targets' : 'one ignored'}`, () => {
    const parts = losses(ignore)
    const options = { weight: undefined as never, ...(ignore !== undefined && { ignore }) }
    const { none, sum, mean, logs } = run({ x: scores, 't:i64': target, w: weights }, ({ x, t, w }) => ({
      none: crossEntropy(x!, t!, { ...options, weight: w!, reduction: 'none' }),
      sum: crossEntropy(x!, t!, { ...options, weight: w!, reduction: 'sum' }),
      mean: crossEntropy(x!, t!, { ...options, weight: w! }),
      logs: negativeLogLikelihood(logSoftmax(x!, { axis: 1 }) as never, t!, { ...options, weight: w! }),
    }))
    assertNear(none!, { shape: [batch, places], values: parts.map(({ loss }) => loss) }, 'none')
    assertNear(sum!, { shape: [], values: [total(parts.map(({ loss }) => loss))] }, 'sum')
    const expected = total(parts.map(({ loss }) => loss)) / total(parts.map(({ weight }) => weight))
    assertNear(mean!, { shape: [], values: [expected] }, 'mean')
    assertNear(logs!, { shape: [], values: [expected] }, 'of logarithms')
  })

test('an ignored target may be no class, and does not count in the mean', () => {
  const { mean } = run({ x: noise([2, 3], 5), 't:i64': { shape: [2], values: [-100, 1] } }, ({ x, t }) => ({
    mean: crossEntropy(x!, t!, { ignore: -100 }),
  }))
  const [row] = [noise([2, 3], 5).values.slice(3)]
  const expected = Math.log(total(row!.map(Math.exp))) - row![1]!
  assertNear(mean!, { shape: [], values: [expected] }, 'mean')
})

test('a binary cross entropy is that of sigmoids, and stays finite for large scores', () => {
  const [x, t] = [noise([2, 6], 7), build([2, 6], (i, j) => ((i + j) % 3) / 2)]
  const weight = build([6], (j) => 1 + j)
  const { plain, weighted } = run({ x, t, w: weight }, ({ x, t, w }) => ({
    plain: binaryCrossEntropy(x!, t!),
    weighted: binaryCrossEntropy(x!, t!, { positiveWeight: w!, reduction: 'none' }),
  }))
  const sigma = (value: number) => 1 / (1 + Math.exp(-value))
  const each = (i: number, positive: number) =>
    -positive * t.values[i]! * Math.log(sigma(x.values[i]!)) - (1 - t.values[i]!) * Math.log(1 - sigma(x.values[i]!))
  assertNear(plain!, { shape: [], values: [total(x.values.map((_, i) => each(i, 1))) / 12] }, 'mean')
  assertNear(weighted!, { shape: [2, 6], values: x.values.map((_, i) => each(i, 1 + (i % 6))) }, 'weighted')
  const large = run({ x: { shape: [2], values: [900, -900] }, t: { shape: [2], values: [0, 0] } }, ({ x, t }) => ({
    y: binaryCrossEntropy(x!, t!, { reduction: 'none' }),
  }))
  assertNear(large.y!, { shape: [2], values: [900, 0] }, 'large')
})

test('what does not fit together is said', () => {
  const fails = (body: Parameters<typeof run>[1], message: RegExp) =>
    assert.throws(() => run({ x: scores, 't:i64': target, w: weights }, body), message)
  fails(({ x, w }) => ({ y: crossEntropy(x!, w!) }), /crossEntropy: target must be integers, got f64/)
  fails(({ x, t }) => ({ y: crossEntropy(x!, t!, { weight: x! }) }), /crossEntropy: weight must be \[4\], got \[3, 4, 5\]/)
  fails(
    ({ t, w }) => ({ y: negativeLogLikelihood(w!, t!) }),
    /negativeLogLikelihood: input must be \[batch, classes, …\], got \[4\]/,
  )
})

test.run()

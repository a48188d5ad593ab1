import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { classLabels, labelled, postTransformOf, rowsOf, transformed } from './classical.ts'
import { coupled } from './coupling.ts'
import { dimsOf, range } from './shared.ts'

/** Classes that are compared in pairs. */
const mostClasses = 256

/** x · yᵀ through the kernel of a support vector machine, for rows `y` of an attribute: `[rows, vectors]`. */
function kernelOf(c: OpContext, x: Value, vectors: readonly number[], count: number, kernel: string): Value {
  const features = dimsOf(x)[1]!
  if (vectors.length !== count * features)
    return c.unsupported(`${vectors.length} numbers are not those of ${count} vectors of ${features} features`)
  const { d } = c
  const [gamma = 0, offset = 0, degree = 0] = c.floats('kernel_params') ?? []
  const table = c.literal('f32', [count, features], vectors)
  if (kernel === 'RBF') {
    const [rows, width] = dimsOf(x) as [number, number]
    const apart = d.sub(d.reshape(x, [rows, 1, width]) as Value, d.reshape(table, [1, count, width]) as Value) as Value
    return d.exp(d.mul(d.sumOfSquares(apart, { axes: -1 }) as Value, -gamma) as Value) as Value
  }
  const products = d.linear(x, table) as Value
  if (kernel === 'LINEAR') return products
  const moved = d.add(d.mul(products, gamma) as Value, offset) as Value
  if (kernel === 'POLY') return d.pow(moved, degree) as Value
  return kernel === 'SIGMOID' ? (d.tanh(moved) as Value) : c.unsupported(`kernel_type '${kernel}' is unknown`)
}

/** Products with a table `[targets, inputs]`, and a summand for each target. */
const combined = (c: OpContext, x: Value, table: readonly number[], summands: readonly number[]): Value =>
  c.d.linear(
    x,
    c.literal('f32', [summands.length, table.length / summands.length], table),
    c.literal('f32', [summands.length], summands),
  ) as Value

const regressor: OpRule = (c) => {
  const x = rowsOf(c)
  const count = c.int('n_supports', 0)
  const [coefficients, rho] = [c.floats('coefficients') ?? [], c.floats('rho') ?? []]
  const kernel = c.text('kernel_type', 'LINEAR')
  const inputs = count > 0 ? kernelOf(c, x, c.floats('support_vectors') ?? [], count, kernel) : x
  if (coefficients.length !== dimsOf(inputs)[1] || rho.length === 0)
    return c.unsupported(`${coefficients.length} coefficients do not fit ${dimsOf(inputs)[1]} columns`)
  const score = combined(c, inputs, coefficients, [rho[0]!])
  if (c.int('one_class', 0) === 0) return score
  return c.d.where(c.d.greater(score, 0) as Value, c.literal('f32', [], [1]), c.literal('f32', [], [-1]))
}

/** A score for each pair of classes: above 0 it speaks for the first. */
function pairScores(c: OpContext, x: Value, counts: readonly number[]): Value {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const kernels = kernelOf(c, x, c.floats('support_vectors') ?? [], total, c.text('kernel_type', 'LINEAR'))
  const [coefficients, rho] = [c.floats('coefficients') ?? [], c.floats('rho') ?? []]
  const classes = counts.length
  const pairs = pairsOf(classes)
  if (coefficients.length < (classes - 1) * total || rho.length < pairs.length)
    return c.unsupported(`${coefficients.length} coefficients and ${rho.length} offsets do not fit ${classes} classes`)
  const owner = counts.flatMap((count, at) => range(count).map(() => at))
  const table = pairs.flatMap(([i, j]) =>
    owner.map((at, m) => (at === i ? coefficients[(j - 1) * total + m]! : at === j ? coefficients[i * total + m]! : 0)),
  )
  return combined(c, kernels, table, rho.slice(0, pairs.length))
}

const pairsOf = (classes: number): readonly (readonly [number, number])[] =>
  range(classes).flatMap((i) =>
    range(classes)
      .slice(i + 1)
      .map((j) => [i, j] as const),
  )

const classifier: OpRule = (c) => {
  const labels = classLabels(c, 'classlabels_ints')
  const classes = labels.length
  if (classes > mostClasses) return c.unsupported(`${classes} classes are too many`)
  const transform = postTransformOf(c)
  const x = rowsOf(c)
  const { d } = c
  const counts = c.ints('vectors_per_class') ?? []
  const coefficients = c.floats('coefficients') ?? []
  if (counts.reduce((sum, count) => sum + count, 0) === 0) {
    const rho = c.floats('rho') ?? []
    if (coefficients.length !== classes * dimsOf(x)[1]! || rho.length === 0 || classes === 2)
      return c.unsupported(`${coefficients.length} coefficients for ${classes} classes without support vectors are not supported`)
    const scores = combined(
      c,
      x,
      coefficients,
      labels.map(() => rho[0]!),
    )
    return [labelled(c, d.argMax(scores, { axis: -1 }) as Value, labels), transformed(c, scores, transform)]
  }
  if (counts.length !== classes) return c.unsupported(`vectors_per_class has ${counts.length} entries for ${classes} classes`)
  const scores = pairScores(c, x, counts)
  const pairs = pairsOf(classes)
  const isFirst = d.cast(d.greater(scores, 0) as Value, 'f32') as Value
  // Each pair gives a vote to one of its two.
  const votes = combined(
    c,
    isFirst,
    labels.flatMap((_, at) => pairs.map(([i, j]) => (i === at ? 1 : j === at ? -1 : 0))),
    labels.map((_, at) => pairs.filter(([, j]) => j === at).length),
  )
  const label = labelled(c, d.argMax(votes, { axis: -1 }) as Value, labels)
  const [a, b] = [c.floats('prob_a') ?? [], c.floats('prob_b') ?? []]
  if (a.length > 0) {
    if (a.length !== pairs.length || b.length !== pairs.length)
      return c.unsupported(
        `prob_a of ${a.length} and prob_b of ${b.length} numbers are not those of ${pairs.length} pairs of classes`,
      )
    const numbers = (list: readonly number[]) => c.literal('f32', [pairs.length], list)
    const moved = d.add(d.mul(scores, numbers(a)) as Value, numbers(b)) as Value
    const first = d.clamp(d.sigmoid(d.negate(moved) as Value) as Value, { minimum: 1e-7, maximum: 1 - 1e-7 }) as Value
    const each =
      classes === 2 ? (d.concat([first, d.sub(1, first) as Value], { axis: 1 }) as Value) : coupled(c, first, classes, pairs)
    return [label, transformed(c, each, transform)]
  }
  if (classes > 2) return [label, transformed(c, scores, transform)]
  if (transform === 'PROBIT') return c.unsupported('PROBIT with one score for two classes is not supported')
  const second = transform === 'LOGISTIC' ? transformed(c, scores, transform) : scores
  const opposite = transform === 'NONE' ? d.negate(second) : d.sub(1, second)
  return [label, d.concat([opposite as Value, second], { axis: 1 }) as Value]
}

export const vectors: OpRules = { SVMClassifier: classifier, SVMRegressor: regressor }

import { elementsOf, isFloat } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { castTo, dimsOf, range, reshaped } from './shared.ts'

/** How a score becomes what a model of ai.onnx.ml gives. */
export type PostTransform = 'NONE' | 'SOFTMAX' | 'LOGISTIC' | 'SOFTMAX_ZERO' | 'PROBIT'
export const postTransforms = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'] as const

export function postTransformOf(c: OpContext): PostTransform {
  const given = c.text('post_transform', 'NONE')
  return postTransforms.find((name) => name === given) ?? c.unsupported(`post_transform '${given}' is unknown`)
}

/** √2 · erf⁻¹(2x − 1), with Winitzki's formula for erf⁻¹, which is what onnxruntime computes. */
function probit(c: OpContext, x: Value): Value {
  const { d } = c
  const y = d.sub(d.mul(x, 2) as Value, 1) as Value
  const log = d.log(d.mul(d.sub(1, y) as Value, d.add(y, 1) as Value) as Value) as Value
  const half = d.add(d.mul(log, 0.5) as Value, 2 / (Math.PI * 0.147)) as Value
  const inner = d.sub(d.sqrt(d.sub(d.mul(half, half) as Value, d.mul(log, 1 / 0.147) as Value) as Value) as Value, half) as Value
  const root = d.mul(d.sqrt(inner) as Value, Math.SQRT2) as Value
  return d.where(d.less(y, 0) as Value, d.negate(root) as Value, root) as Value
}

/** A softmax in which scores of 0 take no part in the sum. */
function softmaxZero(c: OpContext, x: Value): Value {
  const { d } = c
  const most = d.max(x, { axes: -1, keepDims: true }) as Value
  const counts = d.greater(d.abs(x) as Value, 1e-7) as Value
  const grown = d.where(counts, d.exp(d.sub(x, most) as Value) as Value, 0) as Value
  const rest = d.mul(x, d.exp(d.negate(most) as Value) as Value) as Value
  return d.div(d.where(counts, grown, rest) as Value, d.sum(grown, { axes: -1, keepDims: true }) as Value) as Value
}

/** Scores `[rows, targets]`, transformed. */
export function transformed(c: OpContext, x: Value, transform: PostTransform): Value {
  if (transform === 'SOFTMAX') return c.d.softmax(x, { axis: -1 }) as Value
  if (transform === 'LOGISTIC') return c.d.sigmoid(x) as Value
  if (transform === 'PROBIT') return probit(c, x)
  return transform === 'SOFTMAX_ZERO' ? softmaxZero(c, x) : x
}

/** Numbers of classes; a class that is called by a text has its place in the list, which a note says. */
export function classLabels(c: OpContext, integers: string): readonly number[] {
  const numbers = c.ints(integers)
  if (numbers && numbers.length > 0) return numbers
  const texts = c.node.attributes.get('classlabels_strings')
  if (texts?.kind !== 'strings' || texts.value.length === 0) return c.unsupported('it has no labels')
  c.note(`labels are places in [${texts.value.join(', ')}]`)
  return range(texts.value.length)
}

/** The label at each place, i64. */
export function labelled(c: OpContext, places: Value, labels: readonly number[]): Value {
  if (labels.every((label, place) => label === place)) return places
  return c.d.gather(c.literal('i64', [labels.length], labels), places) as Value
}

/** Input 0 as a matrix of floats. */
export function rowsOf(c: OpContext): Value {
  const x = c.input(0)
  const shape = dimsOf(x)
  const matrix = shape.length === 1 ? reshaped(c, x, [1, shape[0]!]) : x
  if (dimsOf(matrix).length !== 2) return c.unsupported(`its input is [${shape.join(', ')}], it must be [rows, features]`)
  return castTo(c, matrix, 'f32')
}

/** x · Wᵀ + b for coefficients `[targets, features]` in attributes. */
function scoresOf(c: OpContext, targets: number): Value {
  const x = rowsOf(c)
  const features = dimsOf(x)[1]!
  const coefficients = c.floats('coefficients') ?? []
  if (coefficients.length !== targets * features)
    return c.unsupported(`${coefficients.length} coefficients are not those of ${targets} targets and ${features} features`)
  const intercepts = c.floats('intercepts') ?? []
  return c.d.linear(
    x,
    c.literal('f32', [targets, features], coefficients),
    intercepts.length === 0 ? undefined : c.literal('f32', [targets], intercepts),
  ) as Value
}

const linearRegressor: OpRule = (c) => transformed(c, scoresOf(c, c.int('targets', 1)), postTransformOf(c))

const linearClassifier: OpRule = (c) => {
  const labels = classLabels(c, 'classlabels_ints')
  const count = (c.floats('intercepts') ?? []).length || labels.length
  const scores = scoresOf(c, count)
  const transform = postTransformOf(c)
  const rows = dimsOf(scores)[0]!
  if (count > 1) return [labelled(c, c.d.argMax(scores, { axis: -1 }) as Value, labels), transformed(c, scores, transform)]
  if (labels.length !== 2 || transform === 'PROBIT') return c.unsupported('one score for other than two classes is not supported')
  // One score for two classes: that of the second, and what is left of 1 for the first.
  const isSecond = c.d.greater(c.d.reshape(scores, [rows]) as Value, 0) as Value
  const second = transform === 'LOGISTIC' ? transformed(c, scores, transform) : scores
  return [
    labelled(c, c.d.cast(isSecond, 'i64') as Value, labels),
    c.d.concat([c.d.sub(1, second) as Value, second], { axis: 1 }) as Value,
  ]
}

/** A list of one number for all features, or one for each. */
function perFeature(c: OpContext, name: string, fallback: number): Value | number {
  const given = c.floats(name) ?? []
  return given.length === 0 ? fallback : given.length === 1 ? given[0]! : c.literal('f32', [given.length], given)
}

const scaler: OpRule = (c) => {
  const x = castTo(c, c.input(0), 'f32')
  const [offset, scale] = [perFeature(c, 'offset', 0), perFeature(c, 'scale', 1)]
  const moved = offset === 0 ? x : (c.d.sub(x, offset) as Value)
  return scale === 1 ? moved : (c.d.mul(moved, scale) as Value)
}

/** A row without size stays as it is. */
const normalizer: OpRule = (c) => {
  const x = castTo(c, c.input(0), 'f32')
  const norm = c.text('norm', 'MAX')
  const options = { axes: -1, keepDims: true }
  const size =
    norm === 'MAX'
      ? c.d.max(x, options)
      : norm === 'L1'
        ? c.d.l1Norm(x, options)
        : norm === 'L2'
          ? c.d.l2Norm(x, options)
          : c.unsupported(`norm '${norm}' is unknown`)
  const divisor = c.d.where(c.d.equal(size as Value, 0) as Value, 1, size as Value) as Value
  return c.d.div(x, divisor)
}

const binarizer: OpRule = (c) => {
  const x = c.input(0)
  return castTo(c, c.d.greater(x, c.float('threshold', 0)) as Value, x.dtype)
}

const imputer: OpRule = (c) => {
  const x = c.input(0)
  const floats = isFloat(x.dtype)
  const values = (floats ? c.floats('imputed_value_floats') : c.ints('imputed_value_int64s')) ?? []
  if (values.length === 0) return c.unsupported('it has no values to fill in')
  const sought = floats ? c.float('replaced_value_float', 0) : c.int('replaced_value_int64', 0)
  const isMissing = Number.isNaN(sought) ? c.d.isNaN(x) : c.d.equal(x, sought)
  return c.d.where(isMissing as Value, values.length === 1 ? values[0]! : c.literal(x.dtype, [values.length], values), x)
}

const featureExtractor: OpRule = (c) => {
  const [x, places] = [c.input(0), c.input(1)]
  const shape = dimsOf(x)
  const count = dimsOf(places).reduce((product, size) => product * size, 1)
  const matrix = shape.length === 1 ? reshaped(c, x, [1, shape[0]!]) : x
  return c.d.gather(matrix, reshaped(c, places, [count]), { axis: dimsOf(matrix).length - 1 })
}

const featureVectorizer: OpRule = (c) => {
  const parts = range(c.inputCount).map((i) => {
    const x = castTo(c, c.input(i), 'f32')
    const [rows, ...rest] = dimsOf(x)
    return rest.length === 1
      ? x
      : reshaped(c, x, [rest.length === 0 ? 1 : rows!, rest.length === 0 ? rows! : rest.reduce((a, b) => a * b, 1)])
  })
  return parts.length === 1 ? parts[0]! : c.d.concat(parts, { axis: 1 })
}

const oneHotEncoder: OpRule = (c) => {
  const categories = c.ints('cats_int64s') ?? []
  if (categories.length === 0) return c.unsupported('its categories are strings', 'number them before the model, in TypeScript')
  const x = castTo(c, c.input(0), 'i64')
  const list = c.literal('i64', [categories.length], categories)
  return c.d.cast(c.d.equal(c.d.unsqueeze(x, { axes: dimsOf(x).length }) as Value, list) as Value, 'f32')
}

/** Keys and values of a table: numbers in lists, or tensors since version 4. */
function tableOf(c: OpContext): { readonly keys: Listed; readonly values: Listed; readonly fallback: number } {
  const read = (kind: 'keys' | 'values'): Listed => {
    const tensor = c.tensor(`${kind}_tensor`)
    if (tensor?.unsupported === undefined && tensor) {
      const elements = elementsOf(tensor.dtype, tensor.read())
      return { dtype: tensor.dtype, list: range(tensor.shape.reduce((a, b) => a * b, 1)).map((i) => elements.get(i)) }
    }
    const [integers, floats] = [c.ints(`${kind}_int64s`), c.floats(`${kind}_floats`)]
    if (integers) return { dtype: 'i64', list: integers }
    if (floats) return { dtype: 'f32', list: floats }
    return c.unsupported(`its ${kind} are strings`, 'number them before the model, in TypeScript')
  }
  const [keys, values] = [read('keys'), read('values')]
  if (keys.list.length !== values.list.length) return c.unsupported(`${keys.list.length} keys have ${values.list.length} values`)
  const tensor = c.tensor('default_tensor')
  const fallback =
    tensor && tensor.unsupported === undefined
      ? elementsOf(tensor.dtype, tensor.read()).get(0)
      : isFloat(values.dtype)
        ? c.float('default_float', 0)
        : c.int('default_int64', -1)
  return { keys, values, fallback }
}

interface Listed {
  readonly dtype: Value['dtype']
  readonly list: readonly number[]
}

/** Each element compared with all keys; a key that comes twice means what it meant first. */
const labelEncoder: OpRule = (c) => {
  const { keys, values, fallback } = tableOf(c)
  const x = castTo(c, c.input(0), keys.dtype)
  const axis = dimsOf(x).length
  const count = keys.list.length
  const wide = c.d.unsqueeze(x, { axes: axis }) as Value
  const list = c.literal(keys.dtype, [count], keys.list)
  const same = c.d.equal(wide, list) as Value
  // NaN is a key as others are.
  const isNaN = isFloat(keys.dtype) && keys.list.some(Number.isNaN)
  const found = isNaN ? (c.d.or(same, c.d.and(c.d.isNaN(wide) as Value, c.d.isNaN(list) as Value) as Value) as Value) : same
  const never = c.d.full('bool', [...dimsOf(x), 1], true) as Value
  const at = c.d.argMax(c.d.cast(c.d.concat([found, never], { axis }) as Value, 'u8') as Value, { axis }) as Value
  return c.d.gather(c.literal(values.dtype, [count + 1], [...values.list, fallback]), at)
}

/** Probabilities of classes, which a map would hold by label, stay columns in the order of the labels. */
const zipMap: OpRule = (c) => {
  const texts = c.node.attributes.get('classlabels_strings')
  const labels = texts?.kind === 'strings' && texts.value.length > 0 ? texts.value : (c.ints('classlabels_int64s') ?? [])
  c.note(`the columns of '${c.node.outputs[0]}' are the classes [${labels.join(', ')}]`)
  return c.input(0)
}

export const classical: OpRules = {
  ArrayFeatureExtractor: featureExtractor,
  Binarizer: binarizer,
  FeatureVectorizer: featureVectorizer,
  Imputer: imputer,
  LabelEncoder: labelEncoder,
  LinearClassifier: linearClassifier,
  LinearRegressor: linearRegressor,
  Normalizer: normalizer,
  OneHotEncoder: oneHotEncoder,
  Scaler: scaler,
  ZipMap: zipMap,
}

import { isFloat, isInteger } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axisIn, castTo, dimsOf, scalarOf } from './shared.ts'

/** Indices may be any integers; u64 has none beyond what i64 holds. */
const indices = (c: OpContext, i: number): Value => {
  const value = c.input(i)
  return value.dtype === 'u64' ? castTo(c, value, 'i64') : value
}

const gather: OpRule = (c) => {
  const [data, at] = [c.input(0), indices(c, 1)]
  const axis = axisIn(c, c.int('axis', 0), dimsOf(data).length)
  if (axis === 0 && dimsOf(data).length === 2 && isFloat(data.dtype) && c.isConstant(0) && !c.isConstant(1))
    return c.d.embedding(at, data)
  return axis === 0 ? c.d.gather(data, at) : c.d.gather(data, at, { axis })
}

const reductions = ['none', 'add', 'mul', 'max', 'min'] as const
function reductionOf(c: OpContext): { reduction?: (typeof reductions)[number] } {
  const given = c.text('reduction', 'none')
  const reduction = reductions.find((name) => name === given) ?? c.unsupported(`reduction '${given}' is unknown`)
  return reduction === 'none' ? {} : { reduction }
}

const scatterElements: OpRule = (c) => {
  const data = c.input(0)
  const axis = axisIn(c, c.int('axis', 0), dimsOf(data).length)
  return c.d.scatterElements(data, indices(c, 1), c.input(2), { axis, ...reductionOf(c) })
}

/** ONNX says two values, off and on, and counts indices modulo nothing: those outside −depth … depth − 1 are off. */
const oneHot: OpRule = (c) => {
  const depth = scalarOf(c, 1) ?? c.unsupported('it has no depth')
  const at = c.input(0)
  const axis = axisIn(c, c.int('axis', -1), dimsOf(at).length + 1)
  const { dtype, shape } = c.typeOf(2)
  if (shape.length !== 1 || shape[0] !== 2) return c.unsupported(`its values must be [2], got [${shape.join(', ')}]`)
  const whole = isInteger(at.dtype) ? (at.dtype === 'u64' ? castTo(c, at, 'i64') : at) : castTo(c, at, 'i64')
  const last = axis === dimsOf(at).length ? {} : { axis }
  const known = c.known(2) && c.numbers(2)!
  if (known && known[0] === 0 && known[1] === 1) return c.d.oneHot(whole, depth, { dtype, ...last }) as Value
  const hot = c.d.oneHot(whole, depth, { dtype: 'bool', ...last }) as Value
  if (known) return c.d.where(hot, c.literal(dtype, [], [known[1]!]), c.literal(dtype, [], [known[0]!]))
  const values = c.input(2)
  const pick = (start: number) => c.d.reshape(c.d.slice(values, { axis: 0, start, stop: start + 1 }) as Value, [])
  return c.d.where(hot, pick(1) as Value, pick(0) as Value)
}

const tensorScatter: OpRule = (c) => {
  const cache = c.input(0)
  const axis = axisIn(c, c.int('axis', -2), dimsOf(cache).length)
  const mode = c.text('mode', 'linear')
  if (mode !== 'linear' && mode !== 'circular') return c.unsupported(`mode '${mode}' is unknown`)
  const start = c.has(2) ? indices(c, 2) : 0
  return c.d.updateSlice(cache, c.input(1), start as never, { axis, ...(mode === 'circular' && { mode }) })
}

const topK: OpRule = (c) => {
  const x = c.input(0)
  const k = (c.opset < 10 ? c.int('k') : scalarOf(c, 1)) ?? c.unsupported('it has no k')
  const axis = axisIn(c, c.int('axis', -1), dimsOf(x).length)
  const { values, indices } = c.d.topK(x, k, { axis, ...(c.int('largest', 1) === 0 && { largest: false }) })
  return [values as Value, indices as Value]
}

const argument =
  (name: 'argMax' | 'argMin'): OpRule =>
  (c) => {
    const x = c.input(0)
    const options = {
      axis: axisIn(c, c.int('axis', 0), dimsOf(x).length),
      ...(c.int('keepdims', 1) !== 0 && { keepDims: true }),
      ...(c.int('select_last_index', 0) !== 0 && { last: true }),
    }
    return name === 'argMax' ? c.d.argMax(x, options) : c.d.argMin(x, options)
  }

const running =
  (name: 'cumSum' | 'cumProd'): OpRule =>
  (c) => {
    const x = c.input(0)
    const options = {
      axis: axisIn(c, scalarOf(c, 1) ?? c.unsupported('it has no axis'), dimsOf(x).length),
      ...(c.int('exclusive', 0) !== 0 && { exclusive: true }),
      ...(c.int('reverse', 0) !== 0 && { reverse: true }),
    }
    return name === 'cumSum' ? c.d.cumSum(x, options) : c.d.cumProd(x, options)
  }

/** Index vectors without entries name the whole tensor. */
const gatherNd: OpRule = (c) => {
  const [data, at] = [c.input(0), indices(c, 1)]
  const batchDims = c.int('batch_dims', 0)
  return batchDims === 0 ? c.d.gatherNd(data, at) : c.d.gatherNd(data, at, { batchDims })
}

export const indexing: OpRules = {
  Gather: gather,
  GatherElements: (c) =>
    c.d.gatherElements(c.input(0), indices(c, 1), { axis: axisIn(c, c.int('axis', 0), dimsOf(c.input(0)).length) }),
  GatherND: gatherNd,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: (c) => c.d.scatterNd(c.input(0), indices(c, 1), c.input(2), reductionOf(c)),
  TensorScatter: tensorScatter,
  OneHot: oneHot,
  TopK: topK,
  ArgMax: argument('argMax'),
  ArgMin: argument('argMin'),
  CumSum: running('cumSum'),
  CumProd: running('cumProd'),
}

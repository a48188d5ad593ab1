import { elementCount } from '../../../../compiler/graph/index.ts'
import { type ExportContext, type ExportRule, type ExportRules, float, type Ref } from '../context.ts'
import { both } from './elementwise.ts'

/** A matrix times a matrix is `Gemm`, which takes the weight as it lies. */
const linear: ExportRule<'linear'> = ({ input, weight, bias }, _, c) => {
  if (input.type.shape.length === 2) return c.emit('Gemm', [input, weight, bias], c.type, { transB: 1 })
  const [out, inner] = weight.type.shape as [number, number]
  const turned = c.emit('Transpose', [weight], { ...weight.type, shape: [inner, out] }, { perm: [1, 0] })
  const product = c.emit('MatMul', [input, turned], c.type)
  return bias ? c.emit('Add', [product, bias], c.type) : product
}

/** The scale is no option in ONNX. */
const scaleOf = (input: Ref, scale: Ref | undefined, shape: readonly number[], c: ExportContext): Ref =>
  scale ?? c.constant(input.type.dtype, shape, new Array<number>(elementCount(shape)).fill(1))
const zerosOf = (input: Ref, shape: readonly number[], c: ExportContext): Ref =>
  c.constant(input.type.dtype, shape, new Array<number>(elementCount(shape)).fill(0))

/** Statistics are f32 in ONNX, so that f64 is left to simpler ops; an epsilon is f32 too. */
const layerNorm: ExportRule<'layerNorm'> = ({ input, scale, shift }, { dims, epsilon }, c) => {
  if (input.type.dtype === 'f64') return undefined
  const scales = scaleOf(input, scale, input.type.shape.slice(-dims), c)
  return c.emit('LayerNormalization', [input, scales, shift], c.type, { axis: -dims, epsilon: float(epsilon) })
}

const rmsNorm: ExportRule<'rmsNorm'> = ({ input, scale }, { dims, epsilon }, c) => {
  if (input.type.dtype === 'f64') return undefined
  const scales = scaleOf(input, scale, input.type.shape.slice(-dims), c)
  return c.emit('RMSNormalization', [input, scales], c.type, { axis: -dims, epsilon: float(epsilon) })
}

const groupNorm: ExportRule<'groupNorm'> = ({ input, scale, shift }, { groups, epsilon }, c) => {
  if (input.type.dtype === 'f64') return undefined
  const channels = [input.type.shape[1]!]
  const parameters = [scaleOf(input, scale, channels, c), shift ?? zerosOf(input, channels, c)]
  return c.emit('GroupNormalization', [input, ...parameters], c.type, { num_groups: groups, epsilon: float(epsilon) })
}

/**
 * Attention of ONNX lets no query see more keys than stand before it and in the cache, and gives zeros to a query that sees nothing; what
 * is otherwise is said in simpler ops. Its softmax is computed in the type of the operands.
 */
const attention: ExportRule<'attention'> = ({ query, key, value, mask }, { scale, causal, past, softcap, hidden, blind }, c) => {
  if (query.type.dtype !== 'f32' || (causal && past > 0) || (mask && (blind === 'nan' || hidden !== Number.NEGATIVE_INFINITY)))
    return undefined
  return c.emit('Attention', [query, key, value, mask], c.type, {
    scale: float(scale),
    ...(causal && { is_causal: 1 }),
    ...(softcap > 0 && { softcap: float(softcap) }),
  })
}

/**
 * ONNX turns heads, before the length or behind it, by tables for each batch and length; what is otherwise is said in simpler ops. Fewer
 * dimensions are one batch.
 */
const rotaryEmbedding: ExportRule<'rotaryEmbedding'> = ({ input, cos, sin }, { interleaved }, c) => {
  const { dtype, shape } = input.type
  if (dtype === 'f64' || shape.length > 4) return undefined
  const ones = (given: readonly number[]) => [...new Array<number>(4 - given.length).fill(1), ...given]
  const [batch, outer, middle, size] = ones(shape) as [number, number, number, number]
  const [first, before, behind, pairs] = ones(cos.type.shape) as [number, number, number, number]
  const flat = middle > 1 && behind === 1
  const [length, heads] = flat ? [outer, middle] : [middle, outer]
  const fits = first === batch && (flat ? before === outer : (before === 1 || outer === 1) && behind === middle)
  if (!fits) return undefined
  const reshaped = (ref: Ref, to: readonly number[]) =>
    ref.type.shape.length === to.length && ref.type.shape.every((extent, i) => extent === to[i])
      ? ref
      : c.emit('Reshape', [ref, c.constant('i64', [to.length], to)], { dtype, shape: to })
  const apart = flat ? [batch, length, heads * size] : [batch, heads, length, size]
  const [cosines, sines] = [cos, sin].map((table) => reshaped(table, [batch, length, pairs])) as [Ref, Ref]
  const turned = c.emit(
    'RotaryEmbedding',
    [reshaped(input, apart), cosines, sines],
    { dtype, shape: apart },
    {
      ...(interleaved && { interleaved: 1 }),
      ...(flat && { num_heads: heads }),
      ...(2 * pairs < size && { rotary_embedding_dim: 2 * pairs, num_heads: heads }),
    },
  )
  return reshaped(turned, shape)
}

const batchNorm: ExportRule<'batchNorm'> = ({ input, scale, shift, mean, variance }, { epsilon }, c) =>
  input.type.dtype === 'f64'
    ? undefined
    : c.emit('BatchNormalization', [input, scale, shift, mean, variance], c.type, { epsilon: float(epsilon) })

export const productRules = {
  matmul: both('MatMul'),
  linear,
  layerNorm,
  rmsNorm,
  groupNorm,
  batchNorm,
  attention,
  rotaryEmbedding,
} satisfies Partial<ExportRules>

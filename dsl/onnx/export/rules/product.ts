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
} satisfies Partial<ExportRules>

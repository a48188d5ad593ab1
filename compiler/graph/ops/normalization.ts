import { z } from 'zod'
import { composite } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, sameShape, type TensorType } from '../type.ts'
import { epsilon, floats, one, optional, positive, requireSameDType, sameAs } from './shared.ts'

function requireParameter(
  input: TensorType,
  parameter: TensorType | undefined,
  shape: readonly number[],
  op: string,
  name: string,
): void {
  if (!parameter) return
  requireSameDType(input, parameter, op, ['input', name])
  if (!sameShape(parameter.shape, shape))
    reject('shape-mismatch', `${op}: ${name} must be [${shape.join(', ')}], got ${printType(parameter)}`)
}

function requireChannels(input: TensorType, op: string): number {
  if (input.shape.length < 2) reject('rank-mismatch', `${op}: input must be [batch, channels, …], got ${printType(input)}`)
  return input.shape[1]!
}

/** (x − mean) / √(variance + epsilon) · scale + shift for each channel (ONNX BatchNormalization 15, inference). */
export const batchNorm = composite({
  name: 'batchNorm',
  summary: 'Each channel scaled and shifted by recorded statistics',
  operands: {
    input: one('[batch, channels, …]', floats),
    scale: one('[channels]', floats),
    shift: one('[channels]', floats),
    mean: one('[channels]', floats),
    variance: one('[channels]', floats),
  },
  attributes: z.strictObject({ epsilon: epsilon.default(1e-5) }),
  traits: ['pure'],
  infer: ({ input, scale, shift, mean, variance }) => {
    const channels = requireChannels(input, 'batchNorm')
    for (const [name, type] of Object.entries({ scale, shift, mean, variance }))
      requireParameter(input, type, [channels], 'batchNorm', name)
    return sameAs(input)
  },
})

/** Statistics over the last `dims` dimensions (ONNX LayerNormalization 17). */
export const layerNorm = composite({
  name: 'layerNorm',
  summary: 'The last dimensions brought to mean 0 and variance 1, then scaled and shifted',
  operands: {
    input: one('any shape of at least `dims` dimensions', floats),
    scale: optional('the last `dims` dimensions', floats),
    shift: optional('the last `dims` dimensions', floats),
  },
  attributes: z.strictObject({ dims: positive.default(1), epsilon: epsilon.default(1e-5) }),
  traits: ['pure', 'anchor'],
  infer: ({ input, scale, shift }, { dims }) => inferTrailing(input, { scale, shift }, dims, 'layerNorm'),
})

/** x / √(mean(x²) + epsilon) · scale over the last `dims` dimensions (ONNX RMSNormalization 23). */
export const rmsNorm = composite({
  name: 'rmsNorm',
  summary: 'The last dimensions divided by their root mean square, then scaled',
  operands: {
    input: one('any shape of at least `dims` dimensions', floats),
    scale: optional('the last `dims` dimensions', floats),
  },
  attributes: z.strictObject({ dims: positive.default(1), epsilon: epsilon.default(1e-5) }),
  traits: ['pure', 'anchor'],
  infer: ({ input, scale }, { dims }) => inferTrailing(input, { scale }, dims, 'rmsNorm'),
})

function inferTrailing(
  input: TensorType,
  parameters: Record<string, TensorType | undefined>,
  dims: number,
  op: string,
): TensorType {
  if (input.shape.length < dims)
    reject('rank-mismatch', `${op}: normalising ${dims} dimensions needs as many, got ${printType(input)}`)
  for (const [name, type] of Object.entries(parameters))
    requireParameter(input, type, input.shape.slice(input.shape.length - dims), op, name)
  return sameAs(input)
}

/** Statistics over the channels of each group and all spatial dimensions (ONNX GroupNormalization 21). */
export const groupNorm = composite({
  name: 'groupNorm',
  summary: 'Groups of channels brought to mean 0 and variance 1, then scaled and shifted for each channel',
  operands: {
    input: one('[batch, channels, …]', floats),
    scale: optional('[channels]', floats),
    shift: optional('[channels]', floats),
  },
  attributes: z.strictObject({ groups: positive, epsilon: epsilon.default(1e-5) }),
  traits: ['pure'],
  infer: ({ input, scale, shift }, { groups }) => {
    const channels = requireChannels(input, 'groupNorm')
    if (channels % groups !== 0) reject('shape-mismatch', `groupNorm: ${channels} channels do not divide into ${groups} groups`)
    requireParameter(input, scale, [channels], 'groupNorm', 'scale')
    requireParameter(input, shift, [channels], 'groupNorm', 'shift')
    return sameAs(input)
  },
})

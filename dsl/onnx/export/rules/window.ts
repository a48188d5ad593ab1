import type { ExportContext, ExportRule, ExportRules, GivenAttributes } from '../context.ts'

interface Window {
  readonly stride: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly dilation: readonly number[]
}

const windowOf = ({ stride, before, after, dilation }: Window, kernel: readonly number[]): GivenAttributes => ({
  kernel_shape: kernel,
  strides: stride,
  pads: [...before, ...after],
  ...(dilation.some((d) => d !== 1) && { dilations: dilation }),
})

/** What all convolutions have, integer ones included. */
export const convolutionOf = (attributes: Window & { readonly groups: number }, weight: readonly number[]): GivenAttributes => ({
  ...windowOf(attributes, weight.slice(2)),
  group: attributes.groups,
})

const conv: ExportRule<'conv'> = ({ input, weight, bias }, attributes, c) =>
  c.emit('Conv', [input, weight, bias], c.type, convolutionOf(attributes, weight.type.shape))

/** ONNX adds less behind the result than lies between two of its elements. */
const convTranspose: ExportRule<'convTranspose'> = ({ input, weight, bias }, attributes, c) => {
  const { stride, dilation, extra } = attributes
  if (extra.some((count, i) => count >= Math.max(stride[i]!, dilation[i]!))) return undefined
  return c.emit('ConvTranspose', [input, weight, bias], c.type, {
    ...convolutionOf(attributes, weight.type.shape),
    output_padding: extra,
  })
}

/** Pools got dilations late. */
const requireDilation = ({ dilation }: Window, since: number, c: ExportContext): void => {
  if (c.opset < since && dilation.some((d) => d !== 1))
    c.inexpressible(`ONNX opset ${c.opset} has no such pool with dilations`, `use opset ${since}`)
}

const avgPool: ExportRule<'avgPool'> = ({ input }, attributes, c) => {
  requireDilation(attributes, 19, c)
  return c.emit('AveragePool', [input], c.type, {
    ...windowOf(attributes, attributes.window),
    count_include_pad: Number(attributes.countPadding),
  })
}

const lpPool: ExportRule<'lpPool'> = ({ input }, attributes, c) => {
  requireDilation(attributes, 18, c)
  return c.emit('LpPool', [input], c.type, { ...windowOf(attributes, attributes.window), p: attributes.p })
}

export const windowRules = {
  conv,
  convTranspose,
  blockedConv: () => undefined,
  blockedConvInteger: () => undefined,
  maxPool: ({ input }, attributes, c) => c.emit('MaxPool', [input], c.type, windowOf(attributes, attributes.window)),
  avgPool,
  lpPool,
  adaptiveAvgPool: ({ input }, { size }, c) =>
    size.every((cells) => cells === 1) ? c.emit('GlobalAveragePool', [input], c.type) : undefined,
  adaptiveMaxPool: () => undefined,
} satisfies Partial<ExportRules>

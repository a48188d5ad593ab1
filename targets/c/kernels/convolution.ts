import { directConvolution } from './direct.ts'
import { convolutionOf, type Method } from './method.ts'
import { planarConvolution } from './planar.ts'
import { pointwiseConvolution } from './pointwise.ts'
import { scalarConvolution } from './scalarWindow.ts'
import type { AnchoredKernel, Template } from './template.ts'
import { isPadded } from './windowed.ts'

/**
 * Which method fits: a matrix product where the window is one element; planes of one channel where there is nothing to sum over channels
 * and few results per plane; else tiles of pixels × channels. Other dtypes than f32 take plain loops.
 */
function methodOf(kernel: AnchoredKernel): Method {
  const convolution = convolutionOf(kernel)
  if (kernel.anchor.type.dtype !== 'f32') return scalarConvolution
  const single = [...convolution.window, ...convolution.stride].every((size) => size === 1)
  if (single && !isPadded(convolution)) return pointwiseConvolution
  if (convolution.inputs === 1 && convolution.outputs <= 4) return planarConvolution
  return directConvolution
}

export const conv: Template = {
  kind: 'template',
  tiled: true,
  body: (kernel, level) => methodOf(kernel).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel).scratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel).pack?.(kernel, index, level),
  fuses: (kernel, level) => methodOf(kernel).fuses?.(kernel, level) ?? true,
}

import { type Level, lanesOf } from '../level.ts'
import { directConvolution } from './direct.ts'
import { convolutionOf, type Method } from './method.ts'
import { planarConvolution } from './planar.ts'
import { pointwiseConvolution } from './pointwise.ts'
import { scalarConvolution } from './scalarWindow.ts'
import { fillsVectors, spreadConvolution } from './spread.ts'
import type { AnchoredKernel, Template } from './template.ts'
import { isPadded } from './windowed.ts'

/**
 * Which method fits: a matrix product where the window is one element; planes of one channel where there is nothing to sum over channels
 * and few results per plane; else tiles of pixels × channels, with pixels along the vectors where those are wide. Other dtypes than f32 take plain loops.
 */
function methodOf(kernel: AnchoredKernel, level: Level): Method {
  const convolution = convolutionOf(kernel)
  // Without input channels there is nothing to sum, and no plane to lie in scratch.
  if (kernel.anchor.type.dtype !== 'f32' || convolution.inputs === 0) return scalarConvolution
  const single = [...convolution.window, ...convolution.stride].every((size) => size === 1)
  if (single && !isPadded(convolution)) return pointwiseConvolution
  if (convolution.inputs === 1 && convolution.outputs <= 4) return planarConvolution
  return lanesOf(level) > 4 && fillsVectors(convolution, level) ? spreadConvolution : directConvolution
}

export const conv: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel, level).pack?.(kernel, index, level),
  fuses: (kernel, level) => methodOf(kernel, level).fuses?.(kernel, level) ?? true,
}

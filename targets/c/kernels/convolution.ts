import { elementCount } from '../../../compiler/graph/type.ts'
import { type Candidate, choose, remembered, workNanoseconds } from '../choice.ts'
import { type Level, lanesOf } from '../level.ts'
import { directConvolution } from './direct.ts'
import { convolutionOf, type Method } from './method.ts'
import { isOnePixel, onePixelConvolution } from './onePixel.ts'
import { planarConvolution } from './planar.ts'
import { pointwiseConvolution } from './pointwise.ts'
import { scalarConvolution } from './scalarWindow.ts'
import { fillsVectors, spreadConvolution } from './spread.ts'
import type { AnchoredKernel, Template } from './template.ts'
import { isPadded, volume } from './windowed.ts'

/** The part of the peak that the method which fits best was measured to reach, about, and that others do. */
const fitting = 0.5
const others = 0.3

/**
 * The methods of a kernel, that which fits best first: a matrix product where the window is one element, with packed weights where the image
 * is too; planes of one channel where there is nothing to sum over channels and few results per plane; else tiles of pixels × channels, with
 * pixels along the vectors where those are wide. Other dtypes than f32 take plain loops.
 */
export function methodsOf(kernel: AnchoredKernel, level: Level): readonly Candidate<Method>[] {
  const convolution = convolutionOf(kernel)
  const { inputs, outputs, window, stride } = convolution
  const adds = elementCount(kernel.anchor.type.shape) * inputs * volume(window)
  const inOrder = (...methods: readonly (readonly [name: string, value: Method])[]): readonly Candidate<Method>[] =>
    methods.map(([name, value], i) => ({ name, nanoseconds: workNanoseconds(adds, level, i === 0 ? fitting : others), value }))
  // Without input channels there is nothing to sum, and no plane to lie in scratch.
  if (kernel.anchor.type.dtype !== 'f32' || inputs === 0) return inOrder(['scalar', scalarConvolution])
  if ([...window, ...stride].every((size) => size === 1) && !isPadded(convolution))
    return inOrder(isOnePixel(kernel, convolution) ? ['one pixel', onePixelConvolution] : ['pointwise', pointwiseConvolution])
  const [direct, spread] = [['direct', directConvolution] as const, ['spread', spreadConvolution] as const]
  const tiles = lanesOf(level) > 4 && fillsVectors(convolution, level) ? [spread, direct] : [direct, spread]
  return inputs === 1 && outputs <= 4 ? inOrder(['planar', planarConvolution], ...tiles) : inOrder(...tiles)
}

const methodOf = remembered((kernel, level) => choose(kernel, level, methodsOf(kernel as AnchoredKernel, level)))

export const conv: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  ways: methodsOf,
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel, level).pack?.(kernel, index, level),
  // Weights that are read once, from memory, cost as many bytes as they have.
  stores: (kernel, index, as, level) =>
    index === 1 && methodOf(kernel, level) === onePixelConvolution && (as === 'bf16' || level.loadHalves !== undefined),
  fuses: (kernel, level) => methodOf(kernel, level).fuses?.(kernel, level) ?? true,
}

import { z } from 'zod'
import { primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { printType, type TensorType } from '../type.ts'
import { floats, indices, one, positive, requireSameDType } from './shared.ts'

/** Samples of a cell along an axis at most; more say no more. */
export const maximumSamples = 256

/**
 * Regions are `[left, top, right, bottom]`, times `scale` elements of the image that `images` names; a grid of `size` cells lies over each.
 *
 * `mean` and `max` look at `samples` places of each cell along each axis, 0: as many as the cell has elements, rounded up. A sample is
 * interpolated from the four elements around it, 0 where it lies more than one element outside; `max` takes the largest share of an element
 * in any of them. `aligned` takes half an element off the corners, without it regions are at least one element large (ONNX RoiAlign 16).
 * `cells` takes the largest of all elements that a cell covers, of regions rounded to whole elements; 0 where it covers none (MaxRoiPool 1).
 */
export const regionPool = primitive({
  name: 'regionPool',
  summary: 'Cells of grids laid over regions of images, each pooled into one element',
  operands: {
    input: one('[batch, channels, height, width]', floats),
    regions: one('[regions, 4]', floats),
    images: one('[regions]', indices),
  },
  attributes: z.strictObject({
    size: z.array(positive).length(2),
    mode: z.enum(['mean', 'max', 'cells']).default('mean'),
    scale: z.number().positive().default(1),
    samples: z.int().min(0).max(maximumSamples).default(0),
    aligned: z.boolean().default(true),
  }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ input, regions, images }, { size }): TensorType => {
    if (input.shape.length !== 4)
      reject('rank-mismatch', `regionPool: input must be [batch, channels, height, width], got ${printType(input)}`)
    requireSameDType(input, regions, 'regionPool', ['input', 'regions'])
    if (regions.shape.length !== 2 || regions.shape[1] !== 4)
      reject('shape-mismatch', `regionPool: regions must be [regions, 4], got ${printType(regions)}`)
    if (images.shape.length !== 1 || images.shape[0] !== regions.shape[0])
      reject('shape-mismatch', `regionPool: images must be [${regions.shape[0]}], got ${printType(images)}`)
    if (input.shape.slice(2).includes(0)) reject('shape-mismatch', `regionPool: ${printType(input)} has no spatial elements`)
    return { dtype: input.dtype, shape: [regions.shape[0]!, input.shape[1]!, ...size] }
  },
  fault: ({ input }) => `an image is named that ${printType(input)} has not; it may be 0 to ${input.shape[0]! - 1}`,
})

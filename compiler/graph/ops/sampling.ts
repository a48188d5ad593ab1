import { z } from 'zod'
import { composite } from '../definition.ts'
import { isFloat } from '../dtype.ts'
import { reject } from '../problem.ts'
import { printType, type TensorType } from '../type.ts'
import { floats, one, values } from './shared.ts'

/** What the coordinates −1 and 1 are: the outer edges of the first and last element, their centres, or nothing, as elements are counted. */
export const gridCoordinates = ['edges', 'corners', 'elements'] as const
export const gridPaddings = ['zeros', 'border', 'reflection'] as const

/**
 * Each vector of the grid names a place in the spatial dimensions of its sample, the last dimension first (ONNX GridSample 20). Outside of
 * the input is nothing, its border, or its mirror image: at the edges of the elements where coordinates are of edges, else at their centres.
 * Places outside are brought to the border before the elements around them are looked for, but for `cubic`, whose elements are brought there
 * (onnxruntime and PyTorch).
 */
export const gridSample = composite({
  name: 'gridSample',
  summary: 'Elements of images at places that a grid names, interpolated',
  operands: { input: one('[batch, channels, …spatial]', values), grid: one('[batch, …places, spatial dimensions]', floats) },
  attributes: z.strictObject({
    mode: z.enum(['nearest', 'linear', 'cubic']).default('linear'),
    padding: z.enum(gridPaddings).default('zeros'),
    coordinates: z.enum(gridCoordinates).default('edges'),
  }),
  traits: ['pure', 'anchor'],
  infer: ({ input, grid }, { mode }): TensorType => {
    const axes = input.shape.length - 2
    if (axes < 1 || axes > 3)
      reject('rank-mismatch', `gridSample: input must be [batch, channels, …1 to 3 spatial dimensions], got ${printType(input)}`)
    const places = grid.shape.slice(1, -1)
    if (grid.shape.length < 2 || grid.shape[0] !== input.shape[0] || grid.shape.at(-1) !== axes)
      reject(
        'shape-mismatch',
        `gridSample: grid must be [${input.shape[0]}, …places, ${axes}] for ${printType(input)}, got ${printType(grid)}`,
      )
    if (input.shape.slice(2).includes(0)) reject('shape-mismatch', `gridSample: ${printType(input)} has no spatial elements`)
    if (mode !== 'nearest' && !isFloat(input.dtype))
      reject('dtype-mismatch', `gridSample: mode '${mode}' needs floats, got ${printType(input)}; convert it with cast()`)
    return { dtype: input.dtype, shape: [input.shape[0]!, input.shape[1]!, ...places] }
  },
})

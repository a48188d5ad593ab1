import { reject } from '../compiler/graph/index.ts'
import { readBoolean, readChoice, readInteger, readNumber, readOptions, readPerAxis } from './check.ts'
import { cast } from './elementwise.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'
import { type PerAxis, type Side, spatialExtents } from './window.ts'

type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'
type Open1<N> = number extends N ? any : N
type Pooled<X, R, Z> = [Open1<Side<Z, 0>>, Open1<Side<Z, 1>>] extends [infer H, infer W]
  ? R extends readonly [infer N, any]
    ? X extends readonly [any, infer C, any, any]
      ? [N, C, H, W]
      : [N, any, H, W]
    : [any, any, H, W]
  : never

export interface RoiAlignOptions {
  /** Elements of the image for each unit of the regions, such as 1/16. Default 1. */
  readonly scale?: number
  /** Samples of a cell along each axis, up to 256; 0: as many as the cell has elements, rounded up. Default 0. */
  readonly samples?: number
  /** Whether a cell is the mean of its samples, or the largest share that an element has in one. Default 'mean'. */
  readonly mode?: 'mean' | 'max'
  /** Whether half an element is taken off the corners, so that elements have their centres at whole coordinates. Default true. */
  readonly aligned?: boolean
}

function readRegions(
  op: string,
  input: unknown,
  size: unknown,
  scale: unknown,
): { readonly size: number[]; readonly scale: number } {
  spatialExtents(op, 2, input, 'input')
  const factor = readNumber(op, 'scale', scale, 1)
  if (!(factor > 0 && factor < Number.POSITIVE_INFINITY))
    reject('bad-attribute', `${op}: scale must be above 0 and finite, got ${factor}`)
  return { size: readPerAxis(op, 'size', size, 2, 1), scale: factor }
}

/** Regions in the element type of the image. */
function regionsAs(op: string, input: unknown, regions: unknown): unknown {
  const [image, own] = [nodeOf(input, op, 'input').type, nodeOf(regions, op, 'regions').type]
  return image.dtype === own.dtype ? regions : cast(regions as Tensor, image.dtype)
}

/**
 * Grids laid over regions of images, each cell the mean of interpolated samples.
 *
 * ONNX RoiAlign 16, torchvision.ops.roi_align. Samples more than one element outside of the image are zero; an image that is not there is
 * an error of the request that brings it.
 * @param input `[batch, channels, height, width]`, float
 * @param regions `[regions, 4]`: left, top, right and bottom, float
 * @param images `[regions]`, integers: the image that each region is of
 * @param size rows and columns of the result, or one number for both
 * @param options `scale`, default 1; `samples`, default 0; `mode`, default 'mean'; `aligned`, default true
 */
export function roiAlign<X extends Tensor, R extends Tensor, const Z extends PerAxis<2>>(
  input: Guard<FloatProblem<'roiAlign', X>, X>,
  regions: Guard<FloatProblem<'roiAlign', R>, R>,
  images: Tensor<Index>,
  size: Z,
  options?: RoiAlignOptions,
): Tensor<X['dtype'], Pooled<X['shape'], R['shape'], Z>> {
  const op = 'roiAlign'
  const given = readOptions(op, options, ['scale', 'samples', 'mode', 'aligned'])
  const attributes = {
    ...readRegions(op, input, size, given.scale),
    samples: readInteger(op, 'samples', given.samples ?? 0, 0),
    mode: readChoice(op, 'mode', given.mode, ['mean', 'max'], 'mean'),
    aligned: readBoolean(op, 'aligned', given.aligned, true),
  }
  return call('regionPool', { input, regions: regionsAs(op, input, regions), images }, attributes, op)
}

/**
 * Grids laid over regions of images, each cell the largest of the elements that it covers.
 *
 * Corners are rounded to whole elements, both of which belong to the region, and cells outwards; a cell without elements is zero (ONNX
 * MaxRoiPool 1). An image that is not there is an error of the request that brings it.
 * @param input `[batch, channels, height, width]`, float
 * @param regions `[regions, 4]`: left, top, right and bottom, float
 * @param images `[regions]`, integers: the image that each region is of
 * @param size rows and columns of the result, or one number for both
 * @param options `scale`, elements of the image for each unit of the regions, default 1
 */
export function maxRoiPool<X extends Tensor, R extends Tensor, const Z extends PerAxis<2>>(
  input: Guard<FloatProblem<'maxRoiPool', X>, X>,
  regions: Guard<FloatProblem<'maxRoiPool', R>, R>,
  images: Tensor<Index>,
  size: Z,
  options?: Pick<RoiAlignOptions, 'scale'>,
): Tensor<X['dtype'], Pooled<X['shape'], R['shape'], Z>> {
  const op = 'maxRoiPool'
  const { scale } = readOptions(op, options, ['scale'])
  const attributes = { ...readRegions(op, input, size, scale), mode: 'cells' }
  return call('regionPool', { input, regions: regionsAs(op, input, regions), images }, attributes, op)
}

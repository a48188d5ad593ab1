import { elementCount, isFloat, printType, reject } from '../compiler/graph/index.ts'
import { readChoice, readInteger, readIntegers, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { add, cast, mul } from './elementwise.ts'
import { stack } from './join.ts'
import { slice } from './parts.ts'
import { matmul } from './product.ts'
import { reshape } from './reshape.ts'
import type { Open, Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { Conv2dShape } from './types/convolution.ts'
import type { FloatProblem, Guard, NoOptions } from './types/shape.ts'
import { type ConvOptions, type RankProblem, readWindow, spatialExtents } from './window.ts'

type Any = Tensor<any, any>

export interface GridSampleOptions {
  /** What an element of the result is made of: the nearest element, those on either side, or four along each axis. Default 'linear'. */
  readonly mode?: 'nearest' | 'linear' | 'cubic'
  /** What lies outside of the input: zeros, its border again, or its mirror image. Default 'zeros'. */
  readonly padding?: 'zeros' | 'border' | 'reflection'
  /**
   * What −1 and 1 are: the outer edges of the first and last element (default), their centres, which is align_corners of ONNX and PyTorch, or,
   * with 'elements', no more than any number: 0 is the centre of the first element, 1 that of the second.
   */
  readonly coordinates?: 'edges' | 'corners' | 'elements'
}

type Sampled<X, G> = X extends readonly [infer N, infer C, ...any[]]
  ? G extends readonly [any, ...infer P, any]
    ? [N, C, ...P]
    : any
  : any
/**
 * Elements of images at places that a grid names, interpolated.
 *
 * The last dimension of grid is a place: x, then y, then z, each from −1 to 1 across the input (ONNX GridSample 20,
 * torch.nn.functional.grid_sample).
 * @param input `[batch, channels, …]` with one to three spatial dimensions, float; any element type for mode 'nearest'
 * @param grid `[batch, …places, spatial dimensions]`, float
 * @param options `mode`, default 'linear'; `padding`, default 'zeros'; `coordinates`, default 'edges'
 */
export function gridSample<X extends Tensor, G extends Tensor>(
  input: X,
  grid: Guard<FloatProblem<'gridSample', G>, G>,
  options?: GridSampleOptions,
): Tensor<X['dtype'], Sampled<X['shape'], G['shape']>> {
  const op = 'gridSample'
  const given = readOptions(op, options, ['mode', 'padding', 'coordinates'])
  return call(
    op,
    { input, grid },
    {
      mode: readChoice(op, 'mode', given.mode, ['nearest', 'linear', 'cubic'], 'linear'),
      padding: readChoice(op, 'padding', given.padding, ['zeros', 'border', 'reflection'], 'zeros'),
      coordinates: readChoice(op, 'coordinates', given.coordinates, ['edges', 'corners', 'elements'], 'edges'),
    },
  )
}

type Grid<X, Z> = Z extends readonly unknown[]
  ? Open<Z> extends infer P extends readonly unknown[]
    ? X extends readonly [infer N, any, any]
      ? [N, ...P, P['length']]
      : [any, ...P, any]
    : any
  : any
/**
 * Places for gridSample: every element of an image of that size, moved by an affine map.
 *
 * Entry d of a place is Σ theta[d, i] · place[i] + theta[d, last], where the places of the result are x, y, z from −1 to 1 (ONNX AffineGrid
 * 20, torch.nn.functional.affine_grid).
 * @param theta `[batch, 2, 3]`, or `[batch, 3, 4]` for three dimensions, float
 * @param size `[height, width]`, or `[depth, height, width]`
 * @param options `coordinates`, as for gridSample: 'edges' (default) or 'corners'
 */
export function affineGrid<X extends Tensor, Z extends number[]>(
  theta: Guard<FloatProblem<'affineGrid', X>, X>,
  size: readonly [...Z],
  options?: { readonly coordinates?: 'edges' | 'corners' },
): Tensor<X['dtype'], Grid<X['shape'], Z>> {
  const op = 'affineGrid'
  const { coordinates } = readOptions(op, options, ['coordinates'])
  const corners = readChoice(op, 'coordinates', coordinates, ['edges', 'corners'], 'edges') === 'corners'
  const { dtype, shape } = nodeOf(theta, op, 'theta').type
  const extents = readIntegers(op, 'size', size, 1)
  const axes = extents.length
  if (!isFloat(dtype)) reject('dtype-mismatch', `${op}: theta is ${dtype}; convert it with cast()`)
  if (axes < 2 || axes > 3)
    reject('bad-attribute', `${op}: size must be [height, width] or [depth, height, width], got ${axes} entries`)
  const [batch, rows, columns] = shape
  if (shape.length !== 3 || rows !== axes || columns !== axes + 1)
    reject(
      'shape-mismatch',
      `${op}: theta must be [batch, ${axes}, ${axes + 1}] for ${axes} dimensions, got [${shape.join(', ')}]`,
    )
  const wide = dtype === 'f64' ? 'f64' : 'f32'
  const map = cast(theta as Any, wide) as Any
  const column = (i: number): Any =>
    reshape(slice(map, { axis: 2, start: i, stop: i + 1 }) as Any, [batch!, ...extents.map(() => 1), axes]) as Any
  let grid = column(axes)
  for (const [axis, extent] of extents.entries()) {
    const places = Array.from({ length: extent }, (_, i) =>
      corners ? (extent === 1 ? -1 : (2 * i) / (extent - 1) - 1) : (2 * i + 1) / extent - 1,
    )
    const line = constant(wide, [extent, ...extents.slice(axis + 1).map(() => 1), 1], places) as Any
    grid = add(grid, mul(column(axes - 1 - axis), line) as Any) as Any
  }
  return cast(grid, dtype) as never
}

export interface DeformConvOptions extends ConvOptions<2> {
  /** `[batch, offset groups · kernel elements, out height, out width]`: what each element under the kernel is multiplied by. Default 1. */
  readonly mask?: Tensor
  /** Parts of the channels that have offsets of their own. Default 1. */
  readonly offsetGroups?: number
}
/**
 * Convolution over two spatial dimensions whose kernel elements look at places of their own.
 *
 * Each element under the kernel is read, linearly interpolated, at its usual place plus an offset in rows and one in columns; outside
 * of the input are zeros (ONNX DeformConv 22, torchvision.ops.deform_conv2d).
 * @param input `[batch, in, height, width]`, float
 * @param weight `[out, in / groups, kernel height, kernel width]`, the same element type
 * @param offset `[batch, 2 · offset groups · kernel elements, out height, out width]`, the same element type: for each kernel element its row offset, then its column offset
 * @param bias `[out]`; default none
 * @param options stride, padding, dilation, groups, `offsetGroups`, default 1, and `mask`
 */
export function deformConv2d<X extends Tensor, W extends Tensor, const O extends DeformConvOptions = NoOptions>(
  input: Guard<RankProblem<'deformConv2d', 2, X['shape']>, X>,
  weight: W,
  offset: Tensor,
  bias?: Tensor,
  options?: O,
): Tensor<X['dtype'], Conv2dShape<X['shape'], W['shape'], O>> {
  const op = 'deformConv2d'
  const given = readOptions(op, options, ['stride', 'padding', 'dilation', 'groups', 'offsetGroups', 'mask'])
  const extents = spatialExtents(op, 2, input, 'input')
  const kernel = spatialExtents(op, 2, weight, 'weight')
  const [type, filters] = [nodeOf(input, op, 'input').type, nodeOf(weight, op, 'weight').type]
  const [batch, channels] = type.shape as [number, number]
  const [out, perGroup] = filters.shape as [number, number]
  const groups = readInteger(op, 'groups', given.groups ?? 1, 1)
  const parts = readInteger(op, 'offsetGroups', given.offsetGroups ?? 1, 1)
  const { stride, dilation, before, after } = readWindow(op, extents, kernel, given, 1)
  for (const [name, value] of Object.entries({
    input,
    weight,
    offset,
    ...(bias && { bias }),
    ...(given.mask !== undefined && { mask: given.mask }),
  })) {
    const own = nodeOf(value, op, name).type
    if (!isFloat(own.dtype) || own.dtype !== type.dtype)
      reject('dtype-mismatch', `${op}: ${name} is ${own.dtype}, input is ${type.dtype}; all must be of one float type`)
  }
  if (channels !== perGroup * groups || out % groups !== 0)
    reject('shape-mismatch', `${op}: input ${printType(type)} does not fit weight ${printType(filters)} in ${groups} groups`)
  if (channels % parts !== 0) reject('shape-mismatch', `${op}: ${channels} channels do not divide into ${parts} offset groups`)
  const places = elementCount(kernel)
  const result = extents.map(
    (extent, i) => Math.floor((extent + before[i]! + after[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
  ) as [number, number]
  if (result.some((extent) => extent < 1)) reject('shape-mismatch', `${op}: the kernel does not fit into [${extents.join(', ')}]`)
  const require = (name: string, value: unknown, shape: readonly number[]) => {
    const own = nodeOf(value, op, name).type
    if (own.shape.join() !== shape.join())
      reject('shape-mismatch', `${op}: ${name} must be [${shape.join(', ')}], got [${own.shape.join(', ')}]`)
  }
  require('offset', offset, [batch, 2 * parts * places, ...result])
  if (given.mask !== undefined) require('mask', given.mask, [batch, parts * places, ...result])
  if (bias) require('bias', bias, [out])
  const narrow = type.dtype === 'f16' || type.dtype === 'bf16'
  const widened = (value: unknown): Any => (narrow ? cast(value as Any, 'f32') : value) as Any
  const dtype = narrow ? 'f32' : type.dtype
  const moved = reshape(widened(offset), [batch * parts, places, 2, ...result]) as Any
  const coordinates = ([0, 1] as const).map((axis) => {
    const own = reshape(slice(moved, { axis: 2, start: axis, stop: axis + 1 }) as Any, [batch * parts, places, ...result]) as Any
    const ofKernel = Array.from(
      { length: places },
      (_, i) => (axis === 0 ? Math.floor(i / kernel[1]!) : i % kernel[1]!) * dilation[axis]!,
    )
    const ofPlace = Array.from({ length: result[axis]! }, (_, i) => i * stride[axis]! - before[axis]!)
    const line = constant(dtype, (axis === 0 ? [result[0], 1] : [1, result[1]]) as number[], ofPlace) as Any
    return add(own, add(constant(dtype, [places, 1, 1], ofKernel) as Any, line) as Any) as Any
  })
  const grid = stack([coordinates[1]!, coordinates[0]!], { axis: 4 }) as Any
  const image = reshape(widened(input), [batch * parts, channels / parts, ...extents]) as Any
  let columns = gridSample(image, grid, { coordinates: 'elements' }) as Any
  if (given.mask !== undefined)
    columns = mul(columns, reshape(widened(given.mask), [batch * parts, 1, places, ...result]) as Any) as Any
  const positions = elementCount(result)
  const matrices = reshape(columns, [batch, groups, perGroup * places, positions]) as Any
  const rows = reshape(widened(weight), [groups, out / groups, perGroup * places]) as Any
  const product = reshape(matmul(rows, matrices) as Any, [batch, out, ...result]) as Any
  const sum = bias ? (add(product, reshape(widened(bias), [out, 1, 1]) as Any) as Any) : product
  return (narrow ? cast(sum, type.dtype as 'f16') : sum) as never
}

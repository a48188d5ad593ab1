import { isFloat } from '../../../../compiler/graph/index.ts'
import type { OpRule, OpRules, Value } from '../context.ts'
import { asFloat, axisIn, castTo, dimsOf, range } from './shared.ts'
import { convolutionOptions, padsOf, perAxis, uniform, windowOf } from './window.ts'

const modes: Readonly<Record<string, 'nearest' | 'linear' | 'cubic'>> = {
  nearest: 'nearest',
  linear: 'linear',
  bilinear: 'linear',
  cubic: 'cubic',
  bicubic: 'cubic',
}
const paddings = ['zeros', 'border', 'reflection'] as const

/** ONNX GridSample 16 to 22, which changed the names of its modes, and com.microsoft GridSample, which had them first. */
const gridSample: OpRule = (c) => {
  const [x, grid] = [c.input(0), c.input(1)]
  const named = c.text('mode', 'linear')
  const mode = (Object.hasOwn(modes, named) ? modes[named] : undefined) ?? c.unsupported(`mode '${named}' is unknown`)
  const outside = c.text('padding_mode', 'zeros')
  const padding = paddings.find((one) => one === outside) ?? c.unsupported(`padding_mode '${outside}' is unknown`)
  const options = {
    mode: mode === 'linear' ? undefined : mode,
    padding: padding === 'zeros' ? undefined : padding,
    coordinates: c.int('align_corners', 0) !== 0 ? 'corners' : undefined,
  }
  const apply = (value: Value) => c.d.gridSample(value, grid, options as never) as Value
  return mode === 'nearest' || isFloat(x.dtype) ? apply(x) : asFloat(c, x, apply)
}

const affineGrid: OpRule = (c) => {
  const theta = c.input(0)
  const size = c.numbers(1) ?? c.unsupported('the size is missing')
  const options = c.int('align_corners', 0) !== 0 ? ({ coordinates: 'corners' } as const) : undefined
  return c.d.affineGrid(theta, [...size.slice(2)], options) as Value
}

/** Inputs: x, weight, offset, bias?, mask?. */
const deformConv: OpRule = (c) => {
  const x = c.input(0)
  const [, , ...extents] = dimsOf(x)
  if (extents.length !== 2) return c.unsupported(`its input has ${extents.length} spatial dimensions, not two`)
  const weight = castTo(c, c.input(1), x.dtype)
  const window = windowOf(c, extents, dimsOf(weight).slice(2))
  const offsetGroups = c.int('offset_group', 1)
  const mask = c.optional(4)
  return c.d.deformConv2d(x, weight, castTo(c, c.input(2), x.dtype), c.optional(3), {
    ...convolutionOptions(c, window),
    offsetGroups: offsetGroups === 1 ? undefined : offsetGroups,
    mask: mask && castTo(c, mask, x.dtype),
  } as never) as Value
}

/** Inputs: x, indices, shape of the result?. */
const maxUnpool: OpRule = (c) => {
  const x = c.input(0)
  const [batch, channels, ...extents] = dimsOf(x) as [number, number, ...number[]]
  const kernel = c.ints('kernel_shape') ?? c.unsupported('attribute kernel_shape is missing')
  if (kernel.length !== extents.length)
    return c.unsupported(`kernel_shape has ${kernel.length} entries for ${extents.length} axes`)
  const stride = perAxis(c, 'strides', extents.length, 1)
  const { before, after } = padsOf(c, extents.length)
  const usual = extents.map((extent, i) => (extent - 1) * stride[i]! + kernel[i]! - before[i]! - after[i]!)
  const shape = c.numbers(2) ?? [batch, channels, ...usual]
  return c.d.maxUnpool(x, c.input(1) as never, [...shape]) as Value
}

/** Inputs: columns, size of the image, size of a block. */
const col2im: OpRule = (c) => {
  const size = c.numbers(1) ?? c.unsupported('the size of the image is missing')
  const block = c.numbers(2) ?? c.unsupported('the size of a block is missing')
  const axes = size.length
  const unlessAll = (name: string, usual: number) => {
    const list = perAxis(c, name, axes, usual)
    return list.every((entry) => entry === usual) ? undefined : [...list]
  }
  const { before, after } = padsOf(c, axes)
  const padded = [...before, ...after].some((pad) => pad !== 0)
  // Places on which several blocks lie are true where one of these is.
  const isBoolean = c.typeOf(0).dtype === 'bool'
  const folded = c.d.fold(isBoolean ? castTo(c, c.input(0), 'i32') : c.input(0), [...size], [...block], {
    stride: unlessAll('strides', 1),
    dilation: unlessAll('dilations', 1),
    padding: padded ? { before: [...before], after: [...after] } : undefined,
  } as never) as Value
  return isBoolean ? castTo(c, folded, 'bool') : folded
}

/** What is too long loses at both ends, what is too short gets zeros there; of an odd number one more behind. */
const centerCropPad: OpRule = (c) => {
  const x = c.input(0)
  const shape = dimsOf(x)
  const sizes = c.numbers(1) ?? c.unsupported('the shape is missing')
  const axes = (c.ints('axes') ?? range(shape.length)).map((axis) => axisIn(c, axis, shape.length))
  if (sizes.length !== axes.length) return c.unsupported(`${sizes.length} sizes do not fit ${axes.length} axes`)
  const wanted = shape.map((extent, axis) => sizes[axes.indexOf(axis)] ?? extent)
  const cuts = shape.flatMap((extent, axis) => {
    const start = Math.floor((extent - wanted[axis]!) / 2)
    return wanted[axis]! < extent ? [{ axis, start, stop: start + wanted[axis]! }] : []
  })
  const cut = cuts.length > 0 ? (c.d.slice(x, cuts) as Value) : x
  const missing = shape.map((extent, axis) => Math.max(0, wanted[axis]! - extent))
  if (missing.every((count) => count === 0)) return cut
  const before = missing.map((count) => Math.floor(count / 2))
  return c.d.pad(cut, { before, after: missing.map((count, i) => count - before[i]!) }) as Value
}

/** Inputs: x, regions, their images. Version 10 has coordinates without half elements taken off, and no attribute that says so. */
const roiAlign: OpRule = (c) => {
  const x = c.input(0)
  const mode = c.text('mode', 'avg')
  if (mode !== 'avg' && mode !== 'max') return c.unsupported(`mode '${mode}' is unknown`)
  const coordinates = c.text('coordinate_transformation_mode', c.opset < 16 ? 'output_half_pixel' : 'half_pixel')
  if (coordinates !== 'half_pixel' && coordinates !== 'output_half_pixel')
    return c.unsupported(`coordinate_transformation_mode '${coordinates}' is unknown`)
  const [samples, scale] = [c.int('sampling_ratio', 0), c.float('spatial_scale', 1)]
  const size = [c.int('output_height', 1), c.int('output_width', 1)]
  return c.d.roiAlign(
    x,
    castTo(c, c.input(1), x.dtype),
    c.input(2) as never,
    uniform(size) as never,
    {
      scale: scale === 1 ? undefined : scale,
      samples: samples > 0 ? samples : undefined,
      mode: mode === 'max' ? mode : undefined,
      aligned: coordinates === 'output_half_pixel' ? false : undefined,
    } as never,
  ) as Value
}

/** Inputs: x, regions behind the numbers of their images. */
const maxRoiPool: OpRule = (c) => {
  const [x, given] = [c.input(0), c.input(1)]
  const size = c.ints('pooled_shape') ?? c.unsupported('attribute pooled_shape is missing')
  const scale = c.float('spatial_scale', 1)
  const count = dimsOf(given)[0]!
  const first = c.d.reshape(c.d.slice(given, { axis: 1, stop: 1 }) as Value, [count]) as Value
  const regions = c.d.slice(given, { axis: 1, start: 1 }) as Value
  const options = scale === 1 ? undefined : { scale }
  return c.d.maxRoiPool(x, castTo(c, regions, x.dtype), c.d.cast(first, 'i32'), uniform(size) as never, options) as Value
}

/** Of early files: x · scale + a bias for each channel. */
const imageScaler: OpRule = (c) => {
  const x = c.input(0)
  const [scale, bias] = [c.float('scale', 1), c.floats('bias') ?? []]
  const scaled = scale === 1 ? x : (c.d.mul(x, scale) as Value)
  if (bias.every((value) => value === 0)) return scaled
  const shape = [
    bias.length,
    ...dimsOf(x)
      .slice(2)
      .map(() => 1),
  ]
  return c.d.add(scaled, c.literal(x.dtype, shape, bias)) as Value
}

/** Of early files: `border` is left, top, right, bottom; with `scale` it is where to begin, and the size of what is kept. */
const crop: OpRule = (c) => {
  const x = c.input(0)
  const [, , height, width] = dimsOf(x) as [number, number, number, number]
  const [left, top, right, bottom] = c.ints('border') ?? c.unsupported('attribute border is missing')
  const size = c.ints('scale')
  const stops = size ? [top! + size[0]!, left! + size[1]!] : [height - bottom!, width - right!]
  return c.d.slice(x, [
    { axis: 2, start: top!, stop: stops[0]! },
    { axis: 3, start: left!, stop: stops[1]! },
  ]) as Value
}

export const vision: OpRules = {
  GridSample: gridSample,
  RoiAlign: roiAlign,
  MaxRoiPool: maxRoiPool,
  AffineGrid: affineGrid,
  DeformConv: deformConv,
  MaxUnpool: maxUnpool,
  Col2Im: col2im,
  CenterCropPad: centerCropPad,
  Det: (c) => c.d.determinant(c.input(0)) as Value,
  ImageScaler: imageScaler,
  Crop: crop,
}

export const contribVision: OpRules = { GridSample: gridSample }

import { elementCount, sameShape } from '../../../../compiler/graph/index.ts'
import { resizedAxes } from '../../../../compiler/graph/ops/shared.ts'
import { type ExportContext, type ExportRule, type ExportRules, float, type Ref } from '../context.ts'

/** The same value, which may be told to be of another type. */
const unchanged = (ref: Ref, c: ExportContext): Ref => ({ name: ref.name, type: c.type })
const integers = (list: readonly number[], c: ExportContext): Ref => c.constant('i64', [list.length], list)

const reshape: ExportRule<'reshape'> = ({ input }, _, c) => {
  const { shape } = c.type
  if (sameShape(shape, input.type.shape)) return unchanged(input, c)
  return c.emit('Reshape', [input, integers(shape, c)], c.type, shape.includes(0) ? { allowzero: 1 } : {})
}

const transpose: ExportRule<'transpose'> = ({ input }, { order }, c) => {
  const perm = order.map((axis) => (axis < 0 ? axis + order.length : axis))
  return perm.every((axis, i) => axis === i) ? unchanged(input, c) : c.emit('Transpose', [input], c.type, { perm })
}

/** Ends are exclusive; walking backwards past the first element needs an end that no wrapping makes an index. */
const beforeFirst = -(2 ** 31)

const slice: ExportRule<'slice'> = ({ input }, { start, size, step }, c) => {
  const { shape } = input.type
  const axes = shape.flatMap((extent, i) => (size[i] === extent && start[i] === 0 && step[i]! > 0 ? [] : [i]))
  if (axes.length === 0) return unchanged(input, c)
  const [only] = axes
  const whole = axes.length === 1 && step[only!] === 1 ? c.partOf(input, only!, start[only!]!, size[only!]!) : undefined
  if (whole) return unchanged(whole, c)
  const part = axes.map((axis) => {
    if (size[axis] === 0) return [0, 0, 1] as const
    const end = start[axis]! + size[axis]! * step[axis]!
    return [start[axis]!, step[axis]! < 0 && end < 0 ? beforeFirst : Math.min(end, shape[axis]!), step[axis]!] as const
  })
  const column = (i: 0 | 1 | 2) =>
    integers(
      part.map((entry) => entry[i]),
      c,
    )
  const plain = part.every(([, , step]) => step === 1)
  return c.emit('Slice', [input, column(0), column(1), integers(axes, c), plain ? undefined : column(2)], c.type)
}

const concat: ExportRule<'concat'> = ({ inputs }, { axis }, c) =>
  inputs.length === 1 ? unchanged(inputs[0]!, c) : c.emit('Concat', inputs, c.type, { axis })

const isNothing = (...lists: readonly (readonly number[])[]): boolean => lists.flat().every((entry) => entry === 0)

const pad: ExportRule<'pad'> = ({ input }, { before, after, value }, c) =>
  isNothing(before, after)
    ? unchanged(input, c)
    : c.emit('Pad', [input, integers([...before, ...after], c), c.scalar(input, value)], c.type)

const padWith: ExportRule<'padWith'> = ({ input }, { before, after, mode }, c) => {
  if (isNothing(before, after)) return unchanged(input, c)
  if (mode === 'wrap' && c.opset < 19) return undefined
  return c.emit('Pad', [input, integers([...before, ...after], c)], c.type, { mode })
}

const expand: ExportRule<'expand'> = ({ input }, { shape }, c) =>
  sameShape(shape, input.type.shape) ? unchanged(input, c) : c.emit('Expand', [input, integers(shape, c)], c.type)

const coordinateModes = {
  halfPixel: 'half_pixel',
  halfPixelSymmetric: 'half_pixel_symmetric',
  alignCorners: 'align_corners',
  asymmetric: 'asymmetric',
  pytorchHalfPixel: 'pytorch_half_pixel',
  tfCropAndResize: 'tf_crop_and_resize',
} as const
const roundings = {
  floor: 'floor',
  ceil: 'ceil',
  roundPreferFloor: 'round_prefer_floor',
  roundPreferCeil: 'round_prefer_ceil',
} as const

/** Factors, regions and coefficients are f32 in ONNX; where ours are none, simpler ops hold them. */
const resize: ExportRule<'resize'> = ({ input }, attributes, c) => {
  const { size, mode, coordinates, rounding, cubicCoefficient, start, end, extrapolation, antialias, excludeOutside } = attributes
  const { shape } = input.type
  const axes = resizedAxes(input.type, attributes.axes, size.length)
  const isWhole = attributes.scales?.every((scale, i) => scale * shape[axes[i]!]! === size[i]) ?? true
  const scales = isWhole ? undefined : attributes.scales
  // What a fraction of an element at the end means to these, engines disagree about.
  if (scales && ['alignCorners', 'pytorchHalfPixel', 'tfCropAndResize'].includes(coordinates)) return undefined
  const numbers = [...(scales ?? []), ...(start ?? []), ...(end ?? []), cubicCoefficient, extrapolation ?? 0]
  const filtered = mode !== 'nearest'
  if (numbers.some((value) => Math.fround(value) !== value) || elementCount(shape) === 0) return undefined
  if (antialias && filtered && c.opset < 18) return undefined
  if (coordinates === 'halfPixelSymmetric' && c.opset < 19) return undefined
  if (scales?.some((scale, i) => Math.floor(Math.fround(shape[axes[i]!]! * scale)) !== size[i])) return undefined
  const spread = (list: readonly number[], fallback: (axis: number) => number) =>
    shape.map((_, axis) => (axes.includes(axis) ? list[axes.indexOf(axis)]! : fallback(axis)))
  const roi = start && end && c.constant('f32', [2 * shape.length], [...spread(start, () => 0), ...spread(end, () => 1)])
  const factors =
    scales &&
    c.constant(
      'f32',
      [shape.length],
      spread(scales, () => 1),
    )
  const extents = integers(c.type.shape, c)
  return c.emit('Resize', [input, roi, factors, factors ? undefined : extents], c.type, {
    mode,
    coordinate_transformation_mode: coordinateModes[coordinates],
    ...(mode === 'nearest' && { nearest_mode: roundings[rounding] }),
    ...(mode === 'cubic' && { cubic_coeff_a: float(cubicCoefficient) }),
    ...(extrapolation !== undefined && { extrapolation_value: float(extrapolation) }),
    ...(antialias && filtered && { antialias: 1 }),
    ...(excludeOutside && filtered && { exclude_outside: 1 }),
  })
}

const triangle = (input: Ref, diagonal: number, upper: number, c: ExportContext): Ref =>
  c.emit('Trilu', [input, c.constant('i64', [], [diagonal])], c.type, { upper })

/** Coordinates of elements are ours alone. */
const gridSample: ExportRule<'gridSample'> = ({ input, grid }, { mode, padding, coordinates }, c) => {
  const axes = input.type.shape.length - 2
  // Of three dimensions the operator knows since version 20, and places of another rank than the image's never.
  if (coordinates === 'elements' || axes === 1 || (axes === 3 && c.opset < 20) || grid.type.shape.length !== axes + 2)
    return undefined
  if (axes === 3 && mode === 'cubic') return undefined
  const before = { nearest: 'nearest', linear: 'bilinear', cubic: 'bicubic' } as const
  const places = grid.type.dtype === 'bf16' && c.opset < 22 ? c.convert(grid, 'f32') : grid
  return c.emit('GridSample', [input, places], c.type, {
    mode: c.opset < 20 ? before[mode] : mode,
    padding_mode: padding,
    align_corners: Number(coordinates === 'corners'),
  })
}

const regionPool: ExportRule<'regionPool'> = ({ input, regions, images }, { mode, size, scale, samples, aligned }, c) => {
  if (mode === 'cells') {
    const { dtype, shape } = regions.type
    const first = c.emit('Reshape', [c.convert(images, dtype), integers([shape[0]!, 1], c)], { dtype, shape: [shape[0]!, 1] })
    const all = c.emit('Concat', [first, regions], { dtype, shape: [shape[0]!, 5] }, { axis: 1 })
    return c.emit('MaxRoiPool', [input, all], c.type, { pooled_shape: size, spatial_scale: float(scale) })
  }
  return c.emit('RoiAlign', [input, regions, c.convert(images, 'i64')], c.type, {
    mode: mode === 'mean' ? 'avg' : 'max',
    output_height: size[0]!,
    output_width: size[1]!,
    sampling_ratio: samples,
    spatial_scale: float(scale),
    coordinate_transformation_mode: aligned ? 'half_pixel' : 'output_half_pixel',
  })
}

export const movementRules = {
  reshape,
  transpose,
  slice,
  concat,
  pad,
  padWith,
  expand,
  resize,
  gridSample,
  regionPool,
  triu: ({ input }, { diagonal }, c) => triangle(input, diagonal, 1, c),
  tril: ({ input }, { diagonal }, c) => triangle(input, diagonal, 0, c),
  storageCast: ({ input }, _, c) => unchanged(input, c),
} satisfies Partial<ExportRules>

import { isFloat } from '../../../../compiler/graph/index.ts'
import { shortest } from '../../record/numbers.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { asFloat, axisIn, dimsOf, range } from './shared.ts'

/** What becomes of one axis. */
interface Axis {
  readonly axis: number
  readonly size: number
  /** The factor that coordinates are mapped with. */
  readonly scale: number
  /** The part of the input that is looked at; 0 and 1 are the first and the last element. */
  readonly start: number
  readonly end: number
}

const coordinateModes: Readonly<Record<string, string>> = {
  half_pixel: 'halfPixel',
  half_pixel_symmetric: 'halfPixelSymmetric',
  pytorch_half_pixel: 'pytorchHalfPixel',
  align_corners: 'alignCorners',
  asymmetric: 'asymmetric',
  tf_crop_and_resize: 'tfCropAndResize',
}
const roundings: Readonly<Record<string, string>> = {
  floor: 'floor',
  ceil: 'ceil',
  round_prefer_floor: 'roundPreferFloor',
  round_prefer_ceil: 'roundPreferCeil',
}

function choose(c: OpContext, name: string, given: string, known: Readonly<Record<string, string>>): string {
  return (Object.hasOwn(known, given) ? known[given] : undefined) ?? c.unsupported(`${name} '${given}' is unknown`)
}

interface Settings {
  readonly mode: string
  readonly coordinates: string
  readonly rounding: string
  readonly more: Readonly<Record<string, unknown>>
}

/**
 * Whether coordinates follow from the whole length of the result alone: PyTorch and onnxruntime align corners of elements that are there,
 * whatever fraction the factor asks for.
 */
const countsWhole = (coordinates: string, { size }: Axis): boolean =>
  coordinates === 'alignCorners' || (coordinates === 'pytorchHalfPixel' && size === 1)

/** Writes the axes that change: the last ones where nothing but batch and channels stands before them. */
function resizeAxes(c: OpContext, x: Value, given: readonly Axis[], { mode, coordinates, rounding, more }: Settings): Value {
  const shape = dimsOf(x)
  const crops = coordinates === 'tfCropAndResize'
  const exact = ({ axis, size, scale }: Axis) => Math.fround(size / shape[axis]!) === Math.fround(scale)
  const axes = given.map((one) => (countsWhole(coordinates, one) ? { ...one, scale: one.size / shape[one.axis]! } : one))
  const changed = axes.filter(
    (one) => one.size !== shape[one.axis] || !exact(one) || (crops && (one.start !== 0 || one.end !== 1)),
  )
  if (changed.length === 0) return x
  const first = Math.min(...changed.map(({ axis }) => axis))
  const trailing = first >= 2 || changed.length === shape.length - first
  const written = (trailing ? range(shape.length).slice(first) : changed.map(({ axis }) => axis)).map(
    (axis) => changed.find((one) => one.axis === axis) ?? { axis, size: shape[axis]!, scale: 1, start: 0, end: 1 },
  )
  const options = {
    axes: trailing ? undefined : written.map(({ axis }) => axis),
    mode: mode === 'nearest' ? undefined : mode,
    coordinates: coordinates === 'halfPixel' ? undefined : coordinates,
    rounding: mode !== 'nearest' || rounding === 'roundPreferFloor' ? undefined : rounding,
    scales: crops || written.every(exact) ? undefined : written.map(({ scale }) => shortest('f32', scale)),
    region: crops
      ? { start: written.map(({ start }) => shortest('f32', start)), end: written.map(({ end }) => shortest('f32', end)) }
      : undefined,
    ...more,
  }
  const apply = (value: Value) =>
    c.d.resize(
      value,
      written.map(({ size }) => size),
      options as never,
    ) as Value
  return mode === 'nearest' || isFloat(x.dtype) ? apply(x) : asFloat(c, x, apply)
}

/** As onnxruntime has it, in f32: a scale such as 0.7 is a little less than that. */
const scaled = (extent: number, scale: number): number => Math.floor(Math.fround(Math.fround(scale) * extent))

const unlessEmpty = (values: readonly number[] | undefined) => (values && values.length > 0 ? values : undefined)

/** Versions before 11: asymmetric coordinates; the nearest element lies before, and behind where the axis shrinks. */
function resizeSimply(c: OpContext, scales: readonly number[]): Value {
  const x = c.input(0)
  const shape = dimsOf(x)
  const mode = c.text('mode', 'nearest') === 'nearest' ? 'nearest' : 'linear'
  const axes = readScales(c, range(shape.length), shape, scales)
  const settings = { mode, coordinates: 'asymmetric', more: {} }
  if (mode === 'linear') return resizeAxes(c, x, axes, { ...settings, rounding: 'floor' })
  const [grow, shrink] = [axes.filter(({ scale }) => scale >= 1), axes.filter(({ scale }) => scale < 1)]
  const grown = resizeAxes(c, x, grow, { ...settings, rounding: 'floor' })
  return resizeAxes(c, grown, shrink, { ...settings, rounding: 'ceil' })
}

function readScales(
  c: OpContext,
  axes: readonly number[],
  shape: readonly number[],
  scales: readonly number[],
  roi?: readonly number[],
): Axis[] {
  if (scales.length !== axes.length) return c.unsupported(`${scales.length} scales do not fit ${axes.length} axes`)
  return axes.map((axis, i) => {
    const [scale, start, end] = [scales[i]!, roi?.[i] ?? 0, roi?.[i + axes.length] ?? 1]
    if (!(scale > 0)) return c.unsupported(`scale ${scale} is not above 0`)
    const size = roi ? Math.floor(shape[axis]! * (end - start) * scale + 1e-6) : scaled(shape[axis]!, scale)
    return { axis, size, scale, start, end }
  })
}

function readSizes(
  c: OpContext,
  axes: readonly number[],
  shape: readonly number[],
  sizes: readonly number[],
  roi?: readonly number[],
): Axis[] {
  if (sizes.length !== axes.length) return c.unsupported(`${sizes.length} sizes do not fit ${axes.length} axes`)
  const policy = c.text('keep_aspect_ratio_policy', 'stretch')
  const factors = axes.map((axis, i) => sizes[i]! / shape[axis]!)
  const common = { stretch: undefined, not_larger: Math.min(...factors), not_smaller: Math.max(...factors) }
  if (!Object.hasOwn(common, policy)) return c.unsupported(`keep_aspect_ratio_policy '${policy}' is unknown`)
  const scale = common[policy as keyof typeof common]
  return axes.map((axis, i) => ({
    axis,
    size: scale === undefined ? sizes[i]! : Math.floor(scale * shape[axis]! + 0.5),
    scale: scale ?? factors[i]!,
    start: roi?.[i] ?? 0,
    end: roi?.[i + axes.length] ?? 1,
  }))
}

const resize: OpRule = (c) => {
  if (c.opset < 11) return resizeSimply(c, c.numbers(1) ?? c.unsupported('it has no scales'))
  const x = c.input(0)
  const shape = dimsOf(x)
  const axes = (c.ints('axes') ?? range(shape.length)).map((axis) => axisIn(c, axis, shape.length))
  const mode = choose(c, 'mode', c.text('mode', 'nearest'), { nearest: 'nearest', linear: 'linear', cubic: 'cubic' })
  const transformation = c.text('coordinate_transformation_mode', 'half_pixel')
  const nearest = c.text('nearest_mode', 'round_prefer_floor')
  // Its coordinates are half_pixel's without the half taken off again: what rounding down made of them, rounding the others does.
  const simple = transformation === 'tf_half_pixel_for_nn'
  if (simple && (mode !== 'nearest' || nearest !== 'floor'))
    return c.unsupported(`${transformation} goes with nearest_mode 'floor' alone`)
  const coordinates = simple ? 'halfPixel' : choose(c, 'coordinate_transformation_mode', transformation, coordinateModes)
  const rounding = simple ? 'roundPreferCeil' : choose(c, 'nearest_mode', nearest, roundings)
  const crops = coordinates === 'tfCropAndResize'
  const roi = crops ? (unlessEmpty(c.numbers(1)) ?? c.unsupported('it has no roi')) : undefined
  if (roi && roi.length !== axes.length * 2) return c.unsupported(`roi has ${roi.length} entries for ${axes.length} axes`)
  const sizes = unlessEmpty(c.numbers(3))
  const changes = sizes
    ? readSizes(c, axes, shape, sizes, roi)
    : readScales(c, axes, shape, unlessEmpty(c.numbers(2)) ?? c.unsupported('it has neither sizes nor scales'), roi)
  const coefficient = c.float('cubic_coeff_a', -0.75)
  const extrapolation = c.float('extrapolation_value', 0)
  const more = {
    cubicCoefficient: mode === 'cubic' && coefficient !== -0.75 ? coefficient : undefined,
    extrapolation: crops && extrapolation !== 0 ? extrapolation : undefined,
    antialias: c.int('antialias', 0) !== 0 && mode !== 'nearest' ? true : undefined,
    excludeOutside: c.int('exclude_outside', 0) !== 0 && mode !== 'nearest' ? true : undefined,
  }
  return resizeAxes(c, x, changes, { mode, coordinates, rounding, more })
}

const upsample: OpRule = (c) => resizeSimply(c, c.floats('scales') ?? c.numbers(1) ?? c.unsupported('it has no scales'))

export const resizing: OpRules = { Resize: resize, Upsample: upsample }

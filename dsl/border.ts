import { maximumRank, reject } from '../compiler/graph/index.ts'
import {
  isElement,
  isPlainObject,
  readAxis,
  readBoolean,
  readChoice,
  readIntegers,
  readList,
  readNumber,
  readOptions,
} from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, describe, nodeOf, shapeOf } from './tracer.ts'
import type { Add } from './types/arithmetic.ts'
import type { NoOptions } from './types/shape.ts'

export interface PadOptions {
  /** Elements added in front, one entry for each dimension. */
  readonly before: readonly number[]
  /** Elements added behind, one entry for each dimension. */
  readonly after: readonly number[]
  /** 'constant' (default), or the tensor's own elements: mirrored without the border, the border repeated, or from the other side. */
  readonly mode?: 'constant' | 'reflect' | 'edge' | 'wrap'
  /** What mode 'constant' writes. Default 0. */
  readonly value?: number
}
type Padded<S, O> = any[] extends S
  ? any
  : O extends { readonly before: infer B; readonly after: infer A }
    ? any[] extends A | B
      ? { -readonly [K in keyof S]: any }
      : { -readonly [K in keyof S]: K extends keyof A & keyof B ? Add<Add<B[K], S[K]>, A[K]> : any }
    : any
/**
 * A tensor with a border written around it.
 * @param input any shape, any element type
 * @param options `before` and `after`, one entry for each dimension; `mode`, default 'constant'; `value`, default 0
 */
export function pad<X extends Tensor, const O extends PadOptions>(
  input: X,
  options: O,
): Tensor<X['dtype'], Padded<X['shape'], O>> {
  const given = readOptions('pad', options, ['before', 'after', 'mode', 'value'])
  const rank = shapeOf(input, 'pad').length
  const before = readIntegers('pad', 'before', given.before, 0, rank)
  const after = readIntegers('pad', 'after', given.after, 0, rank)
  const mode = readChoice('pad', 'mode', given.mode, ['constant', 'reflect', 'edge', 'wrap'], 'constant')
  if (mode === 'constant') {
    const value = readNumber('pad', 'value', given.value, 0)
    const { dtype } = nodeOf(input, 'pad', 'input').type
    if (!isElement(dtype, value)) reject('bad-attribute', `pad: value ${value} is not a value of ${dtype}`)
    return call('pad', { input }, { before, after, value })
  }
  if (given.value !== undefined) reject('bad-attribute', `pad: value has no meaning with mode '${mode}'`)
  return call('padWith', { input }, { before, after, mode }, 'pad')
}

export interface ResizeOptions {
  /** Which input elements a result element is made of. Default 'nearest'. */
  readonly mode?: 'nearest' | 'linear' | 'cubic'
  /** How an output coordinate maps to the input, as in ONNX Resize 19. Default 'halfPixel'. */
  readonly coordinates?:
    | 'halfPixel'
    | 'alignCorners'
    | 'asymmetric'
    | 'pytorchHalfPixel'
    | 'halfPixelSymmetric'
    | 'tfCropAndResize'
  /** How 'nearest' rounds. Default 'roundPreferFloor'. */
  readonly rounding?: 'floor' | 'ceil' | 'roundPreferFloor' | 'roundPreferCeil'
  /** Sharpness of 'cubic'. Default −0.75. */
  readonly cubicCoefficient?: number
  /** Dimensions that the entries of size are for, negative ones counted from the end. Default: the last ones. */
  readonly axes?: readonly number[]
  /** Factors that coordinates are mapped with, one for each entry of size. Default: exactly size / extent. */
  readonly scales?: readonly number[]
  /** With 'tfCropAndResize', the part of the input to look at, one entry for each of size: 0 is its first element, 1 its last. */
  readonly region?: { readonly start: readonly number[]; readonly end: readonly number[] }
  /** With 'tfCropAndResize', what stands where the region reaches beyond the input. Default 0. */
  readonly extrapolation?: number
  /** Whether 'linear' and 'cubic' take in all elements that a result element covers, where an axis shrinks. Default false. */
  readonly antialias?: boolean
  /** Whether elements beyond the border have no weight, instead of being the last ones again. Default false. */
  readonly excludeOutside?: boolean
}
type Resized<S, Z, O> = O extends { readonly axes: any }
  ? any[] extends S
    ? any
    : { -readonly [K in keyof S]: any }
  : ResizedLast<S, Z>
type ResizedLast<S, Z> = any[] extends S
  ? any
  : any[] extends Z
    ? any
    : S extends readonly [...infer L, any]
      ? Z extends readonly [...infer Y, infer N]
        ? ResizedLast<L, Y> extends infer R extends unknown[]
          ? [...R, number extends N ? any : N]
          : any
        : S
      : S
const coordinates = [
  'halfPixel',
  'alignCorners',
  'asymmetric',
  'pytorchHalfPixel',
  'halfPixelSymmetric',
  'tfCropAndResize',
] as const
/**
 * Some dimensions interpolated to other sizes.
 * @param input `[batch, channels, …spatial]`, any element type for mode 'nearest', float for the others
 * @param size sizes of the last dimensions, or of those that `axes` names
 * @param options mode, coordinates, rounding, cubicCoefficient, axes, scales, region, extrapolation, antialias, excludeOutside
 */
export function resize<X extends Tensor, const Z extends readonly number[], const O extends ResizeOptions = NoOptions>(
  input: X,
  size: Z,
  options?: O,
): Tensor<X['dtype'], Resized<X['shape'], Z, O>> {
  const given = readOptions('resize', options, [
    'mode',
    'coordinates',
    'rounding',
    'cubicCoefficient',
    'axes',
    'scales',
    'region',
    'extrapolation',
    'antialias',
    'excludeOutside',
  ])
  const sizes = readIntegers('resize', 'size', size, 1)
  if (sizes.length < 1) reject('bad-attribute', 'resize: size needs at least one entry')
  const { dtype, shape } = nodeOf(input, 'resize', 'input').type
  const numbers = (name: string, value: unknown) => {
    const list = readList('resize', name, value, maximumRank)
    if (list.length !== sizes.length)
      reject('bad-attribute', `resize: ${name} needs ${sizes.length} entries as size has, got ${list.length}`)
    return Array.from(list, (entry, i) => readFinite('resize', `${name}[${i}]`, entry))
  }
  const optional = (name: string, read: () => unknown) => (given[name] === undefined ? {} : { [name]: read() })
  return call(
    'resize',
    { input },
    {
      size: sizes,
      mode: readChoice('resize', 'mode', given.mode, ['nearest', 'linear', 'cubic'], 'nearest'),
      coordinates: readChoice('resize', 'coordinates', given.coordinates, coordinates, 'halfPixel'),
      rounding: readChoice(
        'resize',
        'rounding',
        given.rounding,
        ['floor', 'ceil', 'roundPreferFloor', 'roundPreferCeil'],
        'roundPreferFloor',
      ),
      cubicCoefficient: readNumber('resize', 'cubicCoefficient', given.cubicCoefficient, -0.75),
      ...optional('axes', () =>
        Array.from(readList('resize', 'axes', given.axes, maximumRank), (axis) => readAxis('resize', axis, shape.length, 'axes')),
      ),
      ...optional('scales', () =>
        numbers('scales', given.scales).map((scale) =>
          scale > 0 ? scale : reject('bad-attribute', `resize: scales must be above 0, got ${scale}`),
        ),
      ),
      ...(given.region === undefined ? {} : readRegion(given.region)),
      ...optional('extrapolation', () => {
        const value = readFinite('resize', 'extrapolation', given.extrapolation)
        return isElement(dtype, value)
          ? value
          : reject('bad-attribute', `resize: extrapolation ${value} is not a value of ${dtype}`)
      }),
      ...optional('antialias', () => readBoolean('resize', 'antialias', given.antialias, false)),
      ...optional('excludeOutside', () => readBoolean('resize', 'excludeOutside', given.excludeOutside, false)),
    },
  )

  function readRegion(region: unknown): { start: number[]; end: number[] } {
    if (!isPlainObject(region)) return reject('bad-attribute', `resize: region must be { start, end }, got ${describe(region)}`)
    const { start, end } = readOptions('resize: region', region, ['start', 'end'])
    return { start: numbers('region.start', start), end: numbers('region.end', end) }
  }
}

function readFinite(op: string, name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  return reject('bad-attribute', `${op}: ${name} must be a finite number, got ${describe(value)}`)
}

import { reject } from '../compiler/graph/index.ts'
import { isElement, readChoice, readIntegers, readNumber, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf, shapeOf } from './tracer.ts'
import type { Add } from './types/arithmetic.ts'

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
  readonly coordinates?: 'halfPixel' | 'alignCorners' | 'asymmetric' | 'pytorchHalfPixel'
  /** How 'nearest' rounds. Default 'roundPreferFloor'. */
  readonly rounding?: 'floor' | 'ceil' | 'roundPreferFloor' | 'roundPreferCeil'
  /** Sharpness of 'cubic'. Default −0.75. */
  readonly cubicCoefficient?: number
}
type Resized<S, Z> = any[] extends S
  ? any
  : any[] extends Z
    ? any
    : S extends readonly [...infer L, any]
      ? Z extends readonly [...infer Y, infer N]
        ? Resized<L, Y> extends infer R extends unknown[]
          ? [...R, number extends N ? any : N]
          : any
        : S
      : S
/**
 * The last dimensions interpolated to other sizes.
 * @param input `[batch, channels, …spatial]`, any element type for mode 'nearest', float for the others
 * @param size sizes of the last one to three dimensions
 * @param options mode, coordinates, rounding, cubicCoefficient
 */
export function resize<X extends Tensor, const Z extends readonly number[]>(
  input: X,
  size: Z,
  options?: ResizeOptions,
): Tensor<X['dtype'], Resized<X['shape'], Z>> {
  const given = readOptions('resize', options, ['mode', 'coordinates', 'rounding', 'cubicCoefficient'])
  const sizes = readIntegers('resize', 'size', size, 1)
  if (sizes.length < 1 || sizes.length > 3)
    reject('bad-attribute', `resize: size needs one to three entries, got ${sizes.length}`)
  return call(
    'resize',
    { input },
    {
      size: sizes,
      mode: readChoice('resize', 'mode', given.mode, ['nearest', 'linear', 'cubic'], 'nearest'),
      coordinates: readChoice(
        'resize',
        'coordinates',
        given.coordinates,
        ['halfPixel', 'alignCorners', 'asymmetric', 'pytorchHalfPixel'],
        'halfPixel',
      ),
      rounding: readChoice(
        'resize',
        'rounding',
        given.rounding,
        ['floor', 'ceil', 'roundPreferFloor', 'roundPreferCeil'],
        'roundPreferFloor',
      ),
      cubicCoefficient: readNumber('resize', 'cubicCoefficient', given.cubicCoefficient, -0.75),
    },
  )
}

import { isFloat, reject } from '../compiler/graph/index.ts'
import { pad } from './border.ts'
import { readAxis, readBoolean, readInteger, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { cast, mul } from './elementwise.ts'
import { concat } from './join.ts'
import { gather, slice } from './parts.ts'
import { reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'
import { nodeOf } from './tracer.ts'
import { transform } from './transform.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Any = Tensor<any, any>
const shapeOf = (tensor: Any): readonly number[] => tensor.shape

/** The same rank, with other sizes. */
type Resized<S> = any[] extends S ? any : { -readonly [K in keyof S]: any }

export interface FourierOptions {
  /** The dimension that is transformed, not the last. Default −2, the last before that of real and imaginary part. */
  readonly axis?: number
  /** Elements that are transformed: the signal is cut, or filled with zeros. Default: the axis; with `inverse` and `onesided` 2 · (axis − 1). */
  readonly length?: number
  /** From frequencies to a signal, divided by the length. Default false. */
  readonly inverse?: boolean
  /**
   * Whether one half of the spectrum is all there is, as the other follows from it where the signal is real: the first length / 2 + 1 entries
   * are the result, or, with `inverse`, the input, and the result is real. Default false.
   */
  readonly onesided?: boolean
}

/** Elements computed with at least f32, and rounded once. */
function wide(input: Any, body: (input: Any) => Any): Any {
  const { dtype } = input
  if (dtype === 'f32' || dtype === 'f64') return body(input)
  return cast(body(cast(input, 'f32') as Any), dtype) as Any
}

function readSignal(op: string, input: unknown): readonly number[] {
  const { dtype, shape } = nodeOf(input, op, 'input').type
  if (!isFloat(dtype)) reject('dtype-mismatch', `${op}: input is ${dtype}; convert it with cast()`)
  const parts = shape.at(-1)
  if (shape.length < 2 || (parts !== 1 && parts !== 2))
    reject(
      'shape-mismatch',
      `${op}: input must be […, length, 1], or […, length, 2] with real and imaginary parts, got [${shape.join(', ')}]`,
    )
  return shape
}

/** The first `length` entries of an axis, with zeros behind where there are fewer. */
function fitted(input: Any, axis: number, length: number): Any {
  const shape = shapeOf(input)
  const extent = shape[axis]!
  if (extent === length) return input
  if (extent > length) return slice(input, { axis, stop: length }) as Any
  return pad(input, { before: shape.map(() => 0), after: shape.map((_, i) => (i === axis ? length - extent : 0)) }) as Any
}

/**
 * Discrete Fourier transform along an axis.
 *
 * Entry k of the result is Σ x[n] · e^(−2πi · k · n / length), with `inverse` Σ x[n] · e^(2πi · k · n / length) / length (ONNX DFT 20). A
 * length of two factors or more is transformed by each of them, as in a fast Fourier transform; a short one by one matrix.
 * @param input `[…, length, 1]`, or `[…, length, 2]` with real and imaginary parts, float
 * @param options `axis`, default −2; `length`, default the axis; `inverse` and `onesided`, default false
 */
export function dft<X extends Tensor>(
  input: Guard<FloatProblem<'dft', X>, X>,
  options?: FourierOptions,
): Tensor<X['dtype'], Resized<X['shape']>> {
  const op = 'dft'
  const given = readOptions(op, options, ['axis', 'length', 'inverse', 'onesided'])
  const shape = readSignal(op, input)
  const rank = shape.length
  const axis = readAxis(op, given.axis ?? -2, rank)
  if (axis === rank - 1) reject('bad-attribute', `${op}: axis ${axis} holds real and imaginary parts; it may be 0 to ${rank - 2}`)
  const inverse = readBoolean(op, 'inverse', given.inverse, false)
  const onesided = readBoolean(op, 'onesided', given.onesided, false)
  const toReal = inverse && onesided
  const length =
    given.length === undefined ? (toReal ? 2 * (shape[axis]! - 1) : shape[axis]!) : readInteger(op, 'length', given.length, 1)
  if (length < 1) reject('shape-mismatch', `${op}: there is nothing to transform along axis ${axis} of [${shape.join(', ')}]`)
  if (onesided && !inverse && shape.at(-1) === 2)
    reject('bad-attribute', `${op}: the spectrum of a complex signal has no equal halves; onesided needs […, length, 1]`)
  if (toReal && shape.at(-1) !== 2)
    reject('shape-mismatch', `${op}: half a spectrum must have real and imaginary parts, got [${shape.join(', ')}]`)
  const order = [...shape.keys()].filter((i) => i !== axis && i !== rank - 1)
  const apart = [...order, axis, rank - 1]
  const back = apart.map((_, i) => apart.indexOf(i))
  const moves = axis !== rank - 2
  return wide(input as Any, (x) => {
    const moved = moves ? (transpose(x, apart) as Any) : x
    const lead = order.map((i) => shape[i]!)
    const rows = lead.reduce((a, b) => a * b, 1)
    const given = fitted(moved, rank - 2, toReal ? Math.floor(length / 2) + 1 : length)
    const flat = reshape(given, [rows, ...shapeOf(given).slice(-2)]) as Any
    const whole = toReal ? mirrored(flat, length) : flat
    const result = transform(whole, {
      inverse,
      kept: onesided && !inverse ? Math.floor(length / 2) + 1 : length,
      real: toReal,
    })
    const apartAgain = reshape(result, [...lead, ...shapeOf(result).slice(-2)]) as Any
    return moves ? (transpose(apartAgain, back) as Any) : apartAgain
  }) as never
}

/** The whole spectrum of a real signal: behind the half that is given the conjugates of its entries, from the last to the second. */
function mirrored(half: Any, length: number): Any {
  const entries = shapeOf(half)[1]!
  const missing = length - entries
  if (missing <= 0) return half
  const last = length - entries
  const turned = slice(half, { axis: 1, start: last, stop: 0, step: -1 }) as Any
  return concat([half, mul(turned, constant(half.dtype, [2], [1, -1])) as Any], { axis: 1 }) as Any
}

export interface StftOptions {
  /** Samples from the beginning of a frame to that of the next. */
  readonly step: number
  /** Samples of a frame. Default: the length of window, or the whole signal. */
  readonly length?: number
  /** What frames are multiplied by: `[length]`, or shorter, with zeros behind. Default: nothing. */
  readonly window?: Tensor
  /** Whether the first length / 2 + 1 entries of each spectrum are the result, as the others follow from them. Default true. */
  readonly onesided?: boolean
}
type Frames<S> = S extends readonly [infer B, any, any] ? [B, any, any, 2] : [any, any, any, 2]
/**
 * Spectra of overlapping frames of a signal, the short-time Fourier transform.
 *
 * Frames lie whole in the signal: floor((samples − length) / step) + 1 of them (ONNX STFT 17). The result is `[batch, frames, entries, 2]`.
 * @param input `[batch, samples, 1]`, or `[batch, samples, 2]` with real and imaginary parts, float
 * @param options `step`; `length`, default that of window; `window`, default none; `onesided`, default true
 */
export function stft<X extends Tensor>(
  input: Guard<FloatProblem<'stft', X>, X>,
  options: StftOptions,
): Tensor<X['dtype'], Frames<X['shape']>> {
  const op = 'stft'
  const given = readOptions(op, options, ['step', 'length', 'window', 'onesided'])
  const shape = readSignal(op, input)
  if (shape.length !== 3)
    reject('rank-mismatch', `${op}: input must be [batch, samples, 1] or [batch, samples, 2], got [${shape.join(', ')}]`)
  const [, samples, parts] = shape as [number, number, number]
  const window = given.window === undefined ? undefined : nodeOf(given.window, op, 'window').type
  if (window && (window.shape.length !== 1 || window.dtype !== (input as Any).dtype))
    reject(
      'shape-mismatch',
      `${op}: window must be ${(input as Any).dtype}[length], got ${window.dtype}[${window.shape.join(', ')}]`,
    )
  const step = readInteger(op, 'step', given.step, 1)
  const length = given.length === undefined ? (window?.shape[0] ?? samples) : readInteger(op, 'length', given.length, 1)
  if (length < 1 || length > samples)
    reject('shape-mismatch', `${op}: frames of ${length} do not fit a signal of ${samples} samples`)
  if (window && window.shape[0]! > length)
    reject('shape-mismatch', `${op}: window has ${window.shape[0]} elements, frames have ${length}`)
  const onesided = readBoolean(op, 'onesided', given.onesided, true)
  if (onesided && parts === 2)
    reject('bad-attribute', `${op}: the spectrum of a complex signal has no equal halves; write onesided: false`)
  return wide(input as Any, (x) => {
    const frames = framesOf(x, length, step)
    if (!window) return dft(frames, { onesided }) as Any
    const weights = fitted(cast(given.window as Any, x.dtype) as Any, 0, length)
    return dft(mul(frames, reshape(weights, [length, 1]) as Any) as Any, { onesided }) as Any
  }) as never
}

/** `[batch, samples, parts]` as `[batch, frames, length, parts]`: rows of as many samples as divide both step and length are picked whole. */
function framesOf(input: Any, length: number, step: number): Any {
  const [batch, samples, parts] = shapeOf(input) as [number, number, number]
  const count = Math.floor((samples - length) / step) + 1
  if (count === 1) return reshape(fitted(input, 1, length), [batch, 1, length, parts]) as Any
  const size = greatestCommonDivisor(step, length)
  const rows = Math.floor(samples / size)
  const table = reshape(fitted(input, 1, rows * size), [batch, rows, size * parts]) as Any
  const [perFrame, apart] = [length / size, step / size]
  if (perFrame === apart && rows === count * perFrame) return reshape(table, [batch, count, length, parts]) as Any
  const indices = Array.from({ length: count * perFrame }, (_, i) => Math.floor(i / perFrame) * apart + (i % perFrame))
  const picked = gather(table, constant('i32', [count * perFrame], indices), { axis: 1 }) as Any
  return reshape(picked, [batch, count, length, parts]) as Any
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))

import { isFloat, reject } from '../compiler/graph/index.ts'
import { isElement, maximumValues, readBoolean, readDType, readInteger, readNumber, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { melMatrix, windowValues } from './signalValues.ts'
import type { DType, Tensor } from './tensor.ts'
import type { NoOptions } from './types/shape.ts'

export interface SignalWindowOptions {
  /** Whether the window is one period of a wave, for spectra, or ends where it began, for filters. Default true. */
  readonly periodic?: boolean
  /** Element type. Default f32. */
  readonly dtype?: DType
}
type TypeOf<O> = O extends { readonly dtype: infer D extends DType } ? D : 'f32'
type Long<N> = number extends N ? [any] : [N]

/** A window as a sum of cosines: Σ (−1)^i · weights[i] · cos(2π · i · n / period). */
function cosines(
  op: string,
  length: unknown,
  options: unknown,
  weightsOf: (given: Readonly<Record<string, unknown>>) => readonly number[],
  more: readonly string[] = [],
): any {
  const given = readOptions(op, options, ['periodic', 'dtype', ...more])
  const count = readInteger(op, 'length', length, 0)
  if (count > maximumValues)
    reject('too-large', `${op}: ${count} elements are more than the ${maximumValues} of a tensor written in the model`)
  const dtype = given.dtype === undefined ? 'f32' : readDType(op, given.dtype)
  const values = windowValues(count, readBoolean(op, 'periodic', given.periodic, true), weightsOf(given))
  return constant(dtype, [count], isFloat(dtype) ? values : wholeOf(op, dtype, values))
}

function wholeOf(op: string, dtype: DType, values: readonly number[]): number[] {
  const whole = values.map(Math.trunc)
  if (!whole.every((value) => isElement(dtype, value))) reject('bad-attribute', `${op}: the window does not fit ${dtype}`)
  return whole
}

/**
 * Hann window: 0.5 − 0.5 · cos(2π · n / period).
 *
 * ONNX HannWindow 17, torch.hann_window.
 * @param length number of elements, at most 2^20
 * @param options `periodic`, default true; `dtype`, default f32
 */
export function hannWindow<N extends number, const O extends SignalWindowOptions = NoOptions>(
  length: N,
  options?: O,
): Tensor<TypeOf<O>, Long<N>> {
  return cosines('hannWindow', length, options, () => [0.5, 0.5])
}

export interface HammingWindowOptions extends SignalWindowOptions {
  /** The constant part; the wave has what is left of 1. Default 25/46, as in ONNX; PyTorch and NumPy have 0.54. */
  readonly alpha?: number
}

/**
 * Hamming window: alpha − (1 − alpha) · cos(2π · n / period).
 *
 * ONNX HammingWindow 17 with alpha 25/46; torch.hamming_window with alpha 0.54.
 * @param length number of elements, at most 2^20
 * @param options `periodic`, default true; `alpha`, default 25/46; `dtype`, default f32
 */
export function hammingWindow<N extends number, const O extends HammingWindowOptions = NoOptions>(
  length: N,
  options?: O,
): Tensor<TypeOf<O>, Long<N>> {
  const weightsOf = (given: Readonly<Record<string, unknown>>) => {
    const alpha = readNumber('hammingWindow', 'alpha', given.alpha, 25 / 46)
    return [alpha, 1 - alpha]
  }
  return cosines('hammingWindow', length, options, weightsOf, ['alpha'])
}

/**
 * Blackman window: 0.42 − 0.5 · cos(2π · n / period) + 0.08 · cos(4π · n / period).
 *
 * ONNX BlackmanWindow 17, torch.blackman_window.
 * @param length number of elements, at most 2^20
 * @param options `periodic`, default true; `dtype`, default f32
 */
export function blackmanWindow<N extends number, const O extends SignalWindowOptions = NoOptions>(
  length: N,
  options?: O,
): Tensor<TypeOf<O>, Long<N>> {
  return cosines('blackmanWindow', length, options, () => [0.42, 0.5, 0.08])
}

export interface MelOptions {
  /** Triangular filters. */
  readonly bins: number
  /** Length of the Fourier transform; its spectrum has length / 2 + 1 entries. */
  readonly length: number
  /** Samples in a second. */
  readonly sampleRate: number
  /** Where the first filter begins, in Hz. Default 0. */
  readonly lower?: number
  /** Where the last filter ends, in Hz. Default: half of sampleRate. */
  readonly upper?: number
  /** Element type. Default f32. */
  readonly dtype?: DType
}
/**
 * Weights that make mel bins of a spectrum: `matmul(spectrum, melWeights(…))`.
 *
 * Triangles between frequencies that are evenly spaced on the mel scale 2595 · log10(1 + f / 700), rounded down to entries of the
 * spectrum; the result is `[length / 2 + 1, bins]` (ONNX MelWeightMatrix 17).
 * @param options `bins`, `length` and `sampleRate`; `lower`, default 0, and `upper`, default sampleRate / 2, in Hz; `dtype`, default f32
 */
export function melWeights<const O extends MelOptions>(
  options: O,
): Tensor<TypeOf<O>, [any, number extends O['bins'] ? any : O['bins']]> {
  const op = 'melWeights'
  const given = readOptions(op, options, ['bins', 'length', 'sampleRate', 'lower', 'upper', 'dtype'])
  const bins = readInteger(op, 'bins', given.bins, 1)
  const length = readInteger(op, 'length', given.length, 1)
  const sampleRate = readInteger(op, 'sampleRate', given.sampleRate, 1)
  const lower = readNumber(op, 'lower', given.lower, 0)
  const upper = readNumber(op, 'upper', given.upper, sampleRate / 2)
  if (!(lower >= 0 && lower < upper && upper <= sampleRate / 2))
    reject(
      'bad-attribute',
      `${op}: ${lower} to ${upper} Hz is no part of the 0 to ${sampleRate / 2} Hz that ${sampleRate} samples in a second hold`,
    )
  const rows = Math.floor(length / 2) + 1
  if (rows * bins > maximumValues)
    reject('too-large', `${op}: [${rows}, ${bins}] has more than the ${maximumValues} elements of a tensor written in the model`)
  const dtype = given.dtype === undefined ? 'f32' : readDType(op, given.dtype)
  const values = melMatrix(bins, length, sampleRate, lower, upper)
  return constant(dtype, [rows, bins], isFloat(dtype) ? values : wholeOf(op, dtype, values)) as never
}

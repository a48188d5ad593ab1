import { reject } from '../compiler/graph/index.ts'
import { pad } from './border.ts'
import { maximumValues, readBoolean, readInteger, readNumber, readOptions } from './check.ts'
import { constant } from './constant.ts'
import { log, maximum, sqrt } from './elementwise.ts'
import { stft } from './fourier.ts'
import { matmul } from './product.ts'
import { sumOfSquares } from './reduce.ts'
import { reshape } from './reshape.ts'
import { hannWindow } from './signal.ts'
import { cosineTransform, melBands } from './signalValues.ts'
import type { Tensor } from './tensor.ts'
import { nodeOf } from './tracer.ts'
import type { FloatProblem, Guard } from './types/shape.ts'

type Any = Tensor<any, any>

export interface SpectrogramOptions {
  /** Samples of a frame. */
  readonly size: number
  /** Samples from the beginning of a frame to that of the next. */
  readonly step: number
  /** Whether magnitudes stay squared. Default false. */
  readonly squared?: boolean
}
/**
 * Magnitudes of the spectra of overlapping frames under a Hann window.
 *
 * Frames are filled with zeros to the next power of two, n; the result is `[frames, n / 2 + 1]` (Glow and TensorFlow AudioSpectrogram).
 * @param input `[samples]`, float
 * @param options `size`, `step`; `squared`, default false
 */
export function audioSpectrogram<X extends Tensor>(
  input: Guard<FloatProblem<'audioSpectrogram', X>, X>,
  options: SpectrogramOptions,
): Tensor<X['dtype'], [any, any]> {
  const op = 'audioSpectrogram'
  const given = readOptions(op, options, ['size', 'step', 'squared'])
  const { dtype, shape } = nodeOf(input, op, 'input').type
  if (shape.length !== 1) reject('rank-mismatch', `${op}: input must be [samples], got [${shape.join(', ')}]`)
  const size = readInteger(op, 'size', given.size, 1)
  const step = readInteger(op, 'step', given.step, 1)
  if (size > shape[0]!) reject('shape-mismatch', `${op}: frames of ${size} do not fit a signal of ${shape[0]} samples`)
  const squared = readBoolean(op, 'squared', given.squared, false)
  const length = 2 ** Math.ceil(Math.log2(size))
  // Zeros behind the signal, which the shorter window keeps out of all frames but as zeros.
  const whole = pad(reshape(input as Any, [1, shape[0]!, 1]) as Any, { before: [0, 0, 0], after: [0, length - size, 0] }) as Any
  const spectra = stft(whole, { step, length, window: hannWindow(size, { dtype }) as Any }) as Any
  const [, frames, entries] = spectra.shape as [number, number, number]
  const power = reshape(sumOfSquares(spectra, { axes: 3 }) as Any, [frames, entries]) as Any
  return (squared ? power : sqrt(power)) as never
}

export interface MfccOptions {
  /** Samples in a second. */
  readonly sampleRate: number
  /** Where the first filter begins, in Hz. Default 20. */
  readonly lower?: number
  /** Where the last filter ends, in Hz. Default 4000. */
  readonly upper?: number
  /** Triangular filters. Default 40. */
  readonly filters?: number
  /** Coefficients that are kept, at most as many as filters. Default 13. */
  readonly coefficients?: number
}
/**
 * Mel-frequency cepstral coefficients of spectra: mel filters over magnitudes, their logarithms, and the cosine transform of these.
 *
 * Glow and TensorFlow MFCC. Filters below 1e-12 count as that.
 * @param input `[…, entries]`, squared magnitudes of spectra from 0 Hz to half of sampleRate, float
 * @param options `sampleRate`; `lower`, default 20, and `upper`, default 4000, in Hz; `filters`, default 40; `coefficients`, default 13
 */
export function mfcc<X extends Tensor>(input: Guard<FloatProblem<'mfcc', X>, X>, options: MfccOptions): Tensor<X['dtype'], any> {
  const op = 'mfcc'
  const given = readOptions(op, options, ['sampleRate', 'lower', 'upper', 'filters', 'coefficients'])
  const { dtype, shape } = nodeOf(input, op, 'input').type
  const entries = shape.at(-1) ?? 0
  const rate = readNumber(op, 'sampleRate', given.sampleRate, Number.NaN)
  const [lower, upper] = [readNumber(op, 'lower', given.lower, 20), readNumber(op, 'upper', given.upper, 4000)]
  const filters = readInteger(op, 'filters', given.filters ?? 40, 1)
  const coefficients = readInteger(op, 'coefficients', given.coefficients ?? 13, 1)
  if (entries < 2) reject('shape-mismatch', `${op}: input must be […, entries] with at least two, got [${shape.join(', ')}]`)
  if (!(lower >= 0 && lower < upper && upper <= rate / 2))
    reject(
      'bad-attribute',
      `${op}: ${lower} to ${upper} Hz is no part of the 0 to ${rate / 2} Hz that ${rate} samples in a second hold`,
    )
  if (coefficients > filters) reject('bad-attribute', `${op}: ${coefficients} coefficients are more than the ${filters} filters`)
  if (filters * Math.max(entries, coefficients) > maximumValues)
    reject('too-large', `${op}: ${filters} filters over ${entries} entries are too many`)
  const bands = constant(dtype, [entries, filters], melBands(entries, filters, rate, lower, upper)) as Any
  const cosines = constant(dtype, [filters, coefficients], cosineTransform(filters, coefficients)) as Any
  const energies = matmul(sqrt(input as Any) as Any, bands) as Any
  return matmul(log(maximum(energies, 1e-12) as Any) as Any, cosines) as never
}

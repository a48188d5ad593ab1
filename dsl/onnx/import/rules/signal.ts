import { dtypeFacts } from '../../../../compiler/graph/index.ts'
import { melMatrix, windowValues } from '../../../signalValues.ts'
import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { castTo, dimsOf, dtypeAttribute, scalarOf } from './shared.ts'

const needed = (c: OpContext, i: number, what: string): number => scalarOf(c, i) ?? c.unsupported(`${what} is missing`)

/** Elements of windows and filters that an import may make. */
const maximumElements = 1 << 20

/** Numbers as a result of the element type that the node names; whole ones are cut. */
function written(c: OpContext, shape: readonly number[], values: readonly number[]) {
  const dtype = dtypeAttribute(c, 'output_datatype', 'f32')
  return c.constant(dtype, shape, dtypeFacts[dtype].kind === 'float' ? values : values.map(Math.trunc))
}

/** ONNX HannWindow, HammingWindow and BlackmanWindow 17: sums of cosines with these weights. */
const windowOf =
  (weights: readonly number[]): OpRule =>
  (c) => {
    const length = needed(c, 0, 'the size')
    if (!(length >= 0 && length <= maximumElements)) return c.unsupported(`a window of ${length} elements is too long`)
    return written(c, [length], windowValues(length, c.int('periodic', 1) !== 0, weights))
  }

const melWeightMatrix: OpRule = (c) => {
  const [bins, length, rate] = [0, 1, 2].map((i) => needed(c, i, `input ${i}`)) as [number, number, number]
  const [lower, upper] = [needed(c, 3, 'the lower edge'), needed(c, 4, 'the upper edge')]
  const rows = Math.floor(length / 2) + 1
  if (!(bins >= 1 && length >= 1 && rate >= 1 && rows * bins <= maximumElements))
    return c.unsupported(`[${rows}, ${bins}] mel weights of ${rate} samples in a second cannot be made`)
  if (!(lower >= 0 && lower < upper && upper <= rate / 2))
    return c.unsupported(`${lower} to ${upper} Hz is no part of the spectrum`)
  return written(c, [rows, bins], melMatrix(bins, length, rate, lower, upper))
}

/** ONNX DFT: before opset 20 the axis is an attribute, and 1 where it is left out. */
const dft: OpRule = (c) => {
  const x = c.input(0)
  const rank = dimsOf(x).length
  const axis = c.opset < 20 ? c.int('axis', 1) : (scalarOf(c, 2) ?? -2)
  const length = scalarOf(c, 1)
  const [inverse, onesided] = [c.int('inverse', 0) !== 0, c.int('onesided', 0) !== 0]
  const usual = inverse && onesided ? undefined : dimsOf(x).at(axis)
  return c.d.dft(x, {
    axis: axis === -2 || axis === rank - 2 ? undefined : axis,
    length: length === usual ? undefined : length,
    inverse: inverse || undefined,
    onesided: onesided || undefined,
  } as never) as Value
}

/** ONNX STFT 17: signal, step, window?, length?. */
const stft: OpRule = (c) => {
  const given = c.input(0)
  // Some exporters leave the dimension of real and imaginary part out where the signal is real.
  const x = dimsOf(given).length === 2 ? (c.d.reshape(given, [...dimsOf(given), 1]) as Value) : given
  const window = c.optional(2)
  const length = scalarOf(c, 3)
  return c.d.stft(x, {
    step: needed(c, 1, 'the step'),
    length: window && dimsOf(window)[0] === length ? undefined : length,
    window: window && castTo(c, window, x.dtype),
    onesided: c.int('onesided', 1) === 0 ? false : undefined,
  } as never) as Value
}

export const signals: OpRules = {
  DFT: dft,
  STFT: stft,
  HannWindow: windowOf([0.5, 0.5]),
  HammingWindow: windowOf([25 / 46, 21 / 46]),
  BlackmanWindow: windowOf([0.42, 0.5, 0.08]),
  MelWeightMatrix: melWeightMatrix,
}

import { elementCount, type Shape } from '../../compiler/graph/type.ts'
import { entryOf, lessZeroPoint } from './quantized.ts'
import { lowest } from './reduce.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decode, decodeNumbers, encode, newValues, type Tensor, wrapping } from './values.ts'

interface WindowAttributes {
  readonly stride: readonly number[]
  readonly before: readonly number[]
  readonly dilation: readonly number[]
}

/** Fewer than three spatial axes are three whose first ones have one element. */
const three = (entries: readonly number[], absent: number): [number, number, number] =>
  [...new Array<number>(3 - entries.length).fill(absent), ...entries] as [number, number, number]

const geometry = (a: WindowAttributes) => ({
  stride: three(a.stride, 1),
  before: three(a.before, 0),
  dilation: three(a.dilation, 1),
})

/** Result positions on one axis for which tap `offset` (its distance from the window's origin, less padding) lies inside the input. */
const validRange = (offset: number, stride: number, extent: number, count: number): [number, number] => [
  Math.max(0, Math.ceil(-offset / stride)),
  Math.min(count, Math.ceil((extent - offset) / stride)),
]

export const windowRows = {
  /** Padding adds nothing, so that an infinite weight over it does not make NaN. */
  conv: whole<'conv'>(([input, weight, bias], attributes, result) =>
    encode(
      result.dtype,
      convolve(
        { type: input!.type, values: decodeNumbers(input!) },
        { type: weight!.type, values: decodeNumbers(weight!) },
        bias && decodeNumbers(bias),
        attributes,
        result.shape,
      ),
    ),
  ),

  /** Sums of whole numbers are exact in doubles and wrap at the end. */
  convInteger: whole<'convInteger'>(([input, weight, bias], attributes, result) => {
    const perChannel = elementCount(weight!.type.shape.slice(1))
    const sums = convolve(
      { type: input!.type, values: lessZeroPoint(input!, () => attributes.inputZeroPoint) },
      {
        type: weight!.type,
        values: lessZeroPoint(
          weight!,
          entryOf(attributes.weightZeroPoint, (i) => Math.floor(i / perChannel)),
        ),
      },
      bias && decodeNumbers(bias),
      attributes,
      result.shape,
    )
    return encode(result.dtype, sums.map(wrapping(result.dtype)))
  }),

  /** Padding never wins. NaN does, as in `maximum`. A window that sees padding alone gives the dtype's lowest value. */
  maxPool: whole<'maxPool'>(([input], attributes, result) => {
    const x = decode(input!)
    const y = newValues(result.dtype, elementCount(result.shape))
    const start = lowest(result.dtype)
    forEachWindow(input!, attributes, result.shape, (target, sources, count) => {
      let largest = start
      for (let i = 0; i < count; i++) {
        const value = x[sources[i]!]!
        if (value > largest || Number.isNaN(value)) largest = value
        if (Number.isNaN(largest)) break
      }
      y[target] = largest
    })
    return encode(result.dtype, y)
  }),

  /** The divisor is the whole window where padding counts, else the elements under it. */
  avgPool: whole<'avgPool'>(([input], attributes, result) => {
    const x = decodeNumbers(input!)
    const y = new Float64Array(elementCount(result.shape))
    const taps = elementCount(attributes.window)
    forEachWindow(input!, attributes, result.shape, (target, sources, count) => {
      let sum = 0
      for (let i = 0; i < count; i++) sum += x[sources[i]!]!
      y[target] = sum / (attributes.countPadding ? taps : count)
    })
    return encode(result.dtype, y)
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }

/** Visits result elements in row-major order with the positions of the `count` input elements under the window; `sources` is reused. */
function forEachWindow(
  input: Tensor,
  attributes: WindowAttributes & { readonly window: readonly number[] },
  result: Shape,
  visit: (target: number, sources: Int32Array, count: number) => void,
): void {
  const { stride, before, dilation } = geometry(attributes)
  const [depth, height, width] = three(input.type.shape.slice(2), 1)
  const [windowDepth, windowHeight, windowWidth] = three(attributes.window, 1)
  const [planes, rows, columns] = three(result.slice(2), 1)
  const images = result[0]! * result[1]!
  const sources = new Int32Array(windowDepth * windowHeight * windowWidth)
  let target = 0
  for (let image = 0; image < images; image++) {
    for (let plane = 0; plane < planes; plane++) {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let count = 0
          for (let kz = 0; kz < windowDepth; kz++) {
            const z = plane * stride[0] - before[0] + kz * dilation[0]
            if (z < 0 || z >= depth) continue
            for (let ky = 0; ky < windowHeight; ky++) {
              const line = row * stride[1] - before[1] + ky * dilation[1]
              if (line < 0 || line >= height) continue
              for (let kx = 0; kx < windowWidth; kx++) {
                const at = column * stride[2] - before[2] + kx * dilation[2]
                if (at >= 0 && at < width) sources[count++] = ((image * depth + z) * height + line) * width + at
              }
            }
          }
          visit(target++, sources, count)
        }
      }
    }
  }
}

interface Image {
  readonly type: Tensor['type']
  readonly values: Float64Array
}

/** Sums over the windows, from the bias on. */
function convolve(
  input: Image,
  weight: Image,
  offsets: Float64Array | undefined,
  attributes: WindowAttributes & { readonly groups: number },
  result: Shape,
): Float64Array {
  const [x, w] = [input.values, weight.values]
  const { stride, before, dilation } = geometry(attributes)
  const [batch, channels] = input.type.shape as [number, number]
  const [out, perGroup] = weight.type.shape as [number, number]
  const [depth, height, width] = three(input.type.shape.slice(2), 1)
  const [kernelDepth, kernelHeight, kernelWidth] = three(weight.type.shape.slice(2), 1)
  const [planes, rows, columns] = three(result.slice(2), 1)
  const y = new Float64Array(elementCount(result))
  const columnRanges = Array.from({ length: kernelWidth }, (_, k) =>
    validRange(k * dilation[2] - before[2], stride[2], width, columns),
  )

  const addRow = (target: number, source: number, filter: number): void => {
    for (let k = 0; k < kernelWidth; k++) {
      const factor = w[filter + k]!
      const [from, to] = columnRanges[k]!
      let at = source + k * dilation[2] - before[2] + from * stride[2]
      for (let column = from; column < to; column++, at += stride[2]) y[target + column]! += factor * x[at]!
    }
  }

  let target = 0
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < out; o++) {
      const firstChannel = n * channels + Math.floor(o / (out / attributes.groups)) * perGroup
      for (let plane = 0; plane < planes; plane++) {
        for (let row = 0; row < rows; row++, target += columns) {
          if (offsets) y.fill(offsets[o]!, target, target + columns)
          for (let c = 0; c < perGroup; c++) {
            for (let kz = 0; kz < kernelDepth; kz++) {
              const z = plane * stride[0] - before[0] + kz * dilation[0]
              if (z < 0 || z >= depth) continue
              for (let ky = 0; ky < kernelHeight; ky++) {
                const line = row * stride[1] - before[1] + ky * dilation[1]
                if (line < 0 || line >= height) continue
                addRow(
                  target,
                  (((firstChannel + c) * depth + z) * height + line) * width,
                  (((o * perGroup + c) * kernelDepth + kz) * kernelHeight + ky) * kernelWidth,
                )
              }
            }
          }
        }
      }
    }
  }
  return y
}

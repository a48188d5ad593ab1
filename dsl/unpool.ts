import { elementCount, printType, reject, sameShape } from '../compiler/graph/index.ts'
import { readIntegers, readOptions, readShape } from './check.ts'
import { constant } from './constant.ts'
import { add } from './elementwise.ts'
import { scatterNd } from './indexing.ts'
import { slice } from './parts.ts'
import { expand, reshape, transpose } from './reshape.ts'
import type { Open, Tensor } from './tensor.ts'
import { nodeOf } from './tracer.ts'

type Any = Tensor<any, any>

/** Zeros of any number. */
const zeros = (dtype: any, shape: readonly number[]): Any => expand(constant(dtype, [1], [0]) as Any, [...shape]) as Any

/**
 * Elements put where a max pool found them, zeros elsewhere.
 *
 * An index counts over all elements of the result in row-major order; where two elements have one place the last stays (ONNX MaxUnpool 11
 * as onnxruntime computes it; torch.nn.MaxUnpool2d counts within each channel).
 * @param input any shape, any number type
 * @param indices the shape of input, integers
 * @param shape of the result
 */
export function maxUnpool<X extends Tensor, S extends number[]>(
  input: X,
  indices: Tensor<'i32' | 'i64'>,
  shape: readonly [...S],
): Tensor<X['dtype'], Open<S>> {
  const op = 'maxUnpool'
  const type = nodeOf(input, op, 'input').type
  const places = nodeOf(indices, op, 'indices').type
  const extents = readShape(op, shape, 1)
  if (places.dtype !== 'i32' && places.dtype !== 'i64')
    reject('dtype-mismatch', `${op}: indices is ${places.dtype}; accepted: i32, i64`)
  if (type.dtype === 'bool') reject('dtype-mismatch', `${op}: input is bool; convert it with cast()`)
  if (!sameShape(type.shape, places.shape))
    reject('shape-mismatch', `${op}: indices must have the shape of ${printType(type)}, got ${printType(places)}`)
  const count = elementCount(type.shape)
  const flat = scatterNd(
    zeros(type.dtype, [elementCount(extents)]),
    reshape(indices as Any, [count, 1]) as Any,
    reshape(input as Any, [count]) as Any,
  )
  return reshape(flat as Any, extents) as never
}

export interface FoldOptions {
  /** Step between blocks, one entry for each axis. Default 1. */
  readonly stride?: readonly number[]
  /** What blocks reach beyond the image and is cut off, one entry for each axis. Default 0. */
  readonly padding?: { readonly before: readonly number[]; readonly after: readonly number[] }
  /** Distance between elements of a block, one entry for each axis. Default 1. */
  readonly dilation?: readonly number[]
}
type Folded<X, Z> = Z extends readonly [...infer E]
  ? [{ -readonly [K in keyof E]: number extends E[K] ? any : E[K] }] extends [infer R extends unknown[]]
    ? X extends readonly [infer N, any, any]
      ? [N, any, ...R]
      : [any, any, ...R]
    : never
  : any
/**
 * Blocks of an image put back in their places, where they overlap summed.
 *
 * The reverse of cutting an image into the columns that a convolution multiplies: `[batch, channels · block elements, blocks]` becomes
 * `[batch, channels, …size]` (ONNX Col2Im 18, torch.nn.Fold).
 * @param input `[batch, channels · block elements, blocks]`, any number type
 * @param size of the image, an entry for each axis
 * @param block its size, an entry for each axis
 * @param options `stride`, default 1; `padding`, default 0; `dilation`, default 1
 */
export function fold<X extends Tensor, const Z extends readonly number[]>(
  input: X,
  size: Z,
  block: readonly number[],
  options?: FoldOptions,
): Tensor<X['dtype'], Folded<X['shape'], Z>> {
  const op = 'fold'
  const given = readOptions(op, options, ['stride', 'padding', 'dilation'])
  const extents = readIntegers(op, 'size', size, 1)
  const axes = extents.length
  const kernel = readIntegers(op, 'block', block, 1, axes)
  const perAxis = (name: string, value: unknown, least: number, usual: number) =>
    value === undefined ? extents.map(() => usual) : readIntegers(op, name, value, least, axes)
  const stride = perAxis('stride', given.stride, 1, 1)
  const dilation = perAxis('dilation', given.dilation, 1, 1)
  const sides = readOptions(`${op}: padding`, given.padding, ['before', 'after'])
  const before = perAxis('padding.before', sides.before, 0, 0)
  const after = perAxis('padding.after', sides.after, 0, 0)
  const { dtype, shape } = nodeOf(input, op, 'input').type
  if (dtype === 'bool') reject('dtype-mismatch', `${op}: input is bool; convert it with cast()`)
  const [batch, columns, blocks] = shape as [number, number, number]
  const places = elementCount(kernel)
  if (shape.length !== 3 || columns % places !== 0)
    reject('shape-mismatch', `${op}: input must be [batch, channels · ${places}, blocks], got [${shape.join(', ')}]`)
  const whole = extents.map((extent, i) => extent + before[i]! + after[i]!)
  const counts = whole.map((extent, i) => Math.floor((extent - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1)
  if (counts.some((count) => count < 1) || elementCount(counts) !== blocks)
    reject(
      'shape-mismatch',
      `${op}: an image of [${extents.join(', ')}] has [${counts.join(', ')}] blocks of [${kernel.join(', ')}], input has ${blocks}`,
    )
  const channels = columns / places
  // Element by element and block by block, each with the images and channels side by side.
  const apart = reshape(input as Any, [batch * channels, places * blocks]) as Any
  const updates = transpose(apart, [1, 0]) as Any
  const [offsets, starts] = [
    constant('i32', [places, 1], positions(kernel, dilation, whole)),
    constant('i32', [1, blocks], positions(counts, stride, whole)),
  ]
  const indices = reshape(add(offsets as Any, starts as Any) as Any, [places * blocks, 1]) as Any
  const summed = scatterNd(zeros(dtype, [elementCount(whole), batch * channels]), indices, updates, { reduction: 'add' })
  const image = reshape(transpose(summed, [1, 0]) as Any, [batch, channels, ...whole]) as Any
  const padded = extents.some((extent, i) => extent !== whole[i])
  return (
    padded
      ? slice(
          image,
          extents.map((extent, i) => ({ axis: i + 2, start: before[i]!, stop: before[i]! + extent })),
        )
      : image
  ) as never
}

/** Where in a dense tensor of `shape` each point of a grid lies, in row-major order of the grid. */
function positions(counts: readonly number[], steps: readonly number[], shape: readonly number[]): number[] {
  let list = [0]
  for (const [axis, count] of counts.entries()) {
    const extent = shape[axis]!
    list = list.flatMap((base) => Array.from({ length: count }, (_, i) => base * extent + i * steps[axis]!))
  }
  return list
}

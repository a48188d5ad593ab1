import { reject, sizeInput } from '../compiler/graph/index.ts'
import { maximumOperands, maximumValues, readInteger, readList, readOptions } from './check.ts'
import { less } from './comparison.ts'
import { constant } from './constant.ts'
import { Dimension, plainNumber } from './dimension.ts'
import type { Tensor } from './tensor.ts'
import { describe, rootTracer, tensorOf, withTracer } from './tracer.ts'

/** A dimension with a name. It passes for a number; the editor takes it for an unknown dimension in shapes. */
export type Dim<Name extends string = string, Size extends number = number> = number & {
  readonly dim: Name
  readonly sizes: Size
}

export interface DimOptions {
  /** The smallest that callers may pass where there are several sizes. Default 1. */
  readonly least?: number
}

/**
 * A symbolic dimension of inputs: its name, and the sizes that the model is compiled for.
 *
 * With one size it is that number. With several, callers may pass any length up to the largest: a run takes the smallest size that fits, pads
 * with zeros and trims the results. Inside `forward` it is the size that the model is being built for, as is `input.shape`. The build proves that
 * results do not depend on the padding; `validLength` and `validMask` tell how much of a dimension is none.
 * @param name letters, digits and `_`, not starting with a digit
 * @param sizes different ones of at least 1 each; an entry may have 16 combinations of its dimensions' sizes
 * @param options least: the smallest size that callers may pass, default 1
 */
export function dim<const Name extends string, const Size extends number>(
  name: Name,
  sizes: readonly Size[],
  options?: DimOptions,
): Dim<Name, Size> {
  if (typeof name !== 'string' || !/^[A-Za-z_]\w{0,63}$/.test(name))
    reject('bad-attribute', `dim: name must consist of letters, digits and _, got ${describe(name)}`)
  const list = Array.from(readList('dim', 'sizes', sizes, maximumOperands), (size, i) =>
    readInteger('dim', `sizes[${i}]`, size, 1),
  )
  if (list.length === 0) reject('bad-attribute', `dim: '${name}' needs a size, as in dim('${name}', [128])`)
  const repeated = list.find((size, i) => list.indexOf(size) < i)
  if (repeated !== undefined) reject('bad-attribute', `dim: '${name}' has the size ${repeated} twice`)
  const { least: given = 1 } = readOptions('dim', options, ['least'])
  const least = readInteger('dim', 'least', given, 1)
  list.sort((a, b) => a - b)
  if (least > list[0]!) reject('bad-attribute', `dim: least is ${least}, above the smallest size of '${name}', ${list[0]}`)
  return (list.length === 1 ? list[0] : new Dimension(name, list, least)) as never
}

/**
 * How much of a dimension is no padding: the size that the request gives it, known when the model runs.
 * @param dim what `dim()` returned, or a number, which is then the answer
 */
export function validLength(dim: Dim | number): Tensor<'i32', []> {
  const given: unknown = dim
  if (!(given instanceof Dimension))
    return constant('i32', [], [readInteger('validLength', 'dim', given, 0)]) as Tensor<'i32', []>
  const root = rootTracer('validLength')
  given.valueOf()
  const input = root.builder.input(sizeInput(given.dim), { dtype: 'i32', shape: [] }, root.location())
  return withTracer(root, () => tensorOf(input)) as Tensor<'i32', []>
}

/**
 * Where a dimension is no padding: true at as many of its first positions as the request fills.
 * @param dim what `dim()` returned, or a number, which gives that many
 */
export function validMask<const N extends number>(dim: N): Tensor<'bool', [number extends N ? any : N extends Dim ? any : N]> {
  const size = readInteger('validMask', 'dim', plainNumber(dim), 0)
  if (size > maximumValues) reject('too-large', `validMask: ${size} positions are above the limit of ${maximumValues}`)
  const positions = constant(
    'i32',
    [size],
    Array.from({ length: size }, (_, i) => i),
  )
  return less(positions as Tensor<'i32'>, validLength(dim) as Tensor<'i32'>) as never
}

import { maximumRank, reject } from '../compiler/graph/index.ts'
import { maximumOperands, readAxis, readInteger, readList, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, shapeOf } from './tracer.ts'
import type { Div, Sub } from './types/arithmetic.ts'
import type { At, Axis, Replace, Unknown } from './types/shape.ts'

/** A range of one axis, as in Python: negative positions count from the end, and what lies outside is left out. */
export interface Range {
  readonly axis: number
  /** First position. Default: the first, or the last when step is negative. */
  readonly start?: number
  /** First position that is no longer taken. Default: all to the end. */
  readonly stop?: number
  /** Distance between positions, not 0; negative walks backwards. Default 1. */
  readonly step?: number
}

/** A position counted from the front; unknown when it lies outside. */
type Position<H, P> = P extends number
  ? `${P}` extends `-${infer N extends number}`
    ? Sub<H, N>
    : number extends Sub<H, P>
      ? any
      : P
  : any
type StartOf<H, R> = R extends { readonly start: infer P } ? Position<H, P> : 0
type StopOf<H, R> = R extends { readonly stop: infer P } ? Position<H, P> : H
type RangeSize<H, R> = R extends { readonly step: any } ? any : number extends H ? any : Sub<StopOf<H, R>, StartOf<H, R>>
type Ranged<S, R> = R extends { readonly axis: infer A extends number }
  ? [RangeSize<At<S, A>, R>] extends [infer V]
    ? Replace<S, A, V>
    : never
  : any
type Sliced<S, R> = any[] extends S
  ? any
  : R extends readonly [infer F, ...infer T]
    ? Sliced<Ranged<S, F>, T>
    : R extends readonly []
      ? S
      : R extends Range
        ? Ranged<S, R>
        : any
/**
 * A regular part of a tensor.
 * @param input any shape, any element type
 * @param range `{ axis, start, stop, step }`, or a list of them for several axes; the others are taken whole
 */
export function slice<X extends Tensor, const R extends Range | readonly Range[]>(
  input: X,
  range: R,
): Tensor<X['dtype'], Sliced<X['shape'], R>> {
  const extents = shapeOf(input, 'slice')
  const ranges = Array.isArray(range) ? readList('slice', 'range', range, maximumRank) : [range]
  const [start, size, step] = [extents.map(() => 0), [...extents], extents.map(() => 1)]
  const named = new Set<number>()
  for (const entry of ranges) {
    const given = readOptions('slice', entry, ['axis', 'start', 'stop', 'step'])
    const axis = readAxis('slice', given.axis, extents.length)
    if (named.has(axis)) reject('bad-attribute', `slice: axis ${axis} is named twice`)
    named.add(axis)
    const taken = readRange(given, extents[axis]!)
    ;[start[axis], size[axis], step[axis]] = [taken.start, taken.size, taken.step]
  }
  return call('slice', { input }, { start, size, step })
}

function readRange(given: Readonly<Record<string, unknown>>, extent: number): { start: number; size: number; step: number } {
  const read = (name: string, fallback: number) =>
    given[name] === undefined ? fallback : readInteger('slice', name, given[name], Number.MIN_SAFE_INTEGER)
  const step = read('step', 1)
  if (step === 0) reject('bad-attribute', 'slice: step must not be 0')
  const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1]
  const place = (position: number) => Math.min(high, Math.max(low, position < 0 ? position + extent : position))
  const start = given.start === undefined ? (step > 0 ? 0 : extent - 1) : place(read('start', 0))
  const stop = given.stop === undefined ? (step > 0 ? extent : -1) : place(read('stop', 0))
  const size = Math.max(0, Math.ceil((stop - start) / step))
  return size === 0 ? { start: 0, size: 0, step: 1 } : { start, size, step: size === 1 ? 1 : step }
}

type Cut<S, A extends number, V> = Replace<S, A, V>
type Part<S, A extends number, N> = Div<At<S, A>, N>
type Equal<D extends Tensor['dtype'], S, N extends number, A extends number, R extends unknown[] = []> = number extends N
  ? Tensor<D>[]
  : R['length'] extends N
    ? R
    : R['length'] extends 16
      ? Tensor<D>[]
      : [Cut<S, A, Part<S, A, N>>] extends [infer V]
        ? Equal<D, S, N, A, [...R, Tensor<D, V>]>
        : never
type Parts<D extends Tensor['dtype'], S, Z, A extends number> = Z extends number
  ? Equal<D, S, Z, A>
  : { -readonly [K in keyof Z]: Tensor<D, Cut<S, A, number extends Z[K] ? any : Z[K]>> }
/**
 * A tensor cut along an axis: into this many equal parts, or into parts of the given sizes.
 * @param input any shape, any element type
 * @param parts a number that divides the axis, or sizes that sum to it
 * @param options `axis`
 */
export function split<X extends Tensor, const Z extends number | readonly number[], const A extends number>(
  input: X,
  parts: Z,
  options: { readonly axis: A },
): Parts<X['dtype'], X['shape'], Z, A> {
  const extents = shapeOf(input, 'split')
  const axis = readAxis('split', readOptions('split', options, ['axis']).axis, extents.length)
  const extent = extents[axis]!
  const sizes =
    typeof parts === 'number'
      ? equalParts(parts, extent, axis)
      : Array.from(readList('split', 'parts', parts, maximumOperands), (part, i) => readInteger('split', `parts[${i}]`, part, 0))
  const total = sizes.reduce((sum, part) => sum + part, 0)
  if (total !== extent)
    reject('shape-mismatch', `split: parts sum to ${total}, axis ${axis} of [${extents.join(', ')}] has ${extent}`)
  let start = 0
  return sizes.map((part) => {
    const piece = call(
      'slice',
      { input },
      {
        start: extents.map((_, i) => (i === axis && part > 0 ? start : 0)),
        size: extents.map((e, i) => (i === axis ? part : e)),
        step: extents.map(() => 1),
      },
    )
    start += part
    return piece
  }) as never
}

function equalParts(parts: number, extent: number, axis: number): number[] {
  const count = readInteger('split', 'parts', parts, 1)
  if (count > maximumOperands) reject('bad-attribute', `split: ${count} parts are above the limit of ${maximumOperands}`)
  if (extent % count !== 0)
    reject('shape-mismatch', `split: ${count} equal parts do not divide the ${extent} elements of axis ${axis}`)
  return new Array<number>(count).fill(extent / count)
}

type Gathered<S, I, A extends number, L extends unknown[] = []> = any[] extends S
  ? any
  : any[] extends I
    ? any
    : number extends A
      ? any
      : S extends readonly [infer H, ...infer T]
        ? L['length'] extends A
          ? I extends readonly unknown[]
            ? [...L, ...I, ...T]
            : any
          : Gathered<T, I, A, [...L, H]>
        : any
type Index = 'i32' | 'i64' | 'u8' | 'i8' | 'i16' | 'u16' | 'u32'
/**
 * Parts of a tensor picked by index along an axis.
 *
 * A negative index counts from the end; an index outside is an error of the request that brings it.
 * @param input at least one dimension, any element type
 * @param indices any shape, integers; stands in the result in place of the axis
 * @param options `axis`, default 0
 */
export function gather<X extends Tensor, I extends Tensor<Index>, const A extends number = 0>(
  input: X,
  indices: I,
  options?: { readonly axis?: A },
): Tensor<X['dtype'], Gathered<X['shape'], I['shape'], X['shape'] extends readonly unknown[] ? Axis<X['shape'], A> : A>> {
  const { axis = 0 } = readOptions('gather', options, ['axis'])
  return call('gather', { input, indices }, { axis: readAxis('gather', axis, shapeOf(input, 'gather').length) })
}

/**
 * Rows of a table picked by index.
 *
 * A negative index counts from the end; an index outside is an error of the request that brings it.
 * @param indices any shape, integers
 * @param table `[rows, width]`, any element type
 */
export function embedding<I extends Tensor<Index>, W extends Tensor>(
  indices: I,
  table: W,
): Tensor<
  W['dtype'],
  Unknown<I['shape']> extends true
    ? any
    : I['shape'] extends readonly unknown[]
      ? W['shape'] extends readonly [any, infer C]
        ? [...I['shape'], C]
        : [...I['shape'], any]
      : any
> {
  return call('embedding', { indices, table }) as never
}

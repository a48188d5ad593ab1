import { elementCount } from '../compiler/graph/index.ts'
import { readIntegers } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, shapeOf } from './tracer.ts'
import type { Mul } from './types/arithmetic.ts'

type Tiled<S, R> = any[] extends S
  ? any
  : any[] extends R
    ? any
    : { -readonly [I in keyof S]: I extends keyof R ? Mul<S[I], R[I]> : any }

/**
 * A tensor repeated along each dimension, whole copies one after another.
 * @param input any shape, any element type
 * @param repeats how often, an entry for each dimension
 */
export function tile<X extends Tensor, const R extends readonly number[]>(
  input: X,
  repeats: R,
): Tensor<X['dtype'], Tiled<X['shape'], R>> {
  const shape = shapeOf(input, 'tile')
  const counts = readIntegers('tile', 'repeats', repeats, 0, shape.length)
  let [value, done]: [unknown, number[]] = [input, [...shape]]
  for (const [axis, count] of counts.entries()) {
    if (count === 1) continue
    // Copies stand along a dimension of their own in front of the axis, then both become one.
    const [before, after] = [elementCount(done.slice(0, axis)), elementCount(done.slice(axis))]
    const grown = done.map((extent, i) => (i === axis ? extent * count : extent))
    const apart = call('reshape', { input: value }, { shape: [before, 1, after] }, 'tile')
    const repeated = call('expand', { input: apart }, { shape: [before, count, after] }, 'tile')
    value = call('reshape', { input: repeated }, { shape: grown }, 'tile')
    done = grown
  }
  return value as never
}

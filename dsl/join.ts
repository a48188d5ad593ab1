import { printType, reject, sameShape } from '../compiler/graph/index.ts'
import { maximumOperands, readAxis, readList, readOptions } from './check.ts'
import type { Tensor } from './tensor.ts'
import { call, nodeOf } from './tracer.ts'
import type { Add } from './types/arithmetic.ts'
import type { Axis, Put } from './types/shape.ts'

type ConcatShape<T, A extends number> = T extends readonly [Tensor<any, infer S>, ...infer R] ? Joined<S, R, A> : any
type Joined<S, T, A extends number> = any[] extends S
  ? any
  : number extends A
    ? any
    : S extends readonly unknown[]
      ? T extends readonly [Tensor<any, infer N>, ...infer R]
        ? any[] extends N
          ? any
          : N extends readonly unknown[]
            ? Joined<Put<S, Axis<S, A>, Add<S[Axis<S, A>], N[Axis<S, A>]>>, R, A>
            : any
        : T extends readonly []
          ? S
          : Put<S, Axis<S, A>, any>
      : any
/**
 * Tensors one after another along an axis.
 * @param inputs one or more, equal in element type and in all dimensions but the axis
 * @param options `axis`
 */
export function concat<T extends readonly Tensor[], const A extends number>(
  inputs: readonly [...T],
  options: { readonly axis: A },
): Tensor<T[number]['dtype'], ConcatShape<T, A>> {
  const axis = readAxis('concat', readOptions('concat', options, ['axis']).axis, firstRank('concat', inputs))
  return call('concat', { inputs }, { axis })
}

function firstRank(op: string, inputs: unknown): number {
  const list = readList(op, 'inputs', inputs, maximumOperands, 'bad-operand')
  if (list.length === 0) reject('bad-operand', `${op}: inputs needs at least one tensor`)
  return nodeOf(list[0], op, 'inputs[0]').type.shape.length
}

type Stacked<T extends readonly Tensor[], A extends number> = T extends readonly [Tensor<any, infer S>, ...any[]]
  ? any[] extends S
    ? any
    : S extends readonly unknown[]
      ? number extends A
        ? any
        : InsertedAt<S, Axis<[...S, any], A>, T['length']>
      : any
  : any
type InsertedAt<S, A, V, L extends unknown[] = []> = L['length'] extends A
  ? S extends readonly unknown[]
    ? [...L, V, ...S]
    : any
  : S extends readonly [infer H, ...infer R]
    ? InsertedAt<R, A, V, [...L, H]>
    : any
/**
 * Tensors of one shape side by side along a new axis.
 * @param inputs one or more, equal in element type and shape
 * @param options `axis` of the result, default 0
 */
export function stack<T extends readonly Tensor[], const A extends number = 0>(
  inputs: readonly [...T],
  options?: { readonly axis?: A },
): Tensor<T[number]['dtype'], Stacked<T, A>> {
  const { axis = 0 } = readOptions('stack', options, ['axis'])
  const rank = firstRank('stack', inputs)
  const along = readAxis('stack', axis, rank + 1)
  const { shape } = nodeOf(inputs[0], 'stack', 'inputs[0]').type
  const widened = Array.from(inputs as readonly unknown[], (input, i) => {
    const { type } = nodeOf(input, 'stack', `inputs[${i}]`)
    if (!sameShape(type.shape, shape))
      reject('shape-mismatch', `stack: inputs[${i}] is ${printType(type)}, inputs[0] has shape [${shape.join(', ')}]`)
    return call('reshape', { input }, { shape: [...shape.slice(0, along), 1, ...shape.slice(along)] })
  })
  return call('concat', { inputs: widened }, { axis: along })
}

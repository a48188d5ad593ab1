import type { Broadcast, BroadcastFails, Differ, Print, Text } from './shape.ts'

/** What is wrong with the shapes of a matrix product. */
export type MatmulShapes<Op extends string, A, B> = [A] extends [readonly [...infer LA, any, infer K]]
  ? [B] extends [readonly [...infer LB, infer J, any]]
    ? Differ<K, J> extends true
      ? `${Op}: inner dimensions ${Print<K>} and ${Print<J>} differ in ${Text<A>} x ${Text<B>}`
      : BroadcastFails<LA, LB> extends true
        ? `${Op}: leading dimensions of ${Text<A>} and ${Text<B>} do not broadcast`
        : false
    : false
  : false
export type MatmulShape<A, B> = any[] extends A
  ? any
  : any[] extends B
    ? any
    : A extends readonly [...infer LA, infer M, any]
      ? B extends readonly [...infer LB, any, infer N]
        ? Broadcast<LA, LB> extends [...infer L]
          ? [...L, M, N]
          : any
        : any
      : any

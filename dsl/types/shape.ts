import type { Tensor } from '../tensor.ts'
import type { Add, Div, Mul, Sub } from './arithmetic.ts'

/*
 * Two rules for every type that builds a shape.
 * 1. A tuple is written around finished elements only: `[…] extends [infer V] ? [N, V]`, never `[N, Slide<H>]`. The latter is kept
 *    unevaluated together with everything it came from, and after a hundred layers TypeScript gives up (TS2589).
 * 2. No alias stands for a finished tuple or Tensor: hovers would print `Image<…>` instead of `[1, 64, 56, 56]`.
 */

// ---------------------------------------------------------------- saying what is wrong, at the argument
/**
 * A parameter type: `T`, or the message when there is one, so that the editor prints it under the argument. Both sides stand in
 * brackets on purpose: inside a generic helper the question is still open, and only this form lets the argument pass then. For the
 * same reason every test in a Problem type is bracketed, and unknown passes first.
 */
export type Guard<Problem, T> = [Problem] extends [string] ? Problem : T

/** What an options parameter is inferred as when it is left out. */
export type NoOptions = Record<never, never>

/** True for a shape of unknown rank: `any`, or an array that is no tuple. */
export type Unknown<S> = any[] extends S ? true : false

export type Print<N> = number extends N ? '?' : N extends number ? `${N}` : '?'
type Join<S, R extends string = ''> = S extends readonly [infer A, ...infer T]
  ? Join<T, R extends '' ? Print<A> : `${R}, ${Print<A>}`>
  : R
/** `[1, 64, ?, ?]` */
export type Text<S> = any[] extends S ? '[unknown]' : `[${Join<S>}]`

/** Both known, and different. */
export type Differ<A, B> = [number] extends [A]
  ? false
  : [number] extends [B]
    ? false
    : [A] extends [B]
      ? false
      : [B] extends [A]
        ? false
        : true

type Apart<S, T> = [S] extends [readonly [infer A, ...infer R]]
  ? [T] extends [readonly [infer B, ...infer Q]]
    ? Differ<A, B> extends true
      ? true
      : Apart<R, Q>
    : true
  : [T] extends [readonly []]
    ? false
    : true
/** Two shapes of known rank that cannot be the same. */
export type ShapesDiffer<S, T> = [any[]] extends [S] ? false : [any[]] extends [T] ? false : Apart<S, T>

// ---------------------------------------------------------------- broadcasting
type Wide<A, B> =
  Differ<A, B> extends true
    ? [A] extends [1]
      ? B
      : [B] extends [1]
        ? A
        : any
    : [number] extends [A]
      ? [B] extends [1]
        ? any
        : B
      : [number] extends [B]
        ? [A] extends [1]
          ? any
          : A
        : [A] extends [1]
          ? B
          : A
type Widen<A, B, R extends unknown[] = []> = A extends readonly [...infer TA, infer X]
  ? B extends readonly [...infer TB, infer Y]
    ? [Wide<X, Y>] extends [infer V]
      ? Widen<TA, TB, [V, ...R]>
      : never
    : [...A, ...R]
  : B extends readonly [...infer TB, infer Y]
    ? [...TB, Y, ...R]
    : R
/** Identity, not assignability: `[1]` and `[any]` are assignable to each other and yet not the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** The common shape of two operands. */
export type Broadcast<A, B> = any[] extends A ? any : any[] extends B ? any : Same<A, B> extends true ? A : Widen<A, B>

type Clash<A, B> = [1] extends [A] ? false : [1] extends [B] ? false : Differ<A, B>
type AnyClash<A, B> = [A] extends [readonly [...infer TA, infer X]]
  ? [B] extends [readonly [...infer TB, infer Y]]
    ? Clash<X, Y> extends true
      ? true
      : AnyClash<TA, TB>
    : false
  : false
export type BroadcastFails<A, B> = [any[]] extends [A] ? false : [any[]] extends [B] ? false : AnyClash<A, B>

// ---------------------------------------------------------------- counting and picking dimensions
/** Product of all entries. */
export type Count<S, R = 1> = S extends readonly [infer A, ...infer T] ? Count<T, Mul<R, A>> : R

/** An axis counted from the front; `A` may be a union. */
export type Axis<S extends readonly unknown[], A extends number> = A extends number
  ? `${A}` extends `-${infer N extends number}`
    ? Sub<S['length'], N>
    : A
  : never
/** `S` with entry `I` replaced. */
export type Put<S, I, V> = { -readonly [K in keyof S]: K extends `${I & number}` ? V : S[K] }
/** Entry `A` of `S`, counted from either end; unknown where there is none. */
export type At<S, A extends number> = any[] extends S
  ? any
  : number extends A
    ? any
    : S extends readonly unknown[]
      ? S[Axis<S, A>]
      : any
/** `S` with the entry at axis `A` replaced by `V`; an axis the editor does not know leaves the rank. */
export type Replace<S, A extends number, V> = any[] extends S
  ? any
  : S extends readonly unknown[]
    ? number extends A
      ? { -readonly [K in keyof S]: any }
      : Put<S, Axis<S, A>, V>
    : any

// ---------------------------------------------------------------- sliding windows
/** Elements that a window of size K and dilation D reaches over. */
type Reach<K, D> = D extends 1 ? K : Add<Mul<D, Sub<K, 1>>, 1>
/** floor((extent + padding − reach) / stride) + 1, where `P` is the padding on both sides together */
export type Slide<H, K, S, P, D> = number extends H
  ? any
  : [S, Reach<K, D>, P] extends [1, infer E, infer T]
    ? Sub<E, 1> extends T
      ? number extends T
        ? any
        : H
      : Add<Sub<Add<H, T>, E>, 1>
    : Add<Div<Sub<Add<H, P>, Reach<K, D>>, S>, 1>
/** ceil(extent / stride): what padding 'same' gives */
export type Same1<H, S> = S extends 1 ? H : Div<Add<H, Sub<S, 1>>, S>

// ---------------------------------------------------------------- element types
export type Float = 'f32' | 'f64' | 'f16' | 'bf16'
/** A sentence when the tensor is known not to be of a float type. */
export type FloatProblem<Op extends string, X extends Tensor> = [X['dtype']] extends [Float]
  ? false
  : [Extract<X['dtype'], Float>] extends [never]
    ? `${Op}: input is ${X['dtype']}; convert it with cast()`
    : false
export type DTypeProblem<Op extends string, Names extends readonly [string, string], A, B> = [A] extends [B]
  ? false
  : [B] extends [A]
    ? false
    : `${Op}: ${Names[0]} is ${A & string}, ${Names[1]} is ${B & string}; convert one with cast()`

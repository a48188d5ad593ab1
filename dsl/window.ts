import { reject } from '../compiler/graph/index.ts'
import { isPlainObject, readOptions, readPerAxis } from './check.ts'
import { describe, nodeOf } from './tracer.ts'
import type { Add } from './types/arithmetic.ts'
import type { Differ, Same1, Slide, Text } from './types/shape.ts'

/** One number for all spatial axes, or one for each. */
export type PerAxis<N extends 1 | 2 | 3> =
  | number
  | [readonly [number], readonly [number, number], readonly [number, number, number]][[never, 0, 1, 2][N]]
type Padding<N extends 1 | 2 | 3> = PerAxis<N> | { readonly before: PerAxis<N>; readonly after: PerAxis<N> } | 'same'

export interface WindowOptions<N extends 1 | 2 | 3> {
  /** Step of the window; one number, or one for each axis. Default: 1 for convolutions, the window for pools. */
  readonly stride?: PerAxis<N>
  /**
   * Elements added at the borders: a number, one for each axis, `{ before, after }` where the two sides differ, or 'same' for as many
   * as make the result ceil(extent / stride) long, the odd one behind (ONNX SAME_UPPER). Default 0.
   */
  readonly padding?: Padding<N>
  /** Distance between window elements. Default 1. */
  readonly dilation?: PerAxis<N>
}

export interface ConvOptions<N extends 1 | 2 | 3> extends WindowOptions<N> {
  /** Channels are convolved in this many independent groups. Default 1. */
  readonly groups?: number
}

export interface AvgPoolOptions<N extends 1 | 2 | 3> extends WindowOptions<N> {
  /** Whether padding counts as zeros in the mean. Default true, as in PyTorch; ONNX says false. */
  readonly countPadding?: boolean
}

// ---------------------------------------------------------------- shapes
/** Entry I of a number for all axes or a tuple with one for each. */
export type Side<K, I extends number> = K extends readonly any[] ? K[I] : K
type Entry<O, K extends string, D, I extends number> = K extends keyof O ? Side<O[K], I> : D
/** Padding on both sides together. */
type Total<P, I extends number> = P extends { readonly before: infer B; readonly after: infer A }
  ? Add<Side<B, I>, Side<A, I>>
  : Add<Side<P, I>, Side<P, I>>
export type Extent<H, K, O, S, I extends number> = O extends { readonly padding: infer P }
  ? P extends 'same'
    ? Same1<H, Entry<O, 'stride', S, I>>
    : Slide<H, K, Entry<O, 'stride', S, I>, Total<P, I>, Entry<O, 'dilation', 1, I>>
  : Slide<H, K, Entry<O, 'stride', S, I>, 0, Entry<O, 'dilation', 1, I>>

interface Layout {
  1: '[batch, channels, length]'
  2: '[batch, channels, height, width]'
  3: '[batch, channels, depth, height, width]'
}
interface RankOf {
  1: 3
  2: 4
  3: 5
}
export type RankProblem<Op extends string, N extends 1 | 2 | 3, X> = [any[]] extends [X]
  ? false
  : [X] extends [readonly any[]]
    ? Differ<X['length'], RankOf[N]> extends true
      ? `${Op}: input must be ${Layout[N]}, got ${Text<X>}`
      : false
    : false
// ---------------------------------------------------------------- reading options
const layouts = ['', '[batch, channels, length]', '[batch, channels, height, width]', '[batch, channels, depth, height, width]']
const kernels = [
  '',
  '[out, in / groups, length]',
  '[out, in / groups, height, width]',
  '[out, in / groups, depth, height, width]',
]

export function spatialExtents(op: string, axes: number, value: unknown, operand: 'input' | 'weight'): readonly number[] {
  const { shape } = nodeOf(value, op, operand).type
  if (shape.length === axes + 2) return shape.slice(2)
  return reject(
    'rank-mismatch',
    `${op}: ${operand} must be ${(operand === 'input' ? layouts : kernels)[axes]}, got [${shape.join(', ')}]`,
  )
}

export function spatialAxes(op: string, input: unknown): number[] {
  const { shape } = nodeOf(input, op, 'input').type
  if (shape.length < 3 || shape.length > 5)
    reject('rank-mismatch', `${op}: input must be [batch, channels, …1 to 3 spatial dimensions], got [${shape.join(', ')}]`)
  return shape.slice(2).map((_, i) => i + 2)
}

/** Stride, dilation and padding for each axis. */
export function readWindow(
  op: string,
  extents: readonly number[],
  kernel: readonly number[],
  given: Readonly<Record<string, unknown>>,
  defaultStride: number | readonly number[],
) {
  const axes = extents.length
  const stride = readPerAxis(op, 'stride', given.stride === undefined ? defaultStride : given.stride, axes, 1)
  const dilation = readPerAxis(op, 'dilation', given.dilation === undefined ? 1 : given.dilation, axes, 1)
  return { stride, dilation, ...readPadding(op, given.padding === undefined ? 0 : given.padding) }

  function readPadding(name: string, padding: unknown): { before: number[]; after: number[] } {
    if (padding === 'same') {
      const total = extents.map((extent, i) => {
        const result = Math.ceil(extent / stride[i]!)
        return Math.max(0, (result - 1) * stride[i]! + dilation[i]! * (kernel[i]! - 1) + 1 - extent)
      })
      const before = total.map((t) => Math.floor(t / 2))
      return { before, after: total.map((t, i) => t - before[i]!) }
    }
    if (isPlainObject(padding)) {
      const { before, after } = readOptions(`${name}: padding`, padding, ['before', 'after'])
      return {
        before: readPerAxis(name, 'padding.before', before, axes, 0),
        after: readPerAxis(name, 'padding.after', after, axes, 0),
      }
    }
    if (typeof padding !== 'number' && !Array.isArray(padding)) {
      reject(
        'bad-attribute',
        `${name}: padding must be a number, one for each axis, { before, after } or 'same', got ${describe(padding)}`,
      )
    }
    const both = readPerAxis(name, 'padding', padding, axes, 0)
    return { before: both, after: both }
  }
}

import { elementCount, type Shape } from '../../../compiler/graph/type.ts'
import type { AnchoredKernel } from './template.ts'

export type Triple = readonly [depth: number, height: number, width: number]

/** A sliding window over one to three spatial dimensions, always written as three; missing outer ones are 1. */
export interface Windowed {
  readonly batch: number
  readonly channels: number
  readonly input: Triple
  readonly output: Triple
  readonly window: Triple
  readonly stride: Triple
  readonly dilation: Triple
  readonly before: Triple
  readonly after: Triple
}

/** One to three sizes as three, outer ones filled up. */
export const triple = (list: readonly number[], fill: number): Triple =>
  [...Array.from({ length: 3 - list.length }, () => fill), ...list] as unknown as Triple

export function windowedOf({ anchor }: AnchoredKernel, window: Shape): Windowed {
  const attributes = anchor.attributes as Readonly<Record<'stride' | 'dilation' | 'before' | 'after', readonly number[]>>
  const input = anchor.operands[0]!.shape
  return {
    batch: input[0]!,
    channels: input[1]!,
    input: triple(input.slice(2), 1),
    output: triple(anchor.type.shape.slice(2), 1),
    window: triple(window, 1),
    stride: triple(attributes.stride, 1),
    dilation: triple(attributes.dilation, 1),
    before: triple(attributes.before, 0),
    after: triple(attributes.after, 0),
  }
}

export const isPadded = ({ before, after }: Windowed): boolean => [...before, ...after].some((size) => size > 0)
export const volume = (sizes: Triple): number => elementCount(sizes)

/** What windows can reach: extents of the input with its padding. */
export const paddedExtents = ({ input, before, after }: Windowed): Triple =>
  [0, 1, 2].map((axis) => before[axis]! + input[axis]! + after[axis]!) as unknown as Triple

/** A position in the result for the axes that its type really has. */
export const positionOf = (
  rank: number,
  batch: string,
  channel: string,
  spatial: readonly [string, string, string],
): string[] => [batch, channel, ...spatial.slice(5 - rank)]

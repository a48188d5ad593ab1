import type { Shape, TensorType } from '../../compiler/graph/index.ts'
import { elementCount } from '../../compiler/graph/index.ts'
import { anchorOf, checkAnchored, withSteps } from './anchoredCases.ts'
import { bytesOf } from './compare.ts'
import type { Case, KernelSuite } from './kernelProgram.ts'

const f32 = (shape: Shape): TensorType => ({ dtype: 'f32', shape })

/** Multiples of 1/64 below 2, deterministic: sums of products in f32 are exact. */
function valuesOf(shape: Shape, seed: number): number[] {
  let state = seed * 2654435761 + 1
  return Array.from({ length: elementCount(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 8) % 257) / 64 - 2
  })
}

type After = Parameters<typeof withSteps>[2]

/** A case of f32; `constant` operands are those known at build. */
function caseOf(
  op: string,
  shapes: readonly Shape[],
  attributes: Record<string, unknown>,
  after: After,
  constant: boolean,
  change: (value: number, index: number) => number = (value) => value,
): Case {
  const types = shapes.map(f32)
  const anchor = anchorOf(op, types, attributes)
  if (!anchor) throw new Error(`${op} does not take ${JSON.stringify(shapes)}`)
  const kernel = withSteps(
    anchor,
    types.map((type, i) => ({ type, constant: constant && i > 0 })),
    after,
  )
  return {
    kernel,
    inputs: kernel.inputs.map(({ type }, i) =>
      bytesOf(type, valuesOf(type.shape, 7 * i + shapes.length).map(i === 0 ? change : (v) => v)),
    ),
  }
}

const afterwards: readonly After[] = ['plain', 'relu', 'residual', 'channel', 'odd', 'compare']

/** Window attributes with equal numbers on every axis unless given one by one. */
const window = (axes: number, given: Record<string, number | readonly number[]>) => {
  const defaults = { stride: 1, dilation: 1, before: 0, after: 0, ...given }
  return Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [
      name,
      typeof value === 'number' ? Array.from({ length: axes }, () => value) : value,
    ]),
  )
}

/** Input, weight, groups and window of convolutions: widths around one, two and three vectors of every level, and their tails. */
const convolutions: readonly [input: Shape, weight: Shape, groups: number, attributes: Record<string, unknown>][] = [
  ...[8, 9, 16, 31, 37, 48].map((width): [Shape, Shape, number, Record<string, unknown>] => [
    [1, 3, 3, width],
    [9, 3, 3, 3],
    1,
    window(2, { before: 1, after: 1 }),
  ]),
  [[2, 4, 9, 67], [10, 2, 3, 3], 2, window(2, { stride: 2, before: 1 })],
  [[1, 2, 11, 40], [7, 2, 3, 4], 1, window(2, { dilation: 2, before: 2, after: 3 })],
  [[1, 2, 7, 61], [6, 2, 2, 3], 1, window(2, { stride: [2, 3], dilation: [1, 2], after: 2 })],
  // Not copied: what lies behind the last row is not there to be read.
  [[1, 5, 6, 35], [13, 5, 3, 3], 1, window(2, {})],
  // More weights than stay in the cache.
  [[1, 24, 3, 33], [40, 24, 3, 3], 1, window(2, { before: 1, after: 1 })],
  [[1, 6, 70], [11, 6, 5], 1, window(1, { before: 2, after: 2 })],
  [[1, 2, 5, 4, 21], [5, 2, 2, 3, 2], 1, window(3, { stride: [2, 1, 1], before: 1 })],
  // One channel a plane, stride and tails.
  [[1, 3, 9, 41], [3, 1, 3, 3], 3, window(2, { before: 1, after: 1 })],
  [[1, 3, 9, 41], [3, 1, 3, 3], 3, window(2, { stride: 2, before: 1, after: 1 })],
  [[1, 24, 5, 37], [50, 24, 1, 1], 1, window(2, {})],
]

const products: readonly [rows: number, depth: number, columns: number][] = [
  [1, 64, 172],
  [1, 131, 45],
  [1, 3, 7],
  [2, 8, 512],
  [2, 512, 8],
  [9, 13, 70],
  [17, 33, 49],
  [25, 1, 16],
]

/**
 * Sizes at which the forms for wide vectors and large tiles begin and end: whole tiles, each tail, one row, masked softmax. The cases that
 * are drawn at random are too small for them.
 */
export function wideSuite(): KernelSuite {
  const cases = [
    ...convolutions.map(([input, weight, groups, attributes], i) =>
      caseOf(
        'conv',
        [input, weight, ...(i % 3 ? [[weight[0]!]] : [])],
        { ...attributes, groups },
        afterwards[i % afterwards.length]!,
        i % 2 === 0,
      ),
    ),
    ...products.flatMap(([rows, depth, columns], i) => [
      caseOf(
        'matmul',
        [
          [rows, depth],
          [depth, columns],
        ],
        {},
        afterwards[i % afterwards.length]!,
        i % 2 === 0,
      ),
      caseOf(
        'matmul',
        [
          [3, rows, depth],
          [3, depth, columns],
        ],
        {},
        'plain',
        i % 2 === 1,
      ),
      caseOf('linear', [[rows, depth], [columns, depth], [columns]], {}, afterwards[(i + 1) % afterwards.length]!, i % 2 === 0),
    ]),
    // Positions that are not to be seen, as attention masks them.
    ...[17, 40, 512].map((length) =>
      caseOf('softmax', [[3, length]], { axis: 1 }, 'plain', false, (value, k) =>
        k % length > length / 3 ? Number.NEGATIVE_INFINITY : value,
      ),
    ),
    ...[5, 19, 33].flatMap((length) => [
      caseOf('softmax', [[2, length, 37]], { axis: 1 }, 'plain', false),
      caseOf('layerNorm', [[3, length], [length], [length]], { dims: 1, epsilon: 1e-3 }, 'residual', true),
      caseOf('rmsNorm', [[3, length * 16 + 3], [length * 16 + 3]], { dims: 1, epsilon: 1e-3 }, 'plain', false),
      caseOf('reduceMax', [[3, length * 8 + 1]], { axes: [1], keepDims: false }, 'plain', false),
      caseOf('reduceSum', [[3, length, 70]], { axes: [1], keepDims: false }, 'plain', false),
    ]),
    ...[5, 17, 40].map((width) =>
      caseOf('maxPool', [[1, 2, 9, width]], { window: [3, 3], ...window(2, { stride: 2, before: 1, after: 1 }) }, 'relu', false),
    ),
  ]
  return { name: 'sizes around vectors and tiles', cases, check: (outputs) => checkAnchored(cases, outputs) }
}

import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel, StoredFloat } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { elementCount, type Shape } from '../../compiler/graph/index.ts'
import { roundToBf16 } from '../../compiler/lower/roundWeights.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { waysOf } from '../../targets/c/kernels/way.ts'
import { type Level, lanesOf, levelWith } from '../../targets/c/level.ts'
import { anchorOf, withSteps } from './anchoredCases.ts'
import { assertClose, bytesOf } from './compare.ts'
import { type Case, expectedOf, type KernelSuite } from './kernelProgram.ts'

/**
 * `exact`: multiples of 1/64 up to 2, which both formats have, and whose products have exact sums. `tiny`: the same, weights too small to be
 * normal numbers of their format. `any`: what the format has of arbitrary numbers below 1.
 */
type Values = 'exact' | 'tiny' | 'any'

function valuesOf(shape: Shape, seed: number, values: Values): Float32Array {
  let state = Math.imul(seed + 1, 2654435761)
  return Float32Array.from({ length: elementCount(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return values === 'any' ? state / 2 ** 31 : ((state >>> 8) % 257) / 64 - 2
  })
}

/** Numbers of the format: of f16 eleven bits. */
function inFormat(list: Float32Array, format: StoredFloat, values: Values): Float32Array {
  if (values === 'tiny') return list.map((value) => value * (format === 'f16' ? 2 ** -16 : 2 ** -127))
  if (values === 'exact') return list
  const rounded = roundToBf16(new Uint8Array(list.slice().buffer))
  return format === 'bf16' ? new Float32Array(rounded.buffer) : list.map((value) => Math.round(value * 2 ** 11) / 2 ** 11)
}

/** Tables of five entries along an axis, and what is done with them: whole vectors, rests, single elements, steps without a vector form. */
const tables: readonly (readonly [shape: Shape, axis: number, after: 'plain' | 'relu' | 'channel' | 'shrink'])[] = [
  [[5, 32], 0, 'plain'],
  [[5, 37], 0, 'plain'],
  [[5, 3], 0, 'relu'],
  [[4, 5, 21], 1, 'channel'],
  [[5, 40], 0, 'shrink'],
  [[7, 5], 1, 'plain'],
]

/**
 * Tables, and products whose constant weights are stored in 16 bits, these in every way that the level has for them: with rests of rows, columns and depth,
 * several matrices, and steps behind. Where the left operand is rounded too, so is that of the interpreter.
 */
export function storedSuite(given: Level, seed: number, count: number): { readonly suite: KernelSuite; readonly level: Level } {
  const level = levelWith(given, { precision: 'bf16' })
  const lanes = lanesOf(level)
  const drawn = fc.record({
    kind: fc.constantFrom('linear', 'matmul', 'matrices'),
    format: fc.constantFrom<StoredFloat>('bf16', 'bf16', 'f16'),
    values: fc.constantFrom<Values>('exact', 'tiny', 'any'),
    lead: fc.constantFrom([], [2], [1, 3]),
    rows: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 16, max: 40 })),
    depth: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 150 })),
    columns: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 3 * lanes, max: 7 * lanes })),
    bias: fc.boolean(),
    after: fc.constantFrom('plain', 'relu', 'residual', 'channel', 'odd', 'long' as const),
    last: fc.boolean(),
  })
  const rests = { lead: [], rows: 37, columns: 4 * lanes + 5, bias: true, after: 'residual', last: true } as const
  const certain = (['bf16', 'f16'] as const).flatMap((format) => [
    { ...rests, kind: 'linear', format, values: 'any', depth: 67 } as const,
    { ...rests, kind: 'matrices', format, values: 'exact', depth: 33 } as const,
    // Rows of the left operand would lie in few sets of a cache.
    { ...rests, kind: 'linear', format, values: 'exact', rows: 5, columns: 19, depth: 1024 } as const,
  ])
  const chosen = new Map<string, string>()
  const tolerances: number[] = []
  const ways = new Set<string>()
  const cases = [...certain, ...fc.sample(drawn, { numRuns: count, seed })].map((sizes, k): Case & { expected: Case } => {
    const { kind, format, values, lead, rows, depth, columns, last } = sizes
    // Sums of tiny products and others have more bits than f32.
    const [bias, after] = values === 'tiny' ? ([false, 'plain'] as const) : [sizes.bias, sizes.after]
    const f32 = (...shape: number[]) => ({ dtype: 'f32' as const, shape })
    const operands =
      kind === 'linear'
        ? [f32(...lead, rows, depth), f32(columns, depth), ...(bias ? [f32(columns)] : [])]
        : kind === 'matmul'
          ? [f32(...lead, rows, depth), f32(depth, columns)]
          : [f32(2, 3, rows, depth), f32(3, depth, columns)]
    const anchor = anchorOf(kind === 'linear' ? 'linear' : 'matmul', operands, {})!
    const described = operands.map((type, i) => ({ type, constant: i > 0, ...(i === 1 && { stored: format }) }))
    const kernel: Kernel = withSteps(anchor, described, after)
    // Numbers that are not normal count as 0 where pairs are multiplied.
    const names = waysOf(kernel as AnchoredKernel, level).map(({ name }) => name)
    const possible = values === 'tiny' ? names.filter((name) => !name.startsWith('rounded')) : names
    const way = last ? possible.at(-1)! : possible[0]!
    ways.add(`${format} ${way.split(' ')[0]}`)
    chosen.set(kernelSignature(kernel), way)
    const inputs = kernel.inputs.map(({ type, stored }, i) => {
      const list = valuesOf(type.shape, seed + 7 * k + i, i === 1 || values === 'any' ? values : 'exact')
      return bytesOf(type, stored ? inFormat(list, stored, values) : list)
    })
    tolerances.push(values === 'any' ? 2 ** -23 * (16 * Math.sqrt(depth) + depth) : 0)
    const rounded = way.startsWith('rounded') ? inputs.map((bytes, i) => (i === 0 ? roundToBf16(bytes) : bytes)) : inputs
    return { kernel, inputs, expected: { kernel, inputs: rounded } }
  })
  for (const [k, [table, axis, after]] of tables.entries()) {
    const indices = { dtype: 'i32', shape: [2, 3] } as const
    const anchor = anchorOf('gather', [{ dtype: 'f32', shape: table }, indices], { axis })!
    const format = k % 2 ? 'f16' : 'bf16'
    const operands = anchor.operands.map((type, i) => ({
      type,
      constant: i === 0,
      ...(i === 0 && ({ stored: format } as const)),
    }))
    const kernel = withSteps(anchor, operands, after)
    const [entries, ...others] = kernel.inputs.map(({ type }, i) =>
      type.dtype === 'i32'
        ? new Uint8Array(Int32Array.of(0, 4, -1, 2, -5, 1).buffer)
        : bytesOf(type, i === 0 ? inFormat(valuesOf(type.shape, k, 'any'), format, 'any') : valuesOf(type.shape, k, 'exact')),
    )
    const inputs = [entries!, ...others]
    tolerances.push(0)
    cases.push({ kernel, inputs, expected: { kernel, inputs } })
  }
  const check = (outputs: readonly Uint8Array[]) => {
    for (const [i, { kernel, expected }] of cases.entries()) {
      const tolerance = { atol: tolerances[i]!, rtol: tolerances[i]! === 0 ? 0 : 2 ** -20 }
      assertClose(
        outputs[i]!,
        expectedOf(expected)[0]!,
        kernel.results[0]!.type,
        tolerance,
        `case ${i}: ${kernelSignature(kernel)}`,
      )
    }
  }
  assert.is(ways.size >= (level.bf16Pairs ? 3 : 2), true, `only ${[...ways].join(', ')}`)
  return { suite: { name: `products with weights in 16 bits, ${level.name}`, cases, check }, level: { ...level, chosen } }
}

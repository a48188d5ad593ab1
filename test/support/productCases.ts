import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { elementCount } from '../../compiler/graph/index.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { waysOf } from '../../targets/c/kernels/way.ts'
import { type Level, lanesOf } from '../../targets/c/level.ts'
import { anchorOf, withSteps } from './anchoredCases.ts'
import { assertClose, bytesOf } from './compare.ts'
import { type Case, expectedOf, type KernelSuite } from './kernelProgram.ts'

const after = ['plain', 'relu', 'residual', 'channel', 'odd', 'long', 'shrink'] as const

/** Values whose products and sums need more bits than f32 has, so that the order of adding shows. */
function values(count: number, seed: number): Float32Array {
  let state = Math.imul(seed + 1, 2654435761)
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}

/**
 * Products with constant weights in sizes at which tiles, panels and halves all have rests, each in every way that the level has for it.
 * The level returned takes the ways that the cases are about.
 */
export function productSuite(given: Level, seed: number, count: number): { readonly suite: KernelSuite; readonly level: Level } {
  const level = { ...given, halves: true }
  const lanes = lanesOf(level)
  const sizes = fc.record({
    linear: fc.boolean(),
    lead: fc.constantFrom([], [], [2], [1, 3]),
    rows: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 16, max: 40 })),
    depth: fc.oneof(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 3 }).map((halves) => halves * 2 * Math.max(4, lanes)),
      // In several chunks.
      fc.constant((1 << 19) / 16 / lanes),
    ),
    columns: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 6 * lanes, max: 11 * lanes })),
    bias: fc.boolean(),
    after: fc.constantFrom(...after),
  })
  const chosen = new Map<string, string>()
  const halves = { some: false }
  // One chunk and several, with rests of rows and columns.
  const rests = { linear: true, lead: [], rows: 37, columns: 9 * lanes + 5, bias: true }
  const certain = [
    { ...rests, depth: 2 * Math.max(4, lanes), after: 'residual' as const },
    { ...rests, depth: (1 << 19) / 16 / lanes, after: 'plain' as const },
  ]
  const cases = [...certain, ...fc.sample(sizes, { numRuns: count, seed })].flatMap(
    ({ linear, lead, rows, depth, columns, bias, after }, k) => {
      const f32 = (...shape: number[]) => ({ dtype: 'f32' as const, shape })
      const operands = linear
        ? [f32(...lead, rows, depth), f32(columns, depth), ...(bias ? [f32(columns)] : [])]
        : [f32(...lead, rows, depth), f32(depth, columns)]
      const anchor = anchorOf(linear ? 'linear' : 'matmul', operands, {})!
      const kernel: Kernel = withSteps(
        anchor,
        operands.map((type, i) => ({ type, constant: i > 0 })),
        after,
      )
      const ways = waysOf(kernel as AnchoredKernel, level).map(({ name }) => name)
      const way = k % 4 < 3 ? ways.at(-1)! : ways[0]!
      halves.some ||= way.startsWith('halved')
      chosen.set(kernelSignature(kernel), way)
      const inputs = kernel.inputs.map(({ type }, i) => bytesOf(type, values(elementCount(type.shape), seed + 7 * k + i)))
      return [{ kernel, inputs }]
    },
  )
  const check = (outputs: readonly Uint8Array[]) => {
    for (const [i, given] of cases.entries()) checkCase(given, outputs[i]!, `case ${i}: ${JSON.stringify(given.kernel.anchor)}`)
  }
  assert.ok(halves.some, 'none of the products is one of halves')
  return { suite: { name: `products in every way of ${level.name}`, cases, check }, level: { ...level, chosen } }
}

/** Kernels of an encoder that are large enough to be divided among threads, with sizes that no share fits. */
export function encoderSuite(): KernelSuite {
  const f32 = (...shape: number[]) => ({ dtype: 'f32' as const, shape })
  const heads = f32(1, 5, 67, 32)
  const attributes = { scale: 0.2, causal: false, past: 0, softcap: 0, hidden: Number.NEGATIVE_INFINITY, blind: 'zero' }
  const anchors = [
    anchorOf('attention', [heads, heads, heads], attributes),
    anchorOf('attention', [f32(2, 6, 70, 40), f32(2, 3, 64, 40), f32(2, 3, 64, 21)], { ...attributes, causal: true }),
    anchorOf('softmax', [f32(3, 61, 203)], { axis: 2 }),
    anchorOf('softmax', [f32(501, 7)], { axis: 1 }),
    anchorOf('softmax', [f32(7, 61, 203)], { axis: 1 }),
    anchorOf('layerNorm', [f32(131, 777), f32(777), f32(777)], { dims: 1, epsilon: 1e-5 }),
    anchorOf('rmsNorm', [f32(131, 777), f32(777)], { dims: 1, epsilon: 1e-5 }),
    anchorOf('matmul', [f32(7, 33, 65), f32(7, 65, 51)], {}),
    anchorOf('matmul', [f32(133, 65), f32(65, 19)], {}),
    anchorOf('linear', [f32(45, 65), f32(203, 65)], {}),
  ]
  const cases = anchors.map((anchor, k): Case => {
    const operands = anchor!.operands.map((type) => ({ type, constant: false }))
    const kernel = withSteps(anchor!, operands, k % 2 ? 'plain' : 'relu')
    return { kernel, inputs: kernel.inputs.map(({ type }, i) => bytesOf(type, values(elementCount(type.shape), 9 * k + i))) }
  })
  const check = (outputs: readonly Uint8Array[]) => {
    for (const [i, given] of cases.entries()) checkCase(given, outputs[i]!, `case ${i}: ${given.kernel.anchor!.op}`)
  }
  return { name: 'kernels of an encoder', cases, check }
}

/** Operands are below 1: sums of halves below 4 each, of which as many products are added as the depth is. */
function checkCase(given: Case, output: Uint8Array, what: string): void {
  const { type } = given.kernel.results[0]!
  const depth = given.kernel.anchor!.operands[0]!.shape.at(-1)!
  const atol = type.dtype === 'i16' ? 1 : 2 ** -23 * (16 * Math.sqrt(depth) + depth)
  assertClose(output, expectedOf(given)[0]!, type, { atol, rtol: 2 ** -20 }, what)
}

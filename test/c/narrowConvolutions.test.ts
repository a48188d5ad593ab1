import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { StoredFloat } from '../../compiler/fuse/kernel.ts'
import { elementCount, type TensorType } from '../../compiler/graph/index.ts'
import { elementsOf, scalarBytes } from '../../compiler/graph/scalar.ts'
import { packingOf, storesAs } from '../../targets/c/function.ts'
import { candidatesOf } from '../../targets/c/kernels/blocked/index.ts'
import { packPanels } from '../../targets/c/kernels/blocked/panels.ts'
import { blockedConvolutionOf, pairedSizes } from '../../targets/c/kernels/blocked/sizes.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { type Level, lanesOf, levelWith, neon, simd128, x86v3, x86v4 } from '../../targets/c/level.ts'
import { anchorOf, checkAnchored, withSteps } from '../support/anchoredCases.ts'
import { bytesOf } from '../support/compare.ts'
import { executeSuite } from '../support/executable.ts'
import type { Case } from '../support/kernelProgram.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

const levels = [x86v4, x86v3, neon, simd128]
const f32 = (shape: readonly number[]): TensorType => ({ dtype: 'f32', shape })

interface Drawn {
  readonly inputs: number
  readonly outputs: number
  readonly size: number
  readonly window: number
  readonly stored?: StoredFloat
}

function kernelOf({ inputs, outputs, size, window, stored }: Drawn, level: Level): AnchoredKernel {
  const block = lanesOf(level)
  const operands = [f32([1, Math.ceil(inputs / block), size, size, block]), f32([outputs, inputs, window, window])]
  const pad = [(window - 1) / 2, (window - 1) / 2]
  const attributes = { stride: [1, 1], dilation: [1, 1], before: pad, after: pad, groups: 1, block }
  const typed = operands.map((type, i) => ({ type, constant: i > 0, ...(stored && i === 1 ? { stored } : {}) }))
  return withSteps(anchorOf('blockedConv', operands, attributes)!, typed, 'relu') as AnchoredKernel
}

const pointwise: Drawn = { inputs: 64, outputs: 128, size: 14, window: 1 }
const rounding = (level: Level) => levelWith(level, { precision: 'bf16' })

test('weights of 16 bits take half the bytes, at every level', () => {
  for (const level of levels)
    for (const stored of ['bf16', 'f16'] as const) {
      assert.ok(storesAs(kernelOf(pointwise, level), 1, stored, level), `${level.name} does not store ${stored}`)
      assert.is(packingOf(kernelOf({ ...pointwise, stored }, level), 1, level)!.bytes, 2 * 64 * 128, level.name)
    }
})

test('what is faster with weights of f32 keeps them', () => {
  const few: Drawn = { inputs: 64, outputs: 64, size: 56, window: 3 }
  for (const level of [x86v4, x86v3]) {
    assert.not(storesAs(kernelOf(few, level), 1, 'bf16', level))
    assert.ok(storesAs(kernelOf(few, level), 1, 'bf16', levelWith(level, { winograd: false })))
  }
})

test('operands are rounded where that is allowed and an instruction makes use of it, and nowhere else', () => {
  const names = (level: Level, stored?: StoredFloat) =>
    candidatesOf(kernelOf({ ...pointwise, ...(stored ? { stored } : {}) }, level), level).map(({ name }) => name)
  const some = (list: readonly string[]) => list.some((name) => name.includes(' bf16'))
  assert.ok(some(names(rounding(x86v4))))
  assert.ok(some(names(rounding(x86v4), 'bf16')))
  // Numbers of f16 have more bits than bf16 would leave of them.
  assert.not(some(names(rounding(x86v4), 'f16')))
  for (const level of [x86v4, rounding(x86v3), rounding(neon), rounding(simd128)]) assert.not(some(names(level)), level.name)
})

/** Multiples of 1/256 below 1, and no two of them equal: each tells where it has gone. */
const weights = Array.from({ length: 16 * 15 }, (_, i) => (i + 1) / 256)

test('packed weights of 16 bits are those of f32, element by element', () => {
  const sizes = blockedConvolutionOf(kernelOf({ inputs: 15, outputs: 16, size: 4, window: 1 }, x86v4), x86v4)
  const dense = bytesOf(f32([16, 15, 1, 1]), weights)
  for (const stored of ['bf16', 'f16'] as const) {
    const bytes = packPanels(sizes, 1, stored).pack(dense)
    const elements = elementsOf(stored, bytes)
    const singles = elementsOf('f32', packPanels(sizes, 1).pack(dense))
    assert.is(bytes.length, 2 * 16 * 15)
    for (let i = 0; i < 16 * 15; i++) assert.is(elements.get(i), singles.get(i))
  }
  const pairs = elementsOf('bf16', packPanels(pairedSizes(sizes), 1, 'bf16').pack(dense))
  for (let channel = 0; channel < 16; channel++)
    for (let o = 0; o < 16; o++) {
      const expected = channel < 15 ? weights[o * 15 + channel] : 0
      assert.is(pairs.get(((channel >> 1) * 16 + o) * 2 + (channel & 1)), expected, `channel ${channel}, output ${o}`)
    }
})

test('weights are rounded to the nearest, ties to even', () => {
  const sizes = pairedSizes(blockedConvolutionOf(kernelOf({ inputs: 2, outputs: 16, size: 4, window: 1 }, x86v4), x86v4))
  const given = [1 + 1 / 256, 1 + 3 / 256, 1.001, -1.009, 3.4e38, -0, 1e-40, Number.POSITIVE_INFINITY, Number.NaN]
  const values = Array.from({ length: 32 }, (_, i) => given[i] ?? 0)
  const packed = elementsOf('bf16', packPanels(sizes, 1, 'bf16').pack(bytesOf(f32([16, 2, 1, 1]), values)))
  for (const [i, value] of given.entries()) {
    const expected = elementsOf('bf16', scalarBytes('bf16', Math.fround(value))).get(0)
    assert.ok(Object.is(packed.get(i), expected), `${value} becomes ${packed.get(i)}, not ${expected}`)
  }
})

/** A convolution of an image of one pixel, as gates have them. */
function gate(inputs: number, outputs: number, batch: number, stored: StoredFloat): Case {
  const operands = [f32([batch, inputs, 1, 1]), f32([outputs, inputs, 1, 1]), f32([outputs])]
  const attributes = { stride: [1, 1], dilation: [1, 1], before: [0, 0], after: [0, 0], groups: 1 }
  const typed = operands.map((type, i) => ({ type, constant: i > 0, ...(i === 1 ? { stored } : {}) }))
  const kernel = withSteps(anchorOf('conv', operands, attributes)!, typed, 'relu')
  const values = (type: TensorType, seed: number) =>
    Array.from({ length: elementCount(type.shape) }, (_, i) => (((i + seed) * 7919) % 257) / 64 - 2)
  return { kernel, inputs: operands.map((type, i) => bytesOf(type, values(type, i))) }
}

if (!installed('gcc')) skip('gates with weights of 16 bits', 'gcc')
else
  for (const native of levelsHere('gates with weights of 16 bits')) {
    const machine = machineOf('gcc', native, ['-Werror'])
    test(`gates read weights of 16 bits (${machine.name})`, () => {
      const cases = (['bf16', 'f16'] as const).flatMap((stored) => [
        gate(64, 48, 1, stored),
        gate(33, 81, 1, stored),
        gate(17, 5, 3, stored),
      ])
      for (const { kernel } of cases) {
        const [, weight] = kernel.inputs
        const plain = { ...kernel, inputs: kernel.inputs.map(({ type, constant }) => ({ type, constant })) }
        assert.ok(storesAs(plain, 1, weight!.stored!, machine.level))
      }
      return executeSuite(machine, { name: 'gates', cases, check: (outputs) => checkAnchored(cases, outputs) })
    })
  }

test.run()

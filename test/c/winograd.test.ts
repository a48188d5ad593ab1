import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { TensorType } from '../../compiler/graph/index.ts'
import { blockedConvolutionOf } from '../../targets/c/kernels/blocked/sizes.ts'
import { winogradCandidates } from '../../targets/c/kernels/blocked/winograd.ts'
import { pointsOf, transformWindow, winogradMatrices } from '../../targets/c/kernels/blocked/winogradMatrices.ts'
import { biasPacking, weightPacking } from '../../targets/c/kernels/blocked/winogradPack.ts'
import { planeOf, planOf } from '../../targets/c/kernels/blocked/winogradPlan.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { lanesOf, levelWith, neon, simd128, x86v3, x86v4 } from '../../targets/c/level.ts'
import { executeSuite } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { errorBound, randomValues, type WinogradShape, winogradInputs, winogradKernel } from '../support/winogradCases.ts'

const sizes = [2, 4] as const
const shape: WinogradShape = {
  batch: 1,
  groups: 1,
  inputs: 20,
  outputs: 40,
  size: [9, 14],
  before: [1, 1],
  after: [1, 1],
  bias: true,
}
const kernelOf = (given: WinogradShape, block: number): AnchoredKernel => winogradKernel(given, block)!
const namesOf = (kernel: AnchoredKernel, level: typeof x86v4) =>
  winogradCandidates(blockedConvolutionOf(kernel, level), kernel, level).map(({ name }) => name)

/** Σ over the points of output[i][p] · weights[p][k] · input[p][j]: 1 where j = i + k, which is the convolution, and 0 elsewhere. */
test('the matrices compute a convolution exactly', () => {
  for (const size of sizes) {
    const { weights, input, output } = winogradMatrices[size]
    for (const [i, row] of output.entries())
      for (let k = 0; k < 3; k++)
        for (let j = 0; j < size + 2; j++) {
          const sum = row.reduce((total, factor, p) => total + factor * weights[p]![k]! * input[p]![j]!, 0)
          assert.ok(Math.abs(sum - (j === i + k ? 1 : 0)) < 1e-15, `F(${size}): output ${i}, weight ${k}, element ${j}: ${sum}`)
        }
  }
})

test('weights are transformed in double precision and rounded once', () => {
  const window = randomValues(9, 3)
  for (const size of sizes) {
    const to = new Float64Array(pointsOf(size))
    transformWindow(size, window, 0, to)
    const { weights } = winogradMatrices[size]
    for (let y = 0; y < size + 2; y++)
      for (let x = 0; x < size + 2; x++) {
        let sum = 0
        for (let i = 0; i < 9; i++) sum += weights[y]![Math.floor(i / 3)]! * window[i]! * weights[x]![i % 3]!
        assert.ok(Math.abs(to[y * (size + 2) + x]! - sum) < 1e-15)
      }
  }
})

test('packed weights hold each transformed window once, and zeros for outputs that are none', () => {
  for (const level of [x86v4, x86v3, neon, simd128])
    for (const [groups, inputs, outputs] of [
      [1, 5, 70],
      [3, 20, 20],
      [4, 56, 56],
    ] as const)
      for (const size of sizes) {
        const kernel = kernelOf({ ...shape, groups, inputs, outputs }, lanesOf(level))
        const plan = planOf(planeOf(blockedConvolutionOf(kernel, level), kernel, level)!, size, level)
        const windows = groups * outputs * inputs
        const dense = randomValues(windows * 9, 5)
        const { bytes, pack } = weightPacking(plan)
        const packed = new Float32Array(pack(new Uint8Array(dense.buffer)).buffer)
        assert.is(packed.length * 4, bytes)
        const expected: number[] = []
        const window = new Float64Array(pointsOf(size))
        for (let i = 0; i < windows; i++) {
          transformWindow(size, dense, i * 9, window)
          expected.push(...Float32Array.from(window))
        }
        const zeros = packed.length - expected.length
        const all = Float32Array.from([...expected, ...Array.from({ length: zeros }, () => 0)])
        assert.equal(packed.sort(), all.sort(), `${level.name}, ${groups} groups of ${inputs} to ${outputs}`)
        assert.is(biasPacking(plan).bytes % level.vectorBytes, 0)
      }
})

test('the algorithm is offered where it applies, and nowhere else', () => {
  const both = ['winograd4', 'winograd2']
  const kernel = kernelOf(shape, 16)
  assert.equal(namesOf(kernel, x86v4), both)
  assert.equal(namesOf(kernel, levelWith(x86v4, { winograd: false })), [])
  assert.equal(namesOf(kernel, levelWith(x86v4, { winograd: true })), both)
  const { anchor } = kernel
  const changed = (attributes: object) => ({
    ...kernel,
    anchor: { ...anchor, attributes: { ...anchor.attributes, ...attributes } },
  })
  assert.equal(namesOf(changed({ stride: [2, 1] }), x86v4), [])
  assert.equal(namesOf(changed({ dilation: [1, 2] }), x86v4), both)
  const computed = kernel.inputs.map((input, i) => ({ ...input, constant: i === 2 }))
  assert.equal(namesOf({ ...kernel, inputs: computed }, x86v4), [])
  const window = (list: readonly number[]): AnchoredKernel => {
    const [input, weight, bias] = anchor.operands as [TensorType, TensorType, TensorType]
    return {
      ...kernel,
      anchor: { ...anchor, operands: [input, { ...weight, shape: [...weight.shape.slice(0, 2), ...list] }, bias] },
    }
  }
  assert.equal(namesOf(window([3, 1]), x86v4), [])
  assert.equal(namesOf(window([5, 5]), x86v4), [])
  assert.equal(namesOf(kernelOf({ ...shape, depth: 3 }, 16), x86v4), both)
})

/** Every output beside the sum in double precision over the same elements; the values of a network, about normally distributed. */
function errorsOf(kernel: AnchoredKernel, inputs: readonly Uint8Array[], output: Uint8Array, given: WinogradShape) {
  const floats = (bytes: Uint8Array) =>
    new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  const [x, w, b, y] = [...inputs, output].map(floats) as [Float32Array, Float32Array, Float32Array, Float32Array]
  const block = kernel.anchor.attributes.block as number
  const [height, width] = given.size
  let [largest, worst, squares, errors] = [0, 0, 0, 0]
  for (let o = 0; o < given.outputs; o++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        let sum = b[o]!
        for (let i = 0; i < given.inputs; i++)
          for (let k = 0; k < 9; k++) {
            const [r, c] = [row + Math.floor(k / 3) - 1, column + (k % 3) - 1]
            if (r < 0 || r >= height || c < 0 || c >= width) continue
            const at = ((Math.floor(i / block) * height + r) * width + c) * block + (i % block)
            sum += w[(o * given.inputs + i) * 9 + k]! * x[at]!
          }
        const error = Math.abs(y[((Math.floor(o / block) * height + row) * width + column) * block + (o % block)]! - sum)
        if (!(error <= worst)) worst = error
        if (Math.abs(sum) > largest) largest = Math.abs(sum)
        squares += sum * sum
        errors += error * error
      }
  return { worst, largest, relative: Math.sqrt(errors / squares) }
}

if (!installed('gcc')) skip('errors of the algorithm of Winograd', 'gcc')
else
  for (const native of levelsHere('errors of the algorithm of Winograd')) {
    const machine = machineOf('gcc', native, ['-Werror'])
    test(`errors stay within what roundings can add up to, and within what is promised (${native.name})`, async () => {
      const block = lanesOf(machine.level)
      for (const tile of sizes) {
        const shapes = [64, 256].map((inputs): WinogradShape => ({ ...shape, inputs, outputs: 24, size: [14, 11] }))
        const { kernelSignature } = await import('../../compiler/fuse/print.ts')
        const kernels = shapes.map((given) => kernelOf(given, block))
        const chosen = new Map(kernels.map((kernel) => [kernelSignature(kernel), `winograd${tile}`]))
        const cases = kernels.map((kernel, i) => ({ kernel, inputs: winogradInputs(kernel, shapes[i]!.inputs, 7 + i) }))
        await executeSuite(
          { ...machine, level: { ...machine.level, chosen } },
          {
            name: 'errors',
            cases,
            check(outputs) {
              for (const [i, { kernel, inputs }] of cases.entries()) {
                const { worst, largest, relative } = errorsOf(kernel, inputs, outputs[i]!, shapes[i]!)
                assert.ok(worst <= errorBound(tile, shapes[i]!.inputs), `F(${tile}): ${worst} is more than roundings explain`)
                // Beside the helpers of the transforms.
                const [most, typical] = tile === 4 ? [2e-5, 4e-6] : [2e-6, 8e-7]
                const found = `F(${tile}), ${shapes[i]!.inputs} channels: at most ${worst / largest} of the largest output, ${relative} rms`
                assert.ok(worst / largest <= most && relative <= typical, found)
                // Two orders of magnitude below the bound there is nothing but exact arithmetic: the reference would be of no use.
                assert.ok(relative > 1e-9, found)
              }
            },
          },
        )
      }
    })
  }

test.run()

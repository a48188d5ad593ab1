// Which constants are stored in 16 bits, and that nothing is lost.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, verifyKernels } from '../../compiler/fuse/index.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { exactFormat } from '../../compiler/fuse/stored.ts'
import { createBuilder, elementsOf, type Graph, type Node } from '../../compiler/graph/index.ts'
import { inSixteenBits } from '../../targets/c/stored.ts'
import { graphOf } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

const count = 4096

/** A constant of f32 whose first elements have these bits; the others are zeros. */
function constantOf(words: readonly number[]): Node {
  const bits = new Uint32Array(count)
  bits.set(words)
  return createBuilder().literal({ dtype: 'f32', shape: [count] }, new Uint8Array(bits.buffer), 'weights')
}

const bitsOf = (values: readonly number[]): number[] => [...new Uint32Array(Float32Array.from(values).buffer)]

test('every number of f16 and of bf16 is stored to the bit', () => {
  const all = Array.from({ length: 65536 }, (_, i) => i)
  const halves = elementsOf('f16', new Uint8Array(Uint16Array.from(all).buffer))
  const finite = all.filter((bits) => (bits & 0x7c00) !== 0x7c00)
  const f16 = Float32Array.from(finite, (bits) => halves.get(bits))
  assert.equal([...inSixteenBits(new Uint8Array(f16.buffer), 'f16')], finite)
  const bf16 = Uint32Array.from(all, (bits) => (bits << 16) >>> 0)
  assert.equal([...inSixteenBits(new Uint8Array(bf16.buffer), 'bf16')], all)
  const literal = (list: Float32Array | Uint32Array) =>
    createBuilder().literal({ dtype: 'f32', shape: [list.length] }, new Uint8Array(list.buffer.slice(0)), 'weights')
  assert.is(exactFormat(literal(bf16 as Uint32Array<ArrayBuffer>)), 'bf16')
  assert.is(exactFormat(literal(f16)), 'f16')
})

test('what a format does not hold exactly stays f32', () => {
  const formats: readonly (readonly [name: string, words: readonly number[], format: string | undefined])[] = [
    ['zeros', [], 'bf16'],
    ['signs', bitsOf([-0, -1, 1, 2 ** 127, -(2 ** -133)]), 'bf16'],
    ['infinities and NaN whose lower bits are zeros', [0x7f800000, 0xff800000, 0x7fc00000, 0x7f810000], 'bf16'],
    ['a NaN with lower bits', [0x7fc00001], undefined],
    ['eleven bits', bitsOf([1 + 2 ** -10, 65504, -(2 ** -14)]), 'f16'],
    ['twelve bits', bitsOf([1 + 2 ** -11]), undefined],
    ['one more than f16 reaches', bitsOf([1 + 2 ** -10, 65536]), undefined],
    ['the least number of f16', bitsOf([1 + 2 ** -10, 2 ** -24]), 'f16'],
    ['half of it', bitsOf([1 + 2 ** -10, 2 ** -25]), undefined],
    ['numbers of f16 that are not normal', bitsOf([1023 * 2 ** -24, 2 ** -15 + 2 ** -24]), 'f16'],
    ['one bit more', bitsOf([1023.5 * 2 ** -24]), undefined],
    ['an infinity among eleven bits', [...bitsOf([1 + 2 ** -10]), 0x7f800000], undefined],
  ]
  for (const [name, words, format] of formats) assert.is(exactFormat(constantOf(words)), format, name)
  const small = createBuilder().literal({ dtype: 'f32', shape: [count - 1] }, new Uint8Array(4 * count - 4), 'few')
  assert.is(exactFormat(small), undefined, 'few elements')
  assert.is(exactFormat(createBuilder().literal({ dtype: 'i32', shape: [count] }, new Uint8Array(4 * count), 'whole')), undefined)
})

/** Two layers; the first has weights of bf16. */
function layers(): Graph {
  const weights = (step: number) => new Uint8Array(Float32Array.from({ length: count }, (_, i) => 1 + (i % 9) * step).buffer)
  return graphOf((builder) => {
    const x = builder.input('x', { dtype: 'f32', shape: [3, 64] })
    const type = { dtype: 'f32', shape: [64, 64] } as const
    const first = builder.add('linear', { input: x, weight: builder.literal(type, weights(2 ** -7), 'brief') })
    return { y: builder.add('linear', { input: first, weight: builder.literal(type, weights(0.1), 'long') }) }
  })
}

test('kernels say how their constants are stored, where the target can', () => {
  const { keeps } = targetWith({})
  const target = targetWith({ keeps: new Set([...keeps, 'linear' as const]), stores: (_, index) => index === 1 })
  const kernels = fuseGraph(layers(), target)
  verifyKernels(kernels)
  const stored = kernels.steps.flatMap((step) => (step.kind === 'call' ? [step.kernel.inputs[1]!.stored] : []))
  assert.equal(stored, ['bf16', undefined])
  const signatures = kernels.steps.flatMap((step) => (step.kind === 'call' ? [kernelSignature(step.kernel)] : []))
  assert.is.not(signatures[0], signatures[1])
  const { stores: _, ...cannot } = target
  for (const other of [cannot, { ...target, stores: () => false }])
    for (const step of fuseGraph(layers(), other).steps)
      if (step.kind === 'call') assert.is(step.kernel.inputs[1]!.stored, undefined)
})

test('a kernel that says it wrongly is found', () => {
  const { keeps } = targetWith({})
  const kernels = fuseGraph(layers(), targetWith({ keeps: new Set([...keeps, 'linear' as const]) }))
  const steps = kernels.steps.map((step) =>
    step.kind === 'call'
      ? {
          ...step,
          kernel: {
            ...step.kernel,
            inputs: step.kernel.inputs.map((input, i) => (i === 1 ? { ...input, stored: 'f16' as const } : input)),
          },
        }
      : step,
  )
  assert.throws(() => verifyKernels({ ...kernels, steps }), /not exact in f16|two kernels/)
})

test.run()

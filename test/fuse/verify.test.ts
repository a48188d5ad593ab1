import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, type KernelGraph, type KernelStep, verifyKernels } from '../../compiler/fuse/index.ts'
import { InvariantError, type Node } from '../../compiler/graph/index.ts'
import { f32, graphOf } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

const good = fuseGraph(
  graphOf((b) => {
    const x = b.input('x', f32(4, 6))
    const part = b.add('slice', { input: x }, { start: [0, 1], size: [4, 3], step: [1, 2] })
    const y = b.add('matmul', { left: b.add('exp', { input: part }), right: b.input('w', f32(3, 3)) })
    return { y, z: b.add('concat', { inputs: [y, y] }, { axis: 0 }), v: b.add('reshape', { input: y }, { shape: [12] }) }
  }),
  targetWith(),
)

type Call = Extract<KernelStep, { kind: 'call' }>
const withStep = (index: number, change: (step: any) => KernelStep): KernelGraph => ({
  ...good,
  steps: good.steps.map((step, i) => (i === index ? change(step) : step)),
})
const withKernel = (index: number, change: (kernel: Call['kernel']) => unknown): KernelGraph =>
  withStep(index, (step) => ({ ...step, kernel: change(step.kernel) }))
const withLoad = (change: object) =>
  withKernel(0, (k) => ({ ...k, steps: k.steps.map((s) => (s.kind === 'load' ? { ...s, ...change } : s)) }))

const broken: readonly [string, KernelGraph, RegExp][] = [
  ['a value read before it is made', { ...good, steps: good.steps.toReversed() }, /no earlier step made/],
  ['a value made twice', { ...good, steps: [good.steps[0]!, ...good.steps] }, /made twice/],
  ['an output nobody makes', { ...good, outputs: [{ name: 'o', value: { ...good.inputs[0]!, id: 99 } as Node }] }, /output o/],
  ['an input missing', withStep(0, (step) => ({ ...step, inputs: [] })), /takes 1 inputs, got 0/],
  ['a name that is no identifier', withStep(0, (step) => ({ ...step, name: 'a b' })), /not an identifier/],
  ['a load past the end', withLoad({ access: { offset: 2, strides: [2] } }), /loads elements 2 to 24/],
  ['a load before the start', withLoad({ access: { offset: 1, strides: [-2] } }), /loads elements -21 to 1/],
  ['a load of another rank', withLoad({ access: { offset: 0, strides: [1, 1] } }), /2 strides over \[12\]/],
  ['a load of another dtype', withLoad({ dtype: 'i32' }), /loads i32/],
  ['a step using a later one', withKernel(0, (k) => ({ ...k, steps: k.steps.toReversed() })), /uses a later one/],
  [
    'an op that is not elementwise',
    withKernel(0, (k) => ({ ...k, steps: k.steps.map((s) => (s.kind === 'apply' ? { ...s, op: 'matmul' } : s)) })),
    /matmul is not elementwise/,
  ],
  [
    'an anchor nobody reads',
    withKernel(1, (k) => ({ ...k, steps: [{ kind: 'literal', value: 1, dtype: 'f32' }] })),
    /nothing reads the anchor/,
  ],
  [
    'a step stored twice',
    withKernel(1, (k) => ({ ...k, results: [k.results[0]!, k.results[0]!] })),
    /makes 2 results, not 1|is stored twice/,
  ],
  ['a kernel that stores nothing', withKernel(1, (k) => ({ ...k, results: [] })), /makes 0 results, not 1/],
  [
    'a result that is no step',
    withKernel(1, (k) => ({ ...k, results: [{ ...k.results[0]!, step: 99 }] })),
    /step 99 makes undefined/,
  ],
  [
    'a result of another size',
    withKernel(1, (k) => ({ ...k, results: [{ step: k.steps.length - 1, type: f32(4, 4) }] })),
    /makes f32\[4, 4\]/,
  ],
  [
    'a prologue before what is no reduction',
    withKernel(1, (k) => ({ ...k, prologue: good.steps[0]!.kind === 'call' ? good.steps[0]!.kernel.steps : [] })),
    /takes no elementwise work before it/,
  ],
  ['two kernels of one name', withStep(1, (step) => ({ ...step, name: (good.steps[0] as Call).name })), /two kernels are called/],
  ['a view beyond its source', withStep(3, (step) => ({ ...step, offset: 1 })), /view of/],
  ['a join of the wrong length', withStep(2, (step) => ({ ...step, parts: step.parts.slice(1) })), /join of/],
]

test('well-formed kernels pass', () => {
  assert.equal(
    good.steps.map((step) => step.kind),
    ['call', 'call', 'join', 'view'],
  )
  assert.not.throws(() => verifyKernels(good))
})

for (const [name, graph, message] of broken) {
  test(`found: ${name}`, () => {
    assert.throws(
      () => verifyKernels(graph),
      (problem: Error) => problem instanceof InvariantError && message.test(problem.message),
    )
  })
}

test.run()

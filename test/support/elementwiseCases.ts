import * as assert from 'uvu/assert'
import type { Kernel, Step } from '../../compiler/fuse/kernel.ts'
import {
  byteSize,
  createBuilder,
  type DType,
  denseStrides,
  dtypes,
  elementCount,
  isFloat,
  ModelProblem,
  type Node,
  ops,
} from '../../compiler/graph/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'
import { assertClose, boundOf, bytesOf } from './compare.ts'
import type { Case, KernelSuite } from './kernelProgram.ts'
import { resultType } from './kernels.ts'

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  -2.5,
  2,
  3,
  -3,
  7,
  -8,
  100,
  -100,
  1e-3,
  -1e-3,
  1e5,
  -3.7,
  88.9,
  -88.9,
  127.6,
  300,
  65504,
  70000,
  2 ** 31,
  -(2 ** 31),
  2 ** 40,
  1e-30,
  1e-42,
  1e30,
  -1e30,
  3.4e38,
]
const singular = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]
const count = 211 // not a multiple of four: every kernel has a tail

function valuesFor(dtype: DType, operand: number): number[] {
  const pool = isFloat(dtype) ? [...special, ...singular] : [...special, 2 ** 52 + 1, 2 ** 63, 255, 32768]
  // Operands walk the pool at different paces, so that all pairs of interest meet.
  return Array.from(
    { length: count },
    (_, i) => pool[(operand === 0 ? i : operand === 1 ? Math.floor(i / 7) * 5 + i * 3 : i * 11 + 1) % pool.length]!,
  )
}

/** A kernel that applies one op to dense inputs of these dtypes, or nothing where the op does not take them. */
function caseOf(op: string, operandTypes: readonly DType[], attributes: Record<string, unknown>): Case | undefined {
  const builder = createBuilder()
  let node: Node
  try {
    node = builder.addFlat(
      op,
      operandTypes.map((dtype, i) => builder.input(`x${i}`, { dtype, shape: [count] })),
      attributes,
    )
  } catch (error) {
    if (error instanceof ModelProblem) return undefined
    throw error
  }
  const loads: Step[] = operandTypes.map((dtype, input) => ({ kind: 'load', input, access: { offset: 0, strides: [1] }, dtype }))
  const kernel: Kernel = {
    inputs: operandTypes.map((dtype) => ({ type: { dtype, shape: [count] }, constant: false })),
    domain: [count],
    steps: [
      ...loads,
      { kind: 'apply', op, arguments: operandTypes.map((_, i) => i), attributes: node.attributes, dtype: node.type.dtype },
    ],
    results: [{ step: loads.length, type: node.type }],
  }
  return { kernel, inputs: kernel.inputs.map(({ type }, i) => bytesOf(type, valuesFor(type.dtype, i))) }
}

/** The definitions of all elementwise primitives. */
export const elementwise = Object.values(ops).filter(
  (definition) => definition.kind === 'primitive' && definition.traits.includes('elementwise'),
)

function allCases(): Case[] {
  return elementwise.flatMap((definition) => {
    const arity = Object.keys(definition.operands).length
    return dtypes.flatMap((dtype) => {
      const operands = definition.name === 'where' ? (['bool', dtype, dtype] as DType[]) : new Array<DType>(arity).fill(dtype)
      const attributes = definition.name === 'cast' ? dtypes.map((to) => ({ dtype: to })) : [{}]
      return attributes.flatMap((given) => caseOf(definition.name, operands, given) ?? [])
    })
  })
}

/** The bound of an op on special values: those of f32 allow for results below the normal numbers. */
const boundFor = (op: string, dtype: DType) => {
  const bound = boundOf(op, dtype)
  return op === 'pow' && dtype === 'f64' ? { rtol: 1e-13 } : bound
}

/** Every elementwise op on every dtype it accepts, on special values and in tails. */
function specialValues(): KernelSuite {
  const cases = allCases()
  assert.ok(cases.length > 400, `only ${cases.length} cases`)
  return {
    name: 'every elementwise op on every dtype it accepts equals the interpreter on special values and in tails',
    cases,
    check(outputs) {
      const failures: string[] = []
      for (const [i, { kernel, inputs }] of cases.entries()) {
        const step = kernel.steps.at(-1)!
        if (step.kind !== 'apply') continue
        const expected = outputs[i]!.slice().fill(0)
        runKernel(kernel, inputs, [expected])
        try {
          assertClose(
            outputs[i]!,
            expected,
            resultType(kernel),
            boundFor(step.op, resultType(kernel).dtype),
            `${step.op} of ${kernel.inputs.map((input) => input.type.dtype)}`,
          )
        } catch (error) {
          failures.push((error as Error).message)
        }
      }
      assert.is(failures.length, 0, failures.join('\n'))
    },
  }
}

function wholeRange(): KernelSuite {
  const f32 = (values: number[]) => values.map(Math.fround)
  const spread = (from: number, to: number) => Array.from({ length: 4001 }, (_, i) => from + ((to - from) * i) / 4000)
  const logarithmic = (from: number, to: number) => Array.from({ length: 4001 }, (_, i) => from * (to / from) ** (i / 4000))
  const domains: Record<string, number[]> = {
    exp: spread(-87, 88),
    log: [...logarithmic(1e-38, 1e38), ...spread(0.5, 2)],
    tanh: [...spread(-10, 10), ...logarithmic(1e-12, 1)],
    sigmoid: spread(-80, 80),
    erf: [...spread(-5, 5), ...logarithmic(1e-12, 1)],
    sin: [...spread(-10, 10), ...logarithmic(1, 3e38)],
    cos: [...spread(-10, 10), ...logarithmic(1, 3e38)],
    tan: [...spread(-10, 10), ...logarithmic(1e-12, 1e6)],
    asin: [...spread(-1, 1), ...logarithmic(1e-12, 1)],
    acos: spread(-1, 1),
    atan: [...spread(-5, 5), ...logarithmic(1e-12, 1e30)],
    sinh: [...spread(-89, 89), ...logarithmic(1e-12, 1)],
    cosh: spread(-89, 89),
    asinh: [...spread(-5, 5), ...logarithmic(1e-12, 1e38)],
    acosh: [...spread(1, 3), ...logarithmic(1, 1e38)],
    atanh: [...spread(-1, 1), ...logarithmic(1e-12, 1)],
  }
  const bounds: Record<string, { f32: number; f64: number }> = {
    exp: { f32: 2e-7, f64: 1e-14 },
    log: { f32: 1.5e-7, f64: 1e-14 },
    tanh: { f32: 4e-7, f64: 1e-14 },
    sigmoid: { f32: 3e-7, f64: 1e-14 },
    erf: { f32: 3e-7, f64: 1e-14 },
    sin: { f32: 1e-7, f64: 1e-13 },
    cos: { f32: 1e-7, f64: 1e-13 },
    // Computed in f64: f32 results are those of the interpreter but for a rounding in a million.
    ...Object.fromEntries(
      ['tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'asinh', 'acosh', 'atanh'].map((op) => [op, { f32: 1.2e-7, f64: 1e-14 }]),
    ),
  }
  const cases = Object.entries(domains).flatMap(([op, values]) =>
    (['f32', 'f64'] as const).map((dtype): Case => {
      const type = { dtype, shape: [values.length] }
      const kernel: Kernel = {
        inputs: [{ type, constant: false }],
        domain: type.shape,
        steps: [
          { kind: 'load', input: 0, access: { offset: 0, strides: [1] }, dtype },
          { kind: 'apply', op, arguments: [0], attributes: {}, dtype },
        ],
        results: [{ step: 1, type }],
      }
      return { kernel, inputs: [bytesOf(type, dtype === 'f32' ? f32(values) : values)] }
    }),
  )
  return {
    name: 'elementary functions keep their bounds over their whole range',
    cases,
    check(outputs) {
      const failures: string[] = []
      for (const [i, { kernel, inputs }] of cases.entries()) {
        const { type } = kernel.inputs[0]!
        const op = (kernel.steps[1] as { op: string }).op
        const expected = outputs[i]!.slice().fill(0)
        runKernel(kernel, inputs, [expected])
        const rtol = bounds[op]![type.dtype as 'f32' | 'f64']
        // Around zeros of sine and cosine only the absolute error is bounded.
        const atol = op === 'sin' || op === 'cos' ? rtol : 0
        try {
          assertClose(outputs[i]!, expected, type, { rtol, atol }, op)
        } catch (error) {
          failures.push((error as Error).message)
        }
      }
      assert.is(failures.length, 0, failures.join('\n'))
    },
  }
}

function affineLoads(): KernelSuite {
  const shape = [3, 5, 6]
  const source = [6, 5, 3]
  const accesses = [
    { offset: 0, strides: [1, 3, 15] },
    { offset: 89, strides: [-1, -3, -15] },
    { offset: 0, strides: [0, 0, 1] },
    { offset: 4, strides: [1, 0, 0] },
    { offset: 2, strides: [0, 6, 2] },
    { offset: 0, strides: denseStrides(shape) },
  ]
  const cases = (['f32', 'f64', 'i16', 'bool'] as const).flatMap((dtype) =>
    accesses.flatMap((access) => {
      const type = { dtype, shape: source }
      const values = Array.from({ length: elementCount(source) }, (_, i) => (dtype === 'bool' ? i % 3 : i - 40))
      const load: Step = { kind: 'load', input: 0, access, dtype }
      const dense: Step = { kind: 'load', input: 1, access: { offset: 0, strides: denseStrides(shape) }, dtype }
      const op = dtype === 'bool' ? 'xor' : 'sub'
      const inputs = [
        bytesOf(type, values),
        bytesOf(
          type,
          values.map((v) => v + 1),
        ),
      ]
      const moved: Kernel = {
        inputs: [{ type, constant: false }],
        domain: shape,
        steps: [load],
        results: [{ step: 0, type: { dtype, shape } }],
      }
      const both: Kernel = {
        inputs: [
          { type, constant: false },
          { type, constant: false },
        ],
        domain: shape,
        steps: [load, dense, { kind: 'apply', op, arguments: [0, 1], attributes: {}, dtype }],
        results: [{ step: 2, type: { dtype, shape } }],
      }
      return [
        { kernel: moved, inputs: inputs.slice(0, 1) },
        { kernel: both, inputs },
      ]
    }),
  )
  return {
    name: 'loads follow any affine access: transposed, reversed, strided, broadcast',
    cases,
    check(outputs) {
      for (const [i, { kernel, inputs }] of cases.entries()) {
        const expected = outputs[i]!.slice().fill(0)
        runKernel(kernel, inputs, [expected])
        assertClose(outputs[i]!, expected, resultType(kernel), {}, `case ${i}`)
      }
    },
  }
}

/** Kernels that store several steps of several dtypes, with tails; the first is read by another. */
function severalResults(): KernelSuite {
  const cases = [[37], [4, 16], [3, 5, 6]].flatMap((shape): Case[] => {
    const dense = { offset: 0, strides: denseStrides(shape) }
    const against = {
      offset: 0,
      strides: shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1)),
    }
    const type = { dtype: 'f32', shape } as const
    const values = Array.from({ length: elementCount(shape) }, (_, i) => ((i * 7) % 19) / 4 - 2)
    return [dense, against].map((access): Case => {
      const steps: Step[] = [
        { kind: 'load', input: 0, access: dense, dtype: 'f32' },
        { kind: 'load', input: 1, access, dtype: 'f32' },
        { kind: 'apply', op: 'add', arguments: [0, 1], attributes: {}, dtype: 'f32' },
        { kind: 'literal', value: 0.5, dtype: 'f32' },
        { kind: 'apply', op: 'less', arguments: [2, 3], attributes: {}, dtype: 'bool' },
        { kind: 'apply', op: 'maximum', arguments: [2, 3], attributes: {}, dtype: 'f32' },
        { kind: 'apply', op: 'cast', arguments: [5], attributes: { dtype: 'i32' }, dtype: 'i32' },
      ]
      return {
        kernel: {
          inputs: [0, 1].map(() => ({ type, constant: false })),
          domain: shape,
          steps,
          results: [6, 2, 4, 5].map((step) => ({ step, type: { dtype: steps[step]!.dtype, shape } })),
        },
        inputs: [bytesOf(type, values), bytesOf(type, values.toReversed())],
      }
    })
  })
  return {
    name: 'a kernel stores several of its steps',
    cases,
    check(outputs) {
      const expected = cases.flatMap(({ kernel, inputs }) => {
        const stored = kernel.results.map((result) => new Uint8Array(byteSize(result.type)))
        runKernel(kernel, inputs, stored)
        return kernel.results.map(({ type }, i) => ({ type, bytes: stored[i]! }))
      })
      for (const [i, { type, bytes }] of expected.entries()) assertClose(outputs[i]!, bytes, type, {}, `result ${i}`)
    },
  }
}

export const elementwiseSuites = (): KernelSuite[] => [specialValues(), wholeRange(), affineLoads(), severalResults()]

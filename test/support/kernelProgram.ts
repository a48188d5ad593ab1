import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { byteSize, type ConstantData, createBuilder, definitionOf, denseStrides } from '../../compiler/graph/index.ts'
import type { Buffer, BufferId, Instruction, Operand } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { packingOf, scratchBytes } from '../../targets/c/function.ts'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'

/** A kernel with the bytes of its inputs. */
export interface Case {
  readonly kernel: Kernel
  readonly inputs: readonly Uint8Array[]
}

/** Cases that are run together, and what their outputs must be. */
export interface KernelSuite {
  readonly name: string
  readonly cases: readonly Case[]
  /** Throws where an output, of all results of all cases in order, is not what it must be. */
  check(outputs: readonly Uint8Array[]): void
}

/** One suite of all cases: machines that compile slowly compile once. */
export function together(name: string, suites: readonly KernelSuite[]): KernelSuite {
  return {
    name,
    cases: suites.flatMap(({ cases }) => cases),
    check(outputs) {
      let from = 0
      for (const { cases, check } of suites) {
        const count = cases.reduce((sum, { kernel }) => sum + kernel.results.length, 0)
        check(outputs.slice(from, from + count))
        from += count
      }
    },
  }
}

/** Bytes that a buffer takes up in its region. */
export const storedBytes = (buffer: Buffer): number =>
  buffer.kind === 'constant' ? (buffer.packing?.bytes ?? buffer.bytes) : buffer.bytes

/** The region that a buffer of a kind lies in; views lie in their origin's. */
export function regionOf({ kind }: Buffer): 'constants' | 'mutable' | 'activations' | undefined {
  if (kind === 'constant') return 'constants'
  if (kind === 'input' || kind === 'output') return 'mutable'
  return kind === 'view' ? undefined : 'activations'
}

const align = (offset: number) => Math.ceil(offset / 64) * 64

/**
 * A program that calls each kernel once on storage of its own, with at least `gap` unused bytes behind each buffer. Constant inputs are
 * packed as the level asks.
 */
export function programOf(cases: readonly Case[], level: Level = simd128, gap = 0): Program {
  const buffers = new Map<BufferId, Buffer>()
  const offsets = new Map<BufferId, number>()
  const regions = { constants: 0, mutable: 0, activations: 0 }
  const instructions: Instruction[] = []
  const kernels = new Map<string, Kernel>()
  const place = (region: keyof typeof regions, make: (id: BufferId) => Buffer): BufferId => {
    const buffer = make(buffers.size as BufferId)
    buffers.set(buffer.id, buffer)
    offsets.set(buffer.id, regions[region])
    regions[region] = align(regions[region] + storedBytes(buffer) + gap)
    return buffer.id
  }
  for (const [i, { kernel, inputs }] of cases.entries()) {
    const name = `case_${i}`
    const operands: Operand[] = kernel.inputs.map((input, k) => {
      const bytes = byteSize(input.type)
      const packing = packingOf(kernel, k, level)
      const data: ConstantData = { label: name, read: () => inputs[k]! }
      const buffer = input.constant
        ? place('constants', (id) => ({
            kind: 'constant',
            id,
            name,
            type: input.type,
            bytes,
            data,
            ...(packing ? { packing } : {}),
          }))
        : place('mutable', (id) => ({ kind: 'input', id, name, type: input.type, bytes }))
      return { buffer, qualifier: 'in' }
    })
    for (const { type } of kernel.results) {
      const output = place('mutable', (id) => ({ kind: 'output', id, name, type, bytes: byteSize(type) }))
      operands.push({ buffer: output, qualifier: 'out' })
    }
    const scratch = scratchBytes(kernel, level)
    if (scratch > 0)
      operands.push({
        buffer: place('activations', (id) => ({ kind: 'scratch', id, name, bytes: scratch })),
        qualifier: 'scratch',
      })
    kernels.set(name, kernel)
    instructions.push({ kind: 'call', name, kernel, operands, locations: [] })
  }
  const mutable = [...buffers.values()]
  return {
    name: 'cases',
    buffers,
    offsets,
    regions,
    kernels,
    instructions,
    inputs: mutable.filter((buffer) => buffer.kind === 'input').map((buffer) => buffer.id),
    outputs: mutable.filter((buffer) => buffer.kind === 'output').map((buffer) => buffer.id),
    alignment: 64,
    lowerBound: regions.activations,
    unshared: regions.activations,
  }
}

/** The bytes of the cases' inputs, by buffer, as callers of the program write them; constants are the program's own. */
export function inputsOf(program: Program, cases: readonly Case[]): ReadonlyMap<BufferId, Uint8Array> {
  const found = new Map<BufferId, Uint8Array>()
  for (const [i, { kernel, inputs }] of cases.entries()) {
    const { operands } = program.instructions[i] as Extract<Instruction, { kind: 'call' }>
    kernel.inputs.forEach((input, k) => {
      if (!input.constant) found.set(operands[k]!.buffer, inputs[k]!)
    })
  }
  return found
}

/** Where the cases' results lie, in the order of the cases. */
export const outputsOf = (program: Program): readonly BufferId[] => program.outputs

/** By the inputs of a case: suites are run on many machines. */
const computed = new WeakMap<readonly Uint8Array[], readonly Uint8Array[]>()

/**
 * What the interpreter makes of a kernel. It lowers composites that the target keeps; steps after one run as a kernel of their own.
 */
export function expectedOf(given: Case): readonly Uint8Array[] {
  const known = computed.get(given.inputs) ?? interpret(given)
  computed.set(given.inputs, known)
  return known
}

function interpret({ kernel, inputs }: Case): readonly Uint8Array[] {
  const { anchor } = kernel
  const outputs = kernel.results.map(({ type }) => new Uint8Array(byteSize(type)))
  if (!anchor || definitionOf(anchor.op).kind === 'primitive') {
    runKernel(kernel, inputs, outputs)
    return outputs
  }
  const builder = createBuilder()
  const operands = anchor.operands.map((type, i) => builder.input(`x${i}`, type))
  const value = evaluate(builder.addFlat(anchor.op, operands, anchor.attributes), inputs.slice(0, operands.length))
  const raw = {
    kind: 'load',
    input: kernel.inputs.length,
    access: { offset: 0, strides: denseStrides(kernel.domain) },
    dtype: anchor.type.dtype,
  } as const
  const after: Kernel = {
    inputs: [...kernel.inputs, { type: anchor.type, constant: false }],
    domain: kernel.domain,
    steps: kernel.steps.map((step) => (step.kind === 'anchor' ? raw : step)),
    results: kernel.results,
  }
  runKernel(after, [...inputs, value], outputs)
  return outputs
}

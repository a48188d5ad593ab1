import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { byteSize, type ConstantData, createBuilder, definitionOf, denseStrides } from '../../compiler/graph/index.ts'
import type { Buffer, BufferId, Instruction, Operand } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { packingOf, scratchBytes } from '../../targets/c/function.ts'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { programText } from '../../targets/c/program.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { runKernel } from '../../targets/interpreter/kernel.ts'
import { wasmEntry } from '../../targets/wasm/index.ts'
import { compileToWasm } from '../../targets/wasm/toolchain.ts'

/** A kernel with the bytes of its inputs. */
export interface Case {
  readonly kernel: Kernel
  readonly inputs: readonly Uint8Array[]
}

declare const WebAssembly: { instantiate(bytes: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }> }

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  readonly __heap_base: { readonly value: number }
  readonly entry: (constants: number, mutable: number, activations: number) => number
}

const align = (offset: number) => Math.ceil(offset / 64) * 64

/** A program that calls each kernel once on storage of its own. Constant inputs are packed as the target asks. */
export function programOf(cases: readonly Case[], level: Level = simd128): Program {
  const buffers = new Map<BufferId, Buffer>()
  const offsets = new Map<BufferId, number>()
  const regions = { constants: 0, mutable: 0, activations: 0 }
  const instructions: Instruction[] = []
  const kernels = new Map<string, Kernel>()
  const place = (region: keyof typeof regions, make: (id: BufferId) => Buffer): BufferId => {
    const buffer = make(buffers.size as BufferId)
    buffers.set(buffer.id, buffer)
    offsets.set(buffer.id, regions[region])
    regions[region] = align(
      regions[region] + (buffer.kind === 'constant' ? (buffer.packing?.bytes ?? buffer.bytes) : buffer.bytes),
    )
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
    const output = place('mutable', (id) => ({ kind: 'output', id, name, type: kernel.result, bytes: byteSize(kernel.result) }))
    operands.push({ buffer: output, qualifier: 'out' })
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

/** Compiles all cases as one module and runs them in order, the memory around them filled with a pattern that nobody may rely on. */
export async function runCases(
  cases: readonly Case[],
  level: Level = simd128,
): Promise<{ readonly outputs: readonly Uint8Array[]; readonly fault: number }> {
  const program = programOf(cases, level)
  const text = programText(program, level, wasmEntry)
  const code = await compileToWasm(text)
  // -Wall -Wextra
  if (code.warnings !== '') throw new Error(`clang warns about the generated C:\n${code.warnings}`)
  const module = await load(program, code.bytes)
  cases.forEach(({ kernel, inputs }, i) => {
    const { operands } = program.instructions[i] as Extract<Instruction, { kind: 'call' }>
    kernel.inputs.forEach((input, k) => {
      const { buffer } = operands[k]!
      const packing = input.constant ? packingOf(kernel, k, level) : undefined
      module.write(buffer, packing ? packing.pack(inputs[k]!) : inputs[k]!)
    })
  })
  const fault = module.run()
  const outputs = cases.map(({ kernel }, i) => {
    const { operands } = program.instructions[i] as Extract<Instruction, { kind: 'call' }>
    return module.read(operands[kernel.inputs.length]!.buffer, byteSize(kernel.result))
  })
  return { outputs, fault }
}

/**
 * What the interpreter makes of a kernel. It lowers composites that the target keeps; steps after one run as a kernel of their own.
 */
export function expectedOf({ kernel, inputs }: Case): Uint8Array {
  const { anchor } = kernel
  const output = new Uint8Array(byteSize(kernel.result))
  if (!anchor || definitionOf(anchor.op).kind === 'primitive') {
    runKernel(kernel, inputs, output)
    return output
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
    result: kernel.result,
  }
  runKernel(after, [...inputs, value], output)
  return output
}

export interface Loaded {
  write(buffer: BufferId, bytes: Uint8Array): void
  read(buffer: BufferId, bytes: number): Uint8Array
  run(): number
}

/** Instantiates a program's module with its three regions one after another. */
export async function load(program: Program, bytes: Uint8Array): Promise<Loaded> {
  const { instance } = await WebAssembly.instantiate(bytes)
  const { memory, __heap_base: base, entry } = instance.exports as Exports
  const constants = align(base.value)
  const mutable = align(constants + program.regions.constants)
  const activations = align(mutable + program.regions.mutable)
  const end = activations + program.regions.activations
  const missing = Math.ceil((end - memory.buffer.byteLength) / 65536)
  if (missing > 0) memory.grow(missing)
  new Uint8Array(memory.buffer, constants).fill(0xa5)
  const addressOf = (buffer: BufferId) => {
    const { kind } = program.buffers.get(buffer)!
    return (
      (kind === 'constant' ? constants : kind === 'input' || kind === 'output' ? mutable : activations) +
      program.offsets.get(buffer)!
    )
  }
  return {
    write: (buffer, source) => new Uint8Array(memory.buffer).set(source, addressOf(buffer)),
    read: (buffer, length) => new Uint8Array(memory.buffer).slice(addressOf(buffer), addressOf(buffer) + length),
    run: () => entry(constants, mutable, activations),
  }
}

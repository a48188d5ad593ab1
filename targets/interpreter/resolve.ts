import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { assertInvariant } from '../../compiler/graph/index.ts'
import type { Buffer, BufferId } from '../../compiler/instructions/instruction.ts'
import { bodiesOf, controlPlan, isControl } from '../../compiler/memory/control.ts'
import { faultsOf } from '../../compiler/memory/faults.ts'
import type { Program } from '../../compiler/memory/program.ts'
import type { Address, MachineInstruction, MachineProgram } from './machine.ts'

const regionOf = { constant: 0, input: 1, output: 1, activation: 2, scratch: 2, state: 3 } as const

/** Replaces buffers by addresses, drops lifetimes, and numbers the calls that may fail, in order, from 1. */
export function resolveProgram(program: Program): MachineProgram {
  const kernels = new Map([...program.kernels.keys()].map((name, i) => [name, i]))
  const instructions: MachineInstruction[] = []
  const faults = new Map<number, number>()
  for (const [i, { instruction }] of faultsOf(program).entries()) if (!faults.has(instruction)) faults.set(instruction, i + 1)
  for (const [index, instruction] of program.instructions.entries()) {
    if (instruction.kind === 'copy') {
      const { from, to, rows, rowBytes, fromStride, toStride } = instruction
      instructions.push({ from: addressOf(program, from), to: addressOf(program, to), rows, rowBytes, fromStride, toStride })
    } else if (instruction.kind === 'call') {
      const kernel = kernels.get(instruction.name)
      assertInvariant(kernel !== undefined, `call of '${instruction.name}', which is not among the program's kernels`)
      const addresses = instruction.operands.map(({ buffer }) => addressOf(program, buffer))
      const count = instruction.kernel.inputs.length
      const end = count + instruction.kernel.results.length
      const fault = faults.get(index) ?? 0
      assertInvariant(addresses.length >= end, `call of '${instruction.name}' lacks results`)
      if (isControl(instruction.kernel)) {
        instructions.push({
          plan: controlPlan(instruction.kernel),
          bodies: bodiesOf(instruction.kernel).map((body) => ({ program: resolveProgram(body), faults: faultsOf(body).length })),
          inputs: addresses.slice(0, count),
          result: addresses[count]!,
          scratch: addresses[end]!,
          fault,
        })
        continue
      }
      instructions.push({
        kernel,
        inputs: addresses.slice(0, count),
        outputs: addresses.slice(count, end),
        fault,
      })
    }
  }
  // Kernels with bodies are instructions of their own; they keep their number.
  const plain = (kernel: Kernel): Kernel => {
    if (!isControl(kernel)) return kernel
    const { bodies, ...anchor } = kernel.anchor
    return { ...kernel, anchor }
  }
  return { kernels: [...program.kernels.values()].map(plain), instructions }
}

/** Where a buffer lies: views in the region of their storage. */
export function addressOf(program: Program, id: BufferId): Address {
  const buffer = program.buffers.get(id)
  const offset = program.offsets.get(id)
  assertInvariant(buffer, `buffer ${id} is not declared`)
  assertInvariant(offset !== undefined, `buffer ${id} has no offset`)
  let storage: Buffer = buffer
  while (storage.kind === 'view') {
    const owner = program.buffers.get(storage.of)
    assertInvariant(owner, `buffer ${storage.of} is not declared`)
    storage = owner
  }
  return [regionOf[storage.kind], offset, buffer.bytes]
}

/** The value as a JavaScript expression. Like JSON, with the numbers that JSON lacks; strings come out escaped. */
export function printLiteral(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (Array.isArray(value)) return `[${value.map(printLiteral).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${printLiteral(entry)}`).join(',')}}`
}

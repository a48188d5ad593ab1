import { shareConstants } from '../../compiler/memory/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import type { Target } from '../../compiler/target.ts'
import { interpreter, runProgram } from '../../targets/interpreter/index.ts'

/** The interpreter's answers, with others in place of some. */
export const targetWith = (answers: Partial<Target> = {}): Target => ({ ...interpreter, ...answers })

export interface ProgramRun {
  /** 0, or the code of the fault. */
  readonly fault: number
  readonly outputs: Readonly<Record<string, Uint8Array>>
}

/** Runs a program on memory of its own, in which everything but constants and inputs holds rubbish at first. */
export function runOnMemory(program: Program, inputs: Readonly<Record<string, Uint8Array>>): ProgramRun {
  const { programs, bytes } = shareConstants([program])
  return runPlaced(programs[0]!, bytes, inputs)
}

/** The same for a program whose constants have their places. */
function runPlaced(program: Program, constants: Uint8Array, inputs: Readonly<Record<string, Uint8Array>>): ProgramRun {
  const { regions, offsets, buffers } = program
  const mutable = regions.constants
  const activations = mutable + regions.mutable
  const memory = new Uint8Array(activations + regions.activations).fill(0xa5)
  memory.set(constants)
  for (const id of program.inputs) memory.set(inputs[nameOf(program, id)]!, mutable + offsets.get(id)!)
  const fault = runProgram(program, memory, 0, mutable, activations)
  const outputs = Object.fromEntries(
    program.outputs.map((id) => {
      const from = mutable + offsets.get(id)!
      return [nameOf(program, id), memory.slice(from, from + buffers.get(id)!.bytes)]
    }),
  )
  return { fault, outputs }
}

function nameOf(program: Program, id: Program['inputs'][number]): string {
  const buffer = program.buffers.get(id)!
  return buffer.name
}

import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { EvaluationFault } from './fault.ts'
import { runKernel } from './kernel.ts'

/** Bytes of a buffer: its region (0 constants, 1 mutable, 2 activations), its offset there, its size. */
export type Address = readonly [region: 0 | 1 | 2, offset: number, bytes: number]

/** A program with every buffer resolved to addresses; lifetimes are gone. Plain data, the payload of an emitted module. */
export interface MachineProgram {
  readonly kernels: readonly Kernel[]
  readonly instructions: readonly MachineInstruction[]
}

export type MachineInstruction =
  /** `fault` is the code to return when the kernel refuses an operand's value; 0 where it never does. */
  | { readonly kernel: number; readonly inputs: readonly Address[]; readonly outputs: readonly Address[]; readonly fault: number }
  /** Moves blocks of bytes; counts and strides as in the instruction `copy`. */
  | {
      readonly from: Address
      readonly to: Address
      readonly rows: number
      readonly rowBytes: number
      readonly fromStride: number
      readonly toStride: number
    }

/** Runs the program on memory at the three bases. Returns 0, or the code of the instruction that refused a value. */
export function execute(
  program: MachineProgram,
  memory: ArrayBufferLike,
  constants: number,
  mutable: number,
  activations: number,
): number {
  const bases = [constants, mutable, activations]
  const at = ([region, offset, bytes]: Address) => new Uint8Array(memory, bases[region]! + offset, bytes)
  for (const instruction of program.instructions) {
    if ('from' in instruction) {
      const { rows, rowBytes, fromStride, toStride } = instruction
      const [from, to] = [at(instruction.from), at(instruction.to)]
      for (let row = 0; row < rows; row++) {
        to.set(from.subarray(row * fromStride, row * fromStride + rowBytes), row * toStride)
      }
      continue
    }
    try {
      runKernel(program.kernels[instruction.kernel]!, instruction.inputs.map(at), instruction.outputs.map(at))
    } catch (problem) {
      if (!(problem instanceof EvaluationFault) || instruction.fault === 0) throw problem
      return instruction.fault
    }
  }
  return 0
}

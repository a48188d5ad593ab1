import type { Kernel } from '../../compiler/fuse/kernel.ts'
import type { ControlPlan } from '../../compiler/memory/control.ts'
import { runControl } from './control.ts'
import { EvaluationFault } from './fault.ts'
import { runKernel } from './kernel.ts'

/** Bytes of a buffer: its region (0 constants, 1 mutable, 2 activations, 3 state), its offset there, its size. */
export type Address = readonly [region: 0 | 1 | 2 | 3, offset: number, bytes: number]

/** A program with every buffer resolved to addresses; lifetimes are gone. Plain data, the payload of an emitted module. */
export interface MachineProgram {
  readonly kernels: readonly Kernel[]
  readonly instructions: readonly MachineInstruction[]
}

export type MachineInstruction =
  /** `fault` is the code to return when the kernel refuses an operand's value; 0 where it never does. */
  | { readonly kernel: number; readonly inputs: readonly Address[]; readonly outputs: readonly Address[]; readonly fault: number }
  /** Runs bodies; `fault` is the code of the first of what may fail in it. */
  | {
      readonly plan: ControlPlan
      readonly bodies: readonly { readonly program: MachineProgram; readonly faults: number }[]
      readonly inputs: readonly Address[]
      readonly result: Address
      readonly scratch: Address
      readonly fault: number
    }
  /** Moves blocks of bytes; counts and strides as in the instruction `copy`. */
  | {
      readonly from: Address
      readonly to: Address
      readonly rows: number
      readonly rowBytes: number
      readonly fromStride: number
      readonly toStride: number
    }

/** Runs the program on memory at the bases of its regions; one without state has none. Returns 0, or the code of the instruction that refused a value. */
export function execute(
  program: MachineProgram,
  memory: ArrayBufferLike,
  constants: number,
  mutable: number,
  activations: number,
  state = 0,
): number {
  const bases = [constants, mutable, activations, state]
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
    if ('plan' in instruction) {
      const { plan, bodies, fault: first } = instruction
      const [region, offset] = instruction.scratch
      const base = bases[region]! + offset
      const run = (index: number) => {
        const { mutable, activations, state } = plan.bodies[index]!.regions
        return execute(bodies[index]!.program, memory, constants, base + mutable, base + activations, base + state)
      }
      const operands = { inputs: instruction.inputs.map(at), result: at(instruction.result), scratch: at(instruction.scratch) }
      const fault = runControl(
        plan,
        operands,
        bodies.map(({ faults }) => faults),
        run,
      )
      if (fault > 0) return first + fault - 1
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

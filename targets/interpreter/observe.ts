import { dtypeFacts, elementCount, elementsOf, printType } from '../../compiler/graph/index.ts'
import type { Buffer, Instruction, Qualifier } from '../../compiler/instructions/instruction.ts'
import { usesOf } from '../../compiler/instructions/place.ts'
import { printInstruction } from '../../compiler/instructions/print.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { execute, type MachineProgram } from './machine.ts'
import { addressOf } from './resolve.ts'

/** A buffer that an instruction uses. */
export interface ObservedOperand {
  readonly buffer: Buffer
  readonly qualifier: Qualifier
  /** The program's memory itself, not a copy: what is written to it is what the instruction reads. */
  readonly bytes: Uint8Array
}

export interface Observation {
  /** Number of the instruction in the program. */
  readonly index: number
  readonly instruction: Instruction
  /** In the order in which the instruction names them. */
  readonly operands: readonly ObservedOperand[]
}

/** Told of every call and copy; allocs and deallocs do nothing at run time. */
export interface Observer {
  before?(observation: Observation): void
  /** Not told where the instruction refused a value. */
  after?(observation: Observation): void
}

/** Executes a program as `execute` does, one instruction after another, the observer being told in between. */
export function executeObserved(
  program: Program,
  machine: MachineProgram,
  memory: ArrayBufferLike,
  bases: readonly [constants: number, mutable: number, activations: number, state: number],
  observer: Observer,
): number {
  let next = 0
  for (const [index, instruction] of program.instructions.entries()) {
    if (instruction.kind === 'alloc' || instruction.kind === 'dealloc') continue
    const operands = usesOf(instruction).map(({ buffer, qualifier }): ObservedOperand => {
      const [region, offset, bytes] = addressOf(program, buffer)
      return { buffer: program.buffers.get(buffer)!, qualifier, bytes: new Uint8Array(memory, bases[region] + offset, bytes) }
    })
    const observation = { index, instruction, operands }
    observer.before?.(observation)
    const fault = execute({ ...machine, instructions: [machine.instructions[next++]!] }, memory, ...bases)
    if (fault > 0) return fault
    observer.after?.(observation)
  }
  return 0
}

/** Elements of a buffer that a dump shows at most. */
const shownElements = 8

/** The instruction and what its operands hold, a line each: `  @out %3 f32[4]: 1 2 3 4`. */
export function printObservation({ index, instruction, operands }: Observation): string {
  const lines = operands.map(({ buffer, qualifier, bytes }) => {
    if (buffer.kind === 'scratch' || (buffer.kind === 'constant' && buffer.packing))
      return `  @${qualifier} %${buffer.id}: ${bytes.length} bytes`
    const { dtype, shape } = buffer.type
    const elements = elementsOf(dtype, bytes)
    const count = bytes.length / dtypeFacts[dtype].bytes
    const shown = Array.from({ length: Math.min(count, shownElements) }, (_, i) => String(elements.get(i)))
    const rest = count > shown.length ? ` … of ${elementCount(shape)}` : ''
    return `  @${qualifier} %${buffer.id} ${printType(buffer.type)}: ${shown.join(' ')}${rest}`
  })
  return [`${index}: ${printInstruction(instruction)}`, ...lines].join('\n')
}

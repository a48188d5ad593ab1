import type { Target } from '../target.ts'
import { mayShareStorage } from './inPlace.ts'
import type { Instruction, InstructionList } from './instruction.ts'
import { overlap } from './place.ts'
import { type Access, openWorkspace, type Workspace } from './workspace.ts'

/**
 * Lets a call write its result over an operand that it is the last to use.
 *
 *     alloc %2; call add @in %1, @in %3, @out %2; dealloc %1   ⟶   call add @in %1, @in %3, @out %1
 *
 * Both are whole activations of one size, the op definitions and the target allow it, and no other operand of the call shares the
 * operand's storage. A call with several results is asked for each of them.
 */
export function shareInPlace(list: InstructionList, target: Target): InstructionList {
  const work = openWorkspace(list)
  for (let index = 0; index < work.count; index++) {
    const instruction = work.instruction(index)
    if (instruction?.kind === 'call') shareFor(work, index, instruction, target)
  }
  return work.close()
}

type Call = Extract<Instruction, { kind: 'call' }>

function shareFor(work: Workspace, at: number, { kernel }: Call, target: Target): void {
  const uses = work.uses(at)
  for (const index of kernel.results.keys()) {
    const allowed = [...kernel.inputs.keys()].filter(
      (input) => mayShareStorage(kernel, input, index) && target.inPlace(kernel, input, index),
    )
    const result = uses[kernel.inputs.length + index]!
    if (!beginsStorage(work, result)) continue
    const { bytes } = work.buffer(result.origin)
    const over = allowed
      .map((input) => uses[input]!)
      .find((operand) => {
        const source = work.buffer(operand.origin)
        const whole = source.kind === 'activation' && operand.from === 0 && operand.to === source.bytes && source.bytes === bytes
        const usedLater = work.accesses(operand.origin).at(-1)!.index > at
        return whole && !usedLater && !uses.some((other) => other !== operand && overlap(other, operand))
      })
    if (over) work.moveInto(result.origin, over.origin, 0)
  }
}

/** Is this result all of an activation, of which nothing is older than the call? */
function beginsStorage(work: Workspace, { index, origin, from, to }: Access): boolean {
  const { kind, bytes } = work.buffer(origin)
  const [first, second] = work.accesses(origin)
  return kind === 'activation' && from === 0 && to === bytes && first!.index === index && second?.index !== index
}

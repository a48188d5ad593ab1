import type { Target } from '../target.ts'
import { mayShareStorage } from './inPlace.ts'
import type { Instruction, InstructionList } from './instruction.ts'
import { moveInto } from './lifetime.ts'
import { accessesByOrigin, bufferOf, overlap, placeOf } from './place.ts'

/**
 * Lets a call write its result over an operand that it is the last to use.
 *
 *     alloc %2; call add @in %1, @in %3, @out %2; dealloc %1   ⟶   call add @in %1, @in %3, @out %1
 *
 * Both are whole activations of one size, the op definitions and the target allow it, and no other operand of the call shares the
 * operand's storage.
 */
export function shareInPlace(list: InstructionList, target: Target): InstructionList {
  const calls = list.instructions.filter((instruction) => instruction.kind === 'call')
  return calls.reduce((current, call) => shareFor(current, call, target), list)
}

type Call = Extract<Instruction, { kind: 'call' }>

function shareFor(list: InstructionList, call: Call, target: Target): InstructionList {
  const { kernel, operands } = call
  const allowed = [...kernel.inputs.keys()].filter((index) => mayShareStorage(kernel, index) && target.inPlace(kernel, index))
  if (allowed.length === 0) return list
  const result = placeOf(list.buffers, operands[kernel.inputs.length]!.buffer)
  const into = bufferOf(list.buffers, result.origin)
  if (into.kind !== 'activation' || result.from !== 0 || result.to !== into.bytes) return list
  const at = list.instructions.indexOf(call)
  const accesses = accessesByOrigin(list)
  // The result's storage begins here: nothing of it is older than this call.
  if (accesses.get(result.origin)!.some((access) => access.index < at || (access.index === at && access.qualifier !== 'out')))
    return list

  for (const index of allowed) {
    const place = placeOf(list.buffers, operands[index]!.buffer)
    const source = bufferOf(list.buffers, place.origin)
    if (source.kind !== 'activation' || place.from !== 0 || place.to !== source.bytes || source.bytes !== into.bytes) continue
    const usedLater = accesses.get(place.origin)!.some((access) => access.index > at)
    const usedTwice = operands.some((other, i) => i !== index && overlap(placeOf(list.buffers, other.buffer), place))
    if (!usedLater && !usedTwice) return moveInto(list, result.origin, place.origin, 0, new Set())
  }
  return list
}

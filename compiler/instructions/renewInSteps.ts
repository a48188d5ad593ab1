import type { Target } from '../target.ts'
import { mayShareStorage } from './inPlace.ts'
import { overlap, type Place, samePlace } from './place.ts'
import { pitchOf } from './stripes.ts'
import type { Access, Workspace } from './workspace.ts'

/**
 * May the call that makes `made` read what `access` reads, although its result is to lie in the very same place? `made` is all that the call
 * leaves there.
 */
export function runsOver(work: Workspace, access: Access, made: Access, place: Place, target: Target): boolean {
  const instruction = work.instruction(made.index)
  if (access.index !== made.index || access.qualifier !== 'in' || instruction?.kind !== 'call') return false
  const uses = work.uses(made.index)
  const [input, operand] = [uses.indexOf(access), uses.indexOf(made)]
  const result = operand - instruction.kernel.inputs.length
  if (made.qualifier !== 'out' || pitchOf(instruction, operand) || !samePlace(access, place)) return false
  return mayShareStorage(instruction.kernel, input, result) && target.inPlace(instruction.kernel, input, result)
}

/**
 *     call f @in %state, @out %1; call g @in %1, @out %state   ⟶   call f @in %state, @out %state; call g @in %state, @out %state
 *
 * What a call overwrites in a state may lie there already: an activation that this call is the last to use, where it may run in place, and that
 * nobody else needs the place for as long as it lives. From the last call to the first, so that a value that is made in many steps is made in the
 * state altogether.
 */
export function renewInSteps(work: Workspace, target: Target): void {
  for (let index = work.count - 1; index >= 0; index--) {
    const instruction = work.instruction(index)
    if (instruction?.kind !== 'call') continue
    const { kernel } = instruction
    for (const result of kernel.results.keys()) {
      const into = work.uses(index)[kernel.inputs.length + result]!
      if (work.buffer(into.origin).kind !== 'state' || pitchOf(instruction, kernel.inputs.length + result)) continue
      const operand = kernel.inputs
        .map((_, input) => work.uses(index)[input]!)
        .find(
          (use, input) =>
            mayShareStorage(kernel, input, result) && target.inPlace(kernel, input, result) && mayLieIn(work, use, into, target),
        )
      if (operand) work.moveInto(operand.origin, into.origin, into.from)
    }
  }
}

function mayLieIn(work: Workspace, operand: Access, into: Access, target: Target): boolean {
  const { index } = into
  const source = work.buffer(operand.origin)
  const whole = source.kind === 'activation' && operand.from === 0 && operand.to === source.bytes
  if (!whole || source.bytes !== into.to - into.from) return false
  const own = work.accesses(operand.origin)
  const [made] = own
  if (own.some((access) => access.index > index || (access.index === index && access !== operand))) return false
  return !work
    .accessesBetween(into.origin, made!.index, index)
    .some((access) => access !== into && overlap(access, into) && !runsOver(work, access, made!, into, target))
}

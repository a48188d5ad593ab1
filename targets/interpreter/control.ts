import type { ControlPlan, Move } from '../../compiler/memory/control.ts'

/** Memory of one call of a kernel that runs bodies. */
export interface ControlMemory {
  readonly inputs: readonly Uint8Array[]
  readonly result: Uint8Array
  readonly scratch: Uint8Array
}

const flag = (bytes: Uint8Array): boolean => bytes[0] !== 0

/**
 * Runs the bodies of a loop or a branch as its plan says. `run` runs body `index` where the plan has its regions, and returns 0 or the code of
 * what failed in it; so does this, counting on over the bodies, and of a loop from 2: 1 is one turn too many.
 */
export function runControl(
  plan: ControlPlan,
  { inputs, result, scratch }: ControlMemory,
  bodyFaults: readonly number[],
  run: (index: number) => number,
): number {
  const bring = (index: number) => {
    for (const { operand, to, bytes } of plan.bodies[index]!.bring) scratch.set(inputs[operand]!.subarray(0, bytes), to)
  }
  const move = ({ from, to, bytes }: Move) => result.set(scratch.subarray(from, from + bytes), to)
  const { loop } = plan
  for (const { from, to } of plan.gaps) result.fill(0, from, to)
  if (!loop) {
    const index = flag(inputs[0]!) ? 0 : 1
    bring(index)
    const fault = run(index)
    if (fault > 0) return index === 0 ? fault : fault + bodyFaults[0]!
    plan.bodies[index]!.take.forEach(move)
    return 0
  }
  bring(0)
  const countOf = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset + at, 8)
  const count = countOf(inputs[0]!, 0).getBigInt64(0, true)
  const turn = countOf(scratch, loop.turn)
  let turns = 0
  for (let proceed = flag(inputs[1]!); proceed && turns < count; turns++) {
    if (loop.limit > 0 && turns === loop.limit) return 1
    turn.setBigInt64(0, BigInt(turns), true)
    const fault = run(0)
    if (fault > 0) return fault + 1
    for (const { from, to, bytes } of loop.keep) move({ from, to: to + turns * bytes, bytes })
    proceed = scratch[loop.proceed] !== 0
  }
  for (const { to, bytes } of loop.keep) result.fill(0, to + turns * bytes, to + loop.places * bytes)
  plan.bodies[0]!.take.forEach(move)
  countOf(result, 0).setBigInt64(0, BigInt(turns), true)
  return 0
}

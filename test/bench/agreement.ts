import type { TensorArray } from '../../targets/runtime/tensor.ts'
import type { Sides } from './drivers/driver.ts'

type Outputs = Readonly<Record<string, TensorArray>>

/** The largest difference between outputs, as a share of the largest element of the peer's. Throws where names or lengths differ. */
export function differenceOf(ours: Outputs, peer: Outputs): number {
  let worst = 0
  for (const [name, theirs] of Object.entries(peer)) {
    const own = ours[name]
    if (own?.length !== theirs.length)
      throw new Error(`output '${name}' has ${own?.length ?? 'no'} elements, the peer's ${theirs.length}`)
    let [largest, difference] = [0, 0]
    for (let i = 0; i < theirs.length; i++) {
      const value = Number(theirs[i])
      largest = Math.max(largest, Math.abs(value))
      const apart = Math.abs(Number(own[i]) - value)
      // Not a number on one side alone is as far apart as can be.
      difference = Math.max(
        difference,
        Number.isNaN(apart) && !(Number.isNaN(value) && Number.isNaN(Number(own[i]))) ? Number.POSITIVE_INFINITY : apart || 0,
      )
    }
    worst = Math.max(worst, difference === 0 ? 0 : difference / largest)
  }
  return worst
}

/** Runs both on the first steps; throws where outputs are further apart than `tolerance`. Steps count from 0 again afterwards. */
export async function checkSides({ ours, peer, checks }: Sides, tolerance: number): Promise<number> {
  let worst = 0
  for (let step = 0; step < checks; step++) {
    await ours.run(step)
    await peer.run(step)
    const difference = differenceOf(ours.outputs(), peer.outputs())
    if (!(difference <= tolerance))
      throw new Error(
        `outputs of step ${step} differ by ${difference.toExponential(1)} of the largest element; ${tolerance} is allowed`,
      )
    worst = Math.max(worst, difference)
  }
  return worst
}

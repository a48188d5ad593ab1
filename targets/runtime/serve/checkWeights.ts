import type { Addon } from '../addon.ts'
import type { Plan } from '../plan.ts'
import { engine } from '../source.ts'

/**
 * Compares weights with their checksum, slice by slice, and gives the bytes read so far between two: their digest would take five times as long,
 * longer than a first run. Throws what `explain` words.
 */
export function* checkWeights(
  { place, bytes, weights }: Pick<Plan, 'place' | 'bytes' | 'weights'>,
  addon: Addon,
): Generator<number> {
  const { offset, bytes: length, checksum } = weights
  const state = new ArrayBuffer(64)
  const buffer = new Uint8Array(Math.min(length, 2 ** 20))
  for (let done = 0; done < length; done += buffer.length) {
    const slice = buffer.subarray(0, length - done)
    engine().readInto(slice, place, bytes, offset + done, false)
    addon.addToChecksum(state, slice)
    yield done
  }
  if (Buffer.from(state).toString('hex') !== checksum) throw { code: 'digest' }
}

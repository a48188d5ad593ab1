import type { TensorArray } from '../tensor.ts'
import type { ReadRange } from './placement.ts'

/** Integers of any width as numbers; those beyond 2^53 come out rounded. Big integers would take many times as long. */
function createReader(array: TensorArray): (i: number) => number {
  if (array.BYTES_PER_ELEMENT !== 8) return (i) => array[i] as number
  const words = new Int32Array(array.buffer, array.byteOffset, array.length * 2)
  return (i) => words[2 * i + 1]! * 2 ** 32 + (words[2 * i]! >>> 0)
}

/** How many elements of a range a request has in bags; all of them where what it says cannot be, which the part is to find. */
function usedOf({ from, to, used }: ReadRange, inputs: readonly TensorArray[]): number {
  const count = to - from
  if (!used) return count
  const read = createReader(inputs[used.input]!)
  let sum = 0
  if (used.by === 'offsets') sum = read(used.to - 1)
  else
    for (let i = used.from; i < used.to; i++) {
      const length = read(i)
      if (length < 0) return count
      sum += length
    }
  return sum >= 0 && sum <= count ? sum : count
}

/**
 * Writes what is read of an input of a step, and nothing else: what stands in the rest, of an earlier request as like as not, is never looked at
 * (RT-22). `inputs` are those of the request. Returns the bytes that were written; where nothing is used there is no copy.
 */
export function copyRead(
  ranges: readonly ReadRange[],
  value: TensorArray,
  target: TensorArray,
  inputs: readonly TensorArray[],
): number {
  let elements = 0
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[i]!
    const used = usedOf(range, inputs)
    if (used === 0) continue
    elements += used
    target.set(value.subarray(range.from, range.from + used) as never, range.from)
  }
  return elements * target.BYTES_PER_ELEMENT
}

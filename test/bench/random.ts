import { arrayOf, elementCount, type TensorArray } from '../../targets/runtime/tensor.ts'

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Signature {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
}

/** An input of evenly distributed values from `low` to below `high`; whole ones where the element type holds no others. */
export function randomTensor({ dtype, shape }: Signature, seed: number, [low, high]: readonly [number, number]): TensorArray {
  const next = randomNumbers(seed)
  const array = new (arrayOf(dtype))(elementCount(shape))
  const wide = dtype === 'i64' || dtype === 'u64'
  const whole = !dtype.startsWith('f')
  for (let i = 0; i < array.length; i++) {
    const value = low + next() * (high - low)
    array[i] = wide ? BigInt(Math.floor(value)) : whole ? Math.floor(value) : value
  }
  return array
}

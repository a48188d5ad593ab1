import { type ConstantData, elementCount, type Node } from '../graph/index.ts'
import type { Target } from '../target.ts'
import type { Kernel, StoredFloat } from './kernel.ts'

/** Constants of fewer elements stay as they are: nobody waits for them. */
const leastElements = 4096

const known = new WeakMap<ConstantData, StoredFloat | 'f32'>()

/**
 * The 16-bit format that holds every element of a constant of f32 exactly: `bf16` before `f16`, which takes longer to widen. Numbers that
 * are too small to be normal count; of NaN and infinities only what bf16 keeps to the bit.
 */
export function exactFormat({ data, type }: Node): StoredFloat | undefined {
  if (!data || type.dtype !== 'f32' || elementCount(type.shape) < leastElements) return undefined
  const found = known.get(data) ?? formatOf(data.read()) ?? 'f32'
  known.set(data, found)
  return found === 'f32' ? undefined : found
}

function formatOf(bytes: Uint8Array): StoredFloat | undefined {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
  if (isEvery(words, (word) => (word & 0xffff) === 0)) return 'bf16'
  return isEvery(words, isHalf) ? 'f16' : undefined
}

/** As the method does it, in a tenth of the time. */
function isEvery(words: Uint32Array, holds: (word: number) => boolean): boolean {
  for (let i = 0; i < words.length; i++) if (!holds(words[i]!)) return false
  return true
}

/** Whether the bits of an f32 are a finite number that f16 has: 10 bits of fraction, one less for each power of two below 2^-14. */
function isHalf(word: number): boolean {
  if ((word & 0x7fffffff) === 0) return true
  const exponent = ((word >>> 23) & 0xff) - 127
  if (exponent > 15 || exponent < -24) return false
  const lost = exponent < -14 ? -1 - exponent : 13
  return (word & ((1 << lost) - 1)) === 0
}

/**
 * Says of operands that are constants of f32 with nothing but zeros in the lower half, or with no more bits than f16 has, that they are
 * stored so: half the bytes and the same values. Asked of the target operand by operand.
 */
export function storeNarrow(kernel: Kernel, nodes: readonly Node[], target: Target): Kernel {
  if (!target.stores) return kernel
  let changed = false
  const inputs = kernel.inputs.map((input, index) => {
    const stored = input.constant && input.type.dtype === 'f32' ? exactFormat(nodes[index]!) : undefined
    if (!stored || !target.stores!(kernel, index, stored)) return input
    changed = true
    return { ...input, stored }
  })
  return changed ? { ...kernel, inputs } : kernel
}

import type { KernelResult } from '../fuse/kernel.ts'
import { dtypeFacts } from '../graph/dtype.ts'
import { elementCount } from '../graph/index.ts'
import type { Instruction } from './instruction.ts'
import { overlap, type Place } from './place.ts'

/** Blocks of `length` bytes, `stride` apart, the first at the beginning of a place and the last at its end. */
export interface Pitch {
  readonly length: number
  readonly stride: number
}

/** A place, or blocks within it. */
export interface Stripes extends Place {
  readonly pitch?: Pitch | undefined
}

/** Does any byte belong to both? Blocks of different strides count as overlapping wherever their places do. */
export function stripesMeet(a: Stripes, b: Stripes): boolean {
  if (!overlap(a, b)) return false
  if (!a.pitch) return b.pitch ? blocksMeet(b, b.pitch, a) : true
  if (!b.pitch) return blocksMeet(a, a.pitch, b)
  const { stride } = a.pitch
  if (stride !== b.pitch.stride) return true
  const apart = (((b.from - a.from) % stride) + stride) % stride
  return apart < a.pitch.length || apart + b.pitch.length > stride
}

function blocksMeet(blocks: Place, { length, stride }: Pitch, { from, to }: Place): boolean {
  const before = Math.max(0, Math.floor((from - blocks.from) / stride))
  const begin = blocks.from + before * stride
  return from < begin + length ? begin < to : begin + stride < Math.min(to, blocks.to)
}

/** The blocks that operand number `operand` of an instruction is read or written in; undefined where there are no gaps. */
export function pitchOf(instruction: Instruction, operand: number): Pitch | undefined {
  if (instruction.kind === 'copy') {
    const stride = operand === 0 ? instruction.fromStride : instruction.toStride
    return instruction.rows > 1 && stride !== instruction.rowBytes ? { length: instruction.rowBytes, stride } : undefined
  }
  const result = instruction.kind === 'call' ? instruction.kernel.results[operand - instruction.kernel.inputs.length] : undefined
  if (!result?.rows) return undefined
  const { bytes } = dtypeFacts[result.type.dtype]
  return { length: result.rows.length * bytes, stride: result.rows.stride * bytes }
}

/** Bytes from the first element that a kernel's result is stored in to the last. */
export function storedBytes({ type, rows }: KernelResult): number {
  const count = elementCount(type.shape)
  const { bytes } = dtypeFacts[type.dtype]
  return rows && count > 0 ? ((count / rows.length - 1) * rows.stride + rows.length) * bytes : count * bytes
}

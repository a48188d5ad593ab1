import type { StoredFloat } from '../../../../compiler/fuse/kernel.ts'
import { type RecurrentActivation, type RecurrentCell, recurrentCells } from '../../../../compiler/graph/index.ts'
import type { AnchoredKernel } from '../template.ts'

/** Sizes and options of a kernel. */
export interface Setting {
  readonly kind: RecurrentCell
  readonly gates: number
  /** What is carried from step to step. */
  readonly states: number
  readonly length: number
  readonly batch: number
  readonly directions: number
  readonly hidden: number
  /** Which gates are computed together; a later phase reads what all units of the one before it gave. */
  readonly phases: readonly (readonly number[])[]
  readonly lengths: boolean
  readonly extra: boolean
  /** How the recurrent weights are stored; f32 where not given. */
  readonly stored: StoredFloat | undefined
  /** Steps of the depth that these have: hidden, of pairs of bf16 rounded up to even. */
  readonly depth: number
}

export interface Attributes {
  readonly kind: RecurrentCell
  readonly reverse: readonly boolean[]
  readonly activations: readonly RecurrentActivation[]
  readonly alpha: readonly number[]
  readonly beta: readonly number[]
  readonly clip: number
  readonly coupled: boolean
  readonly linearBeforeReset: boolean
}

export const attributesOf = ({ anchor }: AnchoredKernel): Attributes => anchor.attributes as unknown as Attributes

/**
 * The last gate of a GRU multiplies what the reset gate leaves of the whole hidden state, unless it acts behind the product. Coupled gates
 * need no product for the forget gate.
 */
function phasesOf({ kind, linearBeforeReset, coupled }: Attributes): Setting['phases'] {
  if (kind === 'gru' && !linearBeforeReset) return [[0, 1], [2]]
  if (kind === 'lstm' && coupled) return [[0, 1, 3]]
  return [Array.from({ length: recurrentCells[kind].gates }, (_, gate) => gate)]
}

export function settingOf(kernel: AnchoredKernel): Setting {
  const { operands } = kernel.anchor
  const attributes = attributesOf(kernel)
  const { kind } = attributes
  const { stored } = kernel.inputs[1]!
  const { gates, states } = recurrentCells[kind]
  const [length, batch] = operands[0]!.shape as [number, number, number]
  const [directions, , hidden] = operands[1]!.shape as [number, number, number]
  return {
    ...{ kind, gates, states, length, batch, directions, hidden },
    ...{ phases: phasesOf(attributes), lengths: operands.length > 3, extra: operands.length > 4 },
    ...{ stored, depth: stored === 'bf16' ? hidden + (hidden % 2) : hidden },
  }
}

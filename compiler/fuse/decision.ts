import { costOf, type Rates, type Work } from '../cost/index.ts'
import type { Node } from '../graph/index.ts'

/** Why a value has storage or has none. */
export interface Decision {
  readonly value: Node
  /** `stored`: a kernel of its own; `together`: stored by a kernel that stores others too; `inside`: never in memory; `again`: nor that, and computed in several kernels. */
  readonly place: 'stored' | 'together' | 'inside' | 'again'
  readonly reason: string
  /** Nanoseconds of the way chosen and of the other, where the cost model decided. */
  readonly costs?: { readonly chosen: number; readonly other: number }
}

/** Nanoseconds of work that is done inside a kernel which runs anyhow. */
export const partCost = (work: Partial<Work>, rates: Rates): number => {
  const whole = { operations: 0, bytesRead: 0, bytesWritten: 0, ...work }
  return costOf(whole, { ...rates, callNanoseconds: 0 })
}

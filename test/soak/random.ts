import { mulberry } from '../support/randomGraph.ts'

/** Numbers that look random, the same for the same seed. */
export interface Random {
  /** From 0 up to 1. */
  number(): number
  /** A whole number below `end`. */
  below(end: number): number
  chance(share: number): boolean
  pick<T>(items: readonly T[]): T
}

export function createRandom(seed: number): Random {
  const number = mulberry(seed)
  const below = (end: number) => Math.floor(number() * end)
  return { number, below, chance: (share) => number() < share, pick: (items) => items[below(items.length)]! }
}

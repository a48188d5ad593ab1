import type { Holder } from './problem.ts'

/** Parts on holders, by index, while a placement is looked for. */
export interface State {
  readonly holders: number
  /** Bytes of each part, and seconds of each on each holder. */
  readonly bytes: readonly number[]
  readonly seconds: readonly (readonly number[])[]
  /** Holder of each part; -1 before it has one. */
  readonly at: number[]
  /** Of each holder: bytes free, and seconds of what is there. */
  readonly free: number[]
  readonly load: number[]
  /** Moves a part to a holder, from where it was. */
  put(part: number, holder: number): void
}

export function newState(holders: readonly Holder[], bytes: readonly number[], seconds: readonly (readonly number[])[]): State {
  const at = bytes.map(() => -1)
  const free = holders.map((holder) => holder.bytes)
  const load = holders.map(({ otherSeconds }) => otherSeconds)
  return {
    holders: holders.length,
    bytes,
    seconds,
    at,
    free,
    load,
    put(part, holder) {
      const before = at[part]!
      if (before >= 0) {
        free[before]! += bytes[part]!
        load[before]! -= seconds[part]![before]!
      }
      at[part] = holder
      free[holder]! -= bytes[part]!
      load[holder]! += seconds[part]![holder]!
    },
  }
}

/** Seconds of all holders together. */
export const total = ({ load }: State): number => load.reduce((sum, seconds) => sum + seconds, 0)

/** How long runs take, as those that were measured tell. */
export interface Expected {
  /** Milliseconds to allow for; above 0. Runs of a name differ in their size alone. */
  milliseconds(name: string, size: number): number
  measured(name: string, size: number, milliseconds: number): void
}

const least = 1e-6

interface Measured {
  readonly size: number
  mean: number
  deviation: number
}

/**
 * The running mean and twice the running mean deviation of what was measured, with weights 1/8 and 1/4 (RFC 6298, whose four deviations guard
 * against losing a packet, not against being late once). Sizes that were not measured are guessed from the nearest that was, half of whose
 * time is taken to be the same for all sizes: too low a guess is measured soon, one that is too high might never be.
 */
export function createExpected(): Expected {
  const all = new Map<string, Measured[]>()
  const listOf = (name: string) => {
    const list = all.get(name) ?? []
    all.set(name, list)
    return list
  }
  return {
    milliseconds(name, size) {
      const distance = (each: Measured) => Math.abs(Math.log(each.size / size))
      const nearest = listOf(name).reduce<Measured | undefined>(
        (best, each) => (best && distance(best) <= distance(each) ? best : each),
        undefined,
      )
      const guess = (from: number) => (from === size ? 1 : (1 + size / from) / 2)
      return nearest ? Math.max(least, nearest.mean + 2 * nearest.deviation) * guess(nearest.size) : least * guess(1)
    },
    measured(name, size, milliseconds) {
      const list = listOf(name)
      const found = list.find((each) => each.size === size)
      if (!found) list.push({ size, mean: milliseconds, deviation: 0 })
      else {
        found.deviation += (Math.abs(milliseconds - found.mean) - found.deviation) / 4
        found.mean += (milliseconds - found.mean) / 8
      }
    },
  }
}

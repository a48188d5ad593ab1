import { randomNumbers } from '../../../compiler/allocation/index.ts'

/**
 * When requests come, seconds after the first: at equal distances, or independently of each other (exponentially distributed distances), so
 * many a second on average.
 */
export function arrivals(
  { rate, seed = 1, even = false }: { readonly rate: number; readonly seed?: number; readonly even?: boolean },
  count: number,
): readonly number[] {
  const next = randomNumbers(seed)
  let time = 0
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) time += even ? 1 / rate : -Math.log(1 - next()) / rate
    return time
  })
}

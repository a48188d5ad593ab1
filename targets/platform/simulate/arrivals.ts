/** Numbers from 0 up to 1, drawn from a seed (Tommy Ettinger's mulberry32). */
function draw(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * When requests come, seconds after the first: at equal distances, or independently of each other (exponentially distributed distances), so
 * many a second on average.
 */
export function arrivals(
  { rate, seed = 1, even = false }: { readonly rate: number; readonly seed?: number; readonly even?: boolean },
  count: number,
): readonly number[] {
  const next = draw(seed)
  let time = 0
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) time += even ? 1 / rate : -Math.log(1 - next()) / rate
    return time
  })
}

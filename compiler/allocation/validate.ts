import type { Interval } from './problem.ts'

/** What is wrong with a placement, or undefined. Compares all pairs and trusts nothing that the solver computed. */
export function findOverlap(
  problem: readonly Interval[],
  offsets: readonly number[],
  alignment: number,
  peak: number,
): string | undefined {
  for (const [i, a] of problem.entries()) {
    const at = offsets[i]
    if (at === undefined || at < 0 || at % alignment !== 0)
      return `buffer ${i} is at ${at}, which is not a multiple of ${alignment}`
    if (a.start < a.end && at + a.bytes > peak) return `buffer ${i} ends at ${at + a.bytes}, above ${peak}`
    for (let j = 0; j < i; j++) {
      const b = problem[j]!
      const together = a.start < b.end && b.start < a.end && a.start < a.end && b.start < b.end
      if (together && at < offsets[j]! + b.bytes && offsets[j]! < at + a.bytes)
        return `buffers ${j} and ${i} are live at one time and overlap`
    }
  }
  return undefined
}

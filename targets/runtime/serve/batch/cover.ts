/**
 * The sizes of runs that take `rows` rows together in the least time, largest first; among those that take equally long, the fewest runs.
 * Exact below twice the largest size; rows beyond that go in runs of the largest, whose rows are the cheapest where a run of twice the rows
 * takes at most twice the time. `sizes` ascend, `seconds` of a run of that size are above 0.
 */
export function cover(rows: number, sizes: readonly number[], seconds: (size: number) => number): number[] {
  const largest = sizes.at(-1)!
  const whole = Math.max(0, Math.floor(rows / largest) - 1)
  const rest = rows - whole * largest
  const times = sizes.map(seconds)
  /** Of n rows: the least time, how many runs that takes, and the size of one of them. */
  const best: { readonly time: number; readonly runs: number; readonly size: number }[] = [{ time: 0, runs: 0, size: 0 }]
  for (let n = 1; n <= rest; n++) {
    let found = { time: Infinity, runs: 0, size: largest }
    for (const [i, size] of sizes.entries()) {
      const before = best[Math.max(0, n - size)]!
      const [time, runs] = [before.time + times[i]!, before.runs + 1]
      // Sums of the same times in another order differ in their last bits.
      const close = Math.abs(time - found.time) <= 1e-9 * time
      if (close ? runs < found.runs : time < found.time) found = { time, runs, size }
    }
    best.push(found)
  }
  const chosen = Array<number>(whole).fill(largest)
  for (let n = rest; n > 0; n -= best[n]!.size || n) chosen.push(best[n]!.size)
  return chosen.sort((a, b) => b - a)
}

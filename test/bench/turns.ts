import type { Side, Sides } from './drivers/driver.ts'
import type { Pair } from './statistics.ts'

export interface Pace {
  /** Milliseconds that all pairs together may take; more only until there are `fewest`. */
  readonly budget: number
  /** Milliseconds that a turn of short runs should take. */
  readonly turn: number
  readonly fewest: number
  readonly most: number
  /** Milliseconds between turns, in which threads of the other that spin go to rest. */
  readonly rest: number
}

/** For runs on one thread there is nothing to wait for; threads of onnxruntime spin for 46 ms after a run. */
export const paceOf = (seconds: number, threads: number): Pace => ({
  budget: seconds * 1000,
  turn: 25,
  fewest: 7,
  most: 200,
  rest: threads > 1 ? 80 : 0,
})

const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))

/** A side with its own count of steps, so that both see the same inputs in the same order. */
function player(side: Side) {
  let step = 0
  /** Milliseconds of each of `count` runs on average. */
  async function time(count: number): Promise<number> {
    const begun = performance.now()
    for (let i = 0; i < count; i++) {
      const waiting = side.run(step++)
      // What does not have to be waited for is not: waiting costs more than a small model.
      if (waiting) await waiting
    }
    return (performance.now() - begun) / count
  }
  return { time }
}

/** How many runs make a turn. */
async function countRuns(time: (count: number) => Promise<number>, turn: number): Promise<number> {
  let count = 1
  for (;;) {
    const each = await time(count)
    if (each * count >= turn / 4 || count >= 1e6) return Math.max(1, Math.ceil(turn / each))
    count *= 4
  }
}

/**
 * Pairs of turns of both. Who goes first alternates, so that neither always inherits the other's cache or the other's noise; the first run
 * of a turn is not counted, so that each has its own weights where a server has them. `now` and `wait` are for tests.
 */
export async function timePairs(
  { ours, peer }: Pick<Sides, 'ours' | 'peer'>,
  pace: Pace,
  progress: (pairs: number) => void = () => {},
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): Promise<readonly Pair[]> {
  const sides = { ours: player(ours), peer: player(peer) }
  const counts = { ours: 0, peer: 0 }
  for (const name of ['ours', 'peer'] as const) counts[name] = await countRuns(sides[name].time, pace.turn)
  const pairs: Pair[] = []
  const begun = performance.now()
  while (pairs.length < pace.most && (pairs.length < pace.fewest || performance.now() - begun < pace.budget)) {
    const order = pairs.length % 2 ? (['peer', 'ours'] as const) : (['ours', 'peer'] as const)
    const times = { ours: 0, peer: 0 }
    for (const name of order) {
      if (pace.rest > 0) await wait(pace.rest)
      await sides[name].time(1)
      times[name] = await sides[name].time(counts[name])
    }
    pairs.push(times)
    progress(pairs.length)
  }
  return pairs
}

// The measuring itself, apart from what is measured and on which clock.

/** One step of a program: an entry that runs it. */
export interface PlainStep {
  readonly entry: number
}

/** One step of which several ways are compared. */
export interface TrialStep {
  /** Which of the compared kernels it is; several steps may be the same. */
  readonly kernel: number
  /** The entry of each way. */
  readonly entries: readonly number[]
  /** How often each of them runs the step. */
  readonly repeats: number
}

export type CourseStep = PlainStep | TrialStep

/** Ways of kernels to be measured in their places: all steps run in order, over and over, in other ways each time. */
export interface Course {
  readonly steps: readonly CourseStep[]
  /** Ways of each compared kernel. */
  readonly ways: readonly number[]
}

export interface MeasureOptions {
  /** Runs an entry, and says how many nanoseconds that took; undefined where something else had the processor meanwhile. */
  readonly run: (entry: number) => number | undefined
  /** A clock in nanoseconds. */
  readonly now: () => number
  /** Nanoseconds that all of it may take. */
  readonly budget: number
  /** Told after each round, with its number and the nanoseconds so far. */
  readonly onRound?: (round: number, spent: number) => void
}

/** Nanoseconds of each way of each kernel, by number; undefined where the time did not suffice. */
export type Measurements = readonly (readonly (number | undefined)[])[]

/** Samples of each way in a round, of which the low quartile counts: nothing makes a run faster than it is. With fewer than the least, a round says nothing. */
const samplesOfRound = 5
const leastSamples = 3

/** A way whose best round is this much above that of the fastest is left out of later rounds; the last counts from then on. */
const left = [1.3, 1.12, 1.06, 1.03]
const mostRounds = 10

/** A round ends after so many times the passes that it needs, however many samples were disturbed. */
const patience = 4

const lowQuartile = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 2]!

/**
 * The least of what rounds gave for each way. What stands in the caches when a step begins is what the steps before it, and
 * the last run of itself, leave there in the program: every choice of ways runs twice over, of which the second counts.
 */
export function measure({ steps, ways }: Course, { run, now, budget, onRound }: MeasureOptions): Measurements {
  const started = now()
  const best = ways.map((count): (number | undefined)[] => new Array(count).fill(undefined))
  const active = ways.map((count) => Array.from({ length: count }, (_, way) => way))
  const places = ways.map((_, kernel) => steps.filter((step) => 'kernel' in step && step.kernel === kernel).length)
  const late = () => now() - started > budget
  for (const step of steps) for (const entry of 'entry' in step ? [step.entry] : step.entries) run(entry)
  for (let round = 0; round < mostRounds; round++) {
    const samples = ways.map((count) => Array.from({ length: count }, (): number[] => []))
    // A kernel with a single way left has no question to answer.
    const open = active.map((list) => (list.length > 1 ? list : []))
    if (open.every((list) => list.length === 0)) break
    const have = (least: number) => open.every((list, kernel) => list.every((way) => samples[kernel]![way]!.length >= least))
    const passes = Math.max(...open.map((list, kernel) => Math.ceil((samplesOfRound * list.length) / places[kernel]!)))
    for (
      let pass = 0;
      pass < patience * passes && !have(samplesOfRound) && !(late() && (round > 0 || have(leastSamples)));
      pass++
    ) {
      for (const counts of [false, true]) {
        const met = ways.map(() => 0)
        for (const step of steps) {
          if ('entry' in step) {
            run(step.entry)
            continue
          }
          const { kernel, entries, repeats } = step
          const list = active[kernel]!
          const way = list[(pass + met[kernel]!++) % list.length]!
          const spent = run(entries[way]!)
          if (counts && spent !== undefined) samples[kernel]![way]!.push(spent / repeats)
        }
      }
    }
    for (const [kernel, list] of samples.entries())
      for (const [way, times] of list.entries())
        if (times.length >= leastSamples)
          best[kernel]![way] = Math.min(lowQuartile(times), best[kernel]![way] ?? Number.POSITIVE_INFINITY)
    const limit = left[Math.min(round, left.length - 1)]!
    for (const [kernel, list] of active.entries()) {
      const least = Math.min(...best[kernel]!.map((time) => time ?? Number.POSITIVE_INFINITY))
      // The first is what the others are compared with.
      active[kernel] = list.filter((way) => way === 0 || (best[kernel]![way] ?? 0) <= limit * least)
    }
    onRound?.(round, now() - started)
    if (late()) break
  }
  return best
}

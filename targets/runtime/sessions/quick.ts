import type { Submission } from './keeper.ts'

/**
 * Runs that are done at once, on the calling thread: those of entries that take less than it takes to hand them to another thread and to hear of their
 * end. What they take is measured as they run.
 */
export interface Quick {
  /** Whether runs of an entry are done at once. */
  isQuick(entry: number): boolean
  /** Does a run at once, or, where others have waited for long enough, when they had their turn. What it returns takes it back until then. */
  run(submission: Submission, body: () => number): () => void
  /** The same submission; measures how long it takes to be answered by a device. */
  measured(submission: Submission): Submission
}

/** Milliseconds: of a run that was handed over, of one that is done at once, and of those in a row, before others get their turn. */
const longestAway = 0.8
const longestHere = 0.5
const longestRow = 1
/** Short runs in a row before the next is done at once; then long ones in a row before they are handed over, and how many of them are. */
const trials = 3
const errors = 3
const penalty = 1000

/** In a turn of its own. Browsers have no setImmediate. */
const later = (body: () => void): unknown => (globalThis.setImmediate ?? setTimeout)(body)

export function createQuick(): Quick {
  /** By entry: short runs so far; below 0 while they are handed over. */
  const short: number[] = []
  const long: number[] = []
  let inARow = 0

  function runNow({ request, begun, resolve, reject }: Submission, body: () => number): void {
    const { region, entry } = request
    begun()
    const began = performance.now()
    try {
      const fault = body()
      queueMicrotask(() => resolve({ region, fault }))
    } catch (error) {
      queueMicrotask(() => reject(error))
    }
    const took = performance.now() - began
    inARow += took
    long[entry] = took > longestHere ? (long[entry] ?? 0) + 1 : 0
    if (long[entry] >= errors) short[entry] = -penalty
  }

  return {
    isQuick: (entry) => (short[entry] ?? 0) >= trials,
    run(submission, body) {
      let isTakenBack = false
      if (inARow < longestRow) runNow(submission, body)
      else {
        inARow = 0
        later(() => isTakenBack || runNow(submission, body))
      }
      return () => {
        isTakenBack = true
      }
    },
    measured(submission) {
      const { entry } = submission.request
      let began = 0
      return {
        ...submission,
        begun() {
          began = performance.now()
          submission.begun()
        },
        resolve(answer) {
          const before = short[entry] ?? 0
          short[entry] = before < 0 || performance.now() - began < longestAway ? before + 1 : 0
          submission.resolve(answer)
        },
      }
    },
  }
}

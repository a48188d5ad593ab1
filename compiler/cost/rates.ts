import type { Work } from './work.ts'

/** How fast a target works, on one thread: what the compiler weighs one way of computing against another with. Not a promise of speed. */
export interface Rates {
  readonly operationsPerSecond: number
  /** To and from main memory. */
  readonly bytesPerSecond: number
  /** To and from cache, which work of at most `cachedBytes` is taken to lie in. */
  readonly cachedBytesPerSecond: number
  readonly cachedBytes: number
  /** What calling a kernel costs, whatever it does. */
  readonly callNanoseconds: number
}

/**
 * Nanoseconds of one call that does this work: the longer of computing and moving (the roofline model: S. Williams, A. Waterman,
 * D. Patterson, 2009), plus the call. Work that is no work (a view) costs nothing.
 */
export function costOf(work: Work, rates: Rates): number {
  const bytes = work.bytesRead + work.bytesWritten
  if (bytes === 0 && work.operations === 0) return 0
  const bytesPerSecond = bytes <= rates.cachedBytes ? rates.cachedBytesPerSecond : rates.bytesPerSecond
  return Math.max(work.operations / rates.operationsPerSecond, bytes / bytesPerSecond) * 1e9 + rates.callNanoseconds
}

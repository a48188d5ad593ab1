import type { Rates } from '../cost/index.ts'

/**
 * What a rewrite is weighed with. The passes run once for all targets and know none; these are the rates of an ordinary core with
 * vectors of eight floats. They decide in favour of rewrites whose gain does not hang on the machine.
 */
export const typicalRates: Rates = {
  operationsPerSecond: 2.4e10,
  bytesPerSecond: 1e10,
  cachedBytesPerSecond: 4e10,
  cachedBytes: 1 << 20,
  callNanoseconds: 20,
}

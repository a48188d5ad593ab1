const [factor = 1, shift = 0] = (process.env.GLOWPLUG_FUZZ ?? '1:0').split(':').map(Number)

/**
 * How many cases a property draws, and from which seed. Plain test runs draw the same every time; `node test/run.mjs --fuzz` draws many more from
 * another seed, which it prints.
 */
export const draw = (seed: number, numRuns: number): { readonly seed: number; readonly numRuns: number } => ({
  seed: seed + shift,
  numRuns: Math.ceil(numRuns * factor),
})

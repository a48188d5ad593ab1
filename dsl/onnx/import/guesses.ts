import { ModelProblem } from '../../../compiler/graph/index.ts'
import type { Binding } from './dims.ts'
import { noCounterpart, UnsupportedOperators } from './problem.ts'

/** Sizes that layers behind an open dimension commonly ask for, in the order in which they are tried. */
const commonSizes = [1, 256, 512, 1024, 64, 32, 2048, 4096, 16_000, 8000, 96, 16]
/** The same of height and width, which are tried as one. */
const commonImageSizes = [256, 64, 32, 320, 512, 640, 28, 96, 112, 384, 416, 299]

/**
 * What `attempt` makes of a model whose open dimensions have the usual sizes. Where those do not fit, others are tried, at most `most` times: sums of
 * sizes that other dimensions have, since a mask covers what a cache holds and what comes, then common ones. One dimension after the other takes the
 * size with which the import comes furthest. Throws the problem of the usual sizes where none fits.
 */
export function withGuesses<T>(first: Binding, most: number, attempt: (guesses: ReadonlyMap<string, number>) => T): T {
  let guesses: ReadonlyMap<string, number> = new Map()
  let problem: unknown
  try {
    return attempt(guesses)
  } catch (error) {
    if (!dependsOnSizes(error) || first.open.length === 0) throw error
    problem = error
  }
  const images = [...first.images]
  const groups = [
    ...(images.length > 0 ? [images] : []),
    ...first.open.flatMap(({ key }) => (first.images.has(key) ? [] : [[key]])),
  ]
  let reached = reachedBy(problem)
  let left = most
  for (let before = -1; reached > before; ) {
    before = reached
    for (const keys of groups) {
      let furthest = guesses
      const candidates =
        keys === groups[0] && images.length > 0 ? commonImageSizes : [...sumsOfOthers(first, guesses, keys), ...commonSizes]
      for (const size of new Set(candidates)) {
        if (left-- <= 0) throw problem
        const tried = new Map([...guesses, ...keys.map((key) => [key, size] as const)])
        try {
          return attempt(tried)
        } catch (error) {
          if (!(error instanceof ModelProblem)) throw error
          const further = reachedBy(error)
          // A few nodes more are often those that look at nothing: the earlier size stays.
          if (further > (furthest === guesses ? reached : 1.05 * reached)) [furthest, reached] = [tried, further]
        }
      }
      guesses = furthest
    }
  }
  throw problem
}

/** What a size for these dimensions can follow from: two others one behind the other, or another and one element more. Large ones are meant rather. */
function sumsOfOthers({ sizes }: Binding, guesses: ReadonlyMap<string, number>, keys: readonly string[]): readonly number[] {
  const others = [...sizes].flatMap(([key, size]) => (keys.includes(key) ? [] : [guesses.get(key) ?? size]))
  const largest = [...new Set(others)].sort((a, b) => b - a).slice(0, 6)
  return [...largest.flatMap((a, i) => [...largest.slice(i).map((b) => a + b), a + 1]), ...largest].filter((size) => size > 1)
}

const dependsOnSizes = (error: unknown): boolean =>
  error instanceof UnsupportedOperators
    ? error.list.every(({ what, op }) => what !== noCounterpart && op !== 'graph input')
    : error instanceof ModelProblem

/** States are paired when all nodes have been imported. */
const reachedBy = (error: unknown): number => (error instanceof UnsupportedOperators ? error.reached : Number.MAX_SAFE_INTEGER)

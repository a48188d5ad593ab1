/** Positions `start` up to, not including, `end` of one dimension. */
export interface Range {
  readonly start: number
  readonly end: number
}

/**
 * SP-01. How a dimension is divided: into `count` pieces that differ by one position at most, into pieces of `size` positions (the last
 * one smaller), into pieces of given `sizes`, by `weights` (each piece at least one position), or into explicit `ranges`, which cover the
 * dimension in order and may overlap.
 */
export type Division =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'size'; readonly size: number }
  | { readonly kind: 'sizes'; readonly sizes: readonly number[] }
  | { readonly kind: 'weights'; readonly weights: readonly number[] }
  | { readonly kind: 'ranges'; readonly ranges: readonly Range[] }

export const lengthOf = ({ start, end }: Range): number => end - start

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1

function demand(condition: boolean, expected: string): asserts condition {
  if (!condition) throw new RangeError(`division: ${expected}`)
}

/**
 * The pieces of a dimension of `extent` positions; starts are multiples of `alignment` (default 1), so that the last piece may be smaller
 * and there may be fewer pieces than asked for. Throws RangeError where the division does not cover the dimension exactly.
 */
export function rangesOf(division: Division, extent: number, alignment = 1): readonly Range[] {
  demand(isCount(extent), `a dimension of ${extent} positions cannot be divided`)
  demand(isCount(alignment), `alignment must be a positive whole number, got ${alignment}`)
  switch (division.kind) {
    case 'count':
      demand(isCount(division.count), `count must be a positive whole number, got ${division.count}`)
      return fromWeights(new Array<number>(Math.min(division.count, extent)).fill(1), extent, alignment)
    case 'size': {
      demand(isCount(division.size), `size must be a positive whole number, got ${division.size}`)
      const size = Math.ceil(division.size / alignment) * alignment
      return fromEnds(Array.from({ length: Math.ceil(extent / size) }, (_, i) => Math.min(extent, (i + 1) * size)))
    }
    case 'sizes': {
      const { sizes } = division
      demand(sizes.length > 0 && sizes.every(isCount), `sizes must be positive whole numbers, got [${sizes.join(', ')}]`)
      const total = sizes.reduce((sum, size) => sum + size, 0)
      demand(total === extent, `sizes [${sizes.join(', ')}] sum to ${total}, the dimension has ${extent} positions`)
      demand(
        sizes.slice(0, -1).every((size) => size % alignment === 0),
        `sizes [${sizes.join(', ')}] are no multiples of ${alignment}`,
      )
      return fromEnds(sizes.map((_, i) => sizes.slice(0, i + 1).reduce((sum, size) => sum + size, 0)))
    }
    case 'weights':
      demand(
        division.weights.length > 0 && division.weights.every((weight) => Number.isFinite(weight) && weight > 0),
        `weights must be positive numbers, got [${division.weights.join(', ')}]`,
      )
      return fromWeights(division.weights, extent, alignment)
    case 'ranges':
      return requireCover(division.ranges, extent)
  }
}

/** Ends go to the multiple of the alignment nearest to their share; pieces that would be empty are left out. */
function fromWeights(weights: readonly number[], extent: number, alignment: number): readonly Range[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const units = Math.ceil(extent / alignment)
  let shares = 0
  const ends = weights.map((weight, i) => {
    shares += weight
    const share = i === weights.length - 1 ? units : Math.round((units * shares) / total)
    return Math.min(extent, share * alignment)
  })
  return fromEnds(ends.filter((end, i) => end > 0 && end > (ends[i - 1] ?? 0)))
}

const fromEnds = (ends: readonly number[]): readonly Range[] => ends.map((end, i) => ({ start: ends[i - 1] ?? 0, end }))

function requireCover(ranges: readonly Range[], extent: number): readonly Range[] {
  let covered = 0
  for (const { start, end } of ranges) {
    demand(
      Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start < end && end <= extent,
      `${start} to ${end} is no range of ${extent} positions`,
    )
    demand(start <= covered, `positions ${covered} to ${start} are in no range`)
    demand(end > covered, `range ${start} to ${end} adds nothing to those before it`)
    covered = end
  }
  demand(covered === extent, `positions ${covered} to ${extent} are in no range`)
  return ranges
}

/** What each range adds to those before it: the part of its result that is kept where ranges overlap. */
export const ownPartOf = (ranges: readonly Range[]): readonly Range[] =>
  ranges.map((range, i) => ({ start: i === 0 ? range.start : ranges[i - 1]!.end, end: range.end }))

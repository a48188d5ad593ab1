import type { StoredFloat } from '../../../compiler/fuse/kernel.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { longestRun, resultDomain } from '../access.ts'
import { type Candidate, choose, memoryNanoseconds, remembered, workNanoseconds } from '../choice.ts'
import { type Level, lanesOf, type RegisterTile } from '../level.ts'
import { ownBytes, sharedBytes } from './strassen.ts'
import type { AnchoredKernel } from './template.ts'

interface Sizes {
  readonly rows: number
  readonly columns: number
  readonly depth: number
}

/** Whether one right operand serves all rows. */
const hasOneRight = ({ anchor }: Pick<AnchoredKernel, 'anchor'>): boolean =>
  anchor.op === 'linear' || elementCount(anchor.operands[1]!.shape.slice(0, -2)) === 1

/** Of the product of each right operand: a weight is `[columns, depth]`, the right operand of a `matmul` `[…, depth, columns]`. */
export function sizesOf({ anchor }: AnchoredKernel): Sizes {
  const [left] = anchor.operands
  const shape = anchor.type.shape
  const shared = hasOneRight({ anchor })
  return {
    rows: shared ? elementCount(shape.slice(0, -1)) : shape.at(-2)!,
    columns: shape.at(-1)!,
    depth: left!.shape.at(-1)!,
  }
}

/** How a product whose right operand lies in panels is computed. */
export interface Way {
  /** Panels are as wide as it. */
  readonly tile: RegisterTile
  /** The left operand is rounded to bf16 first, and pairs are multiplied. */
  readonly rounded?: true
  /** Each panel of weights in 16 bits is widened once for all rows. */
  readonly expanded?: true
  /** Halves of so many rows and columns of the left operand are multiplied as `strassen.ts` says. */
  readonly halved?: { readonly half: number; readonly chunk: number }
}

/** Between the last multiply-add of a tile and the first of the next. */
const tileNanoseconds = 12

/** The part of its peak that a core reaches inside of a tile. */
const efficiency = 0.97

/** Nanoseconds of a load that hits the first-level cache, of at most 64 bytes: one a cycle, two where they are narrow. */
const loadNanoseconds = 0.28

/** A tile of `rows` by `vectors` over the depth is bound by its multiply-adds or by its loads. */
function tileTime(rows: number, vectors: number, depth: number, level: Level): number {
  const adds = workNanoseconds(depth * rows * vectors * lanesOf(level), level, efficiency)
  const loads = depth * (vectors * (level.vectorBytes / 64) + rows / 3) * loadNanoseconds
  return Math.max(adds, loads) + tileNanoseconds
}

function plainTime({ rows, columns, depth }: Sizes, tile: RegisterTile, level: Level, bytes = 4): number {
  if (rows === 0 || columns === 0) return 0
  const lanes = lanesOf(level)
  const width = tile.vectors * lanes
  const tiles = Math.ceil(rows / tile.rows)
  const tall = rows / tiles
  const rest = Math.ceil((columns % width) / lanes)
  const whole = Math.floor(columns / width) * tiles * tileTime(tall, tile.vectors, depth, level)
  return Math.max(whole + (rest > 0 ? tiles * tileTime(tall, rest, depth, level) : 0), memoryNanoseconds(bytes * columns * depth))
}

/** What widening a vector of weights, which each tile of rows does for itself, was measured to take beside the multiply-adds. */
const leastWidening = { bf16: 0.02, f16: 0.02 } as const

/** A vector that is widened and stored. */
const expandNanoseconds = 0.5

/** One panel after the other in f32, where widening takes more than a little. */
function expandedWay(kernel: AnchoredKernel, tile: RegisterTile, stored: StoredFloat, level: Level): Candidate<Way> | undefined {
  if (!level.widenNanoseconds || !hasOneRight(kernel)) return undefined
  const { rows, columns, depth } = sizesOf(kernel)
  const vectors = Math.ceil(columns / lanesOf(level)) * depth
  return {
    name: `expanded ${tile.rows}x${tile.vectors * lanesOf(level)}`,
    nanoseconds:
      plainTime({ rows, columns, depth }, tile, level, 2) + vectors * (level.widenNanoseconds[stored] + expandNanoseconds),
    value: { tile, expanded: true },
  }
}

function widenTime({ rows, columns, depth }: Sizes, tile: RegisterTile, stored: StoredFloat | undefined, level: Level): number {
  const vectors = Math.ceil(columns / lanesOf(level)) * Math.ceil(rows / tile.rows) * depth
  return stored ? vectors * (level.widenNanoseconds ?? leastWidening)[stored] : 0
}

/** Rounding an element of the left operand. */
const roundNanoseconds = 0.06

/** Products with weights in 16 bits, which are widened as they are read; or of pairs, with the left operand rounded, where that may be. */
function storedWays(kernel: AnchoredKernel, tile: RegisterTile, stored: StoredFloat, level: Level): readonly Candidate<Way>[] {
  const sizes = sizesOf(kernel)
  const { rows, columns, depth } = sizes
  const name = `${tile.rows}x${tile.vectors * lanesOf(level)}`
  const widened = {
    name,
    nanoseconds: plainTime(sizes, tile, level, 2) + widenTime(sizes, tile, stored, level),
    value: { tile },
  }
  const mayRound = level.precision === 'bf16' && level.bf16Pairs && stored === 'bf16' && hasOneRight(kernel)
  const expanded = expandedWay(kernel, tile, stored, level)
  if (!mayRound) return expanded ? [widened, expanded] : [widened]
  const nanoseconds = plainTime({ rows, columns, depth: Math.ceil(depth / 2) }, tile, level) + rows * depth * roundNanoseconds
  return [widened, { name: `rounded ${name}`, nanoseconds, value: { tile, rounded: true } }]
}

/** Bytes of four blocks of a chunk, which with their differences are half of a second-level cache. */
const chunkBytes = 1 << 19

/** What the sums of halves were measured to take, for each element of a half of the left operand, and of the right one and the result. */
const leftNanoseconds = 1.1
const rightNanoseconds = 0.08

/** Less than this is not worth the working storage, and the other rounding. */
const leastGain = 0.02

function halvedWay(sizes: Sizes, tile: RegisterTile, level: Level): Candidate<Way> | undefined {
  const { rows, columns, depth } = sizes
  const lanes = lanesOf(level)
  const width = tile.vectors * lanes
  const half = Math.floor(rows / 2 / tile.rows) * tile.rows
  const pairs = Math.floor(columns / (2 * width))
  const least = 2 * Math.max(lanes, tile.unroll)
  const chunks = Array.from({ length: 32 }, (_, i) => i + 1).find(
    (count) => depth % count === 0 && (depth / count) % least === 0 && (depth / count) * width * 16 <= chunkBytes,
  )
  if (half === 0 || pairs === 0 || chunks === undefined) return undefined
  const chunk = depth / chunks
  const [inside, across] = [2 * half, 2 * pairs * width]
  const calls = 7 * (half / tile.rows) * pairs * chunks
  // Left operands are written to where nothing was for long; blocks and sums of the result stay in the cache.
  const sums = half * depth * leftNanoseconds + across * (depth + chunks * inside) * rightNanoseconds
  const products = calls * tileTime(tile.rows, tile.vectors, chunk / 2, level)
  const rest =
    plainTime({ rows: rows - inside, columns, depth }, tile, level) +
    plainTime({ rows: inside, columns: columns - across, depth }, tile, level)
  const nanoseconds = (sums + products + rest) / (1 - leastGain)
  return { name: `halved ${tile.rows}x${width}`, nanoseconds, value: { tile, halved: { half, chunk } } }
}

/** Whether one right operand serves all rows, and these are one dimension, whatever is computed from them. */
const isOneRun = (kernel: AnchoredKernel, { rows }: Sizes): boolean =>
  elementCount(kernel.domain.slice(0, -1)) === rows && longestRun(resultDomain(kernel), 0, kernel.domain.length - 1) === 0

/** Panels longer than this push the left operand out of the second-level cache. */
const panelBytes = 600_000

/**
 * Vectors of a panel: the same for any number of rows, so that entries of a model, and its buckets, share packed weights.
 */
function vectorsOf({ columns, depth }: Sizes, stored: StoredFloat | undefined, level: Level): number {
  const bytes = stored ? 2 : 4
  const timeOf = (tile: RegisterTile) =>
    (plainTime({ rows: 16 * tile.rows, columns, depth }, tile, level) +
      widenTime({ rows: 16 * tile.rows, columns, depth }, tile, stored, level)) /
      tile.rows +
    (bytes * depth * tile.vectors * lanesOf(level) > panelBytes ? Number.MAX_VALUE / 2 : 0)
  return level.tiles.reduce((best, tile) => (timeOf(tile) < timeOf(best) ? tile : best)).vectors
}

/** Every way of a kernel of `linear` or `matmul` on f32 whose right operand is constant. */
export function waysOf(kernel: AnchoredKernel, level: Level): readonly Candidate<Way>[] {
  const sizes = sizesOf(kernel)
  const { stored } = kernel.inputs[1]!
  const vectors = vectorsOf(sizes, stored, level)
  const mayHalve = level.halves === true && !level.exact && kernel.inputs[1]!.constant && isOneRun(kernel, sizes)
  return level.tiles
    .filter((tile) => tile.vectors === vectors)
    .flatMap((tile): readonly Candidate<Way>[] => {
      if (stored) return storedWays(kernel, tile, stored, level)
      const name = `${tile.rows}x${tile.vectors * lanesOf(level)}`
      const plain = { name, nanoseconds: plainTime(sizes, tile, level), value: { tile } }
      const halved = mayHalve ? halvedWay(sizes, tile, level) : undefined
      return halved ? [plain, halved] : [plain]
    })
}

const known = remembered((kernel, level) => choose(kernel, level, waysOf(kernel as AnchoredKernel, level)))

/** The way that is taken. */
export const wayOf = (kernel: AnchoredKernel, level: Level): Way => known(kernel, level)

/** Bytes of working storage of a way: what threads share, and what each has for itself. */
export function wayScratch(
  kernel: AnchoredKernel,
  { tile, halved, rounded, expanded }: Way,
  level: Level,
): { readonly shared: number; readonly own: number } {
  const { depth } = sizesOf(kernel)
  if (rounded)
    return { shared: 4 * elementCount(kernel.anchor.operands[0]!.shape.slice(0, -1)) * pairPitch(depth, level), own: 0 }
  if (expanded) return { shared: 0, own: 4 * (depth * tile.vectors + 1) * lanesOf(level) }
  if (!halved) return { shared: 0, own: 0 }
  const sizes = { ...halved, depth, tile }
  return { shared: sharedBytes(sizes), own: ownBytes(sizes, level) }
}

/**
 * Pairs from one row of a rounded left operand to the next: whole vectors, and one more where the rows of a tile would lie in few sets of the
 * first-level cache.
 */
export function pairPitch(depth: number, level: Level): number {
  const lanes = lanesOf(level)
  const pairs = Math.ceil(depth / 2 / lanes) * lanes
  return pairs % 512 === 0 ? pairs + lanes : pairs
}

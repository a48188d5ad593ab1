import { cacheNanoseconds, memoryNanoseconds } from '../../choice.ts'
import { type Level, lanesOf, mostRows } from '../../level.ts'
import type { AnchoredKernel } from '../template.ts'
import { mayRound } from './operands.ts'
import type { BlockedConvolution } from './sizes.ts'
import { pointsOf, type TileSize } from './winogradMatrices.ts'

/**
 * A convolution that Winograd's algorithm takes: a window of 3×3 that moves by 1, over blocks of channels. Sizes in elements. Of a dilated
 * one, every so manieth row and column of results are a convolution of their own, a *phase*, over every so manieth of the image.
 */
export interface Plane {
  readonly batch: number
  /** Images of one batch entry that lie behind each other, as windows 1×3×3 leave them. */
  readonly depth: number
  readonly height: number
  readonly width: number
  readonly outHeight: number
  readonly outWidth: number
  /** Padding above and on the left. */
  readonly top: number
  readonly left: number
  readonly dilation: { readonly down: number; readonly across: number }
  readonly groups: number
  /** Channels of a group. */
  readonly inputs: number
  readonly outputs: number
  readonly bias: boolean
}

/** The convolution of a kernel, or undefined where the algorithm does not apply or is not wanted. */
export function planeOf(convolution: BlockedConvolution, kernel: AnchoredKernel, level: Level): Plane | undefined {
  const { window, stride, dilation, before, after, input, output, batch, groups, inputs, outputs, bias } = convolution
  if (level.exact || convolution.plain || convolution.still > 0 || kernel.anchor.type.dtype !== 'f32') return undefined
  if (kernel.inputs.slice(1, bias ? 3 : 2).some(({ constant }) => !constant)) return undefined
  if (window.join() !== '1,3,3' || before[0] + after[0] > 0 || stride.some((size) => size !== 1)) return undefined
  if ([batch, ...input, ...output, inputs, outputs].some((size) => size === 0)) return undefined
  return {
    batch,
    depth: input[0],
    height: input[1],
    width: input[2],
    outHeight: output[1],
    outWidth: output[2],
    top: before[1],
    left: before[2],
    dilation: { down: dilation[1], across: dilation[2] },
    groups,
    inputs,
    outputs,
    bias,
  }
}

/** Neighbouring columns of products: `vectors` of them, each with tiles of `rows` rows. */
export interface Panel {
  readonly vectors: number
  readonly rows: number
}

/**
 * How the work is divided. A *unit* is as many groups as begin and end with a block of channels; a *chunk* is a number of tiles, whose
 * transforms should stay in the second-level cache; a *section* is the part of a unit's outputs that is brought back at once: a panel
 * where groups fill blocks, else the unit.
 */
export interface Plan {
  readonly plane: Plane
  readonly size: TileSize
  readonly lanes: number
  readonly points: number
  /** Tiles of an image, those of all phases behind one another. */
  readonly tilesDown: number
  readonly tilesAcross: number
  readonly tiles: number
  readonly chunk: number
  readonly unitGroups: number
  /** Vectors of a group's outputs. */
  readonly vectors: number
  /** All panels of a group but the last, which has the vectors that are left, if any. */
  readonly panel: Panel
  readonly rest: Panel | undefined
  readonly sections: 'panels' | 'unit'
  /** Whether threads divide units and chunks, or within each the tiles and then the sections. */
  readonly shares: 'jobs' | 'sections'
  /** An estimate of what one thread takes. */
  readonly nanoseconds: number
}

export const isDilated = ({ dilation: { down, across } }: Plane): boolean => down * across > 1

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))
const multiple = (a: number, b: number): number => (a / greatestDivisor(a, b)) * b

/** Groups that together begin and end with a block, on both sides; all of them where there are not so many. */
function unitGroups({ groups, inputs, outputs }: Plane, lanes: number): number {
  const aligned = (channels: number) => lanes / greatestDivisor(lanes, channels)
  return Math.min(groups, multiple(aligned(inputs), aligned(outputs)))
}

/** Channels of `groups` groups in whole blocks, with room behind them where rows would begin at equal places of the first-level cache. */
export const rowPitch = ({ plane: { inputs }, lanes }: Pick<Plan, 'plane' | 'lanes'>, groups: number): number =>
  spread(Math.ceil((groups * inputs) / lanes) * lanes)

/** What lies `elements` apart in many streams must not lie a multiple of 512 bytes apart, or all streams meet in few sets of the cache. */
const spread = (elements: number): number => elements + (elements % 128 === 0 ? 16 : 0)

/** From one point's matrix of inputs to the next's. */
export const inputStep = (plan: Pick<Plan, 'plane' | 'lanes'>, groups: number, tiles: number): number =>
  spread(tiles * rowPitch(plan, groups))

/** Outputs of a section; those of an unaligned group are stored in whole vectors, which reach into the next one. */
export const sectionWidth = (
  { plane: { outputs }, lanes, sections }: Pick<Plan, 'plane' | 'lanes' | 'sections'>,
  panel: Panel,
  groups: number,
): number => (sections === 'panels' ? panel.vectors * lanes : (Math.ceil((groups * outputs) / lanes) + 1) * lanes)

export const outputStep = (
  plan: Pick<Plan, 'plane' | 'lanes' | 'sections'>,
  panel: Panel,
  groups: number,
  tiles: number,
): number => spread(tiles * sectionWidth(plan, panel, groups))

/** Multiply-adds of vectors that a tile takes the time of, for each of its depth: as many as it has, or what loads or latency cost more. */
const tileTime = (rows: number, vectors: number): number =>
  Math.max(rows * vectors + 0.15 * (rows + vectors) + 0.3, rows + vectors, 8)

/** What a tile takes beside its multiply-adds, and a kernel beside all its work, as measured for small images and few channels. */
const tileStart = 100
const kernelNanoseconds = 1500

/** Rows of tiles with so many vectors that take least time over all rows, and that time. */
function bestRows(
  total: number,
  vectors: number,
  depth: number,
  level: Level,
): { readonly rows: number; readonly time: number } | undefined {
  const most = Math.min(total, mostRows(vectors, level))
  let best: { rows: number; time: number } | undefined
  for (let rows = 1; rows <= most; rows++) {
    const rest = total % rows
    const begun = (tileStart * Math.ceil(total / rows)) / depth
    const time = Math.floor(total / rows) * tileTime(rows, vectors) + (rest > 0 ? tileTime(rest, vectors) : 0) + begun
    if (!best || time < best.time - 1e-9) best = { rows, time }
  }
  return best
}

/** Vector operations for the transforms of one block of channels of a tile, by tile size, as measured against the multiply-adds. */
const transformTime: Readonly<Record<TileSize, { readonly input: number; readonly output: number }>> = {
  2: { input: 80, output: 70 },
  4: { input: 260, output: 230 },
}

/** Bytes of a chunk's transforms that the second-level cache holds beside weights and images. */
const cacheBytes = 640 * 1024

/** All of a plan but its estimate. */
type Division = Omit<Plan, 'shares' | 'nanoseconds'>

/**
 * How much faster than others this has to seem: what is gained must be worth weights that are two to four times larger, and sums that round
 * elsewhere. Measured times are between 0.8 and 1.1 of the estimates.
 */
const margin = 1.2
/** The same for weights that are small beside the second-level cache: nobody waits for them. */
const smallMargin = 1.05
const smallWeights = 64 * 1024

/** The same where direct ways have weights of half the size and the speed of their instruction. */
const marginOverRounded = 1.35

/** Tiles along an axis: as many for each phase as the longest takes. */
const tilesAlong = (extent: number, phases: number, size: TileSize): number =>
  phases * Math.ceil(Math.ceil(extent / phases) / size)

/** The best division found for tiles of a size. */
export function planOf(plane: Plane, size: TileSize, level: Level): Plan {
  const lanes = lanesOf(level)
  const { outHeight, outWidth, dilation } = plane
  const [tilesDown, tilesAcross] = [tilesAlong(outHeight, dilation.down, size), tilesAlong(outWidth, dilation.across, size)]
  const tiles = plane.batch * plane.depth * tilesDown * tilesAcross
  const groups = unitGroups(plane, lanes)
  const vectors = Math.ceil(plane.outputs / lanes)
  const fixed = { plane, size, lanes, points: pointsOf(size), tilesDown, tilesAcross, tiles, unitGroups: groups, vectors }
  const sections = groups === 1 ? ('panels' as const) : ('unit' as const)
  const plans = chunkSizes(tiles).flatMap((chunk) =>
    Array.from({ length: Math.min(vectors, 8) }, (_, i) => i + 1).flatMap((width): Plan[] => {
      const [main, left] = [bestRows(chunk, width, plane.inputs, level), vectors % width]
      const last = left > 0 ? bestRows(chunk, left, plane.inputs, level) : undefined
      if (!main) return []
      const panel: Panel = { vectors: width, rows: main.rows }
      const rest: Panel | undefined = last && { vectors: left, rows: last.rows }
      const division: Division = { ...fixed, chunk, sections, panel, rest }
      return [{ ...division, ...estimate(division, main.time, last?.time ?? 0, level) }]
    }),
  )
  return plans.reduce((best, plan) => (plan.nanoseconds < best.nanoseconds ? plan : best))
}

/** How threads divide the work best, and how long one takes, of which a half counts, and two and four; `time` is that of a panel's rows. */
function estimate(division: Division, time: number, restTime: number, level: Level): Pick<Plan, 'shares' | 'nanoseconds'> {
  const { plane, size, lanes, points, tiles, chunk, unitGroups: groups, vectors, panel, rest, sections } = division
  const [units, chunks] = [plane.groups / groups, tiles / chunk]
  const whole = Math.floor(vectors / panel.vectors)
  const blocksIn = Math.ceil((groups * plane.inputs) / lanes)
  const blocksOut = Math.ceil((groups * plane.outputs) / lanes)
  // Of one unit and chunk, in vector operations.
  const gathered = isDilated(plane) ? 2 * points : 0
  const input = chunk * blocksIn * (transformTime[size].input + gathered)
  const output = (chunk * blocksOut * transformTime[size].output) / vectors
  const products = points * plane.inputs * groups
  const wholePanel = products * time + output * panel.vectors
  const restPanel = rest ? products * restTime + output * rest.vectors : 0
  const alone = input + whole * wholePanel + restPanel
  const computed = (operations: number) => (units * chunks * operations * lanes) / level.multiplyAddsPerNanosecond
  const byJobs = (parts: number) => computed(alone) * unevenness(jobCounts(units, chunks), parts)
  const bySections = (parts: number) =>
    sections === 'panels'
      ? computed(input + parts * (Math.ceil(whole / parts) * wholePanel + restPanel + waitTime))
      : computed(parts * (alone - input) + input)
  const shares = byJobs(2) <= bySections(2) ? ('jobs' as const) : ('sections' as const)
  const shared = shares === 'jobs' ? byJobs : bySections
  const compute = level.teams ? 0.5 * computed(alone) + 0.35 * shared(2) + 0.15 * shared(4) : computed(alone)
  const weightBytes = 4 * points * plane.inputs * vectors * lanes * plane.groups
  const inputBytes = 4 * points * chunk * blocksIn * lanes
  const outputBytes = 4 * points * outputStep(division, panel, groups, chunk)
  const over = Math.max(0, inputBytes + outputBytes - cacheBytes)
  const spilled = 2 * over + (sections === 'panels' ? whole : 0) * Math.min(over, inputBytes)
  const again = weightBytes < cacheBytes ? 0 : (Math.ceil(chunks) - 1) * weightBytes
  const moved = units * chunks * memoryNanoseconds(spilled) + cacheNanoseconds(again)
  // Weights come from memory while others are multiplied, mostly.
  const memory = memoryNanoseconds(weightBytes)
  const whileComputing = Math.max(compute, memory) + 0.15 * Math.min(compute, memory)
  const overDirect = mayRound(level) ? marginOverRounded : weightBytes <= smallWeights ? smallMargin : margin
  return { shares, nanoseconds: overDirect * (kernelNanoseconds + whileComputing + moved) }
}

/** What two meetings of a team take, in vector operations. */
const waitTime = 1200

/** Runs of equal jobs that a team divides, each with its share of all work: whole units and chunks, then what is left of either. */
function jobCounts(units: number, chunks: number): readonly { readonly count: number; readonly share: number }[] {
  const parts = (total: number) => [
    { count: Math.floor(total), share: Math.floor(total) / total },
    { count: total % 1 > 0 ? 1 : 0, share: (total % 1) / total },
  ]
  return parts(units).flatMap((unit) =>
    parts(chunks).map((chunk) => ({ count: unit.count * chunk.count, share: unit.share * chunk.share })),
  )
}

/** How much longer all parts of a team are busy together, or wait, than one that is alone. */
const unevenness = (runs: ReturnType<typeof jobCounts>, parts: number): number =>
  runs.reduce((sum, { count, share }) => sum + (count > 0 ? ((Math.ceil(count / parts) * parts) / count) * share : 0), 0)

/** All tiles at once, and parts of them without a smaller one at the end; where there are none, parts with one. */
function chunkSizes(tiles: number): readonly number[] {
  const divisors = Array.from({ length: Math.min(64, tiles) }, (_, i) => tiles / (i + 1)).filter(
    (size) => Number.isInteger(size) && (size >= 6 || size === tiles),
  )
  const others = [14, 28, 56].filter((size) => size < tiles && tiles % size !== 0)
  return divisors.length > 2 ? divisors : [...divisors, ...others]
}

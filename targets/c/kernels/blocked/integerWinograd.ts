import { elementsOf } from '../../../../compiler/graph/scalar.ts'
import { denseStrides } from '../../../../compiler/graph/type.ts'
import type { Packing } from '../../../../compiler/instructions/instruction.ts'
import { resultDomain } from '../../access.ts'
import { pairs } from '../../arithmetic.ts'
import { type Candidate, cacheNanoseconds, memoryNanoseconds, workNanoseconds } from '../../choice.ts'
import { roundedEnding, storeRounded } from '../../ending.ts'
import { type Level, lanesOf, mostRows } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { sharedLoop, sharedNest, teamWait } from '../../team.ts'
import { block, type Lines, loop, sum } from '../../text.ts'
import type { Method } from '../method.ts'
import { type AnchoredKernel, pointersOf } from '../template.ts'
import { split, type TileStep, tileLines } from '../tile.ts'
import { type BlockedIntegers, weightZeroOf } from './integerForm.ts'
import { packBias } from './integerWeights.ts'
import { blockedPosition } from './sizes.ts'

/** Outputs of a tile along each axis, elements of its input, and points. */
const size = 4
const side = size + 2
const points = side * side

/** G of F(4×4, 3×3) times 24, but for the last row, which is as it is. With it no transformed weight of 8 bits has more than 16. */
const weightRows = [
  [6, 0, 0],
  [-4, -4, -4],
  [-4, 4, -4],
  [1, 2, 4],
  [1, -2, 4],
  [0, 0, 1],
] as const

interface Plan {
  readonly convolution: BlockedIntegers
  readonly lanes: number
  readonly tilesDown: number
  readonly tilesAcross: number
  /** Tiles of all images, and those whose transforms are held at once. */
  readonly tiles: number
  readonly chunk: number
  /** Pairs of a row of transformed tiles. */
  readonly pairs: number
  /** Output blocks of a panel, of the last one, and panels. */
  readonly vectors: number
  readonly last: number
  readonly panels: number
  /** Rows of the register tile of a panel. */
  readonly rows: number
  /** Whether threads divide chunks, or within each first the tiles and then the panels. */
  readonly shares: 'chunks' | 'panels'
}

/** What lies `elements` apart in many streams must not lie a multiple of 512 bytes apart, or all streams meet in few sets of the cache. */
const spread = (elements: number): number => elements + (elements % 128 === 0 ? 16 : 0)
const inputStep = ({ chunk, pairs: pitch }: Plan): number => spread(chunk * pitch)
const outputStep = ({ chunk, vectors, lanes }: Plan): number => spread(chunk * vectors * lanes)
const inputElements = (plan: Plan): number => points * inputStep(plan)
const outputElements = (plan: Plan): number => points * outputStep(plan)
const weightElements = ({ convolution, pairs: depth, lanes }: Plan): number => points * depth * convolution.outputBlocks * lanes

/** Bytes of a chunk's transforms that the second-level cache holds beside weights and images. */
const cacheBytes = 700 * 1024

/**
 * Whether sums come out exact. All is done in integers that wrap, and gives 576 times each sum: its low 32 bits times the inverse of 9 are 64
 * times the sum, whose low 26 bits are left when these are divided. A sum lies in a range that is 255 times the sum of its weights' amounts long, around
 * a middle that is known at build and taken off before.
 */
const isExact = ({ inputs }: BlockedIntegers): boolean => 255 * 128 * 9 * inputs < 2 ** 26

function applies(kernel: AnchoredKernel, convolution: BlockedIntegers, level: Level): boolean {
  const {
    window,
    stride,
    dilation,
    before,
    after,
    groups,
    plain,
    inputType,
    weightType,
    weightZeroPoint,
    block: lanes,
  } = convolution
  const bytes = inputType === 'u8' || inputType === 'i8'
  const weightZero = weightType === 'i8' ? 0 : weightType === 'u8' ? 128 : undefined
  return (
    level.pairs !== undefined &&
    // Transforms take vectors of 16 bits for each block; where these are short, they cost more than is saved.
    level.vectorBytes >= 32 &&
    !plain &&
    lanes === lanesOf(level) &&
    bytes &&
    weightZeroPoint.every((zero) => zero === weightZero) &&
    groups === 1 &&
    convolution.still === 0 &&
    window.join() === '1,3,3' &&
    before[0] + after[0] === 0 &&
    [...stride, ...dilation].every((step) => step === 1) &&
    kernel.anchor.type.shape.every((extent) => extent > 0) &&
    isExact(convolution)
  )
}

function planOf(convolution: BlockedIntegers, level: Level): Plan {
  const { batch, input, output, inputs, outputBlocks } = convolution
  const lanes = lanesOf(level)
  const [tilesDown, tilesAcross] = [Math.ceil(output[1] / size), Math.ceil(output[2] / size)]
  const tiles = batch * input[0] * tilesDown * tilesAcross
  const depth = (Math.ceil(inputs / lanes) * lanes) / 2
  const vectors = Math.min(2, outputBlocks)
  const most = Math.min(mostRows(vectors, level), Math.floor((level.registers - 2 - vectors) / vectors))
  const bytesOf = (chunk: number) => 4 * points * chunk * (depth + vectors * lanes)
  const sizes = Array.from({ length: Math.min(64, tiles) }, (_, i) => tiles / (i + 1)).filter(Number.isInteger)
  // Several chunks are divided among threads, each with its own transforms; a chunk is whole tiles of rows where there are such.
  const many = sizes.filter((chunk) => chunk % Math.min(most, 8) === 0 || chunk % most === 0 || chunk === tiles)
  const chunk =
    many.find((each) => tiles / each >= 8 && bytesOf(each) <= cacheBytes) ?? sizes.find((each) => bytesOf(each) <= cacheBytes)
  const held = chunk ?? Math.min(tiles, most)
  const panels = Math.ceil(outputBlocks / vectors)
  return {
    ...{ convolution, lanes, tilesDown, tilesAcross, tiles, chunk: held, pairs: depth, vectors, panels },
    last: outputBlocks - (panels - 1) * vectors,
    rows: Math.ceil(held / Math.ceil(held / most)),
    shares: tiles / held >= 8 || panels === 1 ? 'chunks' : 'panels',
  }
}

/** Nanoseconds of the transforms of one block of channels of a tile, there and back, for lanes of a vector of 64 bytes. */
const transformNanoseconds = { input: 30, output: 45 }

/** The part of its peak that the products reach, and what a direct way reaches of its own. */
const [efficiency, margin] = [0.85, 1.05]

function nanosecondsOf({ convolution, tiles, pairs: depth, lanes, chunk }: Plan, level: Level): number {
  const { outputBlocks, inputs } = convolution
  const work = workNanoseconds(points * tiles * depth * outputBlocks * lanes, level, efficiency)
  const transforms = tiles * (Math.ceil(inputs / lanes) * transformNanoseconds.input + outputBlocks * transformNanoseconds.output)
  const weights = 4 * points * depth * outputBlocks * lanes
  const again = weights > cacheBytes ? (Math.ceil(tiles / chunk) - 1) * weights : 0
  return margin * (Math.max(work, memoryNanoseconds(weights)) + transforms + cacheNanoseconds(again))
}

/**
 * Convolutions of 3×3 over bytes in a quarter of the multiplications, exactly: F(4×4, 3×3) of `winogradMatrices.ts` over integers. Tiles of the input
 * become differences of 16 bits, weights were transformed at build, and products are those of pairs: half as fast as those of quads, so
 * that a layer of 64 to 128 channels over whole tiles takes two thirds of the time where the level has quads, and less where it has not.
 */
export function integerWinograd(
  convolution: BlockedIntegers,
  kernel: AnchoredKernel,
  level: Level,
): readonly Candidate<Method>[] {
  if (!applies(kernel, convolution, level)) return []
  const plan = planOf(convolution, level)
  const method: Method = {
    body: (given, at) => bodyOf(given, plan, at),
    scratch: () => (plan.shares === 'panels' ? 4 * inputElements(plan) : 0),
    ownScratch: () => 4 * (outputElements(plan) + (plan.shares === 'chunks' ? inputElements(plan) : 0)),
    pack: (_, index) => (index === 1 ? weightPacking(plan) : index === 2 && convolution.bias ? packBias(convolution) : undefined),
  }
  return [{ name: 'winograd4', nanoseconds: nanosecondsOf(plan, level), value: method }]
}

/** `[panels][points][pairs][panel]` of pairs of 16 bits, and behind them for each output what is added to its sums before and after the last shift. */
function weightPacking(plan: Plan): Packing {
  const { convolution, lanes, pairs: depth, vectors } = plan
  const { inputs, outputs, outputBlocks, weightType, weightZeroPoint, inputType, inputZeroPoint } = convolution
  const bytes = 4 * (weightElements(plan) + 2 * outputBlocks * lanes)
  const [least, most] =
    inputType === 'u8' ? [-inputZeroPoint, 255 - inputZeroPoint] : [-128 - inputZeroPoint, 127 - inputZeroPoint]
  return {
    key: `winograd of integers ${outputs}x${inputs} by ${vectors} blocks of ${lanes} from ${weightType} less ${weightZeroPoint.join(' ')}, ${least} to ${most}`,
    bytes,
    pack(dense) {
      const { get } = elementsOf(weightType, dense)
      const to = new Int16Array(bytes / 2)
      const ends = new Int32Array(to.buffer, 4 * weightElements(plan))
      for (let output = 0; output < outputs; output++) {
        const vector = Math.floor(output / lanes)
        const panel = Math.floor(vector / vectors)
        const width = Math.min(vectors, outputBlocks - panel * vectors) * lanes
        const column = output - panel * vectors * lanes
        const zero = weightZeroOf(convolution, output)
        let [low, high] = [0, 0]
        for (let input = 0; input < inputs; input++) {
          const at = (output * inputs + input) * 9
          const window = Array.from({ length: 9 }, (_, i) => get(at + i) - zero)
          for (const value of window) {
            low += value * (value > 0 ? least! : most!)
            high += value * (value > 0 ? most! : least!)
          }
          for (const [y, down] of weightRows.entries()) {
            const along = [0, 1, 2].map((x) => down[0] * window[x]! + down[1] * window[3 + x]! + down[2] * window[6 + x]!)
            for (const [x, across] of weightRows.entries()) {
              const point = y * side + x
              const place =
                ((panel * vectors * lanes * points + point * width) * depth + (input >> 1) * width + column) * 2 + (input & 1)
              to[place] = across[0] * along[0]! + across[1] * along[1]! + across[2] * along[2]!
            }
          }
        }
        const middle = Math.floor((low + high) / 2)
        ends[output] = Math.imul(-64, middle)
        ends[outputBlocks * lanes + output] = middle
      }
      return new Uint8Array(to.buffer)
    },
  }
}

function bodyOf(kernel: AnchoredKernel, plan: Plan, level: Level): Lines {
  const { tiles, chunk, shares } = plan
  const { whole, rest } = split(tiles, chunk)
  const apart = shares === 'chunks'
  const body = (count: number, from: string) => [`const long first = ${from};`, ...chunkLines(kernel, plan, count, level)]
  const looped = apart ? (...given: Parameters<typeof loop>) => sharedLoop(level, ...given) : loop
  return [
    'i32 *const sums = (i32 *)own;',
    `i32 *const transformed = ${apart ? `sums + ${outputElements(plan)}` : '(i32 *)scratch'};`,
    `const i32 *const weights = (const i32 *)x1, *const ends = weights + ${weightElements(plan)};`,
    ...looped('k', 0, whole / chunk, 1, body(chunk, `k * ${chunk}`)),
    ...(rest > 0 ? looped('k', whole / chunk, whole / chunk + 1, 1, body(rest, String(whole))) : []),
  ]
}

/** `count` tiles from `first` on. */
function chunkLines(kernel: AnchoredKernel, plan: Plan, count: number, level: Level): Lines {
  const { convolution, lanes, panels, last, vectors, shares } = plan
  const apart = shares === 'chunks'
  const alone = apart ? { ...level, teams: false } : level
  const inputs = sharedNest(
    alone,
    [
      ['b', Math.ceil(convolution.inputs / lanes)],
      ['t', count],
    ],
    inputLines(plan),
  )
  const panel = (width: number) => [...products(plan, width, count, level), ...outputLines(kernel, plan, width, count, level)]
  const looped = (...given: Parameters<typeof loop>) => sharedLoop(alone, ...given)
  const full = last === vectors ? panels : panels - 1
  return [
    ...inputs,
    ...(apart ? [] : teamWait(level)),
    ...looped('s', 0, full, 1, panel(vectors)),
    ...(full < panels ? looped('s', full, panels, 1, panel(last)) : []),
    ...(apart ? [] : teamWait(level)),
  ]
}

/** Which place in which image the tile `first + t` has. */
function placeLines({ convolution: { batch, input }, tilesDown, tilesAcross }: Plan): Lines {
  const single = batch * input[0] === 1
  return [
    'const long tile = first + t;',
    ...(single ? [] : [`const long image = tile / ${tilesDown * tilesAcross};`]),
    `const long y = tile / ${tilesAcross}${single ? '' : ` % ${tilesDown}`} * ${size}, x = tile % ${tilesAcross} * ${size};`,
  ]
}

/** Batch entry and depth of `image`. */
function imageAxes({ convolution: { batch, input } }: Plan): { readonly n: string; readonly z: string } {
  const depth = input[0]
  if (depth === 1) return { n: batch === 1 ? '0' : 'image', z: '0' }
  return batch === 1 ? { n: '0', z: 'image' } : { n: `(image / ${depth})`, z: `(image % ${depth})` }
}

/** Block `b` of the channels of a tile, transformed. What lies outside of the image is read as the zero point. */
function inputLines(plan: Plan): Lines {
  const { convolution, lanes, pairs: pitch } = plan
  const { input, before, strides, inputType, inputZeroPoint } = convolution
  const [, height, width] = input
  const { n, z } = imageAxes(plan)
  const visible = (at: string, extent: number, hidden: string) =>
    `(${at} + ${side} <= ${extent} ? ${side} : ${extent} - ${at}) - ${hidden}`
  const from = sum([
    [n, strides.image],
    [z, strides.plane],
    ['top', strides.row],
    ['left', lanes],
    ['b', strides.block],
  ])
  return [
    ...placeLines(plan),
    `const long top = y - ${before[1]}, left = x - ${before[2]};`,
    `${inputType} patch[${points * lanes}] __attribute__((aligned(64)));`,
    `const ${inputType} *from = x0 + ${from};`,
    `long pitch = ${strides.row};`,
    ...block(`if (top < 0 || top + ${side} > ${height} || left < 0 || left + ${side} > ${width})`, [
      'const long above = top < 0 ? -top : 0, aside = left < 0 ? -left : 0;',
      `gp_clip_tile((char *)patch, (const char *)from, pitch, ${inputZeroPoint}, above, aside, ${visible('top', height, 'above')}, ${visible('left', width, 'aside')});`,
      'from = patch;',
      `pitch = ${side * lanes};`,
    ]),
    `gp_winograd_in_${inputType}(from, pitch, (i16 *)(transformed + t * ${pitch} + b * ${lanes / 2}), ${2 * inputStep(plan)}, ${inputZeroPoint});`,
  ]
}

/** For each point, rows of transformed tiles times a panel of its weights. */
function products(plan: Plan, vectors: number, count: number, level: Level): Lines {
  const { pairs: depth, lanes, rows } = plan
  const { whole, rest } = split(count, rows)
  const width = vectors * lanes
  const tiles = Math.ceil(count / rows)
  const tile = (tall: number) => productTile(plan, vectors, tall, Math.ceil((4 * depth * width) / 64 / tiles), level)
  return loop('point', 0, points, 1, [
    `const i32 *const rows = transformed + point * ${inputStep(plan)};`,
    `i32 *const to = sums + point * ${outputStep(plan)};`,
    `const i32 *const panel = weights + s * ${points * depth * plan.vectors * lanes} + point * ${depth * width};`,
    `const char *next = (const char *)(panel + ${depth * width});`,
    ...loop('row', 0, whole, rows, tile(rows)),
    ...(rest > 0 ? loop('row', whole, count, rest, tile(rest)) : []),
  ])
}

function productTile(plan: Plan, vectors: number, rows: number, lines: number, level: Level): Lines {
  const { pairs: depth, lanes } = plan
  const accumulators = rows * vectors
  const fits = (count: number) => depth % count === 0 && (count === 1 || count * accumulators <= 4 * level.pass)
  const unroll = Math.max(...[1, 2, 4].filter(fits))
  const step = (k: number): TileStep => ({
    broadcast: (row) => `a[${row * depth + k}]`,
    stream: (vector) => `gp_load_i32(w + ${(k * vectors + vector) * lanes})`,
  })
  const fetched = Math.min(8, Math.ceil(lines / (depth / unroll)))
  const fetches = Array.from({ length: fetched }, (_, i) => `__builtin_prefetch(next + ${64 * i}, 0, 2);`)
  const body = tileLines({
    rows,
    vectors,
    arithmetic: pairs,
    sets: Math.max(1, Math.min(unroll, Math.floor((level.registers - 2 - vectors) / accumulators))),
    initial: () => 'SPLAT_I(0)',
    inner: (write) =>
      loop('i', 0, depth, unroll, [
        ...fetches,
        `next += ${64 * fetched};`,
        'OPAQUE(a);',
        ...write(Array.from({ length: unroll }, (_, k) => step(k))),
        `a += ${unroll};`,
        `w += ${unroll * vectors * lanes};`,
      ]),
  })
  const stores = Array.from({ length: accumulators }, (_, i) => {
    const [row, vector] = [Math.floor(i / vectors), i % vectors]
    return `gp_store_i32(to + (row + ${row}) * ${vectors * lanes} + ${vector * lanes}, c${row}_${vector});`
  })
  return block('', [`const i32 *a = rows + row * ${depth}, *w = panel;`, ...body, ...stores])
}

/** All outputs of a panel, with bias and steps. */
function outputLines(kernel: AnchoredKernel, plan: Plan, vectors: number, count: number, level: Level): Lines {
  const { convolution, lanes } = plan
  const { output, outputBlocks, bias } = convolution
  const { n, z } = imageAxes(plan)
  const domain = resultDomain(kernel)
  const pointers = pointersOf(kernel)
  const at = (q: string) => blockedPosition(convolution, n, 'channel', [z, 'y + r', q])
  const next = (domain.resultStrides ?? denseStrides(domain.extents)).at(-2) === lanes
  const ending = next ? roundedEnding(domain, pointers) : undefined
  const left = (extent: number, from: string) =>
    extent % size === 0 ? String(size) : `${from} + ${size} <= ${extent} ? ${size} : ${extent} - ${from}`
  const each = block('for (long q = 0; q < columns; q++)', [
    `const vi c = *(const vi *)(line + q * ${lanes});`,
    ...storeAfter(domain, at('x + q'), lanes, 'c', pointers, level),
  ])
  const range = Array.from({ length: size }, (_, i) => i)
  const together = ending && [
    ...range.map((q) => `const vi c${q} = *(const vi *)(line + ${q * lanes});`),
    ...storeRounded(
      domain,
      range.map((q) => at(q === 0 ? 'x' : `x + ${q}`)),
      range.map((q) => `c${q}`),
      pointers,
      ending,
      level,
    ),
  ]
  const whole = output[2] % size === 0
  const row = !together ? each : whole ? together : [...block(`if (columns == ${size})`, together), ...block('else', each)]
  return loop('v', 0, vectors, 1, [
    `const long channel = s * ${plan.vectors} + v;`,
    `const vu before = (vu)gp_load_i32(ends + channel * ${lanes});`,
    `const vi after = gp_load_i32(ends + ${outputBlocks * lanes} + channel * ${lanes})${bias ? ` + gp_load_i32(x2 + channel * ${lanes})` : ''};`,
    ...loop('t', 0, count, 1, [
      ...placeLines(plan),
      `const long rows = ${left(output[1], 'y')};`,
      ...(whole && together ? [] : [`const long columns = ${left(output[2], 'x')};`]),
      `i32 results[${size * size * lanes}] __attribute__((aligned(64)));`,
      `gp_winograd_whole_out(sums + t * ${vectors * lanes} + v * ${lanes}, ${outputStep(plan)}, before, after, results);`,
      ...block('for (long r = 0; r < rows; r++)', [`const i32 *const line = results + r * ${size * lanes};`, ...row]),
    ]),
  ])
}

import { resultDomain } from '../../access.ts'
import type { Level } from '../../level.ts'
import { storeAfter } from '../../steps.ts'
import { sharedNest } from '../../team.ts'
import { type Lines, loop } from '../../text.ts'
import type { Method } from '../method.ts'
import { type AnchoredKernel, pointersOf } from '../template.ts'
import { split } from '../tile.ts'
import { paddedExtents, volume } from '../windowed.ts'
import { type BlockedIntegers, blockedIntegersOf } from './integerForm.ts'
import { stageBlocks } from './integerStage.ts'
import { packBias, packLanes } from './integerWeights.ts'
import { blockedPosition } from './sizes.ts'

/** Columns of a tile: accumulators beside the weights of a row of the window. */
const columnsOf = ({ output, window }: BlockedIntegers, level: Level): number => {
  const most = level.vectorBytes === 64 ? 14 : Math.max(2, level.tile.rows * level.tile.vectors - window[2])
  const rows = Math.ceil(output[2] / most)
  return Math.ceil(output[2] / rows)
}

/**
 * Each channel by itself: a lane is a channel, and each vector of the input is widened once for all columns of the window that read it.
 * Elements and weights are low halves of pairs whose high halves multiply to 0.
 */
export const depthwise: Method = {
  scratch: (kernel, level) => stageBlocks(blockedIntegersOf(kernel, level), level).bytes,
  pack(kernel, index, level) {
    const convolution = blockedIntegersOf(kernel, level)
    if (index === 1) return packLanes(convolution)
    return index === 2 && convolution.bias ? packBias(convolution) : undefined
  },
  body(kernel, level) {
    const convolution = blockedIntegersOf(kernel, level)
    const { batch, output, outputBlocks, inputType, window, inputZeroPoint, block } = convolution
    const staging = stageBlocks(convolution, level)
    const columns = columnsOf(convolution, level)
    const { whole, rest } = split(output[2], columns)
    const each = (count: number) => tileOf(kernel, convolution, count, level)
    return [
      ...staging.lines,
      `const ${inputType} *values = ${staging.bytes > 0 ? `(const ${inputType} *)scratch` : 'x0'};`,
      'const i32 *weights = (const i32 *)x1;',
      ...(inputZeroPoint === 0 ? [] : [`const i32 *corrections = weights + ${outputBlocks * volume(window) * block};`]),
      ...sharedNest(
        level,
        [
          ['n', batch],
          ['v', outputBlocks],
          ['z', output[0]],
          ['y', output[1]],
        ],
        [...loop('x', 0, whole, columns, each(columns)), ...(rest > 0 ? loop('x', whole, whole + rest, rest, each(rest)) : [])],
      ),
    ]
  },
}

function tileOf(kernel: AnchoredKernel, convolution: BlockedIntegers, columns: number, level: Level): Lines {
  const { block: lanes, outputBlocks, inputType, window, stride, dilation, bias, inputZeroPoint } = convolution
  const [depth, height, width] = paddedExtents(convolution)
  const [row, plane] = [width * lanes, height * width * lanes]
  const beginnings = [...(inputZeroPoint === 0 ? [] : ['corrections']), ...(bias ? ['x2'] : [])]
  const initial = beginnings.map((from) => `gp_load_i32(${from} + v * ${lanes})`).join(' + ') || 'SPLAT_I(0)'
  const range = (count: number) => Array.from({ length: count }, (_, i) => i)
  /** What reads each column of the input that the tile reads. */
  const readers = new Map<number, [column: number, tap: number][]>()
  for (const column of range(columns)) {
    for (const tap of range(window[2])) {
      const at = column * stride[2] + tap * dilation[2]
      readers.set(at, [...(readers.get(at) ?? []), [column, tap]])
    }
  }
  const reads = [...readers].sort(([a], [b]) => a - b)
  const sweep = reads.map(
    ([at, list]) =>
      `{ const vi x_ = gp_load_${inputType}(a + ${at * lanes}); ${list.map(([column, tap]) => `DOT(c${column}, x_, w${tap});`).join(' ')} }`,
  )
  const rows = loop(
    'kz',
    0,
    window[0],
    1,
    loop('ky', 0, window[1], 1, [
      `const ${inputType} *a = corner + kz * ${dilation[0] * plane} + ky * ${dilation[1] * row};`,
      `const i32 *b = weights + ((v * ${window[0]} + kz) * ${window[1]} + ky) * ${window[2] * lanes};`,
      `const vi ${range(window[2])
        .map((tap) => `w${tap} = gp_load_i32(b + ${tap * lanes})`)
        .join(', ')};`,
      ...sweep,
    ]),
  )
  const stores = range(columns).flatMap((column) =>
    storeAfter(
      resultDomain(kernel),
      blockedPosition(convolution, 'n', 'v', ['z', 'y', `x + ${column}`]),
      lanes,
      `c${column}`,
      pointersOf(kernel),
      level,
    ),
  )
  return [
    `const ${inputType} *corner = values + (n * ${outputBlocks} + v) * ${depth * plane} + z * ${stride[0] * plane} + y * ${stride[1] * row} + x * ${stride[2] * lanes};`,
    `const vi s = ${initial};`,
    `vi ${range(columns)
      .map((column) => `c${column} = s`)
      .join(', ')};`,
    ...rows,
    ...stores,
  ]
}

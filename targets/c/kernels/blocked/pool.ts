import type { DType } from '../../../../compiler/graph/dtype.ts'
import { type Level, lanesOf } from '../../level.ts'
import type { Lines } from '../../text.ts'
import type { AnchoredKernel } from '../template.ts'
import { isPadded, triple, volume } from '../windowed.ts'
import { type Lanewise, lanewiseLines } from './lanewise.ts'
import { isLooped } from './rowTiles.ts'
import { stridesOf } from './sizes.ts'

type Sizes = Lanewise['sizes']
type Attributes = Readonly<Record<'window' | 'stride' | 'dilation' | 'before' | 'after', readonly number[]>>

/** Integers that stand in vectors, and the smallest of each. */
const least: Readonly<Partial<Record<DType, string>>> = { i8: '-128', u8: '0', i16: '-32768', u16: '0', i32: '(-2147483647 - 1)' }

/** Means are of floats alone. */
const takes = ({ op }: AnchoredKernel['anchor'], dtype: DType): boolean =>
  dtype === 'f32' || (op === 'maxPool' && least[dtype] !== undefined)

/** The sizes of a pool whose last dimension is a vector that no window moves over, as in blocks of channels; of others undefined. */
export function blockedPoolOf({ anchor }: AnchoredKernel, level: Level): Sizes | undefined {
  const { window, stride, dilation, before, after } = anchor.attributes as unknown as Attributes
  const { dtype, shape } = anchor.operands[0]!
  const axes = shape.length - 3
  const still = window.at(-1) === 1 && stride.at(-1) === 1 && before.at(-1) === 0 && after.at(-1) === 0
  if (!takes(anchor, dtype) || axes < 1 || shape.at(-1) !== lanesOf(level) || !still) return undefined
  const input = triple(shape.slice(2, -1), 1)
  return {
    axes,
    block: lanesOf(level),
    outputBlocks: shape[1]!,
    batch: shape[0]!,
    channels: shape[1]! * lanesOf(level),
    input,
    output: triple(anchor.type.shape.slice(2, -1), 1),
    window: triple(window.slice(0, -1), 1),
    stride: triple(stride.slice(0, -1), 1),
    dilation: triple(dilation.slice(0, -1), 1),
    before: triple(before.slice(0, -1), 0),
    after: triple(after.slice(0, -1), 0),
    strides: stridesOf(input, shape[1]! * lanesOf(level), lanesOf(level), false),
  }
}

export function blockedMaxPool(kernel: AnchoredKernel, sizes: Sizes, level: Level): Lines {
  const { dtype } = kernel.anchor.type
  const initial = dtype === 'f32' ? 'SPLAT(-__builtin_inff())' : `SPLAT_I(${least[dtype]})`
  const combine = (accumulator: string, value: string) =>
    `${accumulator} = ${dtype === 'f32' ? 'gp_max_v' : 'gp_max_i'}(${accumulator}, ${value});`
  return lanewiseLines(kernel, { sizes, dtype, lanes: 1, initial, combine }, level)
}

export function blockedAvgPool(kernel: AnchoredKernel, sizes: Sizes, level: Level): Lines {
  const counts = !kernel.anchor.attributes.countPadding && isPadded(sizes)
  // How many elements under the window are not padding.
  const seen = (columns: string) =>
    [
      columns,
      ...([0, 1] as const).flatMap((axis) => (isLooped(sizes, axis) ? [`(k${'zy'[axis]}1 - k${'zy'[axis]}0)`] : [])),
    ].join(' * ')
  return lanewiseLines(
    kernel,
    {
      sizes,
      lanes: 1,
      initial: 'SPLAT(0.0f)',
      combine: (accumulator, value) => `${accumulator} += ${value};`,
      finish: (accumulator, columns) => {
        const divisor = counts ? `(f32)(${seen(columns < 0 ? '(kx1 - kx0)' : String(columns))})` : `${volume(sizes.window)}.0f`
        return [`${accumulator} = ${accumulator} / SPLAT(${divisor});`]
      },
    },
    level,
  )
}

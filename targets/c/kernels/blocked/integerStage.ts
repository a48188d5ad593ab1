// Inputs of blocked convolutions of integers in working storage: with their padding, in units that instructions read.
import { dtypeFacts } from '../../../../compiler/graph/dtype.ts'
import type { Level } from '../../level.ts'
import { onePart, sharedNest, teamWait } from '../../team.ts'
import { block, type Lines } from '../../text.ts'
import { paddedExtents, volume, type Windowed } from '../windowed.ts'
import { type BlockedIntegers, joinedSlack, type UnitForm, type UnitLayout } from './integerForm.ts'

interface Rows {
  /** Volumes of an image. */
  readonly volumes: number
  /** Bytes of a column, and the byte of which padding consists. */
  readonly bytes: number
  readonly padding: number
  /** Statements that bring row `y` of plane `z` of volume `v` of image `n` to `to`. */
  readonly row: Lines
}

const stagedBytes = (convolution: Windowed, { volumes, bytes }: Pick<Rows, 'volumes' | 'bytes'>): number =>
  convolution.batch * volumes * volume(paddedExtents(convolution)) * bytes

/** Padded volumes in working storage; every byte of them is written once. */
function paddedRows(convolution: Windowed, { volumes, bytes, padding, row }: Rows, level: Level): Lines {
  const { batch, input, before, after } = convolution
  const [depth, height, width] = paddedExtents(convolution)
  const fill = (at: string, count: number) => (count > 0 ? [`__builtin_memset(${at}, ${padding}, ${count * bytes});`] : [])
  const beyond = (['above', 'below'] as const).flatMap((variable, axis) => [
    ...(before[axis]! > 0 ? [`${variable} < ${before[axis]}`] : []),
    ...(after[axis]! > 0 ? [`${variable} >= ${before[axis]! + input[axis]!}`] : []),
  ])
  const inside = [
    ...fill('whole', before[2]),
    `const long z = above - ${before[0]}, y = below - ${before[1]};`,
    `char *to = whole + ${before[2] * bytes};`,
    ...row,
    ...fill(`to + ${input[2] * bytes}`, after[2]),
  ]
  const loops = [
    ['n', batch],
    ['v', volumes],
    ['above', depth],
    ['below', height],
  ] as const
  const body = [
    `char *whole = scratch + (((n * ${volumes} + v) * ${depth} + above) * ${height} + below) * ${width * bytes};`,
    ...(beyond.length > 0 ? [...block(`if (${beyond.join(' || ')})`, fill('whole', width)), ...block('else', inside)] : inside),
  ]
  return [...sharedNest(level, loops, body), ...teamWait(level)]
}

/** Bytes of working storage that the units take, and the statements that bring them there. */
export interface Staging {
  readonly bytes: number
  readonly lines: Lines
}

export function stageUnits(convolution: BlockedIntegers, form: UnitForm, layout: UnitLayout, level: Level): Staging {
  if (!layout.staged) return { bytes: 0, lines: [] }
  const { input, inputType, channels, inputZeroPoint, strides } = convolution
  const { bytes } = dtypeFacts[inputType]
  const rows: Rows = {
    volumes: layout.blocks,
    bytes: layout.joined ? channels : 4 * layout.units,
    padding: form.padding,
    row: layout.joined ? joinedRow() : convolution.plain ? plainRow() : blockedRow(),
  }
  const slack = layout.joined ? joinedSlack : 0
  const behind = slack > 0 ? onePart(level, [`__builtin_memset(scratch + ${stagedBytes(convolution, rows)}, 0, ${slack});`]) : []
  return { bytes: stagedBytes(convolution, rows) + slack, lines: [...behind, ...paddedRows(convolution, rows, level)] }

  function joinedRow(): Lines {
    const of = (channel: number) =>
      `(const u8 *)(x0 + n * ${strides.image} + ${channel} * ${strides.lane} + z * ${strides.plane} + y * ${strides.row})`
    if (channels === 1) return [`__builtin_memcpy(to, ${of(0)}, ${input[2]});`]
    return [`gp_join_bytes((u8 *)to, ${of(0)}, ${of(1)}, ${of(channels - 1)}, ${channels}, ${input[2]});`]
  }

  function blockedRow(): Lines {
    const from = `x0 + n * ${strides.image} + v * ${strides.block} + z * ${strides.plane} + y * ${strides.row}`
    const count = input[2] * convolution.block
    if (form.channels === 4) return [`__builtin_memcpy(to, ${from}, ${count});`]
    if (inputType === 'i16') return [`__builtin_memcpy(to, ${from}, ${count * bytes});`]
    return [`gp_wide_rows_${inputType}((i16 *)to, ${from}, ${inputZeroPoint}, 1, ${count});`]
  }

  /** Channels without a partner are paired with the last one: their weights are 0. */
  function plainRow(): Lines {
    const last = channels - 1
    const of = (channel: string) =>
      `x0 + n * ${strides.image} + ${channel} * ${strides.lane} + z * ${strides.plane} + y * ${strides.row}`
    const each = Array.from({ length: form.channels }, (_, i) => {
      const channel = i === 0 ? `v * ${form.channels}` : `v * ${form.channels} + ${i}`
      return of(channels % form.channels === 0 || i === 0 ? `(${channel})` : `(${channel} < ${last} ? ${channel} : ${last})`)
    })
    if (form.channels === 2) return [`gp_pair_run_${inputType}((i32 *)to, ${each.join(', ')}, ${inputZeroPoint}, ${input[2]});`]
    return [`gp_quad_run((i32 *)to, ${each.map((from) => `(const u8 *)(${from})`).join(', ')}, ${input[2]});`]
  }
}

/** Blocks as they are, with the zero point around them. Nothing where there is no padding. */
export function stageBlocks(convolution: BlockedIntegers, level: Level): Staging {
  const { input, before, after, inputType, inputZeroPoint, strides, block: lanes, channels } = convolution
  if (![...before, ...after].some((size) => size > 0)) return { bytes: 0, lines: [] }
  const { bytes } = dtypeFacts[inputType]
  const from = `x0 + n * ${strides.image} + v * ${strides.block} + z * ${strides.plane} + y * ${strides.row}`
  const rows: Rows = {
    volumes: Math.ceil(channels / lanes),
    bytes: lanes * bytes,
    padding: inputZeroPoint & 0xff,
    row: [`__builtin_memcpy(to, ${from}, ${input[2] * lanes * bytes});`],
  }
  return { bytes: stagedBytes(convolution, rows), lines: paddedRows(convolution, rows, level) }
}

import type { AttributesOf } from '../../../compiler/graph/ops/index.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { isPlain } from '../access.ts'
import { floatText } from '../scalar.ts'
import { sharedNest } from '../team.ts'
import { type Lines, loop, sum } from '../text.ts'
import type { AnchoredKernel, Template } from './template.ts'

/** Places whose elements and shares are found together, before channel after channel is read there. */
const together = 64

interface Setting {
  readonly batch: number
  readonly channels: number
  readonly extents: readonly number[]
  readonly places: number
  /** Elements along an axis that a place is made of. */
  readonly taps: number
  /** Elements that a place is made of. */
  readonly corners: number
}

function settingOf({ anchor }: AnchoredKernel): Setting {
  const [batch, channels, ...extents] = anchor.operands[0]!.shape as [number, number, ...number[]]
  const { mode } = anchor.attributes as AttributesOf<'gridSample'>
  const taps = { nearest: 1, linear: 2, cubic: 4 }[mode]
  const places = elementCount(anchor.type.shape.slice(2))
  return { batch, channels, extents, places, taps, corners: taps ** extents.length }
}

/** A coordinate of the grid as one of elements, brought back where it lies outside, unless zeros lie there. */
function placeAlong(
  axis: number,
  extent: number,
  rank: number,
  { mode, padding, coordinates }: AttributesOf<'gridSample'>,
): Lines {
  const given = `grid[p * ${rank} + ${rank - 1 - axis}]`
  const at = {
    elements: given,
    corners: `(${given} + 1.0f) * ${floatText((extent - 1) / 2)}`,
    edges: `((${given} + 1.0f) * ${floatText(extent)} - 1.0f) * 0.5f`,
  }[coordinates]
  const rounded = mode === 'nearest' ? `__builtin_rintf(${at})` : at
  const name = `c${axis}`
  const inside = {
    zeros: rounded,
    border: mode === 'cubic' ? rounded : `gp_within(${rounded}, ${floatText(extent - 1)})`,
    reflection: mirrored(rounded, extent, coordinates),
  }[padding]
  return [`const f32 ${name} = ${inside};`]
}

function mirrored(at: string, extent: number, coordinates: string): string {
  const [low, high] = coordinates === 'edges' ? [-0.5, extent - 0.5] : [0, extent - 1]
  return high === low ? `0.0f * (${at})` : `gp_mirrored(${at}, ${floatText(low)}, ${floatText(high - low)})`
}

/** The elements along an axis that a place is made of: index, share, and whether there is one. */
function tapsAlong(
  axis: number,
  extent: number,
  { mode, padding, coordinates }: AttributesOf<'gridSample'>,
  taps: number,
): Lines {
  const first = mode === 'nearest' ? `c${axis}` : `f${axis}`
  const shares = {
    nearest: [],
    linear: [`const f32 s${axis}_0 = 1.0f - d${axis}, s${axis}_1 = d${axis};`],
    cubic: [
      `const f32 s${axis}_0 = gp_cubic_far(d${axis} + 1.0f), s${axis}_1 = gp_cubic_near(d${axis});`,
      `const f32 s${axis}_2 = gp_cubic_near(1.0f - d${axis}), s${axis}_3 = gp_cubic_far(2.0f - d${axis});`,
    ],
  }[mode]
  const start = mode === 'nearest' ? [] : [`const f32 f${axis} = __builtin_floorf(c${axis}), d${axis} = c${axis} - f${axis};`]
  const each = Array.from({ length: taps }, (_, t) => {
    const offset = mode === 'cubic' ? t - 1 : t
    const index = offset === 0 ? first : `${first} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}.0f`
    const turned = padding === 'reflection' ? mirrored(index, extent, coordinates) : index
    return [
      `const i32 i${axis}_${t} = (i32)gp_within(${turned}, ${floatText(extent - 1)});`,
      ...(padding === 'zeros' ? [`const i32 b${axis}_${t} = (${index} >= 0.0f) & (${index} <= ${floatText(extent - 1)});`] : []),
    ]
  })
  return [...start, ...shares, ...each.flat()]
}

/** Images at places of a grid, in f32: where elements lie and what they count is found once for all channels. */
export const gridSample: Template = {
  kind: 'template',
  fuses: (kernel) => isPlain(kernel),
  lowers: ({ type, operands }) => type.dtype !== 'f32' || operands[1]!.type.dtype !== 'f32',
  ownScratch: (kernel) => (kernel.domain.includes(0) ? 0 : settingOf(kernel).corners * together * 12),
  body(kernel, level) {
    const attributes = kernel.anchor.attributes as AttributesOf<'gridSample'>
    const { batch, channels, extents, places, taps, corners } = settingOf(kernel)
    if (kernel.domain.includes(0)) return []
    const rank = extents.length
    const zeros = attributes.padding === 'zeros'
    const plain = attributes.mode === 'nearest'
    // Tap of each axis that makes corner k.
    const tapOf = (k: number, axis: number) => Math.floor(k / taps ** (rank - 1 - axis)) % taps
    const each = Array.from({ length: corners }, (_, k) => k)
    const strides = extents.map((_, axis) => elementCount(extents.slice(axis + 1)))
    const product = (k: number, name: string, operator: string) =>
      extents.map((_, axis) => `${name}${axis}_${tapOf(k, axis)}`).join(operator)
    const find = loop('p', 0, together, 1, [
      ...extents.flatMap((extent, axis) => placeAlong(axis, extent, rank, attributes)),
      ...extents.flatMap((extent, axis) => tapsAlong(axis, extent, attributes, taps)),
      ...each.flatMap((k) => [
        `at[${k * together} + p] = ${sum(extents.map((_, axis) => [`i${axis}_${tapOf(k, axis)}`, strides[axis]!] as const))};`,
        ...(plain ? [] : [`share[${k * together} + p] = ${product(k, 's', ' * ')};`]),
        ...(zeros ? [`there[${k * together} + p] = -(${product(k, 'b', ' & ')});`, `all &= there[${k * together} + p];`] : []),
      ]),
    ])
    // Of a last block only the places that there are: the loop is the same.
    const counted = [find[0]!.replace(`p < ${together}`, 'p < count'), ...find.slice(1)]
    const term = (k: number, masked: boolean) => {
      const element = `plane[at[${k * together} + p]]`
      const kept = masked ? `(there[${k * together} + p] ? ${element} : 0.0f)` : element
      return plain ? kept : `share[${k * together} + p] * ${kept}`
    }
    const read = (masked: boolean): Lines => [
      'for (long p = 0; p < count; p++)',
      `  to[p] = ${each.map((k) => term(k, masked)).join('\n    + ')};`,
    ]
    const size = elementCount(extents)
    const lines = [
      `const long first = b * ${together}, count = ${places} - first < ${together} ? ${places} - first : ${together};`,
      `const f32 *grid = x1 + (n * ${places} + first) * ${rank};`,
      `i32 *at = (i32 *)own${zeros ? `, *there = at + ${corners * together}` : ''};`,
      ...(plain ? [] : [`f32 *share = (f32 *)(at + ${2 * corners * together});`]),
      ...(zeros ? ['i32 all = -1;'] : []),
      ...counted,
      ...loop('c', 0, channels, 1, [
        `const f32 *plane = x0 + (n * ${channels} + c) * ${size};`,
        `f32 *to = out + (n * ${channels} + c) * ${places} + first;`,
        ...(zeros
          ? ['if (all) {', ...read(false).map((line) => `  ${line}`), '} else {', ...read(true).map((line) => `  ${line}`), '}']
          : read(false)),
      ]),
    ]
    return sharedNest(
      level,
      [
        ['n', batch],
        ['b', Math.ceil(places / together)],
      ],
      lines,
    )
  },
}

import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { isPlain } from '../access.ts'
import { literalText, loadText, storeText } from '../scalar.ts'
import { sharedNest } from '../team.ts'
import { block, type Lines, loop, sum } from '../text.ts'
import type { AnchoredKernel, Template } from './template.ts'

/** A dimension of a padded copy. */
interface Side {
  readonly before: number
  readonly extent: number
  readonly after: number
}

/** Dimensions without padding are joined to the one outside them. */
function sidesOf({ anchor }: AnchoredKernel): Side[] {
  const { before, after } = anchor.attributes as Readonly<Record<'before' | 'after', readonly number[]>>
  const sides: Side[] = []
  for (const [axis, extent] of anchor.operands[0]!.shape.entries()) {
    const last = sides.at(-1)
    if (last && before[axis] === 0 && after[axis] === 0)
      sides[sides.length - 1] = { before: last.before * extent, extent: last.extent * extent, after: last.after * extent }
    else sides.push({ before: before[axis]!, extent, after: after[axis]! })
  }
  return sides.length > 0 ? sides : [{ before: 0, extent: 1, after: 0 }]
}

const whole = ({ before, extent, after }: Side) => before + extent + after

/** A tensor with a constant written around it: rows of the last padded dimension are filled or copied. */
export const pad: Template = {
  kind: 'template',
  fuses: (kernel) => isPlain(kernel),
  body(kernel, level) {
    const sides = sidesOf(kernel)
    const { dtype } = kernel.anchor.type
    const value = storeText(dtype, literalText(dtype, kernel.anchor.attributes.value as number))
    const row = sides.at(-1)!
    const outer = sides.slice(0, -1)
    const fill = (from: number, count: number) => loop('k', from, from + count, 1, [`to[k] = ${value};`])
    const copied =
      dtype === 'bool' || row.extent * dtypeFacts[dtype].bytes < 64
        ? loop('k', 0, row.extent, 1, [`to[${row.before} + k] = ${dtype === 'bool' ? loadText(dtype, 'from[k]') : 'from[k]'};`])
        : [`gp_copy(to + ${row.before}, from, ${row.extent * dtypeFacts[dtype].bytes});`]
    const outStrides = outer.map((_, i) => elementCount(sides.slice(i + 1).map(whole)))
    const inStrides = outer.map((_, i) => elementCount(sides.slice(i + 1).map((side) => side.extent)))
    const conditions = outer.flatMap((side, i) =>
      side.before + side.after > 0 ? [`i${i} >= ${side.before} && i${i} < ${side.before + side.extent}`] : [],
    )
    const origin = outer.reduce((total, side, i) => total - side.before * inStrides[i]!, 0)
    const inside = [
      ...(row.extent > 0
        ? [
            `const ${pointerType(dtype)} *from = x0 + ${sum(
              outer.map((_, i) => [`i${i}`, inStrides[i]!] as const),
              origin,
            )};`,
            ...copied,
          ]
        : []),
      ...fill(0, row.before),
      ...fill(row.before + row.extent, row.after),
    ]
    const body: Lines = [
      `${pointerType(dtype)} *to = out + ${sum(outer.map((_, i) => [`i${i}`, outStrides[i]!] as const))};`,
      ...(conditions.length === 0
        ? inside
        : [...block(`if (${conditions.join(' && ')})`, inside), ...block('else', fill(0, whole(row)))]),
    ]
    const nest = outer.map((side, i) => [`i${i}`, whole(side)] as const)
    return nest.length > 0 ? sharedNest(level, nest, body) : body
  },
}

const pointerType = (dtype: AnchoredKernel['anchor']['type']['dtype']) => (dtype === 'bool' ? 'bool8' : dtype)

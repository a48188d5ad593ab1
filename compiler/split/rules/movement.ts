import { elementCount } from '../../graph/index.ts'
import type { Range } from '../range.ts'
import { broadcastNeed, type Need, refuse, replaced, type SplitRule } from '../rule.ts'

const overlap = (a: Range, b: Range): Range => {
  const start = Math.min(Math.max(a.start, b.start), b.end)
  return { start, end: Math.max(start, Math.min(a.end, b.end)) }
}

export const movementRules: {
  readonly [K in 'reshape' | 'transpose' | 'slice' | 'concat' | 'pad' | 'expand']: SplitRule<K>
} = {
  /** A dimension that the reshape leaves as it is: as long, with as much behind it. */
  reshape: ({ operands: { input }, type }, axis, range) => {
    const [inner, own] = [elementCount(type.shape.slice(axis + 1)), type.shape[axis]]
    const from = input.shape.findIndex((extent, i) => extent === own && elementCount(input.shape.slice(i + 1)) === inner)
    return from < 0
      ? refuse(`dimension ${axis} of the result is no dimension of the operand`)
      : {
          needs: { input: { axis: from, range } },
          attributes: { shape: replaced([...type.shape], axis, range.end - range.start) },
        }
  },
  transpose: ({ operands: { input }, attributes: { order } }, axis, range) => {
    const from = order[axis]!
    return { needs: { input: { axis: from < 0 ? from + input.shape.length : from, range } } }
  },
  /** The elements between the first and the last that are taken. */
  slice: ({ attributes: { start, size, step } }, axis, range) => {
    const [stride, length] = [step[axis]!, range.end - range.start]
    const [first, last] = [start[axis]! + range.start * stride, start[axis]! + (range.end - 1) * stride]
    const need = { start: Math.min(first, last), end: Math.max(first, last) + 1 }
    return {
      needs: { input: { axis, range: need } },
      attributes: { start: replaced(start, axis, first - need.start), size: replaced(size, axis, length) },
    }
  },
  concat: ({ operands: { inputs }, attributes, type }, axis, range) => {
    const along = attributes.axis < 0 ? attributes.axis + type.shape.length : attributes.axis
    if (along !== axis) return { needs: { inputs: inputs.map(() => ({ axis, range })) } }
    let end = 0
    const needs = inputs.map(({ shape }): Need => {
      const own = { start: end, end: end + shape[axis]! }
      end = own.end
      const part = overlap(range, own)
      return part.start === part.end ? 'none' : { axis, range: { start: part.start - own.start, end: part.end - own.start } }
    })
    return { needs: { inputs: needs } }
  },
  pad: ({ operands: { input }, attributes: { before, after } }, axis, range) => {
    const inside = { start: before[axis]!, end: before[axis]! + input.shape[axis]! }
    const part = overlap(inside, range)
    // Of a part that lies in the padding alone nothing is left of the operand.
    const need = part.start < part.end ? part : { start: inside.start, end: inside.start }
    const length = need.end - need.start
    const padded = need === part ? part.start - range.start : range.end - range.start
    return {
      needs: { input: { axis, range: { start: need.start - before[axis]!, end: need.end - before[axis]! } } },
      attributes: {
        before: replaced(before, axis, padded),
        after: replaced(after, axis, range.end - range.start - padded - length),
      },
    }
  },
  expand: ({ operands: { input }, attributes: { shape }, type }, axis, range) => ({
    needs: { input: broadcastNeed(input, type, axis, range) },
    attributes: { shape: replaced(shape, axis, range.end - range.start) },
  }),
}

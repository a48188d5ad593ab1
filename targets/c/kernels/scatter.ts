import { dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { assertInvariant } from '../../../compiler/graph/problem.ts'
import { byteSize, denseStrides, elementCount } from '../../../compiler/graph/type.ts'
import { isPlain } from '../access.ts'
import { expressions } from '../expressions.ts'
import { computeType, loadText, storeText } from '../scalar.ts'
import { type Lines, loop, sum } from '../text.ts'
import type { Template } from './template.ts'

const combining = { add: expressions.add, mul: expressions.mul, max: expressions.maximum, min: expressions.minimum } as const

/** Parts of a copy of a tensor replaced or combined. All indices are checked before anything is written. */
export const scatterNd: Template = {
  kind: 'template',
  // Stored bools may be other than 0 and 1, and are written as these.
  inPlace: (kernel, index) => index === 0 && kernel.anchor.type.dtype !== 'bool',
  body({ anchor, steps }) {
    assertInvariant(isPlain({ steps }), 'nothing is computed behind a scatter')
    const [input, indices, updates] = anchor.operands
    const { dtype } = anchor.type
    const depth = indices!.shape.at(-1)!
    const extents = input!.shape.slice(0, depth)
    const strides = denseStrides(input!.shape)
    const rows = elementCount(indices!.shape.slice(0, -1))
    const width = elementCount(input!.shape.slice(depth))
    const index = (c: number) => `const i64 index${c} = (i64)x1[${sum([['i', depth]], c)}];`
    const check = loop(
      'i',
      0,
      rows,
      1,
      extents.flatMap((extent, c) => [index(c), `if (index${c} < ${-extent} || index${c} >= ${extent}) return 1;`]),
    )
    const count = elementCount(input!.shape)
    const copy =
      dtype === 'bool'
        ? loop('i', 0, count, 1, [`out[i] = ${loadText(dtype, 'x0[i]')};`])
        : [`if (out != x0) gp_copy(out, x0, ${byteSize(input!)});`]
    const place = [
      ...extents.flatMap((extent, c) => [
        index(c),
        `const long at${c} = (long)(index${c} < 0 ? index${c} + ${extent} : index${c});`,
      ]),
      `const long at = ${sum(extents.map((_, c) => [`at${c}`, strides[c]!] as const))};`,
    ]
    const combine = (): Lines => {
      const { reduction } = anchor.attributes as { readonly reduction: 'none' | keyof typeof combining }
      const update = loadText(dtype, `x2[i * ${width} + k]`)
      if (reduction === 'none') {
        const bytes = width * dtypeFacts[dtype].bytes
        if (dtype !== 'bool' && bytes >= 64) return [`gp_copy(out + at, x2 + i * ${width}, ${bytes});`]
        return loop('k', 0, width, 1, [`out[at + k] = ${dtype === 'bool' ? update : `x2[i * ${width} + k]`};`])
      }
      const value = combining[reduction].scalar(
        [
          { text: 'old', dtype },
          { text: 'update', dtype },
        ],
        dtype,
        {},
      )
      const type = computeType(dtype)
      return loop('k', 0, width, 1, [
        `const ${type} old = ${loadText(dtype, 'out[at + k]')}, update = ${update};`,
        `out[at + k] = ${storeText(dtype, value)};`,
      ])
    }
    const apply = elementCount(updates!.shape) > 0 ? loop('i', 0, rows, 1, [...place, ...combine()]) : []
    return [...check, ...(count > 0 ? [...copy, ...apply] : []), 'return 0;']
  },
}

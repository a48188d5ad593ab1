import { assertInvariant } from '../../../compiler/graph/problem.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { isPlain } from '../access.ts'
import { loop } from '../text.ts'
import type { Template } from './template.ts'

/** Positions of what is true, ascending. The result is complete before a fault is told, since nothing reads it then. */
export const truePositions: Template = {
  kind: 'template',
  body({ anchor, steps }) {
    assertInvariant(isPlain({ steps }), 'nothing is computed behind what checks its operands')
    const { limit } = anchor.attributes as { readonly limit: number }
    const count = elementCount(anchor.operands[0]!.shape)
    // Where there is room for all, positions are written without a question and the next one writes over what was none.
    const roomy = limit >= count
    const found = roomy
      ? ['out[found] = i;', 'found += x0[i] != 0;']
      : ['if (!x0[i]) continue;', `if (found == ${limit}) return 1;`, 'out[found++] = i;']
    return [
      'long found = 0;',
      ...loop('i', 0, count, 1, found),
      `for (long k = found; k < ${limit}; k++) out[k] = 0;`,
      `out[${limit}] = found;`,
      'return 0;',
    ]
  },
}

/**
 * For each class a heap of its candidates in working storage, from which the best is taken until enough are kept: boxes that are never reached
 * are never sorted. Each is compared with those that are kept, whose positions stand in the result.
 */
export const suppressedBoxes: Template = {
  kind: 'template',
  fuses: (kernel) => isPlain(kernel),
  scratch: ({ anchor }) => 4 * anchor.operands[1]!.shape[2]!,
  body({ anchor }) {
    const [batches, classes, count] = anchor.operands[1]!.shape as [number, number, number]
    const { most, center } = anchor.attributes as { readonly most: number; readonly center: boolean }
    const lowest = anchor.operands[3] ? 'x3[0]' : '-__builtin_inff()'
    const pick = `found += gp_next_box_${center ? 'center' : 'corners'}(x0 + b * ${count * 4}, x1 + row * ${count}, heap, &left, kept, found, x2[0]);`
    return [
      'i32 *const heap = (i32 *)scratch;',
      `const f32 lowest = ${lowest};`,
      ...loop(
        'b',
        0,
        batches,
        1,
        loop('c', 0, classes, 1, [
          `const long row = b * ${classes} + c;`,
          `i64 *const kept = out + row * ${most + 1};`,
          `long left = gp_box_heap(x1 + row * ${count}, ${count}, lowest, heap), found = 0;`,
          `while (left > 0 && found < ${most}) ${pick}`,
          `for (long k = found; k < ${most}; k++) kept[k] = 0;`,
          `kept[${most}] = found;`,
        ]),
      ),
    ]
  },
}

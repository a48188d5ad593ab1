import { assertInvariant } from '../../../compiler/graph/problem.ts'
import { isPlain } from '../access.ts'
import { loop } from '../text.ts'
import type { Template } from './template.ts'

/** Where bags begin, from their lengths; or offsets that are given, once they are known to be in order. Nothing is written before all is checked. */
export const bagOffsets: Template = {
  kind: 'template',
  body({ anchor, steps }) {
    assertInvariant(isPlain({ steps }), 'nothing is computed behind what checks its operands')
    const { limit, given } = anchor.attributes as { readonly limit: number; readonly given: 'lengths' | 'offsets' }
    const [count] = anchor.operands[0]!.shape as [number]
    if (given === 'offsets')
      return [
        'u64 last = 0;',
        'int wrong = (i64)x0[0] != 0;',
        ...loop('i', 0, count, 1, ['const u64 next = (u64)(i64)x0[i];', 'wrong |= next < last;', 'last = next;']),
        `if (wrong || last > ${limit}) return 1;`,
        ...loop('k', 0, count, 1, ['out[k] = (i32)x0[k];']),
        'return 0;',
      ]
    return [
      'u64 total = 0;',
      'int wrong = 0;',
      // Lengths that are not wrong are too short for their sum to wrap.
      ...loop('i', 0, count, 1, ['const u64 length = (u64)(i64)x0[i];', `wrong |= length > ${limit};`, 'total += length;']),
      `if (wrong || total > ${limit}) return 1;`,
      'out[0] = 0;',
      ...loop('k', 0, count, 1, ['out[k + 1] = out[k] + (i32)x0[k];']),
      'return 0;',
    ]
  },
}

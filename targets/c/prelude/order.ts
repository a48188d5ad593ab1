import { type DType, dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { numbers } from '../../../compiler/graph/ops/shared.ts'
import { computeType, loadText, storageType } from '../scalar.ts'
import type { Helper } from './helper.ts'

/** NaN is above all numbers, and equal elements are in the order of their positions. */
function helpersFor(dtype: DType): Helper[] {
  const type = computeType(dtype)
  const nan =
    dtypeFacts[dtype].kind === 'float'
      ? `
  if (a != a || b != b) return a == a ? !largest : b == b ? largest : i < j;`
      : ''
  const at = (place: string) => loadText(dtype, `x[${place} * step]`)
  return [
    {
      name: `gp_precedes_${dtype}`,
      about: 'whether element a at i stands before element b at j, by size and then by position',
      text: `INLINE int gp_precedes_${dtype}(${type} a, i64 i, ${type} b, i64 j, int largest) {${nan}
  return a == b ? i < j : largest ? a > b : a < b;
}`,
    },
    {
      name: `gp_sink_${dtype}`,
      about: 'position `i` put into a heap of n others whose first place is free; the one that stands last is first',
      text: `static void gp_sink_${dtype}(const ${storageType[dtype]} *x, long step, i64 *heap, long n, i64 i, int largest) {
  const ${type} value = ${at('i')};
  long at = 0;
  for (long child = 1; child < n; child = 2 * at + 1) {
    i64 j = heap[child * step];
    if (child + 1 < n) {
      const i64 other = heap[(child + 1) * step];
      if (gp_precedes_${dtype}(${at('j')}, j, ${at('other')}, other, largest)) { child++; j = other; }
    }
    if (gp_precedes_${dtype}(${at('j')}, j, value, i, largest)) break;
    heap[at * step] = j;
    at = child;
  }
  heap[at * step] = i;
}`,
    },
    {
      name: `gp_select_${dtype}`,
      about: 'positions of the k elements of n that stand first, in order: a heap of the best so far, then sorted',
      text: `static void gp_select_${dtype}(const ${storageType[dtype]} *x, long n, long step, i64 *out, long k, int largest) {
  if (k <= 0) return;
  for (long i = 0; i < n; i++) {
    const ${type} value = ${at('i')};
    if (i < k) {
      long at = i;
      for (; at > 0; at = (at - 1) / 2) {
        const i64 j = out[(at - 1) / 2 * step];
        if (!gp_precedes_${dtype}(${at('j')}, j, value, i, largest)) break;
        out[at * step] = j;
      }
      out[at * step] = i;
    } else if (gp_precedes_${dtype}(value, i, ${at('out[0]')}, out[0], largest)) gp_sink_${dtype}(x, step, out, k, i, largest);
  }
  for (long end = k - 1; end > 0; end--) {
    const i64 last = out[end * step];
    out[end * step] = out[0];
    gp_sink_${dtype}(x, step, out, end, last, largest);
  }
}`,
    },
  ]
}

/** Choosing and sorting, for each element type. */
export const orderHelpers: readonly Helper[] = numbers.flatMap(helpersFor)

import type { Helper } from './helper.ts'

/** Whether box i is kept is asked of boxes in the order of their scores; the interpreter computes overlaps alike. */
const edges = {
  corners: [
    'const f64 a = x[4 * i], b = x[4 * i + 1], c = x[4 * i + 2], d = x[4 * i + 3];',
    'edge[0] = a < c ? a : c; edge[1] = b < d ? b : d; edge[2] = a < c ? c : a; edge[3] = b < d ? d : b;',
  ],
  center: [
    'const f64 a = x[4 * i], b = x[4 * i + 1], c = x[4 * i + 2], d = x[4 * i + 3];',
    'edge[0] = b - d / 2; edge[1] = a - c / 2; edge[2] = b + d / 2; edge[3] = a + c / 2;',
  ],
}

const helpersFor = (form: keyof typeof edges): Helper[] => [
  {
    name: `gp_box_${form}`,
    about: 'top, left, bottom and right of box i, and its area; without one where an edge is no number',
    text: `INLINE f64 gp_box_${form}(const f32 *x, i64 i, f64 *edge) {
  ${edges[form].join('\n  ')}
  const f64 all = a + b + c + d;
  return all == all ? (edge[2] - edge[0]) * (edge[3] - edge[1]) : 0;
}`,
  },
  {
    name: `gp_next_box_${form}`,
    about:
      'takes the best box from a heap; 1 where it overlaps none of those kept more than `most`, and then it is written behind them',
    text: `static int gp_next_box_${form}(const f32 *boxes, const f32 *scores, i32 *heap, long *left, i64 *kept, long found, f32 most) {
  const i32 i = heap[0];
  *left -= 1;
  gp_box_sink(scores, heap, *left, heap[*left]);
  f64 edge[4], other[4];
  const f64 area = gp_box_${form}(boxes, i, edge);
  for (long k = 0; k < found && area > 0; k++) {
    const f64 second = gp_box_${form}(boxes, kept[k], other);
    const f64 height = (edge[2] < other[2] ? edge[2] : other[2]) - (edge[0] > other[0] ? edge[0] : other[0]);
    const f64 width = (edge[3] < other[3] ? edge[3] : other[3]) - (edge[1] > other[1] ? edge[1] : other[1]);
    if (!(height > 0 && width > 0 && second > 0)) continue;
    const f64 common = height * width;
    if ((f32)(common / (second + area - common)) > most) return 0;
  }
  kept[found] = i;
  return 1;
}`,
  },
]

/** What keeps boxes that overlap no better one. */
export const boxHelpers: readonly Helper[] = [
  {
    name: 'gp_box_sink',
    about: 'box `i` put into a heap of n others whose first place is free; the best, and of equal scores the first, is first',
    text: `static void gp_box_sink(const f32 *scores, i32 *heap, long n, i32 i) {
  const f32 value = scores[i];
  long at = 0;
  for (long child = 1; child < n; child = 2 * at + 1) {
    i32 j = heap[child];
    if (child + 1 < n) {
      const i32 other = heap[child + 1];
      if (scores[other] > scores[j] || (scores[other] == scores[j] && other < j)) { child++; j = other; }
    }
    if (value > scores[j] || (value == scores[j] && i < j)) break;
    heap[at] = j;
    at = child;
  }
  heap[at] = i;
}`,
  },
  {
    name: 'gp_box_heap',
    about: 'a heap of the boxes with scores above `lowest`; how many there are',
    text: `static long gp_box_heap(const f32 *scores, long n, f32 lowest, i32 *heap) {
  long count = 0;
  for (long i = 0; i < n; i++) {
    const f32 value = scores[i];
    if (!(value > lowest && value > -__builtin_inff())) continue;
    long at = count++;
    for (; at > 0 && value > scores[heap[(at - 1) / 2]]; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = (i32)i;
  }
  return count;
}`,
  },
  ...helpersFor('corners'),
  ...helpersFor('center'),
]

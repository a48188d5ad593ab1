import type { Helper } from './helper.ts'

/** What grids over regions are made of; the interpreter computes places alike, in doubles. */
export const regionHelpers: readonly Helper[] = [
  {
    name: 'gp_within',
    about: 'what lies outside of 0 to a limit is the nearer of both; no number is 0',
    text: 'INLINE f32 gp_within(f32 x, f32 limit) { return x > 0.0f ? (x < limit ? x : limit) : 0.0f; }',
  },
  {
    name: 'gp_mirrored',
    about: 'what lies outside of a span turned back at its ends, as often as it takes',
    text: `INLINE f32 gp_mirrored(f32 x, f32 low, f32 span) {
  const f32 away = x < low ? low - x : x - low;
  const f32 rest = away - __builtin_floorf(away / (2.0f * span)) * (2.0f * span);
  const f32 back = 2.0f * span - rest;
  return (rest < back ? rest : back) + low;
}`,
  },
  {
    name: 'gp_cubic_near',
    about: 'share of an element up to one away (Keys, a = -0.75)',
    text: 'INLINE f32 gp_cubic_near(f32 x) { return (x * 1.25f - 2.25f) * x * x + 1.0f; }',
  },
  {
    name: 'gp_cubic_far',
    about: 'share of an element one to two away',
    text: 'INLINE f32 gp_cubic_far(f32 x) { return ((x * -0.75f + 3.75f) * x - 6.0f) * x + 3.0f; }',
  },
  {
    name: 'gp_cell_samples',
    about: 'as many samples as a cell has elements, rounded up',
    text: `INLINE f64 gp_cell_samples(f64 cell) {
  if (!(cell > 0.0)) return 0.0;
  const f64 whole = cell < 9e15 ? (f64)(i64)cell : cell;
  return whole < cell ? whole + 1.0 : whole;
}`,
  },
  {
    name: 'gp_samples',
    about: 'places along an axis at which cells are sampled: the element before each and the share of the one behind it',
    text: `static void gp_samples(f64 from, f64 cell, f64 count, long cells, long extent, long most, i32 *found, i32 *at, f64 *share) {
  const f64 step = cell / count;
  for (long i = 0; i < cells; i++) {
    found[i] = 0;
    if (!(count > 0.0)) continue;
    const f64 start = from + (f64)i * cell, first = step > 0.0 ? (-1.0 - start) / step - 1.5 : 0.0;
    /* of an enormous region only samples near the image are looked at */
    const f64 low = first > 0.0 ? (f64)(i64)(first < count && first < 9e15 ? first : count < 9e15 ? count : 9e15) : 0.0;
    for (long k = 0; k < most && low + (f64)k < count; k++) {
      const f64 place = start + (low + (f64)k + 0.5) * step;
      if (!(place >= -1.0 && place <= (f64)extent)) continue;
      const f64 inside = place < 0.0 ? 0.0 : place;
      const long element = (long)inside;
      const long n = i * most + found[i]++;
      at[n] = (i32)(element >= extent - 1 ? extent - 1 : element);
      share[n] = element >= extent - 1 ? 0.0 : inside - (f64)element;
    }
  }
}`,
  },
  {
    name: 'gp_whole_edge',
    about: 'the nearest whole number, halves away from zero, of what may be anything',
    text: `INLINE i64 gp_whole_edge(f64 x) {
  if (!(x > -1073741824.0)) return -1073741824;
  if (x >= 1073741824.0) return 1073741824;
  return x < 0.0 ? -(i64)(0.5 - x) : (i64)(x + 0.5);
}`,
  },
  {
    name: 'gp_cell_edges',
    about: 'first element of each cell of a region of whole elements, and the first behind it',
    text: `static void gp_cell_edges(i64 start, i64 end, long cells, long extent, i32 *first, i32 *behind) {
  const i64 length = end - start + 1 < 1 ? 1 : end - start + 1;
  for (long i = 0; i < cells; i++) {
    const i64 low = start + i * length / cells, high = start + ((i + 1) * length + cells - 1) / cells;
    first[i] = (i32)(low < 0 ? 0 : low > extent ? extent : low);
    behind[i] = (i32)(high < 0 ? 0 : high > extent ? extent : high);
  }
}`,
  },
]

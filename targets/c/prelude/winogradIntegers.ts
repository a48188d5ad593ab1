import type { Helper } from './helper.ts'
import { both, type Transform } from './winograd.ts'

/** Differences of bytes: no result is more than 100 of them, which fits 16 bits. */
const input: Transform = {
  from: 6,
  first: ['p = d4 - 4 * d2', 'q = d3 - 4 * d1', 'r = d4 - d2', 's = 2 * (d3 - d1)'],
  results: ['r + 4 * (d0 - d2)', 'p + q', 'p - q', 'r + s', 'r - s', 'd5 - d3 - 2 * s'],
}

/** Points are 24 times what they stand for, but the last, which is as it is. */
const output: Transform = {
  from: 6,
  first: ['p = d1 + d2', 'q = d1 - d2', 'r = d3 + d4', 's = d3 - d4'],
  results: ['d0 + p + r', 'q + 2u * s', 'p + 4u * r', 'q + 8u * s + 24u * d5'],
}

/** Bytes as integers of 16 bits. */
const widened = (type: 'u8' | 'i8'): Helper => ({
  name: `gp_half_${type}`,
  about: `a vector of ${type} as i16`,
  text: `typedef i16 half_${type} __attribute__((vector_size(LANES * sizeof(i16))));
INLINE half_${type} gp_half_${type}(const ${type} *p) {
  typedef ${type} narrow __attribute__((vector_size(LANES), aligned(1), may_alias));
#if defined(__x86_64__) && !defined(__clang__)
  half_${type} y;
  __asm__("${type === 'u8' ? 'vpmovzxbw' : 'vpmovsxbw'} %1, %0" : "=v"(y) : "m"(*(const narrow *)p));
  return y;
#else
  return __builtin_convertvector(*(const narrow *)p, half_${type});
#endif
}`,
})

const inputHelper = (type: 'u8' | 'i8'): Helper => ({
  name: `gp_winograd_in_${type}`,
  about:
    'BT d B of F(4x4, 3x3) over integers: vectors of a tile, rows of which lie pitch apart, less zero, to one for each point, step apart',
  text: `INLINE void gp_winograd_in_${type}(const ${type} *d, long pitch, i16 *to, long step, i16 zero) {
  const half_${type} z = (half_${type}){0} + zero;
${both(
  input,
  (y, x) => `gp_half_${type}(d + ${y} * pitch + ${x} * LANES) - z`,
  (y, x, v) => `{ const half_${type} v_ = ${v}; __builtin_memcpy(to + (${y} * 6 + ${x}) * step, &v_, sizeof v_); }`,
  `half_${type}`,
)}
}`,
})

const outputHelper: Helper = {
  name: 'gp_winograd_whole_out',
  about:
    'AT m A of F(4x4, 3x3) over integers, wrapping: 576 times the sums, to the sums + after, if with 1 / 64 of before they have 26 bits',
  text: `NOINLINE void gp_winograd_whole_out(const i32 *m, long step, vu before, vi after, i32 *to) {
  /* the inverse of 9, which wraps */
  const vu ninth = (vu){0} + 0x38e38e39u;
${both(
  output,
  (y, x) => `(vu)gp_load_i32(m + (${y} * 6 + ${x}) * step)`,
  (y, x, v) => `gp_store_i32(to + (${y} * 4 + ${x}) * LANES, (vi)((vu)((vi)((${v}) * ninth + before) >> 6) + (vu)after));`,
  'vu',
)}
}`,
}

const clipHelper: Helper = {
  name: 'gp_clip_tile',
  about:
    'a tile of 6 x 6 vectors of bytes, of which rows x columns lie in the image, pitch apart, from top, left on, others are zero',
  text: `INLINE void gp_clip_tile(char *to, const char *from, long pitch, int zero, long top, long left, long rows, long columns) {
  __builtin_memset(to, zero, 36 * LANES);
  from += top * pitch + left * LANES;
  to += (top * 6 + left) * LANES;
  for (; rows > 0; rows--, to += 6 * LANES, from += pitch)
    if (columns > 0) __builtin_memcpy(to, from, (unsigned long)columns * LANES);
}`,
}

/** Winograd's transforms of tiles of bytes; `kernels/blocked/integerWinograd.ts` says why results are exact. */
export const integerWinogradHelpers: readonly Helper[] = [
  widened('u8'),
  widened('i8'),
  inputHelper('u8'),
  inputHelper('i8'),
  outputHelper,
  clipHelper,
]

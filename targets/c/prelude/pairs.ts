import type { Helper } from './helper.ts'

/** With the even elements of twice as many as a vector has lanes, in vectors of i32: they are low halves of wider ones. */
const factors = [
  ['u8', 'gp_load_u16((const u16 *)p) & 0xff'],
  ['i8', '(vi)((vu)gp_load_u16((const u16 *)p) << 24) >> 24'],
  ['i16', '(vi)((vu)gp_load_i32((const i32 *)p) << 16) >> 16'],
] as const

/** Bytes less their zero point as halves of 4-byte elements: what products of integers read. */
const pairsOf = ([type, even]: readonly [type: string, even: string]): Helper[] => [
  {
    name: `gp_load_even_${type}`,
    about: 'every second element',
    text: `INLINE vi gp_load_even_${type}(const ${type} *p) { return ${even}; }`,
  },
  {
    name: `gp_pair_run_${type}`,
    about: 'n pairs of the differences a[i] - zero and b[i] - zero',
    text: `NOINLINE void gp_pair_run_${type}(i32 *to, const ${type} *a, const ${type} *b, i32 zero, long n) {
  const long whole = n & -LANES;
  for (long i = 0; i < whole; i += LANES) {
    vi low = (gp_load_${type}(a + i) - SPLAT_I(zero)) & 0xffff;
    gp_store_i32(to + i, low | (vi)((vu)(gp_load_${type}(b + i) - SPLAT_I(zero)) << 16));
  }
  for (long i = whole; i < n; i++) to[i] = (i32)((u32)(u16)(a[i] - zero) | (u32)(b[i] - zero) << 16);
}`,
  },
  {
    name: `gp_pair_steps_${type}`,
    about: 'the same of every `step`-th element; the last one may be read with the `step - 1` behind it',
    text: `NOINLINE void gp_pair_steps_${type}(i32 *to, const ${type} *a, const ${type} *b, i32 zero, long step, long n) {
  const long whole = step == 2 ? n & -LANES : 0;
  for (long i = 0; i < whole; i += LANES) {
    vi low = (gp_load_even_${type}(a + 2 * i) - SPLAT_I(zero)) & 0xffff;
    gp_store_i32(to + i, low | (vi)((vu)(gp_load_even_${type}(b + 2 * i) - SPLAT_I(zero)) << 16));
  }
  for (long i = whole; i < n; i++) to[i] = (i32)((u32)(u16)(a[i * step] - zero) | (u32)(b[i * step] - zero) << 16);
}`,
  },
  {
    name: `gp_wide_rows_${type}`,
    about: 'rows of n differences in 16 bits, with a 0 behind them where n is odd',
    text: `NOINLINE void gp_wide_rows_${type}(i16 *to, const ${type} *from, i32 zero, long rows, long n) {
  if (n % 2 == 0) { n *= rows; rows = 1; }
  for (; rows > 0; rows--, from += n) {
    const long whole = n - n % LANES;
    long i = 0;
    for (; i < whole; i += LANES) gp_store_i16(to + i, gp_load_${type}(from + i) - SPLAT_I(zero));
    for (; i < n; i++) to[i] = (i16)(from[i] - zero);
    to += n;
    if (n % 2) *to++ = 0;
  }
}`,
  },
]

export const pairHelpers: readonly Helper[] = [
  {
    name: 'gp_copy_short',
    about: 'few bytes, in words that may overlap',
    text: `INLINE void gp_copy_short(char *to, const char *from, long n) {
  if (n < 8) { for (long i = 0; i < n; i++) to[i] = from[i]; return; }
  for (long i = 0; i < n - 8; i += 8) __builtin_memcpy(to + i, from + i, 8);
  __builtin_memcpy(to + n - 8, from + n - 8, 8);
}`,
  },
  {
    name: 'gp_copy_inside',
    about: 'a volume of d x h rows of n bytes into the middle of another, whose planes and rows are further apart',
    text: `NOINLINE void gp_copy_inside(void *to, const void *from, long d, long h, long n, long plane, long pitch) {
  char *out = to;
  const char *in = from;
  for (long z = 0; z < d; z++, out += plane)
    for (long y = 0; y < h; y++, in += n) gp_copy_short(out + y * pitch, in, n);
}`,
  },
  {
    name: 'gp_quad_run',
    about: 'n quads of the bytes a[i], b[i], c[i] and d[i]',
    text: `NOINLINE void gp_quad_run(i32 *to, const u8 *a, const u8 *b, const u8 *c, const u8 *d, long n) {
  const long whole = n & -LANES;
  for (long i = 0; i < whole; i += LANES) {
    vu low = (vu)gp_load_u8(a + i) | (vu)gp_load_u8(b + i) << 8;
    gp_store_i32(to + i, (vi)(low | (vu)gp_load_u8(c + i) << 16 | (vu)gp_load_u8(d + i) << 24));
  }
  for (long i = whole; i < n; i++) to[i] = (i32)(a[i] | (u32)b[i] << 8 | (u32)c[i] << 16 | (u32)d[i] << 24);
}`,
  },
  {
    name: 'gp_word',
    about: 'four bytes, wherever they lie',
    text: 'INLINE i32 gp_word(const u8 *p) { i32 y; __builtin_memcpy(&y, p, 4); return y; }',
  },
  {
    name: 'gp_join_bytes',
    about: 'the bytes a[i], b[i] and c[i], or of two the first and the last, of n pixels side by side',
    text: `NOINLINE void gp_join_bytes(u8 *to, const u8 *a, const u8 *b, const u8 *c, long channels, long n) {
  long i = 0;
  if (channels == 3) {
    for (; i + LANES <= n; i += LANES, to += 3 * LANES) {
      u32 pixels[LANES];
      gp_store_i32((i32 *)pixels, (vi)((vu)gp_load_u8(a + i) | (vu)gp_load_u8(b + i) << 8 | (vu)gp_load_u8(c + i) << 16));
      /* four pixels in three words */
      for (long p = 0; p < LANES; p += 4) {
        const u32 words[3] = {pixels[p] | pixels[p + 1] << 24, pixels[p + 1] >> 8 | pixels[p + 2] << 16, pixels[p + 2] >> 16 | pixels[p + 3] << 8};
        __builtin_memcpy(to + 3 * p, words, 12);
      }
    }
  }
  for (; i < n; i++, to += channels) {
    to[0] = a[i];
    to[1] = b[i];
    to[channels - 1] = c[i];
  }
}`,
  },
  {
    name: 'gp_whole_quads',
    about: 'rows of n bytes with zeros behind them, up to whole quads',
    text: `NOINLINE void gp_whole_quads(u8 *to, const u8 *from, long rows, long n) {
  for (; rows > 0; rows--, from += n) {
    gp_copy_short((char *)to, (const char *)from, n);
    to += n;
    for (long i = n; i % 4; i++) *to++ = 0;
  }
}`,
  },
  ...factors.flatMap(pairsOf),
]

import type { Helper } from './helper.ts'

/** Copies, fills and padded copies: everything that only moves elements. */
export const movingHelpers: readonly Helper[] = [
  {
    name: 'gp_fault',
    about: 'the code of a failure among others, of which so many come before',
    text: 'INLINE int gp_fault(int code, int before) { return code ? before + code : 0; }',
  },
  {
    name: 'gp_copy',
    about: 'bytes from one place to another that does not overlap it',
    text: 'INLINE void gp_copy(void *to, const void *from, unsigned long bytes) { __builtin_memcpy(to, from, bytes); }',
  },
  {
    name: 'gp_copy_rows',
    about: 'rows of bytes between two pitches',
    text: `NOINLINE void gp_copy_rows(char *to, const char *from, long rows, unsigned long bytes, long to_pitch, long from_pitch) {
  for (long i = 0; i < rows; i++, to += to_pitch, from += from_pitch) __builtin_memcpy(to, from, bytes);
}`,
  },
  {
    name: 'gp_copy_shared',
    about: "the part of gp_copy that is this thread's, in whole lines of the cache",
    text: `INLINE void gp_copy_shared(char *to, const char *from, long bytes, const struct glowplug_team *team) {
  long steps = (bytes + 63) / 64, first = 64 * TEAM_FIRST(steps), end = 64 * TEAM_END(steps);
  if (first < end) __builtin_memcpy(to + first, from + first, (unsigned long)((end < bytes ? end : bytes) - first));
}`,
  },
  {
    name: 'gp_copy_rows_shared',
    about: "the rows of gp_copy_rows that are this thread's",
    text: `INLINE void gp_copy_rows_shared(char *to, const char *from, long rows, unsigned long bytes, long to_pitch, long from_pitch, const struct glowplug_team *team) {
  long first = TEAM_FIRST(rows), end = TEAM_END(rows);
  gp_copy_rows(to + first * to_pitch, from + first * from_pitch, end - first, bytes, to_pitch, from_pitch);
}`,
  },
  {
    name: 'gp_most',
    about: 'the larger of two integers',
    text: 'INLINE long gp_most(long a, long b) { return a > b ? a : b; }',
  },
  {
    name: 'gp_least',
    about: 'the smaller of two integers',
    text: 'INLINE long gp_least(long a, long b) { return a < b ? a : b; }',
  },
  {
    name: 'gp_fill_f32',
    about: 'n equal elements',
    text: `NOINLINE void gp_fill_f32(f32 *to, f32 value, long n) {
  vf v = SPLAT(value);
  long i = 0;
  for (; i + LANES <= n; i += LANES) STORE(to + i, v);
  for (; i < n; i++) to[i] = value;
}`,
  },
  {
    name: 'gp_copy_f32',
    about: 'n elements, for runs too short for a memory copy',
    text: `INLINE void gp_copy_f32(f32 *to, const f32 *from, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) STORE(to + i, LOAD(from + i));
  for (; i < n; i++) to[i] = from[i];
}`,
  },
  {
    name: 'gp_pad_f32',
    about: '`count` volumes d x h x w copied into the middle of volumes dp x hp x wp of `value`, from d0, h0, w0 on',
    text: `NOINLINE void gp_pad_f32(f32 *to, const f32 *from, f32 value, long count, long d, long h, long w, long dp, long hp, long wp, long d0, long h0, long w0) {
  for (; count > 0; count--)
    for (long z = 0; z < dp; z++) {
      if (z < d0 || z >= d0 + d) { gp_fill_f32(to, value, hp * wp); to += hp * wp; continue; }
      gp_fill_f32(to, value, h0 * wp + w0);
      to += h0 * wp;
      for (long y = 0; y < h; y++) {
        to += w0;
        gp_copy_f32(to, from, w);
        from += w;
        to += w;
        for (long x = w0 + w; x < wp; x++) *to++ = value;
        if (y + 1 < h) for (long x = 0; x < w0; x++) to[x] = value;
      }
      gp_fill_f32(to, value, (hp - h0 - h) * wp);
      to += (hp - h0 - h) * wp;
    }
}`,
  },
  {
    name: 'gp_phases_f32',
    about:
      'one volume as gp_pad_f32, with each row split into `phases` rows of `pw` elements: phase r holds columns r, r + phases, ...',
    text: `NOINLINE void gp_phases_f32(f32 *to, const f32 *from, f32 value, long phases, long d, long h, long w, long dp, long hp, long pw, long d0, long h0, long w0) {
  long row = phases * pw;
  for (long z = 0; z < dp; z++) {
    int inside = z >= d0 && z < d0 + d;
    for (long y = 0; y < hp; y++, to += row) {
      if (!inside || y < h0 || y >= h0 + h) { gp_fill_f32(to, value, row); continue; }
      for (long r = 0; r < phases; r++) {
        for (long i = (w0 - r + phases - 1) / phases; i-- > 0;) to[r * pw + i] = value;
        for (long i = (w0 + w - r + phases - 1) / phases; i < pw; i++) to[r * pw + i] = value;
      }
      long x = 0;
      if (phases == 2) {
        f32 *first = to + (w0 & 1) * pw + (w0 >> 1), *second = to + ((w0 + 1) & 1) * pw + ((w0 + 1) >> 1);
        for (; x + 2 * LANES <= w; x += 2 * LANES) {
          vf a = LOAD(from + x), b = LOAD(from + x + LANES);
          STORE(first + x / 2, EVEN(a, b));
          STORE(second + x / 2, ODD(a, b));
        }
      }
      for (; x < w; x++) to[(x + w0) % phases * pw + (x + w0) / phases] = from[x];
      from += w;
    }
  }
}`,
  },
]

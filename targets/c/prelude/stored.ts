import type { Helper } from './helper.ts'

/**
 * Constants of f32 that are stored in 16 bits, as vectors of f32: of f16 one behind the other, of bf16 in pairs, in which elements of two
 * steps of the depth are halves of one lane. And f32 that is rounded to such pairs.
 */
export const storedHelpers: readonly Helper[] = [
  {
    name: 'gp_load_f16',
    about: 'a vector of f16 that are finite, exact',
    text: `INLINE vf gp_load_f16(const u16 *p) {
  typedef i16 unaligned __attribute__((vector_size(LANES * sizeof(i16)), aligned(2), may_alias));
#ifdef WIDEN_f16
  vf lanes;
  WIDEN_f16(lanes, (const unaligned *)p);
  return lanes;
#else
  /* signs fill the upper half and stay in the first bit; exponents are then 112 too small, also those of numbers below the normal ones */
  vu bits = (vu)__builtin_convertvector(*(const unaligned *)p, vi) << 13;
  return (vf)(bits & 0x8fffe000u) * SPLAT(0x1p112f);
#endif
}`,
  },
  {
    name: 'gp_load_bf16',
    about: 'a vector of bf16, exact',
    text: 'INLINE vf gp_load_bf16(const u16 *p) { return (vf)((vu)gp_load_u16(p) << 16); }',
  },
  {
    name: 'gp_load_any_f16',
    about: 'a vector of f16, exact, infinite ones and NaN as well',
    text: `INLINE vf gp_load_any_f16(const u16 *p) {
  const vf finite = gp_load_f16(p);
  const vi bits = (vi)finite;
  /* what f16 has the largest exponent for is 65536 and more by now */
  return gp_select_v(((vi)(bits & 0x7f800000) == 0x47800000), (vf)(bits | 0x7f800000), finite);
}`,
  },
  ...['f16', 'bf16', 'any_f16'].map((format) => ({
    name: `gp_load_some_${format}`,
    about: `the first n elements of a vector of ${format}`,
    text: `INLINE vf gp_load_some_${format}(const u16 *p, unsigned long n) {
  u16 some[LANES] = {0};
  __builtin_memcpy(some, p, n * sizeof(u16));
  return gp_load_${format}(some);
}`,
  })),
  {
    name: 'gp_first_bf16',
    about: 'the lower halves of a vector of pairs of bf16, as f32',
    text: 'INLINE vf gp_first_bf16(const u16 *p) { return (vf)((vu)LOAD((const f32 *)p) << 16); }',
  },
  {
    name: 'gp_second_bf16',
    about: 'the upper halves of a vector of pairs of bf16, as f32',
    text: 'INLINE vf gp_second_bf16(const u16 *p) { return (vf)((vu)LOAD((const f32 *)p) & 0xffff0000u); }',
  },
  {
    name: 'gp_round_bf16',
    about: 'n elements as bf16, to the nearest, ties to even, in whole vectors of pairs, filled up with zeros',
    text: `static void gp_round_bf16(u16 *to, const f32 *from, long n) {
  long i = 0;
  vf pairs;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    ROUND_BF16(pairs, LOAD(from + i), LOAD(from + i + LANES));
    STORE((f32 *)(to + i), pairs);
  }
  if (i < n) {
    f32 rest[2 * LANES] = {0};
    __builtin_memcpy(rest, from + i, (unsigned long)(n - i) * sizeof(f32));
    ROUND_BF16(pairs, LOAD(rest), LOAD(rest + LANES));
    STORE((f32 *)(to + i), pairs);
  }
}`,
  },
]

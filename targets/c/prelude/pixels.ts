import type { Helper } from './helper.ts'

/** For convolutions: images of f32 as pairs of neighbouring channels of bf16; weights of 16 bits as f32, a multiple of a vector of them. */
export const pixelHelpers: readonly Helper[] = [
  {
    name: 'gp_pick_run',
    about: 'n vectors that lie step elements apart, side by side',
    text: `static void gp_pick_run(f32 *to, const f32 *from, long n, long step) {
  for (long i = 0; i < n; i++) STORE(to + i * LANES, LOAD(from + i * step));
}`,
  },
  {
    name: 'gp_bf16_run',
    about: 'n vectors that lie step elements apart, as bf16',
    text: `static void gp_bf16_run(i32 *to, const f32 *from, long n, long step) {
  vf pairs;
  long i = 0;
  for (; i + 2 <= n; i += 2) {
    ROUND_BF16(pairs, LOAD(from + i * step), LOAD(from + (i + 1) * step));
    STORE((f32 *)(to + i * (LANES / 2)), pairs);
  }
  if (i < n) {
    ROUND_BF16(pairs, LOAD(from + i * step), LOAD(from + i * step));
    __builtin_memcpy(to + i * (LANES / 2), &pairs, sizeof(pairs) / 2);
  }
}`,
  },
  {
    name: 'gp_bf16_run_of',
    about: 'the same of the first lanes alone, with 0 in the others',
    text: `static void gp_bf16_run_of(i32 *to, const f32 *from, long n, long step, i32 lanes) {
  i32 live[LANES];
  vi mask;
  for (int lane = 0; lane < LANES; lane++) live[lane] = -(lane < lanes);
  __builtin_memcpy(&mask, live, sizeof(mask));
  for (long i = 0; i < n; i++) {
    const vf lanes_of = (vf)((vi)LOAD(from + i * step) & mask);
    vf pairs;
    ROUND_BF16(pairs, lanes_of, lanes_of);
    __builtin_memcpy(to + i * (LANES / 2), &pairs, sizeof(pairs) / 2);
  }
}`,
  },
  {
    name: 'gp_bf16_pairs',
    about: 'lanes of a in lower halves, those of b in upper ones',
    text: `INLINE vi gp_bf16_pairs(vf a, vf b) {
  typedef u16 narrow __attribute__((vector_size(LANES * sizeof(u16))));
  narrow halves[2];
  vf both;
  ROUND_BF16(both, a, b);
  __builtin_memcpy(halves, &both, sizeof(both));
  return (vi)(__builtin_convertvector(halves[0], vu) | __builtin_convertvector(halves[1], vu) << 16);
}`,
  },
  {
    name: 'gp_bf16_both',
    about: 'n pairs of elements of a and of b',
    text: `static void gp_bf16_both(i32 *to, const f32 *a, const f32 *b, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) STORE((f32 *)(to + i), (vf)gp_bf16_pairs(LOAD(a + i), LOAD(b + i)));
  if (i < n) {
    f32 rest[2][LANES] = {{0}, {0}};
    __builtin_memcpy(rest[0], a + i, (unsigned long)(n - i) * sizeof(f32));
    __builtin_memcpy(rest[1], b + i, (unsigned long)(n - i) * sizeof(f32));
    const vi pairs = gp_bf16_pairs(LOAD(rest[0]), LOAD(rest[1]));
    __builtin_memcpy(to + i, &pairs, (unsigned long)(n - i) * sizeof(i32));
  }
}`,
  },
  {
    name: 'gp_bf16_single',
    about: 'n pairs of elements of a and of 0',
    text: `static void gp_bf16_single(i32 *to, const f32 *a, long n) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) STORE((f32 *)(to + i), (vf)gp_bf16_pairs(LOAD(a + i), SPLAT(0.0f)));
  if (i < n) {
    f32 rest[LANES] = {0};
    __builtin_memcpy(rest, a + i, (unsigned long)(n - i) * sizeof(f32));
    const vi pairs = gp_bf16_pairs(LOAD(rest), SPLAT(0.0f));
    __builtin_memcpy(to + i, &pairs, (unsigned long)(n - i) * sizeof(i32));
  }
}`,
  },
  {
    name: 'gp_widen_bf16',
    about: 'n elements as f32, exact',
    text: `static void gp_widen_bf16(f32 *to, const u16 *from, long n) {
  typedef u16 narrow __attribute__((vector_size(LANES * sizeof(u16))));
  typedef u16 unaligned __attribute__((vector_size(LANES * sizeof(u16)), aligned(2), may_alias));
  for (long i = 0; i < n; i += LANES) STORE(to + i, (vf)(__builtin_convertvector((narrow)*(const unaligned *)(from + i), vu) << 16));
}`,
  },
  {
    name: 'gp_widen_f16',
    about: 'n elements that are finite as f32, exact',
    text: `static void gp_widen_f16(f32 *to, const u16 *from, long n) {
  for (long i = 0; i < n; i += LANES) STORE(to + i, gp_load_f16(from + i));
}`,
  },
]

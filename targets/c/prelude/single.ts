import type { Helper } from './helper.ts'

export const lanewise = (name: string, scalar: string): Helper => ({
  name: `gp_${name}_v`,
  about: 'lane by lane in double',
  text: `static vf gp_${name}_v(vf x) {
  vf y = x;
  for (int i = 0; i < LANES; i++) y[i] = (f32)${scalar}((f64)x[i]);
  return y;
}`,
})
const lanewiseTwo = (name: string, scalar: string): Helper => ({
  name: `gp_${name}_v`,
  about: 'lane by lane in double',
  text: `static vf gp_${name}_v(vf a, vf b) {
  vf y = a;
  for (int i = 0; i < LANES; i++) y[i] = (f32)${scalar}((f64)a[i], (f64)b[i]);
  return y;
}`,
})
/** Correctly rounded; one instruction where the compiler has a builtin for whole vectors, or the level names it. */
const exact = (name: string, whole: string, scalar: string): Helper => ({
  name: `gp_${name}_v`,
  about: 'exact, or correctly rounded',
  text: `#if __has_builtin(__builtin_elementwise_${whole})
INLINE vf gp_${name}_v(vf x) { return __builtin_elementwise_${whole}(x); }
#elif defined(GP_${name.toUpperCase()})
INLINE vf gp_${name}_v(vf x) { vf y; GP_${name.toUpperCase()}(y, x); return y; }
#else
INLINE vf gp_${name}_v(vf x) {
  for (int i = 0; i < LANES; i++) x[i] = ${scalar}(x[i]);
  return x;
}
#endif`,
})
const folded = (name: string, combine: (a: string, b: string) => string): Helper => ({
  name: `gp_lanes_${name}`,
  about: 'all lanes combined, by halves',
  text: `INLINE f32 gp_lanes_${name}(vf v) {
#if LANES >= 16
  v = ${combine('v', 'TURN8(v)')};
#endif
#if LANES >= 8
  v = ${combine('v', 'TURN4(v)')};
#endif
  v = ${combine('v', 'TURN2(v)')};
  v = ${combine('v', 'TURN1(v)')};
  return v[0];
}`,
})

/** Elementary functions of f32 vectors. No libm, no tables; branch-free except where said. */
export const singleHelpers: readonly Helper[] = [
  {
    name: 'gp_expm1_near_v',
    about: 'e^r - 1 for |r| <= 0.35; relative error below 1e-7',
    text: `INLINE vf gp_expm1_near_v(vf r) {
  vf p = SPLAT(1.9875691500e-4f);
  p = p * r + SPLAT(1.3981999507e-3f);
  p = p * r + SPLAT(8.3334519073e-3f);
  p = p * r + SPLAT(4.1665795894e-2f);
  p = p * r + SPLAT(1.6666665459e-1f);
  p = p * r + SPLAT(5.0000001201e-1f);
  return p * (r * r) + r;
}`,
  },
  {
    name: 'gp_exp_v',
    about:
      '2^n e^r with n from the bits of x log2(e) + 1.5 2^23; relative error below 1.5e-7, right at infinities, overflow, underflow and NaN',
    text: `HOT vf gp_exp_v(vf x) {
  x = gp_above_v(gp_below_v(x, SPLAT(90.0f)), SPLAT(-105.0f));
  vf t = x * SPLAT(1.44269504f) + SPLAT(12582912.0f);
  vi n = (vi)((vu)t - 0x4b400000u);
  vf f = t - SPLAT(12582912.0f);
  vf r = x - f * SPLAT(0.693145752f);
  r = r - f * SPLAT(1.42860677e-6f);
  vf p = gp_expm1_near_v(r) + SPLAT(1.0f);
  /* two factors, so that neither leaves the range of normal numbers; what is nothing but 0 is multiplied by 0: denormals take long */
  vi h = n >> 1;
  vu rest = (((vu)n - (vu)h + 127u) << 23) & (vu)(x > SPLAT(-104.5f));
  return p * (vf)(((vu)h + 127u) << 23) * (vf)rest;
}`,
  },
  {
    name: 'gp_log_v',
    about: 'exponent ln 2 + series in (m - 1) / (m + 1), as in FreeBSD logf; relative error below 1e-7',
    text: `static vf gp_log_v(vf x) {
  vi tiny = x < SPLAT(1.17549435e-38f);
  vf y = gp_select_v(tiny, x * SPLAT(33554432.0f), x);
  vi e = (vi)((vu)y - 0x3f3504f3u) >> 23;
  vf f = (vf)((vu)y - ((vu)e << 23)) - SPLAT(1.0f);
  vf k = __builtin_convertvector(e, vf) - (vf)(tiny & (vi)SPLAT(25.0f));
  vf s = f / (SPLAT(2.0f) + f), z = s * s, w = z * z, half = SPLAT(0.5f) * f * f;
  vf r = z * (SPLAT(0.66666662693f) + w * SPLAT(0.28498786688f)) + w * (SPLAT(0.40000972152f) + w * SPLAT(0.24279078841f));
  vf v = s * (half + r) + k * SPLAT(9.0580006145e-6f) - half + f + k * SPLAT(0.69313812256f);
  v = gp_select_v(x == SPLAT(__builtin_inff()), x, v);
  v = gp_select_v(x == SPLAT(0.0f), SPLAT(-__builtin_inff()), v);
  return gp_select_v(x >= SPLAT(0.0f), v, SPLAT(__builtin_nanf("")));
}`,
  },
  {
    name: 'gp_tanh_v',
    about: 't / (t + 2) with t = e^2|x| - 1; relative error below 3e-7',
    text: `static vf gp_tanh_v(vf x) {
  vf y = SPLAT(2.0f) * gp_below_v((vf)((vi)x & 0x7fffffff), SPLAT(10.0f));
  vf t = y * SPLAT(1.44269504f) + SPLAT(12582912.0f);
  vf f = t - SPLAT(12582912.0f);
  vf r = y - f * SPLAT(0.693145752f);
  r = r - f * SPLAT(1.42860677e-6f);
  vf scale = (vf)(((vu)t - 0x4b400000u + 127u) << 23);
  t = scale * gp_expm1_near_v(r) + (scale - SPLAT(1.0f));
  t = t / (t + SPLAT(2.0f));
  return (vf)((vu)t | ((vu)x & 0x80000000u));
}`,
  },
  {
    name: 'gp_sigmoid_v',
    about: '1 / (1 + e^-x), without overflow on either side; relative error below 3e-7',
    text: `static vf gp_sigmoid_v(vf x) {
  vf e = gp_exp_v((vf)((vu)x | 0x80000000u));
  return gp_select_v(x < SPLAT(0.0f), e, SPLAT(1.0f)) / (SPLAT(1.0f) + e);
}`,
  },
  {
    name: 'gp_erf_v',
    about:
      'x p(x^2) / q(x^2), minimax up to where f32 has nothing between erf and 1; relative error below 3.5e-7, 1 may be exceeded by 1.2e-7',
    text: `HOT vf gp_erf_v(vf x) {
  x = gp_above_v(gp_below_v(x, SPLAT(3.832506857f)), SPLAT(-3.832506857f));
  const vf s = x * x;
  vf p = SPLAT(2.29050659e-4f);
  p = p * s + SPLAT(3.40829101e-3f);
  p = p * s + SPLAT(5.09556951e-2f);
  p = p * s + SPLAT(1.85208322e-1f);
  p = p * s + SPLAT(1.12837914f);
  vf q = SPLAT(-1.17916030e-7f);
  q = q * s + SPLAT(2.35479665e-5f);
  q = q * s + SPLAT(1.01796253e-3f);
  q = q * s + SPLAT(1.40704702e-2f);
  q = q * s + SPLAT(1.10985052e-1f);
  q = q * s + SPLAT(4.97469251e-1f);
  q = q * s + SPLAT(1.0f);
  return x * p / q;
}`,
  },
  lanewise('sin', 'gp_sin_f64'),
  lanewise('cos', 'gp_cos_f64'),
  exact('floor', 'floor', '__builtin_floorf'),
  exact('ceil', 'ceil', '__builtin_ceilf'),
  exact('round', 'roundeven', '__builtin_rintf'),
  exact('sqrt', 'sqrt', '__builtin_sqrtf'),
  lanewiseTwo('pow', 'gp_pow_f64'),
  lanewiseTwo('mod', 'gp_mod_f64'),
  folded('sum', (a, b) => `${a} + ${b}`),
  folded('product', (a, b) => `${a} * ${b}`),
  folded('max', (a, b) => `gp_max_v(${a}, ${b})`),
  folded('min', (a, b) => `gp_min_v(${a}, ${b})`),
]

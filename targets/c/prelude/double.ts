import type { Helper } from './helper.ts'

/** Bits of 2/pi behind the binary point, for reducing arguments of any size. */
const twoOverPi =
  'a2f9836e 4e441529 fc2757d1 f534ddc0 db629599 3c439041 fe5163ab debbc561 b7246e3a 424dd2e0 06492eea 09d1921c fe1deb1c b129a73e e88235f5 2ebb4484 e99c7026 b45f7e41 3991d639 835339f4 9c845f8b bdf9283b 1ff897ff de05980f ef2f118b 5a0a6d1f 6d367ecf 27cb09b7 4f463f66 9e5fea2d 7527bac7 ebe5f17b 3d0739f7 8a5292ea 6bfb5fb1 1f8d5d08 56033046 fc7b6bab'

const horner = (coefficients: readonly string[], variable: string) =>
  coefficients.slice(1).reduce((text, next) => `(${text}) * ${variable} + ${next}`, coefficients[0]!)
const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1))
/** 1/n! for n from `first` down to `last` in steps of two or one, with alternating signs where asked. */
const taylor = (first: number, last: number, step: number, alternate: boolean) =>
  Array.from({ length: Math.floor((first - last) / step) + 1 }, (_, i) => {
    const n = first - i * step
    const sign = alternate && Math.floor(n / 2) % 2 === 1 ? '-' : ''
    return `${sign}1.0 / ${factorial(n)}.0`
  })

/** Elementary functions of f64, to about 1e-15 relative unless said otherwise. */
export const doubleHelpers: readonly Helper[] = [
  {
    name: 'gp_bits_f64',
    about: 'the bits of a double',
    text: 'INLINE u64 gp_bits_f64(f64 x) { union { f64 f; u64 u; } v = { .f = x }; return v.u; }',
  },
  {
    name: 'gp_scale_f64',
    about: 'x 2^n with one rounding, for |n| <= 2000',
    text: `INLINE f64 gp_scale_f64(f64 x, i32 n) {
  i32 h = n >> 1;
  union { u64 u; f64 f; } a = { .u = (u64)(h + 1023) << 52 }, b = { .u = (u64)(n - h + 1023) << 52 };
  return x * a.f * b.f;
}`,
  },
  {
    name: 'gp_expm1_near_f64',
    about: 'e^r - 1 for |r| <= 0.35',
    text: `INLINE f64 gp_expm1_near_f64(f64 r) { return (${horner([...taylor(14, 2, 1, false)], 'r')}) * (r * r) + r; }`,
  },
  {
    name: 'gp_exp_f64',
    about: 'right at infinities, overflow, underflow and NaN',
    text: `static f64 gp_exp_f64(f64 x) {
  if (x != x) return x;
  if (x > 709.782712893384) return __builtin_inf();
  if (x < -745.2) return 0.0;
  f64 n = __builtin_rint(x * 1.4426950408889634);
  f64 r = x - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
  return gp_scale_f64(1.0 + gp_expm1_near_f64(r), (i32)n);
}`,
  },
  {
    name: 'gp_log_parts_f64',
    about: 'ln x = high + low for finite x > 0; high is a multiple of ln 2 without rounding error (series as in FreeBSD log)',
    text: `static f64 gp_log_parts_f64(f64 x, f64 *low) {
  i32 k = 0;
  if (x < 2.2250738585072014e-308) { x *= 18014398509481984.0; k = -54; }
  u64 u = gp_bits_f64(x);
  i32 e = (i32)((i64)(u - 0x3fe6a09e667f3bcdull) >> 52);
  union { u64 u; f64 f; } m = { .u = u - ((u64)(i64)e << 52) };
  f64 f = m.f - 1.0, s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f, n = e + k;
  f64 r = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    + z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  *low = s * (half + r) + n * 1.90821492927058770002e-10 - half + f;
  return n * 6.93147180369123816490e-01;
}`,
  },
  {
    name: 'gp_log_f64',
    about: 'natural logarithm',
    text: `static f64 gp_log_f64(f64 x) {
  if (!(x > 0.0)) return x == 0.0 ? -__builtin_inf() : __builtin_nan("");
  if (x == __builtin_inf()) return x;
  f64 low, high = gp_log_parts_f64(x, &low);
  return high + low;
}`,
  },
  {
    name: 'gp_tanh_f64',
    about: 'hyperbolic tangent',
    text: `static f64 gp_tanh_f64(f64 x) {
  f64 a = __builtin_fabs(x);
  if (a != a) return x;
  if (a > 20.0) return x < 0.0 ? -1.0 : 1.0;
  f64 n = __builtin_rint(2.0 * a * 1.4426950408889634);
  f64 r = 2.0 * a - n * 6.93147180369123816490e-01 - n * 1.90821492927058770002e-10;
  f64 scale = gp_scale_f64(1.0, (i32)n), t = scale * gp_expm1_near_f64(r) + (scale - 1.0);
  return __builtin_copysign(t / (t + 2.0), x);
}`,
  },
  {
    name: 'gp_sigmoid_f64',
    about: '1 / (1 + e^-x) without overflow on either side',
    text: `static f64 gp_sigmoid_f64(f64 x) {
  f64 e = gp_exp_f64(-__builtin_fabs(x));
  return x != x ? x : (x < 0.0 ? e : 1.0) / (1.0 + e);
}`,
  },
  {
    name: 'gp_erf_f64',
    about:
      'series of positive terms below 2.5, continued fraction of erfc above (Abramowitz and Stegun 7.1.6, 7.1.14); relative error below 1e-14',
    text: `static f64 gp_erf_f64(f64 x) {
  f64 a = __builtin_fabs(x), square = x * x;
  if (a != a) return x;
  if (a > 6.0) return x < 0.0 ? -1.0 : 1.0;
  if (a < 2.5) {
    f64 term = x, total = x;
    for (f64 n = 3.0; __builtin_fabs(term) > __builtin_fabs(total) * 1e-17; n += 2.0) { term *= 2.0 * square / n; total += term; }
    return 1.1283791670955126 * gp_exp_f64(-square) * total;
  }
  f64 fraction = a;
  for (i32 level = 60; level > 0; level--) fraction = a + 0.5 * level / fraction;
  return __builtin_copysign(1.0 - gp_exp_f64(-square) / (1.7724538509055160 * fraction), x);
}`,
  },
  {
    name: 'gp_quadrant_f64',
    about:
      'n mod 4 and r = x - n pi/2, |r| <= pi/4, for finite x: three exact parts of pi/2, and for large x the product with the bits of 2/pi that matter',
    text: `static i32 gp_quadrant_f64(f64 x, f64 *r) {
  if (__builtin_fabs(x) < 1000000.0) {
    f64 n = __builtin_rint(x * 0.6366197723675814);
    *r = x - n * 1.57079632673412561417e+00 - n * 6.07710050630396597660e-11 - n * 2.02226624879595063154e-21;
    return (i32)n & 3;
  }
  static const u32 bits[38] = {${twoOverPi
    .split(' ')
    .map((word) => `0x${word}u`)
    .join(', ')}};
  u64 u = gp_bits_f64(x), m = (u & 0xfffffffffffffull) | 0x10000000000000ull;
  i32 e = (i32)(u >> 52 & 2047) - 1075, first = e >= 2 ? (e - 2) / 32 : 0;
  /* product of m with six words of 2/pi, least word first; what lies above 2^2 falls out */
  u32 product[8] = {0};
  u64 carry = 0;
  for (i32 i = 0; i < 6; i++) {
    carry += product[i] + (u64)(u32)m * bits[first + 5 - i];
    product[i] = (u32)carry;
    carry >>= 32;
  }
  product[6] = (u32)carry;
  carry = 0;
  for (i32 i = 0; i < 6; i++) {
    carry += product[i + 1] + (m >> 32) * bits[first + 5 - i];
    product[i + 1] = (u32)carry;
    carry >>= 32;
  }
  product[7] = (u32)carry;
  /* the binary point stands before bit \`point\`; take two bits before it and 128 behind */
  i32 point = 32 * (first + 6) - e;
  u32 window[5];
  for (i32 i = 0; i < 5; i++) {
    i32 at = point + 2 - 32 * (i + 1), word = at >> 5, shift = at & 31;
    window[i] = shift ? (product[word] >> shift) | (word + 1 < 8 ? product[word + 1] << (32 - shift) : 0) : product[word];
  }
  i32 n = (i32)(window[0] >> 30);
  u64 high = (u64)window[0] << 34 | (u64)window[1] << 2 | window[2] >> 30, low = (u64)window[2] << 34 | (u64)window[3] << 2 | window[4] >> 30;
  i32 above = (i32)(high >> 63);
  if (above) { low = ~low + 1; high = ~high + (low == 0); n++; }
  f64 fraction = (f64)high * 5.421010862427522e-20 + (f64)low * 2.938735877055719e-39;
  fraction *= 1.5707963267948966;
  int negative = above != (x < 0.0);
  *r = negative ? -fraction : fraction;
  return (x < 0.0 ? -n : n) & 3;
}`,
  },
  {
    name: 'gp_circle_f64',
    about: 'sin (x + quadrants pi/2)',
    text: `static f64 gp_circle_f64(f64 x, i32 quadrants) {
  if (!(__builtin_fabs(x) < __builtin_inf())) return __builtin_nan("");
  f64 r;
  i32 n = (gp_quadrant_f64(x, &r) + quadrants) & 3;
  f64 z = r * r, y;
  if (n & 1) y = 1.0 + z * (${horner(taylor(18, 2, 2, true), 'z')});
  else y = r + r * z * (${horner(taylor(17, 3, 2, true), 'z')});
  return n & 2 ? -y : y;
}`,
  },
  { name: 'gp_sin_f64', about: 'sine of any double', text: 'static f64 gp_sin_f64(f64 x) { return gp_circle_f64(x, 0); }' },
  { name: 'gp_cos_f64', about: 'cosine of any double', text: 'static f64 gp_cos_f64(f64 x) { return gp_circle_f64(x, 1); }' },
  {
    name: 'gp_exponent_f64',
    about: 'floor(log2 x) + 1023 for finite x > 0',
    text: `INLINE i32 gp_exponent_f64(f64 x) {
  i32 e = (i32)(gp_bits_f64(x) >> 52);
  return e > 0 ? e : (i32)(gp_bits_f64(x * 18014398509481984.0) >> 52) - 54;
}`,
  },
  {
    name: 'gp_mod_f64',
    about: 'exact remainder with the sign of the divisor; NaN for a divisor of 0',
    text: `static f64 gp_mod_f64(f64 a, f64 b) {
  f64 m = __builtin_fabs(b), r = __builtin_fabs(a);
  if (!(r < __builtin_inf()) || !(m > 0.0)) return __builtin_nan("");
  /* take away the largest m 2^k that fits, until none does; every difference is exact */
  while (r >= m) {
    i32 k = gp_exponent_f64(r) - gp_exponent_f64(m);
    f64 part = k > 1000 ? gp_scale_f64(gp_scale_f64(m, 1000), k - 1000) : gp_scale_f64(m, k);
    r -= part > r ? 0.5 * part : part;
  }
  if (r == 0.0) return b < 0.0 ? -0.0 : 0.0;
  if (a < 0.0) r = -r;
  return (r < 0.0) == (b < 0.0) ? r : r + b;
}`,
  },
  {
    name: 'gp_pow_f64',
    about: 'IEEE 754 pow; relative error below 1e-13 up to |y ln x| = 300, growing with |y| beyond',
    text: `static f64 gp_pow_f64(f64 x, f64 y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (x != x || y != y) return __builtin_nan("");
  f64 a = __builtin_fabs(x), inf = __builtin_inf(), z;
  int whole = __builtin_rint(y) == y, odd = whole && __builtin_fabs(y) < 9007199254740992.0 && ((i64)y & 1);
  if (a == 1.0 && __builtin_fabs(y) == inf) return 1.0;
  if (a == 0.0 || a == inf) z = (a == 0.0) == (y < 0.0) ? inf : 0.0;
  else if (x < 0.0 && !whole) return __builtin_nan("");
  else if (__builtin_fabs(y) > 1e20) z = a == 1.0 ? 1.0 : (a > 1.0) == (y > 0.0) ? inf : 0.0;
  else {
    /* y ln a as product + rest: the product with the high part split by Dekker's method, everything lost kept in \`rest\` */
    f64 low, high = gp_log_parts_f64(a, &low);
    f64 c = 134217729.0 * y, y1 = c - (c - y), y2 = y - y1;
    f64 d = 134217729.0 * high, h1 = d - (d - high), h2 = high - h1;
    f64 product = y * high, lost = ((y1 * h1 - product) + y1 * h2 + y2 * h1) + y2 * h2;
    f64 other = y * low, total = product + other;
    f64 back = total - product;
    lost += (product - (total - back)) + (other - back);
    z = gp_exp_f64(total);
    if (z < inf) z += z * lost;
  }
  return odd && gp_bits_f64(x) >> 63 ? -z : z;
}`,
  },
]

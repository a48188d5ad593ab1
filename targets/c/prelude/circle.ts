import type { Helper } from './helper.ts'
import { lanewise } from './single.ts'

const odd = [
  '3.33333333333329318027e-01',
  '1.42857142725034663711e-01',
  '9.09088713343650656196e-02',
  '6.66107313738753120669e-02',
  '4.97687799461593236017e-02',
  '1.62858201153657823623e-02',
]
const even = [
  '-1.99999999998764832476e-01',
  '-1.11111104054623557880e-01',
  '-7.69187620504482999495e-02',
  '-5.83357013379057348645e-02',
  '-3.65315727442169155270e-02',
]
const horner = (coefficients: readonly string[]) =>
  coefficients.slice(0, -1).reduceRight((text, next) => `${next} + w * (${text})`, coefficients.at(-1)!)

/** Angles and hyperbolic functions of f64, to about 1e-15 relative; powers of integers. */
export const circleHelpers: readonly Helper[] = [
  {
    name: 'gp_tan_f64',
    about: 'tangent',
    text: 'static f64 gp_tan_f64(f64 x) { return gp_circle_f64(x, 0) / gp_circle_f64(x, 1); }',
  },
  {
    name: 'gp_atan_f64',
    about: 'argument brought near 0 by a known angle, then an odd polynomial (as in FreeBSD atan)',
    text: `static f64 gp_atan_f64(f64 x) {
  f64 a = __builtin_fabs(x), high = 0.0, low = 0.0, t = a;
  if (a >= 2.4375) { t = -1.0 / a; high = 1.57079632679489655800e+00; low = 6.12323399573676603587e-17; }
  else if (a >= 1.1875) { t = (a - 1.5) / (1.0 + 1.5 * a); high = 9.82793723247329054082e-01; low = 1.39033110312309984516e-17; }
  else if (a >= 0.6875) { t = (a - 1.0) / (a + 1.0); high = 7.85398163397448278999e-01; low = 3.06161699786838301793e-17; }
  else if (a >= 0.4375) { t = (2.0 * a - 1.0) / (2.0 + a); high = 4.63647609000806093515e-01; low = 2.26987774529616870924e-17; }
  f64 z = t * t, w = z * z;
  f64 p = z * (${horner(odd)}) + w * (${horner(even)});
  return __builtin_copysign(high - ((t * p - low) - t), x);
}`,
  },
  {
    name: 'gp_asin_f64',
    about: 'atan x / sqrt(1 - x x)',
    text: 'static f64 gp_asin_f64(f64 x) { return gp_atan_f64(x / __builtin_sqrt((1.0 - x) * (1.0 + x))); }',
  },
  {
    name: 'gp_acos_f64',
    about: '2 atan sqrt((1 - x) / (1 + x))',
    text: 'static f64 gp_acos_f64(f64 x) { return 2.0 * gp_atan_f64(__builtin_sqrt((1.0 - x) / (1.0 + x))); }',
  },
  {
    name: 'gp_sinh_f64',
    about: 'near 0 from e^x - 1; beyond the range of e^x from e^(x/2)',
    text: `static f64 gp_sinh_f64(f64 x) {
  f64 a = __builtin_fabs(x), e;
  if (a < 0.35) { e = gp_expm1_near_f64(a); e = 0.5 * (e + e / (e + 1.0)); }
  else if (a > 700.0) { e = gp_exp_f64(0.5 * a); e = 0.5 * e * e; }
  else { e = gp_exp_f64(a); e = 0.5 * e - 0.5 / e; }
  return __builtin_copysign(e, x);
}`,
  },
  {
    name: 'gp_cosh_f64',
    about: 'beyond the range of e^x from e^(x/2)',
    text: `static f64 gp_cosh_f64(f64 x) {
  f64 a = __builtin_fabs(x), e = gp_exp_f64(a > 700.0 ? 0.5 * a : a);
  return a > 700.0 ? 0.5 * e * e : 0.5 * e + 0.5 / e;
}`,
  },
  {
    name: 'gp_log1p_f64',
    about: 'ln(1 + x) without loss near 0: what rounding of 1 + x changed is put back as a factor',
    text: `static f64 gp_log1p_f64(f64 x) {
  f64 w = 1.0 + x;
  if (w == 1.0 || w == __builtin_inf()) return x;
  return gp_log_f64(w) * (x / (w - 1.0));
}`,
  },
  {
    name: 'gp_asinh_f64',
    about: 'ln(x + sqrt(x x + 1)) for positive x',
    text: `static f64 gp_asinh_f64(f64 x) {
  f64 a = __builtin_fabs(x);
  f64 y = a > 1e150 ? gp_log_f64(a) + 0.6931471805599453 : gp_log1p_f64(a + a * a / (1.0 + __builtin_sqrt(a * a + 1.0)));
  return __builtin_copysign(y, x);
}`,
  },
  {
    name: 'gp_acosh_f64',
    about: 'ln(x + sqrt(x x - 1)), from the distance to 1',
    text: `static f64 gp_acosh_f64(f64 x) {
  f64 t = x - 1.0;
  if (!(t >= 0.0)) return __builtin_nan("");
  return x > 1e150 ? gp_log_f64(x) + 0.6931471805599453 : gp_log1p_f64(t + __builtin_sqrt(t * (t + 2.0)));
}`,
  },
  {
    name: 'gp_atanh_f64',
    about: 'ln((1 + x) / (1 - x)) / 2',
    text: `static f64 gp_atanh_f64(f64 x) {
  f64 a = __builtin_fabs(x);
  return a > 1.0 ? __builtin_nan("") : __builtin_copysign(0.5 * gp_log1p_f64(2.0 * a / (1.0 - a)), x);
}`,
  },
  {
    name: 'gp_pow_u64',
    about: 'by squaring, in the low 64 bits',
    text: `static u64 gp_pow_u64(u64 x, u64 n) {
  u64 y = 1;
  for (; n > 0; n >>= 1, x *= x) if (n & 1) y *= x;
  return y;
}`,
  },
  {
    name: 'gp_pow_i64',
    about: 'the same; 1 / x^n truncated for powers below 0, and 0 for a base of 0',
    text: `static i64 gp_pow_i64(i64 x, i64 n) {
  if (n < 0) return x == 1 ? 1 : x == -1 ? (n & 1 ? -1 : 1) : 0;
  return (i64)gp_pow_u64((u64)x, (u64)n);
}`,
  },
]

/** The same of f32 vectors, correctly rounded but for one in many. */
export const circleLanes: readonly Helper[] = ['tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'asinh', 'acosh', 'atanh'].map(
  (name) => lanewise(name, `gp_${name}_f64`),
)

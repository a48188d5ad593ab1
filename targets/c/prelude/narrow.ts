import type { DType } from '../../../compiler/graph/dtype.ts'
import type { Helper } from './helper.ts'

/** Bits of exponent and mantissa of the floats that are stored narrower than they are computed with. */
const formats = {
  f16: { exponent: 5, mantissa: 10 },
  bf16: { exponent: 8, mantissa: 7 },
  f8e4m3: { exponent: 4, mantissa: 3 },
  f8e5m2: { exponent: 5, mantissa: 2 },
} as const satisfies Partial<Record<DType, { exponent: number; mantissa: number }>>

const conversions = Object.entries(formats).flatMap(([dtype, { exponent, mantissa }]): Helper[] => [
  {
    name: `gp_from_${dtype}`,
    about: 'exact',
    text:
      dtype === 'bf16'
        ? 'INLINE f32 gp_from_bf16(u32 bits) { return gp_float_f32(bits << 16); }'
        : `INLINE f32 gp_from_${dtype}(u32 bits) {
${dtype === 'f8e4m3' ? '  if ((bits & 0x7f) == 0x7f) return __builtin_nanf("");\n' : ''}  return gp_decode(bits, ${exponent}, ${mantissa}, ${dtype === 'f8e4m3' ? 0 : 1});
}`,
  },
  {
    name: `gp_to_${dtype}`,
    about: dtype === 'f8e4m3' ? 'nearest, ties to even; NaN beyond 464' : 'nearest, ties to even',
    text:
      dtype === 'f8e4m3'
        ? `static u32 gp_to_f8e4m3(f32 x) {
  u32 sign = gp_bits_f32(x) >> 31 << 7;
  f32 a = __builtin_fabsf(x);
  if (x != x) return 0x7f;
  return sign | (a > 464.0f ? 0x7f : a >= 448.0f ? 0x7e : gp_encode(a, 4, 3, 0x7e));
}`
        : `INLINE u32 gp_to_${dtype}(f32 x) { return gp_encode(x, ${exponent}, ${mantissa}, ${(2 ** exponent - 1) * 2 ** mantissa}); }`,
  },
])

/** Conversion of 16- and 8-bit floats, and the roundings to odd that keep conversions from wider numbers from rounding twice. */
export const narrowHelpers: readonly Helper[] = [
  {
    name: 'gp_bits_f32',
    about: 'the bits of a float',
    text: 'INLINE u32 gp_bits_f32(f32 x) { union { f32 f; u32 u; } v = { .f = x }; return v.u; }',
  },
  {
    name: 'gp_float_f32',
    about: 'the float of some bits',
    text: 'INLINE f32 gp_float_f32(u32 x) { union { u32 u; f32 f; } v = { .u = x }; return v.f; }',
  },
  {
    name: 'gp_decode',
    about: 'value of a float of 1 + exponent + mantissa bits',
    text: `INLINE f32 gp_decode(u32 bits, u32 exponent, u32 mantissa, u32 infinities) {
  u32 sign = bits >> (exponent + mantissa) << 31, top = (1u << exponent) - 1, bias = top >> 1;
  u32 e = bits >> mantissa & top, m = bits & ((1u << mantissa) - 1);
  if (e == 0) return gp_float_f32(sign | gp_bits_f32((f32)m * gp_float_f32((128 - bias - mantissa) << 23)));
  if (e == top && infinities) return gp_float_f32(sign | 0x7f800000u | m << (23 - mantissa));
  return gp_float_f32(sign | (e + 127 - bias) << 23 | m << (23 - mantissa));
}`,
  },
  {
    name: 'gp_encode',
    about: 'nearest float of 1 + exponent + mantissa bits, ties to even; overflow to `largest`',
    text: `INLINE u32 gp_encode(f32 x, u32 exponent, u32 mantissa, u32 largest) {
  u32 u = gp_bits_f32(x), sign = u >> 31 << (exponent + mantissa), top = (1u << exponent) - 1, bias = top >> 1, shift = 23 - mantissa, r;
  u &= 0x7fffffffu;
  if (u > 0x7f800000u) return top << mantissa | 1u << (mantissa - 1);
  if (u < (128 - bias) << 23) {
    /* subnormal: adding a power of two whose last bit is worth one unit rounds for us */
    u32 magic = (127 + 24 - bias - mantissa) << 23;
    r = gp_bits_f32(gp_float_f32(u) + gp_float_f32(magic)) - magic;
  } else {
    u -= (127 - bias) << 23;
    r = (u + (1u << (shift - 1)) - 1 + (u >> shift & 1)) >> shift;
  }
  return sign | (r > largest ? largest : r);
}`,
  },
  ...conversions,
  {
    name: 'gp_odd_f64',
    about: 'a float that rounds to any narrower one as the double would: inexact values get an odd last bit',
    text: `static f32 gp_odd_f64(f64 x) {
  f32 r = (f32)x;
  u32 u = gp_bits_f32(r);
  if ((f64)r == x || x != x || (u & 1)) return r;
  return gp_float_f32((r < 0 ? -(f64)r : (f64)r) > (x < 0 ? -x : x) ? u - 1 : u + 1);
}`,
  },
  {
    name: 'gp_odd_u64',
    about: 'a float that rounds to any narrower one as the integer would',
    text: 'INLINE f32 gp_odd_u64(u64 x) { return gp_odd_f64(x >> 53 ? (f64)(x >> 11 | ((x & 2047) != 0)) * 2048.0 : (f64)x); }',
  },
  {
    name: 'gp_odd_i64',
    about: 'a float that rounds to any narrower one as the integer would',
    text: 'INLINE f32 gp_odd_i64(i64 x) { return x < 0 ? -gp_odd_u64(-(u64)x) : gp_odd_u64((u64)x); }',
  },
]

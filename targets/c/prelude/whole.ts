import type { Helper } from './helper.ts'

const narrow = ['i8', 'u8', 'i16', 'u16'] as const

/** Vectors of i32 from and to integers of every width; `some` are the first n elements, the other lanes 0. */
const accesses = (type: string): Helper[] => {
  const vector = `typedef ${type} narrow __attribute__((vector_size(LANES * sizeof(${type}))));`
  // gcc narrows by four in one step where there is an instruction, and in two steps elsewhere, or lane by lane.
  const narrowed = type.endsWith('8')
    ? `#if defined(__clang__) || LANES == 16
  narrow v = __builtin_convertvector(lanes, narrow);
#else
  typedef i16 half __attribute__((vector_size(LANES * sizeof(i16))));
  narrow v = __builtin_convertvector(__builtin_convertvector(lanes, half), narrow);
#endif`
    : '  narrow v = __builtin_convertvector(lanes, narrow);'
  return [
    {
      name: `gp_load_${type}`,
      about: `a vector of ${type}`,
      text: `INLINE vi gp_load_${type}(const ${type} *p) {
#ifdef WIDEN_${type}
  typedef ${type} narrow __attribute__((vector_size(LANES * sizeof(${type})), aligned(1), may_alias));
  vi lanes;
  WIDEN_${type}(lanes, (const narrow *)p);
  return lanes;
#else
  ${vector}
  narrow v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, vi);
#endif
}`,
    },
    {
      name: `gp_load_some_${type}`,
      about: `the first n elements of a vector of ${type}`,
      text: `INLINE vi gp_load_some_${type}(const ${type} *p, unsigned long n) {
  ${type} some[LANES] = {0};
  __builtin_memcpy(some, p, n * sizeof(${type}));
  return gp_load_${type}(some);
}`,
    },
    {
      name: `gp_store_${type}`,
      about: `low bits of lanes as ${type}`,
      text: `INLINE void gp_store_${type}(${type} *p, vi lanes) {
  ${vector}
${narrowed}
  __builtin_memcpy(p, &v, sizeof v);
}`,
    },
    {
      name: `gp_store_some_${type}`,
      about: `low bits of the first n lanes as ${type}`,
      text: `INLINE void gp_store_some_${type}(${type} *p, vi lanes, unsigned long n) {
  ${type} some[LANES];
  gp_store_${type}(some, lanes);
  __builtin_memcpy(p, some, n * sizeof(${type}));
}`,
    },
  ]
}

const extreme = (name: string, operator: string, builtin: string): Helper => ({
  name,
  about: 'lane by lane',
  text: `#if __has_builtin(${builtin})
INLINE vi ${name}(vi a, vi b) { return ${builtin}(a, b); }
#else
INLINE vi ${name}(vi a, vi b) { vi m = a ${operator} b; return (m & a) | (~m & b); }
#endif`,
})

/** Conversions of f32 saturate, and make 0 of NaN; bounds are exact in f32. */
const cast = (type: string, low: number, high: number): Helper => {
  const least = low === 0 ? 'gp_from_v(x, SPLAT(0.0f))' : `gp_above_v((vf)((vi)x & (vi)(x == x)), SPLAT(${low}.0f))`
  return {
    name: `gp_cast_${type}_v`,
    about: 'towards zero, saturating; 0 for NaN',
    text: `INLINE vi gp_cast_${type}_v(vf x) {
  x = gp_below_v(${least}, SPLAT(${high}.0f));
  return __builtin_convertvector(x, vi);
}`,
  }
}

/** Integers in vectors of i32. */
export const wholeHelpers: readonly Helper[] = [
  ...narrow.flatMap(accesses),
  ...accesses('i32'),
  extreme('gp_max_i', '>', '__builtin_elementwise_max'),
  extreme('gp_min_i', '<', '__builtin_elementwise_min'),
  cast('i8', -128, 127),
  cast('u8', 0, 255),
  cast('i16', -32768, 32767),
  cast('u16', 0, 65535),
  {
    name: 'gp_cast_i32_v',
    about: 'towards zero, saturating; 0 for NaN',
    text: `INLINE vi gp_cast_i32_v(vf x) {
  vi most = x >= SPLAT(2147483648.0f);
  x = gp_above_v((vf)((vi)x & (vi)(x == x) & ~most), SPLAT(-2147483648.0f));
  return (__builtin_convertvector(x, vi) & ~most) | (most & 0x7fffffff);
}`,
  },
  {
    name: 'gp_nearest_v',
    about:
      'to the nearest integer, ties to even, where it is between those of 16 bits; else one that saturates as it does, the least for NaN',
    text: `INLINE vi gp_nearest_v(vf x) {
#if LANES > 4 && defined(__x86_64__)
  /* what is too small, and NaN, becomes the least i32 */
  x = gp_below_v(x, SPLAT(32767.0f));
  vi y;
  __asm__("vcvtps2dq %1, %0" : "=v"(y) : "v"(x));
  return y;
#else
  return __builtin_convertvector(gp_below_v(gp_from_v(gp_round_v(x), SPLAT(-32768.0f)), SPLAT(32767.0f)), vi);
#endif
}`,
  },
  {
    name: 'gp_pack_u8',
    about: 'the first of four vectors of integers, saturated to 16 bits and moved by zero, as bytes without a sign',
    text: `INLINE void gp_pack_u8(u8 *p, vi a, vi b, vi c, vi d, i16 zero, unsigned long vectors) {
#if LANES > 4 && defined(__x86_64__)
  vs low, high;
  vi bytes;
  __asm__("vpackssdw %2, %1, %0" : "=v"(low) : "v"(a), "v"(b));
  if (vectors > 2) __asm__("vpackssdw %2, %1, %0" : "=v"(high) : "v"(c), "v"(d));
  else high = low;
  if (zero != 0) {
    const vs by = (vs){0} + zero;
    __asm__("vpaddsw %1, %0, %0" : "+v"(low) : "v"(by));
    if (vectors > 2) __asm__("vpaddsw %1, %0, %0" : "+v"(high) : "v"(by));
    else high = low;
  }
  __asm__("vpackuswb %2, %1, %0" : "=v"(bytes) : "v"(low), "v"(high));
  /* both packed within 128 bits */
#if LANES == 16
  bytes = SHUFFLE(bytes, bytes, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#else
  bytes = SHUFFLE(bytes, bytes, 0, 4, 1, 5, 2, 6, 3, 7);
#endif
#elif defined(__wasm_simd128__) && LANES == 4
  const vs by = (vs){0} + zero;
  const vs low = __builtin_elementwise_add_sat(__builtin_wasm_narrow_s_i16x8_i32x4(a, b), by);
  const vs high = __builtin_elementwise_add_sat(__builtin_wasm_narrow_s_i16x8_i32x4(c, d), by);
  const vi bytes = (vi)__builtin_wasm_narrow_u_i8x16_i16x8(low, high);
#elif defined(__ARM_NEON) && LANES == 4
  const vs by = (vs){0} + zero;
  vs low, high;
  vi bytes;
  __asm__("sqxtn %0.4h, %1.4s\\n\\tsqxtn2 %0.8h, %2.4s\\n\\tsqadd %0.8h, %0.8h, %3.8h" : "=&w"(low) : "w"(a), "w"(b), "w"(by));
  __asm__("sqxtn %0.4h, %1.4s\\n\\tsqxtn2 %0.8h, %2.4s\\n\\tsqadd %0.8h, %0.8h, %3.8h" : "=&w"(high) : "w"(c), "w"(d), "w"(by));
  __asm__("sqxtun %0.8b, %1.8h\\n\\tsqxtun2 %0.16b, %2.8h" : "=&w"(bytes) : "w"(low), "w"(high));
#else
  u8 bytes[4 * LANES];
  const vi all[4] = {a, b, c, d};
  for (unsigned i = 0; i < 4 * LANES; i++) {
    i32 lane = all[i / LANES][i % LANES];
    lane = (lane < -32768 ? -32768 : lane > 32767 ? 32767 : lane) + zero;
    bytes[i] = (u8)(lane < 0 ? 0 : lane > 255 ? 255 : lane);
  }
#endif
  __builtin_memcpy(p, &bytes, vectors * LANES);
}`,
  },
]

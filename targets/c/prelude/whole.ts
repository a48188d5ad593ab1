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
]

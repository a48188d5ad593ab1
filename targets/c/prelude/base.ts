import type { Level } from '../level.ts'
import { lanesOf } from '../level.ts'

/** Types and vector accesses; the top of every generated file. The vector width stands here and nowhere else. */
export function baseText(level: Level): string {
  const lanes = lanesOf(level)
  const repeated = (text: string) => Array.from({ length: lanes }, () => text).join(', ')
  const every = (from: number, step: number) => Array.from({ length: lanes }, (_, i) => from + i * step).join(', ')
  return `typedef signed char i8;
typedef unsigned char u8, bool8, f8e4m3, f8e5m2;
typedef short i16;
typedef unsigned short u16, f16, bf16;
typedef int i32;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;
#define LANES ${lanes}
typedef f32 vf __attribute__((vector_size(${level.vectorBytes})));
typedef f32 vfu __attribute__((vector_size(${level.vectorBytes}), aligned(4), may_alias));
typedef i32 vi __attribute__((vector_size(${level.vectorBytes})));
typedef u32 vu __attribute__((vector_size(${level.vectorBytes})));
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define LOAD(p) (*(const vfu *)(p))
#define STORE(p, v) (*(vfu *)(p) = (v))
#define SPLAT(x) gp_splat(x)
#define MAC(c, a, b) ${level.multiplyAdd}
#define EVEN(a, b) __builtin_shufflevector(a, b, ${every(0, 2)})
#define ODD(a, b) __builtin_shufflevector(a, b, ${every(1, 2)})
${lanes === 4 ? transpose : ''}INLINE vf gp_splat(f32 x) { return (vf){${repeated('x')}}; }
INLINE vi gp_splat_mask(i32 x) { return (vi){${repeated('x')}}; }
INLINE vf gp_select_v(vi m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
#if defined(__wasm_simd128__) && LANES == 4
/* a < b ? b : a, and b < a ? b : a: keep a where it is NaN */
INLINE vf gp_above_v(vf a, vf b) { return __builtin_wasm_pmax_f32x4(a, b); }
INLINE vf gp_below_v(vf a, vf b) { return __builtin_wasm_pmin_f32x4(a, b); }
/* NaN where either is */
INLINE vf gp_max_v(vf a, vf b) { return __builtin_wasm_max_f32x4(a, b); }
INLINE vf gp_min_v(vf a, vf b) { return __builtin_wasm_min_f32x4(a, b); }
#else
INLINE vf gp_above_v(vf a, vf b) { return gp_select_v(a < b, b, a); }
INLINE vf gp_below_v(vf a, vf b) { return gp_select_v(b < a, b, a); }
INLINE vf gp_max_v(vf a, vf b) { return gp_select_v((a > b) | (a != a), a, b); }
INLINE vf gp_min_v(vf a, vf b) { return gp_select_v((a < b) | (a != a), a, b); }
#endif
`
}

/** A tile of four rows and one vector, turned. */
const transpose = `#define TRANSPOSE(a0, a1, a2, a3, r0, r1, r2, r3) do { \\
    const vf s0 = __builtin_shufflevector(a0, a1, 0, 4, 1, 5), s1 = __builtin_shufflevector(a2, a3, 0, 4, 1, 5); \\
    const vf s2 = __builtin_shufflevector(a0, a1, 2, 6, 3, 7), s3 = __builtin_shufflevector(a2, a3, 2, 6, 3, 7); \\
    r0 = __builtin_shufflevector(s0, s1, 0, 1, 4, 5); r1 = __builtin_shufflevector(s0, s1, 2, 3, 6, 7); \\
    r2 = __builtin_shufflevector(s2, s3, 0, 1, 4, 5); r3 = __builtin_shufflevector(s2, s3, 2, 3, 6, 7); \\
  } while (0)
`

import type { Level } from '../level.ts'
import { lanesOf } from '../level.ts'

/** Types and vector accesses; the top of every generated file. The vector width stands here and nowhere else. */
export function baseText(level: Level): string {
  const lanes = lanesOf(level)
  const repeated = (text: string) => Array.from({ length: lanes }, () => text).join(', ')
  const every = (from: number, step: number) => Array.from({ length: lanes }, (_, i) => from + i * step).join(', ')
  const zipped = (from: number) => Array.from({ length: lanes }, (_, i) => from + (i >> 1) + (i % 2) * lanes).join(', ')
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
typedef i16 vs __attribute__((vector_size(${level.vectorBytes})));
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
/* HOT: functions that loops call for every vector, where code may grow. KERNEL: one function each, or compilers make one large one of all */
#define KERNEL NOINLINE
#ifdef __wasm__
#define HOT static
#else
#define HOT INLINE
#endif
#define LOAD(p) (*(const vfu *)(p))
#define STORE(p, v) (*(vfu *)(p) = (v))
${some(level)}#define SPLAT(x) gp_splat(x)
#define SPLAT_I(x) gp_splat_i(x)
${multiplyAdd(level)}
${shuffle}
${apart(level)}
${pairs(level)}
${opaque}${quads(level)}${bf16(level)}${widen(level)}#define EVEN(a, b) SHUFFLE(a, b, ${every(0, 2)})
#define ODD(a, b) SHUFFLE(a, b, ${every(1, 2)})
/* lanes of a and b in turn, of their lower and of their upper halves */
#define ZIP_LOW(a, b) SHUFFLE(a, b, ${zipped(0)})
#define ZIP_HIGH(a, b) SHUFFLE(a, b, ${zipped(lanes / 2)})
${halvings(lanes)}
${lanes === 4 ? transpose : ''}${instructions(level)}INLINE vf gp_splat(f32 x) { return (vf){${repeated('x')}}; }
INLINE vi gp_splat_i(i32 x) { return (vi){${repeated('x')}}; }
INLINE vf gp_select_v(vi m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
/* gp_from_v: a > b ? a : b, where b is a number: b where a is NaN */
/* gp_above_v, gp_below_v: a < b ? b : a, and b < a ? b : a, where b is a number: keep a where it is NaN; gp_max_v, gp_min_v: NaN where either is */
#if defined(__wasm_simd128__) && LANES == 4
INLINE vf gp_from_v(vf a, vf b) { return __builtin_wasm_pmax_f32x4(b, a); }
INLINE vf gp_above_v(vf a, vf b) { return __builtin_wasm_pmax_f32x4(a, b); }
INLINE vf gp_below_v(vf a, vf b) { return __builtin_wasm_pmin_f32x4(a, b); }
INLINE vf gp_max_v(vf a, vf b) { return __builtin_wasm_max_f32x4(a, b); }
INLINE vf gp_min_v(vf a, vf b) { return __builtin_wasm_min_f32x4(a, b); }
#else
${extremes(level)}
#endif
`
}

const some = ({ some: forms }: Level): string =>
  forms ? `#define LOAD_SOME(p, n) ${forms.load}\n#define STORE_SOME(p, v, n) ${forms.store}\n` : ''

/** clang and gcc from 12 on know one builtin, all versions of gcc the other. */
const shuffle = `#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif`

/** \`HALVE8(v)\`: the vector with its lanes turned by 8, and so on: what a fold by halves combines it with. */
function halvings(lanes: number): string {
  const lines: string[] = []
  for (let by = lanes / 2; by >= 1; by /= 2)
    lines.push(`#define TURN${by}(v) SHUFFLE(v, v, ${Array.from({ length: lanes }, (_, i) => (i + by) % lanes).join(', ')})`)
  return lines.join('\n')
}

/** Names of the level's own instructions, for compilers that do not find them from plain C. */
function instructions({ instructions: known }: Level): string {
  if (!known) return ''
  const { constraint, sqrt, floor, ceil, round } = known
  const define = (name: string, text: string) =>
    `#define GP_${name}(y, x) __asm__("${text}" : "=${constraint}"(y) : "${constraint}"(x))\n`
  return `${define('SQRT', sqrt)}${define('FLOOR', floor)}${define('CEIL', ceil)}${define('ROUND', round)}`
}

/** A value that the compiler cannot look behind, so that it merges no multiplication with an addition; wasm has no such instruction. */
const apart = ({ instructions: known }: Level): string =>
  known ? `#define APART(x) ({ __typeof__(x) x_ = (x); __asm__("" : "+${known.constraint}"(x_)); x_; })` : '#define APART(x) (x)'

/**
 * A pointer that gcc knows nothing of any more: it would carry elements that the next pass of a loop reads again over in registers, of which
 * there are not enough.
 */
const opaque = `/* a pointer that no compiler knows anything of: clang would count one on for each loop behind this one */
#define FRESH(p) __asm__("" : "+r"(p))
/* out of a loop where p is k, which it never is: a fence that V8 moves nothing over */
#define FENCE(p, k) if ((unsigned long)(p) == (k)) break
#if defined(__clang__)
#define OPAQUE(p) (void)0
#else
#define OPAQUE(p) __asm__("" : "+r"(p))
#endif
`

/** `WIDEN_u8(y, p)` and so on, where the compiler needs to be told. */
function widen({ widen: known }: Level): string {
  if (!known) return ''
  const { constraints, ...texts } = known
  const lines = Object.entries(texts).map(
    ([type, text]) => `#define WIDEN_${type}(y, p) __asm__("${text}" : "${constraints[0]}"(y) : "${constraints[1]}"(*(p)))`,
  )
  return `#ifndef __clang__\n${lines.join('\n')}\n#endif\n`
}

/** `DOT(c, a, b)`: lanes of i32 to which the products of both halves of those of a and b are added. */
function pairs({ pairs: statement }: Level): string {
  const half = (v: string) => `(((vi)((vu)(${v}) << 16) >> 16) * `
  const plain = `c += ${half('a')}((vi)((vu)(b) << 16) >> 16)) + ((a) >> 16) * ((b) >> 16)`
  return `#define DOT(c, a, b) ${statement ?? plain}`
}

/** `QUAD(c, a, b)`: lanes of i32 to which the products of all four bytes of those of a, without a sign, and of b, with one, are added. */
const quads = ({ quads: statement }: Level): string => (statement ? `#define QUAD(c, a, b) ${statement}\n` : '')

/**
 * `DOT_BF16(c, a, b)`: lanes of f32 to which the products of both halves of those of a and b are added. `ROUND_BF16(y, a, b)`: all lanes of
 * a, then those of b, as bf16. `WIDEN_f16(y, p)`: a vector of f16.
 */
const bf16 = ({ bf16Pairs, loadHalves }: Level): string =>
  [
    ...(bf16Pairs
      ? [`#define DOT_BF16(c, a, b) ${bf16Pairs.multiplyAdd}`, `#define ROUND_BF16(y, a, b) ${bf16Pairs.round}`]
      : []),
    ...(loadHalves ? [`#define WIDEN_f16(y, p) ${loadHalves}`] : []),
  ]
    .map((line) => `${line}\n`)
    .join('')

function extremes({ instructions: known }: Level): string {
  const plain = `INLINE vf gp_above_v(vf a, vf b) { return gp_select_v(a < b, b, a); }
INLINE vf gp_below_v(vf a, vf b) { return gp_select_v(b < a, b, a); }`
  const from = 'INLINE vf gp_from_v(vf a, vf b) { return gp_select_v(a > b, a, b); }'
  const either = `INLINE vf gp_max_v(vf a, vf b) { return gp_select_v(a != a, a, gp_above_v(b, a)); }
INLINE vf gp_min_v(vf a, vf b) { return gp_select_v(a != a, a, gp_below_v(b, a)); }`
  if (!known) return `${plain}\n${from}\n${either}`
  const { constraint, maximum, minimum, propagates } = known
  // Operands change places: the instruction gives the second where neither is larger.
  const define = (name: string, text: string, operands = ['b', 'a']) =>
    `INLINE vf ${name}(vf a, vf b) { vf y; __asm__("${text}" : "=${constraint}"(y) : ${operands.map((x) => `"${constraint}"(${x})`).join(', ')}); return y; }`
  if (propagates)
    return ['above', 'max']
      .map((name) => define(`gp_${name}_v`, maximum))
      .concat(['below', 'min'].map((name) => define(`gp_${name}_v`, minimum)))
      .concat(from)
      .join('\n')
  return `#ifdef __clang__\n${plain}\n${from}\n#else\n${define('gp_above_v', maximum)}\n${define('gp_below_v', minimum)}\n${define('gp_from_v', maximum, ['a', 'b'])}\n#endif\n${either}`
}

function multiplyAdd({ multiplyAdd: { clang, gcc, element = 'MAC(c, SPLAT(a), b)', half } }: Level): string {
  const define = (statement: string) => `#define MAC(c, a, b) ${statement}`
  const ofHalf = half && [`#define MAC_HALF(c, a, b) ${half.statement}`, `#define MAC_ELEMENT_HALF(c, a, b) ${half.element}`]
  const whole = clang === gcc ? define(clang) : `#ifdef __clang__\n${define(clang)}\n#else\n${define(gcc)}\n#endif`
  return [whole, `#define MAC_ELEMENT(c, a, b) ${element}`, ...(ofHalf ?? [])].join('\n')
}

/** A tile of four rows and one vector, turned. */
const transpose = `#define TRANSPOSE(a0, a1, a2, a3, r0, r1, r2, r3) do { \\
    const vf s0 = SHUFFLE(a0, a1, 0, 4, 1, 5), s1 = SHUFFLE(a2, a3, 0, 4, 1, 5); \\
    const vf s2 = SHUFFLE(a0, a1, 2, 6, 3, 7), s3 = SHUFFLE(a2, a3, 2, 6, 3, 7); \\
    r0 = SHUFFLE(s0, s1, 0, 1, 4, 5); r1 = SHUFFLE(s0, s1, 2, 3, 6, 7); \\
    r2 = SHUFFLE(s2, s3, 0, 1, 4, 5); r3 = SHUFFLE(s2, s3, 2, 3, 6, 7); \\
  } while (0)
`

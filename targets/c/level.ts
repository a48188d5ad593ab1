import type { Chosen } from './choice.ts'

/**
 * What the kernel templates must know about the machine they print C for. A level fixes vector width and tile shapes, and with them the
 * layout of packed weights; every template takes it, none assumes a width.
 */
export interface Level {
  readonly name: string
  /** Bytes of one vector: 16, 32 or 64. */
  readonly vectorBytes: 16 | 32 | 64
  /**
   * The statement that adds the product of `a` and `b` to the accumulator `c`. Compilers differ in what they keep in registers: gcc may
   * store every accumulator in each pass of a loop unless the statement is opaque to it, clang is best with the plain expression.
   */
  readonly multiplyAdd: {
    readonly clang: string
    readonly gcc: string
    /**
     * The same where `a` is an element in memory, if there is one instruction for that. For both compilers: clang finds it, but may load
     * elements of a first layer long before, and run out of registers (20 % of its time).
     */
    readonly element?: string
    /**
     * The same for the lower halves of vectors alone, where that takes half the time: the upper half of `c` becomes 0. `element`: `a` is an
     * element in memory. For both compilers: clang makes whole vectors of halves.
     */
    readonly half?: { readonly statement: string; readonly element: string }
  }
  /**
   * The statement that takes `a` and `b` as vectors of pairs of 16-bit integers and adds to each lane of `c` the sum of both products of
   * its pairs, in i32. Plain C where absent.
   */
  readonly pairs?: string
  /**
   * The statement that takes `a` as quads of bytes without a sign and `b` as quads of bytes with one, and adds to each lane of `c` the sum of
   * its four products, which wraps in i32. Absent where there is no such instruction: kernels then use pairs, which give the same.
   */
  readonly quads?: string
  /**
   * `multiplyAdd` takes `a` and `b` as vectors of pairs of bf16 and adds to each lane of `c`, of f32, the sum of both products of its pairs;
   * `round` makes `y` of the lanes of `a`, then those of `b`, as bf16. Both take numbers below the normal ones for 0. Absent where there are
   * no such instructions. Kernels round operands for them where `precision` allows that.
   */
  readonly bf16Pairs?: { readonly multiplyAdd: string; readonly round: string }
  /** The statement that makes `y`, of f32, of the vector of f16 at `p`. Plain C where absent. */
  readonly loadHalves?: string
  /** What widening a vector of weights in 16 bits takes beside multiply-adds, where that is more than a little. */
  readonly widenNanoseconds?: { readonly bf16: number; readonly f16: number }
  /** Register tile of matrix-like kernels: broadcast rows × streamed vectors. rows · vectors accumulators stay in registers. */
  readonly tile: { readonly rows: number; readonly vectors: number }
  /** Tiles among which products choose by their sizes; a new one is a line here. */
  readonly tiles: readonly RegisterTile[]
  /** Whether products of halves (`strassen.ts`) were measured to pay. Default: no. */
  readonly halves?: boolean
  /** Vector registers that a tile may fill: accumulators, streamed vectors and one broadcast. */
  readonly registers: number
  /** Multiply-adds that one pass of an inner loop holds at most, tile or not. */
  readonly pass: number
  /**
   * Whether steps of a pass have fences between them (`fence.ts`), and pointers that move from step to step: V8 brings all loads of a basic
   * block to its front and spills those that find no register, and adds offsets of broadcast loads in instructions of their own.
   */
  readonly fenced?: boolean
  /** Bytes of a block of operands that should stay in the first-level cache while it is reused. */
  readonly blockBytes: number
  readonly instructions?: Instructions
  /** How gcc is told to load a vector of narrow integers as i32, as assembly text on %0 and the memory %1; clang knows itself. */
  readonly widen?: { readonly constraints: readonly [result: string, memory: string] } & Readonly<Record<NarrowInteger, string>>
  /**
   * The first `n` elements from `p` on as a vector, the other lanes 0, and the first `n` lanes of `v` to `p`, for a literal n: how it is
   * done where compilers make little of vectors that are put together and taken apart lane by lane.
   */
  readonly some?: { readonly load: string; readonly store: string }
  /** Multiply-adds of f32 that one core does in a nanosecond, about; only ways of one kernel are compared by it. */
  readonly multiplyAddsPerNanosecond: number
  /** Whether entries tell when each of their steps ended (`timesRegion`). Targets that have no clock do not look at it. */
  readonly trace?: boolean
  /** What a tuner measured to be the fastest: names of candidates (`choice.ts`) by kernel signature. */
  readonly chosen?: Chosen
  /**
   * Whether threads of one team run a kernel together (`team.ts`), each a share of its loops. Native targets set it; kernels too small to be
   * divided are printed without.
   */
  readonly teams?: boolean
  /** Nanoseconds that a kernel must take for it to be divided. Default 1500; tests divide whatever there is. */
  readonly leastDivided?: number
  /** What operands of products and convolutions may be rounded to; sums are f32 in any case. Default: not at all. */
  readonly precision?: 'bf16'
  /** No algorithm that rounds intermediate results elsewhere than the definition does (Winograd's), even where it is faster. */
  readonly exact?: boolean
}

export type NarrowInteger = 'i8' | 'u8' | 'i16' | 'u16'

/** Rows and vectors of accumulators, and how many steps of the depth one pass of the loop over it holds. */
export interface RegisterTile {
  readonly rows: number
  readonly vectors: number
  readonly unroll: number
}

/** Instructions that compilers do not all find from plain C, as assembly text on operands %0 (result), %1 and %2. */
export interface Instructions {
  /** Register class of a vector. */
  readonly constraint: string
  readonly sqrt: string
  readonly floor: string
  readonly ceil: string
  /** To the nearest integer, ties to even. */
  readonly round: string
  /** The larger and the smaller of %1 and %2, and %2 where they are equal or one is NaN. */
  readonly maximum: string
  readonly minimum: string
  /** Whether `maximum` and `minimum` give NaN where either operand is NaN. */
  readonly propagates: boolean
}

const x86 = (constraint: string, round: string): Instructions => ({
  constraint,
  sqrt: 'vsqrtps %1, %0',
  floor: `${round} $9, %1, %0`,
  ceil: `${round} $10, %1, %0`,
  round: `${round} $8, %1, %0`,
  maximum: 'vmaxps %2, %1, %0',
  minimum: 'vminps %2, %1, %0',
  propagates: false,
})
const arm: Instructions = {
  constraint: 'w',
  sqrt: 'fsqrt %0.4s, %1.4s',
  floor: 'frintm %0.4s, %1.4s',
  ceil: 'frintp %0.4s, %1.4s',
  round: 'frintn %0.4s, %1.4s',
  maximum: 'fmax %0.4s, %1.4s, %2.4s',
  minimum: 'fmin %0.4s, %1.4s, %2.4s',
  propagates: true,
}

const x86Widen = (constraint: string): NonNullable<Level['widen']> => ({
  constraints: [`=${constraint}`, 'm'],
  i8: 'vpmovsxbd %1, %0',
  u8: 'vpmovzxbd %1, %0',
  i16: 'vpmovsxwd %1, %0',
  u16: 'vpmovzxwd %1, %0',
})
const armWiden: NonNullable<Level['widen']> = {
  constraints: ['=&w', 'Q'],
  i8: 'ldr %s0, %1\\n\\tsshll %0.8h, %0.8b, #0\\n\\tsshll %0.4s, %0.4h, #0',
  u8: 'ldr %s0, %1\\n\\tushll %0.8h, %0.8b, #0\\n\\tushll %0.4s, %0.4h, #0',
  i16: 'ldr %d0, %1\\n\\tsshll %0.4s, %0.4h, #0',
  u16: 'ldr %d0, %1\\n\\tushll %0.4s, %0.4h, #0',
}

const plain = 'c += (a) * (b)'
const fused = (constraint: string) =>
  `__asm__("vfmadd231ps %2, %1, %0" : "+${constraint}"(c) : "${constraint}"(a), "${constraint}"(b))`

const x86Pairs = `{ vi t_; __asm__("vpmaddwd %3, %2, %1\\n\\tvpaddd %1, %0, %0" : "+x"(c), "=&x"(t_) : "x"(a), "x"(b)); }`
const armPairs =
  '{ vi s_, t_; __asm__("smull %1.4s, %3.4h, %4.4h\\n\\tsmull2 %2.4s, %3.8h, %4.8h\\n\\taddp %1.4s, %1.4s, %2.4s\\n\\tadd %0.4s, %0.4s, %1.4s" : "+w"(c), "=&w"(s_), "=&w"(t_) : "w"(a), "w"(b)); }'

const x86Halves = (constraint: string) => `__asm__("vcvtph2ps %1, %0" : "=${constraint}"(y) : "m"(*(p)))`

/**
 * 128-bit WebAssembly vectors. V8 maps them to 16 registers, of which it keeps one for itself, and holds all operands of a step in registers
 * at once: 8 accumulators with 6 operands and a product are what fits.
 */
export const simd128: Level = {
  name: 'simd128',
  vectorBytes: 16,
  multiplyAdd: { clang: plain, gcc: plain },
  pairs: 'c += (vi)__builtin_wasm_dot_s_i32x4_i16x8((vs)(a), (vs)(b))',
  tile: { rows: 4, vectors: 2 },
  tiles: [
    { rows: 2, vectors: 4, unroll: 4 },
    { rows: 4, vectors: 2, unroll: 4 },
  ],
  registers: 15,
  widenNanoseconds: { bf16: 0.18, f16: 0.63 },
  pass: 8,
  fenced: true,
  blockBytes: 16384,
  multiplyAddsPerNanosecond: 24,
}

/** x86-64-v3: 256-bit vectors in 16 registers, fused multiply-add. 12 accumulators, 2 streamed vectors and 1 broadcast. */
export const x86v3: Level = {
  name: 'x86-64-v3',
  vectorBytes: 32,
  multiplyAdd: { clang: plain, gcc: fused('x') },
  pairs: x86Pairs,
  loadHalves: x86Halves('x'),
  tile: { rows: 6, vectors: 2 },
  tiles: [
    { rows: 4, vectors: 3, unroll: 4 },
    { rows: 6, vectors: 2, unroll: 4 },
  ],
  halves: true,
  registers: 16,
  pass: 24,
  blockBytes: 16384,
  multiplyAddsPerNanosecond: 52,
  instructions: x86('x', 'vroundps'),
  widen: x86Widen('x'),
  some: {
    load: `((vf)__builtin_ia32_maskloadps256((const vf *)(p), (vi){${[0, 1, 2, 3, 4, 5, 6, 7].map((lane) => `-((n) > ${lane})`).join(', ')}}))`,
    // A masked store is slow where its neighbours are not mapped, and on some processors everywhere.
    store: '({ const vf s_ = (v); __builtin_memcpy((p), &s_, 4 * (n)); })',
  },
}

/** x86-64-v4: 512-bit vectors in 32 registers. 24 accumulators, 3 streamed vectors and 1 broadcast. */
export const x86v4: Level = {
  name: 'x86-64-v4',
  vectorBytes: 64,
  multiplyAdd: {
    clang: plain,
    gcc: fused('v'),
    element: '__asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(b), "m"(a))',
    half: {
      statement: '__asm__("vfmadd231ps %t2, %t1, %t0" : "+v"(c) : "v"(a), "v"(b))',
      element: '__asm__("vfmadd231ps %2%{1to8%}, %t1, %t0" : "+v"(c) : "v"(b), "m"(a))',
    },
  },
  pairs: '__asm__("vpdpwssd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))',
  bf16Pairs: {
    multiplyAdd: '__asm__("vdpbf16ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))',
    round: '__asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(y) : "v"(a), "v"(b))',
  },
  loadHalves: x86Halves('v'),
  quads: '__asm__("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b))',
  tile: { rows: 8, vectors: 2 },
  tiles: [
    { rows: 8, vectors: 2, unroll: 2 },
    { rows: 8, vectors: 3, unroll: 2 },
  ],
  halves: true,
  registers: 32,
  pass: 32,
  blockBytes: 32768,
  multiplyAddsPerNanosecond: 52,
  instructions: x86('v', 'vrndscaleps'),
  widen: x86Widen('v'),
  some: {
    load: '((vf)__builtin_ia32_loadups512_mask((const f32 *)(p), (vf){0}, (1u << (n)) - 1))',
    store: '__builtin_ia32_storeups512_mask((f32 *)(p), (v), (1u << (n)) - 1)',
  },
}

/** AArch64: 128-bit vectors in 32 registers, fused multiply-add. */
export const neon: Level = {
  name: 'neon',
  vectorBytes: 16,
  multiplyAdd: { clang: plain, gcc: plain },
  pairs: armPairs,
  loadHalves: '__asm__("ldr %d0, %1\\n\\tfcvtl %0.4s, %0.4h" : "=w"(y) : "Q"(*(p)))',
  tile: { rows: 6, vectors: 4 },
  tiles: [
    { rows: 6, vectors: 4, unroll: 1 },
    { rows: 8, vectors: 3, unroll: 1 },
  ],
  registers: 32,
  pass: 24,
  blockBytes: 16384,
  multiplyAddsPerNanosecond: 24,
  instructions: arm,
  widen: armWiden,
}

/** What a build asks of a target beside its name. */
export interface TargetOptions {
  /**
   * Whether convolutions with a window of 3×3 may take fewer multiplications by Winograd's algorithm, whose sums round elsewhere: errors are
   * about ten times those of direct sums, at most some 1e-5 of the largest result. Default true.
   */
  readonly winograd?: boolean
  /**
   * `bf16`: operands of products and convolutions of f32 may be rounded to bf16, to the nearest, ties to even; 8 bits of fraction are left of
   * 24, and numbers below 1.2e-38 may count as 0. Sums, other operators and what goes in and out stay f32. Default `f32`.
   */
  readonly precision?: 'f32' | 'bf16'
  /** Whether native code tells when each step of a run ended, for traces. Default false. */
  readonly trace?: boolean
  /** What was measured to be the fastest, by section (`sectionOf`). Default: nothing was. */
  readonly tuned?: (section: string) => Chosen | undefined
}

/** The level as a build with these options sees it. */
export function levelWith(level: Level, { winograd = true, precision = 'f32', trace = false, tuned }: TargetOptions): Level {
  const asked: Level = {
    ...level,
    ...(!winograd && { exact: true }),
    ...(precision === 'bf16' && { precision }),
    ...(trace && { trace }),
  }
  const chosen = tuned?.(sectionOf(asked))
  return chosen ? { ...asked, chosen } : asked
}

/** What measurements of ways at a level hold for: its name, and whatever else decides which ways there are. */
export const sectionOf = ({ name, exact, precision }: Level): string =>
  [name, ...(exact ? ['exact'] : []), ...(precision ? [precision] : [])].join(' ')

/** Rows of the largest tile of so many vectors that fits the registers: accumulators, streamed vectors, and broadcasts: one, or all of a step. */
export const mostRows = (vectors: number, { registers, fenced }: Level): number =>
  Math.floor((registers - 1 - vectors) / (fenced ? vectors + 1 : vectors))

/** f32 elements of one vector. */
export const lanesOf = (level: Level): number => level.vectorBytes / 4

/**
 * What the kernel templates must know about the machine they print C for. A level fixes vector width and tile shapes, and with them the
 * layout of packed weights; every template takes it, none assumes a width.
 */
export interface Level {
  readonly name: string
  /** Bytes of one vector: 16, 32 or 64. */
  readonly vectorBytes: 16 | 32 | 64
  /** The statement that adds the product of `a` and `b` to the accumulator `c`: compilers differ in what they keep in registers. */
  readonly multiplyAdd: string
  /** Register tile of matrix-like kernels: broadcast rows × streamed vectors. rows · vectors accumulators stay in registers. */
  readonly tile: { readonly rows: number; readonly vectors: number }
  /** Bytes of a block of operands that should stay in the first-level cache while it is reused. */
  readonly blockBytes: number
}

/** 128-bit WebAssembly vectors. V8 maps them to 16 registers: 8 accumulators, 2 streamed vectors and 1 broadcast are what fits. */
export const simd128: Level = {
  name: 'simd128',
  vectorBytes: 16,
  multiplyAdd: 'c += (a) * (b)',
  tile: { rows: 4, vectors: 2 },
  blockBytes: 16384,
}

/** f32 elements of one vector. */
export const lanesOf = (level: Level): number => level.vectorBytes / 4

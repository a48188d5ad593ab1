import type { Helper } from './helper.ts'

/** A transform along one axis: what it computes first, and its results, of the variables d0, d1, …. */
export interface Transform {
  readonly from: number
  readonly first: readonly string[]
  readonly results: readonly string[]
}

const transforms: Readonly<Record<'in2' | 'in4' | 'out2' | 'out4', Transform>> = {
  in2: { from: 4, first: [], results: ['d0 - d2', 'd1 + d2', 'd2 - d1', 'd1 - d3'] },
  out2: { from: 4, first: [], results: ['d0 + d1 + d2', 'd1 - d2 - d3'] },
  in4: {
    from: 6,
    first: ['p = d4 - 4.0f * d2', 'q = d3 - 4.0f * d1', 'r = d4 - d2', 's = d3 - d1'],
    results: ['r + 4.0f * (d0 - d2)', 'p + q', 'p - q', 'r + 2.0f * s', 'r - 2.0f * s', 'd5 - d3 - 4.0f * s'],
  },
  out4: {
    from: 6,
    first: ['p = d1 + d2', 'q = d1 - d2', 'r = d3 + d4', 's = d3 - d4'],
    results: ['d0 + p + r', 'q + 2.0f * s', 'p + 4.0f * r', 'q + 8.0f * s + d5'],
  },
}

/** One application: loads the `from` elements and hands each result on. */
function apply(
  { from, first, results }: Transform,
  load: (i: number) => string,
  store: (i: number, value: string) => string,
  type: string,
) {
  const loads = Array.from({ length: from }, (_, i) => `d${i} = ${load(i)}`)
  return `const ${type} ${[...loads, ...first].join(', ')};\n    ${results.map((value, i) => store(i, value)).join(' ')}`
}

/**
 * A transform along both axes: `from` × `from` vectors to as many as there are results each way. With 32 registers what lies between
 * mostly stays in them (a third less time than through memory); with 16 it would be stored anyhow, and loops are less code.
 */
export function both(
  transform: Transform,
  load: (y: string, x: string) => string,
  store: (y: string, x: string, v: string) => string,
  type = 'vf',
): string {
  const { from, results } = transform
  const to = results.length
  const inner = (x: string, at: (y: number) => string, y: string, from: (x: number) => string) => ({
    column: apply(
      transform,
      (i) => load(String(i), x),
      (i, value) => `${at(i)} = ${value};`,
      type,
    ),
    row: apply(transform, from, (i, value) => store(y, String(i), value), type),
  })
  const indices = (length: number) => Array.from({ length }, (_, i) => i)
  const names = indices(to).flatMap((y) => indices(from).map((x) => `t${y}_${x}`))
  const columns = indices(from).map(
    (x) =>
      `  { ${
        inner(
          String(x),
          (y) => `t${y}_${x}`,
          '',
          () => '',
        ).column
      } }`,
  )
  const rows = indices(to).map(
    (y) =>
      `  { ${
        inner(
          '',
          () => '',
          String(y),
          (x) => `t${y}_${x}`,
        ).row
      } }`,
  )
  const looped = inner(
    'x',
    (y) => `t[${y * from} + x]`,
    'y',
    (x) => `t[y * ${from} + ${x}]`,
  )
  return `#if LANES == 16 || defined(__aarch64__)
  ${type} ${names.join(', ')};
${[...columns, ...rows].join('\n')}
#else
  ${type} t[${to * from}];
  for (long x = 0; x < ${from}; x++) { ${looped.column} }
  for (long y = 0; y < ${to}; y++) { ${looped.row} }
#endif`
}

const inputHelper = (size: 2 | 4): Helper => {
  const side = size + 2
  return {
    name: `gp_winograd_in${size}`,
    about: `BT d B of F(${size}x${size}, 3x3): vectors of a tile whose rows lie pitch apart, to one for each point, step apart`,
    text: `NOINLINE void gp_winograd_in${size}(const f32 *d, long pitch, f32 *to, long step) {
${both(
  transforms[`in${size}`],
  (y, x) => `LOAD(d + ${y} * pitch + ${x} * LANES)`,
  (y, x, v) => `STORE(to + (${y} * ${side} + ${x}) * step, ${v});`,
)}
}`,
  }
}

const outputHelper = (size: 2 | 4): Helper => {
  const side = size + 2
  return {
    name: `gp_winograd_out${size}`,
    about: `AT m A + bias of F(${size}x${size}, 3x3): vectors for each point, step apart, to the dense vectors of a tile`,
    text: `NOINLINE void gp_winograd_out${size}(const f32 *m, long step, vf bias, f32 *to) {
${both(
  transforms[`out${size}`],
  (y, x) => `LOAD(m + (${y} * ${side} + ${x}) * step)`,
  (y, x, v) => `STORE(to + (${y} * ${size} + ${x}) * LANES, ${v} + bias);`,
)}
}`,
  }
}

/** A tile of which parts lie outside of the image. */
const clippedHelper: Helper = {
  name: 'gp_winograd_clip',
  about: 'a tile of side x side vectors: rows x columns of the image, pitch and step apart, from top, left on, and 0 around them',
  text: `INLINE void gp_winograd_clip(f32 *to, long side, const f32 *from, long pitch, long step, long top, long left, long rows, long columns) {
  const vf zero = SPLAT(0.0f);
  for (long i = 0; i < side * side * LANES; i += LANES) STORE(to + i, zero);
  from += top * pitch + left * step;
  to += (top * side + left) * LANES;
  for (; rows > 0; rows--, to += side * LANES, from += pitch)
    for (long x = 0; x < columns; x++) STORE(to + x * LANES, LOAD(from + x * step));
}`,
}

/**
 * Winograd's transforms of tiles whose elements are vectors of channels. Errors of the whole convolution against sums in f64, measured over
 * 20 to 512 channels of normally distributed values at all levels of x86: F(4x4, 3x3) is off by at most 1.4e-5 of the largest output, its
 * root mean square by 1e-6 to 3e-6 of that of the outputs; F(2x2, 3x3) by 9e-7 and 2e-7 to 6e-7.
 */
export const winogradHelpers: readonly Helper[] = [
  inputHelper(2),
  inputHelper(4),
  outputHelper(2),
  outputHelper(4),
  clippedHelper,
]

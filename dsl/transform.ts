// How a discrete Fourier transform is computed: as products with constant matrices, of its length or of the factors of its length.
import { maximumValues } from './check.ts'
import { constant } from './constant.ts'
import { add, mod, mul, sub } from './elementwise.ts'
import { stack } from './join.ts'
import { gather, slice } from './parts.ts'
import { matmul } from './product.ts'
import { reshape, transpose } from './reshape.ts'
import type { Tensor } from './tensor.ts'

type Any = Tensor<any, any>

export interface Transform {
  readonly inverse: boolean
  /** How many of the first entries of the result are wanted. */
  readonly kept: number
  /** Whether the real part of the result is all that is wanted. */
  readonly real: boolean
}

/**
 * Lengths up to this are one product with a matrix. Behind it two factors are less work in less memory: of 100 real frames of 256 elements
 * 99 µs in place of 120, of 512 233 in place of 470, of 2048 1.7 ms in place of 20 (x86-64-v4, one thread).
 */
const directLength = 128
/** Elements of the matrices of two factors together; what would need more is transformed by one factor at a time. */
const tableElements = 1 << 19

/** `[rows, length, 1 or 2]` to `[rows, kept, 2]`, or `[rows, kept, 1]` where the real part is wanted; the inverse is divided by the length. */
export function transform(input: Any, how: Transform): Any {
  const [, length] = input.shape as readonly number[]
  const factor = factorOf(length!)
  if (length! <= directLength || factor === 1) return directly(input, how)
  return byFactors(input, how, factor)
}

/** The largest divisor of a length that is not above its root; 1 of a prime. */
function factorOf(length: number): number {
  for (let factor = Math.floor(Math.sqrt(length)); factor > 1; factor--) if (length % factor === 0) return factor
  return 1
}

/** e^(±2πi · turns / length), times a scale: real and imaginary part. */
const rotation = (turns: number, length: number, inverse: boolean, scale = 1): readonly [number, number] => {
  const angle = (2 * Math.PI * (turns % length)) / length
  return [scale * Math.cos(angle), scale * (inverse ? 1 : -1) * Math.sin(angle)]
}

/**
 * The real matrix by which interleaved real and imaginary parts are multiplied: from `rows` entries of `parts` to `columns` entries of
 * `outputs`, each by the complex number at row and column.
 */
function complexMatrix(
  rows: number,
  parts: number,
  columns: number,
  outputs: number,
  at: (row: number, column: number) => readonly [number, number],
): number[] {
  const values = new Array<number>(rows * parts * columns * outputs)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [re, im] = at(row, column)
      const entries = [
        [re, im],
        [-im, re],
      ]
      for (let part = 0; part < parts; part++)
        for (let output = 0; output < outputs; output++)
          values[((row * parts + part) * columns + column) * outputs + output] = entries[part]![output]!
    }
  }
  return values
}

function directly(input: Any, { inverse, kept, real }: Transform): Any {
  const [rows, length, parts] = input.shape as [number, number, number]
  const outputs = real ? 1 : 2
  const scale = inverse ? 1 / length : 1
  if (length * parts * kept * outputs > maximumValues) return byTable(input, { inverse, kept, real })
  const values = complexMatrix(length, parts, kept, outputs, (n, k) => rotation(n * k, length, inverse, scale))
  const matrix = constant(input.dtype, [length * parts, kept * outputs], values)
  return reshape(matmul(reshape(input, [rows, length * parts]) as Any, matrix) as Any, [rows, kept, outputs]) as Any
}

/** A long prime length: the matrix is picked from the table of all rotations when the model is built, or runs. */
function byTable(input: Any, { inverse, kept, real }: Transform): Any {
  const { dtype } = input
  const [rows, length, parts] = input.shape as [number, number, number]
  const scale = inverse ? 1 / length : 1
  const rotations = Array.from({ length }, (_, turns) => rotation(turns, length, inverse, scale))
  const ramp = (count: number, shape: [number, number]): Any =>
    constant(
      'i64',
      shape,
      Array.from({ length: count }, (_, i) => i),
    )
  const turns = mod(mul(ramp(length, [length, 1]), ramp(kept, [1, kept])) as Any, length) as Any
  const [re, im] = [0, 1].map((part) =>
    gather(
      constant(
        dtype,
        [length],
        rotations.map((one) => one[part]!),
      ),
      turns,
    ),
  ) as [Any, Any]
  const signals = Array.from({ length: parts }, (_, part) =>
    reshape(slice(input, { axis: 2, start: part, stop: part + 1 }) as Any, [rows, length]),
  ) as Any[]
  const [x, y] = signals as [Any, Any | undefined]
  const realPart = y ? sub(matmul(x, re) as Any, matmul(y, im) as Any) : matmul(x, re)
  if (real) return reshape(realPart as Any, [rows, kept, 1]) as Any
  const imaginary = y ? add(matmul(x, im) as Any, matmul(y, re) as Any) : matmul(x, im)
  return stack([realPart as Any, imaginary as Any], { axis: 2 }) as Any
}

/**
 * A length n of two factors a · b (Cooley and Tukey): with n = b · p + q and k = r + a · s, entry k is the sum over q of
 * e^(2πi · q · r / n) · e^(2πi · q · s / b) times entry r of the transform by a of every b-th element from q on. Where the matrices by which
 * all of that is summed, one for each r, are small, they are the second factor; else it is turned and transformed in turn.
 */
function byFactors(input: Any, { inverse, kept, real }: Transform, a: number): Any {
  const { dtype } = input
  const [rows, length, parts] = input.shape as [number, number, number]
  const b = length / a
  const outputs = real ? 1 : 2
  // Entries 0 to kept − 1 have an s below this.
  const columns = Math.min(b, Math.ceil(kept / a))
  const scale = inverse ? 1 / a : 1
  const first = constant(
    dtype,
    [a * parts, a * 2],
    complexMatrix(a, parts, a, 2, (p, r) => rotation(p * r, a, inverse, scale)),
  )
  const apart = transpose(reshape(input, [rows, a, b, parts]) as Any, [0, 2, 1, 3]) as Any
  const inner = reshape(matmul(reshape(apart, [rows * b, a * parts]) as Any, first) as Any, [rows, b, a, 2]) as Any
  let result: Any
  if (length * 2 * columns * outputs <= tableElements) {
    const matrices = Array.from({ length: a }, (_, r) =>
      complexMatrix(b, 2, columns, outputs, (q, s) => rotation(q * (r + a * s), length, inverse, inverse ? 1 / b : 1)),
    )
    const second = constant(dtype, [a, b * 2, columns * outputs], matrices.flat())
    const grouped = reshape(transpose(inner, [2, 0, 1, 3]) as Any, [a, rows, b * 2]) as Any
    result = transpose(reshape(matmul(grouped, second) as Any, [a, rows, columns, outputs]) as Any, [1, 2, 0, 3]) as Any
  } else {
    const turns = Array.from({ length: b * a }, (_, i) => rotation(Math.floor(i / a) * (i % a), length, inverse))
    const own = constant(
      dtype,
      [b, a, 1],
      turns.map(([re]) => re),
    )
    const other = constant(
      dtype,
      [b, a, 2],
      turns.flatMap(([, im]) => [-im, im]),
    )
    const exchanged = slice(inner, { axis: 3, step: -1 }) as Any
    const turned = add(mul(inner, own) as Any, mul(exchanged, other) as Any) as Any
    const grouped = reshape(transpose(turned, [0, 2, 1, 3]) as Any, [rows * a, b, 2]) as Any
    const outer = reshape(transform(grouped, { inverse, kept: columns, real }), [rows, a, columns, outputs]) as Any
    result = transpose(outer, [0, 2, 1, 3]) as Any
  }
  const whole = reshape(result, [rows, columns * a, outputs]) as Any
  return columns * a === kept ? whole : (slice(whole, { axis: 1, stop: kept }) as Any)
}

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { dft, type FourierOptions, stft } from '../../dsl/index.ts'
import { assertNear, at, build, type Dense, noise, run } from './run.ts'

const rotated = (turns: number, length: number) => {
  const angle = (2 * Math.PI * (turns % length)) / length
  return [Math.cos(angle), Math.sin(angle)] as const
}

/** The sum that defines the transform, along axis 1 of `[rows, length, parts]`. */
function naive(x: Dense, length: number, { inverse = false, onesided = false }: FourierOptions): Dense {
  const [rows, extent, parts] = x.shape as [number, number, number]
  const toReal = inverse && onesided
  const value = (row: number, n: number): [number, number] => {
    if (toReal && n > length / 2) {
      const [re, im] = value(row, length - n)
      return [re, -im]
    }
    return n < extent ? [at(x)(row, n, 0), parts === 2 ? at(x)(row, n, 1) : 0] : [0, 0]
  }
  const kept = onesided && !inverse ? Math.floor(length / 2) + 1 : length
  return build([rows, kept, toReal ? 1 : 2], (row, k, part) => {
    let sum = 0
    for (let n = 0; n < length; n++) {
      const [re, im] = value(row, n)
      const [cos, sin] = rotated(n * k, length)
      const i = inverse ? sin : -sin
      sum += part === 0 ? re * cos - im * i : re * i + im * cos
    }
    return inverse ? sum / length : sum
  })
}

// Short ones and primes are one matrix; others have two factors, three, or a prime one that needs a table.
const lengths = [1, 2, 3, 8, 60, 127, 128, 130, 131, 144, 262, 521]
for (const length of lengths) {
  test(`transforms of ${length} elements are the sums that define them`, () => {
    for (const parts of [1, 2]) {
      const x = noise([length > 200 ? 1 : 2, length, parts], length + parts)
      for (const options of [{}, { inverse: true }, ...(parts === 1 ? [{ onesided: true }] : [])]) {
        const { y } = run({ x }, ({ x }) => ({ y: dft(x!, options) }))
        assertNear(y!, naive(x, length, options), `${length} ${parts} ${JSON.stringify(options)}`, 1e-10)
      }
    }
    if (length < 2) return
    const half = noise([1, Math.floor(length / 2) + 1, 2], length)
    const { y } = run({ half }, ({ half }) => ({ y: dft(half!, { inverse: true, onesided: true, length }) }))
    assertNear(y!, naive(half, length, { inverse: true, onesided: true }), `${length} to real`, 1e-10)
  })
}

test('a long length is transformed by one factor after the other', () => {
  // Σ over a few frequencies: the transform of waves is known.
  const length = 16384
  const waves = [3, 1000, 8191]
  const x = build([1, length, 1], (_, n) => waves.reduce((sum, k) => sum + 2 * rotated(n * k, length)[0], 0))
  const { y, z } = run({ x }, ({ x }) => {
    const spectrum = dft(x!, { onesided: true })
    return { y: spectrum, z: dft(spectrum, { inverse: true, onesided: true }) }
  })
  assertNear(
    y!,
    build([1, length / 2 + 1, 2], (_, k, part) => (part === 0 && waves.includes(k) ? length : 0)),
    'waves',
    1e-7,
  )
  assertNear(z!, x, 'back', 1e-10)
})

test('any axis, signals cut and filled', () => {
  const x = noise([3, 10, 2, 1], 5)
  const moved = (axis: number, length: number) => {
    const others = [0, 1, 2].filter((i) => i !== axis)
    const rows = others.map((i) => x.shape[i]!)
    const place = (row: number, n: number) => {
      const position = [0, 0, 0, 0]
      position[others[0]!] = Math.floor(row / rows[1]!)
      position[others[1]!] = row % rows[1]!
      position[axis] = n
      return position
    }
    const flat = build([rows[0]! * rows[1]!, Math.min(length, x.shape[axis]!), 1], (row, n) => at(x)(...place(row, n)))
    const spectrum = naive(flat, length, {})
    const shape = x.shape.map((extent, i) => (i === axis ? length : i === 3 ? 2 : extent))
    return build(shape, (...p) => at(spectrum)(p[others[0]!]! * rows[1]! + p[others[1]!]!, p[axis]!, p[3]!))
  }
  for (const [axis, length] of [
    [0, 3],
    [1, 7],
    [-3, 16],
    [2, 2],
  ] as const) {
    const { y } = run({ x }, ({ x }) => ({ y: dft(x!, { axis, length }) }))
    assertNear(y!, moved((axis + 4) % 4, length), `axis ${axis}, length ${length}`)
  }
})

test('narrow floats are computed in f32 and rounded once', () => {
  const x = { shape: [1, 8, 1], values: [1, 0, 0, 0, 0, 0, 0, 0] }
  const { y } = run({ x }, ({ x }) => ({ y: dft(x!) }), 'f16')
  assert.is(y!.dtype, 'f16')
  assert.equal(y!.values, new Array(8).fill([1, 0]).flat())
})

test('frames of a signal, with and without window', () => {
  for (const [samples, length, step] of [
    [64, 16, 8],
    [64, 16, 16],
    [50, 12, 5],
    [20, 20, 3],
    [40, 9, 4],
  ] as const) {
    const [x, w] = [noise([2, samples, 1], samples), noise([length], 3)]
    const count = Math.floor((samples - length) / step) + 1
    const { y, z } = run({ x, w }, ({ x, w }) => ({
      y: stft(x!, { step, window: w! }),
      z: stft(x!, { step, length, onesided: false }),
    }))
    const framed = (window: (n: number) => number) =>
      build([2 * count, length, 1], (row, n) => at(x)(Math.floor(row / count), (row % count) * step + n, 0) * window(n))
    const [weighted, plain] = [
      naive(
        framed((n) => w.values[n]!),
        length,
        { onesided: true },
      ),
      naive(
        framed(() => 1),
        length,
        {},
      ),
    ]
    assertNear(y!, { ...weighted, shape: [2, count, Math.floor(length / 2) + 1, 2] }, `${samples} ${length} ${step}`)
    assertNear(z!, { ...plain, shape: [2, count, length, 2] }, `${samples} ${length} ${step} whole`)
  }
})

test.run()

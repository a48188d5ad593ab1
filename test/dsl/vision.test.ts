import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  affineGrid,
  blackmanWindow,
  channelShuffle,
  deformConv2d,
  determinant,
  fold,
  gridSample,
  hammingWindow,
  hannWindow,
  maxRoiPool,
  maxUnpool,
  melWeights,
  mul,
  roiAlign,
  type Tensor,
} from '../../dsl/index.ts'
import { EvaluationFault } from '../../targets/interpreter/fault.ts'
import { assertNear, at, build, type Dense, noise, run } from './run.ts'

/** Linear interpolation between elements, zeros outside. */
function linear(x: Dense, n: number, c: number, y: number, u: number): number {
  const [, , height, width] = x.shape as [number, number, number, number]
  const pixel = (row: number, column: number) =>
    row < 0 || row >= height || column < 0 || column >= width ? 0 : at(x)(n, c, row, column)
  const [top, left] = [Math.floor(y), Math.floor(u)]
  const [v, w] = [y - top, u - left]
  return (
    (1 - v) * ((1 - w) * pixel(top, left) + w * pixel(top, left + 1)) +
    v * ((1 - w) * pixel(top + 1, left) + w * pixel(top + 1, left + 1))
  )
}

test('OP gridSample of the grid of an identity is the image itself', () => {
  const x = noise([2, 3, 4, 5], 1)
  const theta = { shape: [2, 2, 3], values: [1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0] }
  for (const coordinates of ['edges', 'corners'] as const)
    for (const mode of ['nearest', 'linear', 'cubic'] as const) {
      const { y } = run({ x, theta }, (v) => ({
        y: gridSample(v.x!, affineGrid(v.theta!, [4, 5], { coordinates }), { mode, coordinates, padding: 'border' }),
      }))
      assertNear(y!, x, `${mode} ${coordinates}`)
    }
})

test('affineGrid places elements from edge to edge, or from centre to centre', () => {
  const theta = noise([1, 3, 4], 3)
  for (const coordinates of ['edges', 'corners'] as const) {
    const size = [2, 3, 4] as const
    const { y } = run({ theta }, (v) => ({ y: affineGrid(v.theta!, [...size], { coordinates }) }))
    const line = (i: number, extent: number) =>
      coordinates === 'corners' ? (2 * i) / (extent - 1) - 1 : (2 * i + 1) / extent - 1
    const expected = build([1, ...size, 3], (_, k, j, i, d) => {
      const place = [line(i!, 4), line(j!, 3), line(k!, 2), 1]
      return place.reduce((sum, value, axis) => sum + value * at(theta)(0, d!, axis), 0)
    })
    assertNear(y!, expected, coordinates)
  }
})

test('deformConv2d reads each element under the kernel at its own place', () => {
  for (const [groups, parts, stride, dilation, padding, masked] of [
    [1, 1, 1, 1, 0, false],
    [2, 2, 2, 1, 1, true],
    [1, 4, 1, 2, 2, true],
  ] as const) {
    const [batch, channels, out, height, width] = [2, 4, 6, 5, 6]
    const x = noise([batch, channels, height, width], 1)
    const weight = noise([out, channels / groups, 3, 2], 2)
    const extent = (size: number, kernel: number) => Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1
    const [rows, columns] = [extent(height, 3), extent(width, 2)]
    const offset = noise([batch, 2 * parts * 6, rows, columns], 3)
    const mask = noise([batch, parts * 6, rows, columns], 4)
    const bias = noise([out], 5)
    const { y } = run({ x, weight, offset, mask, bias }, (v) => ({
      y: deformConv2d(v.x!, v.weight!, v.offset!, v.bias!, {
        groups,
        offsetGroups: parts,
        stride,
        dilation,
        padding,
        ...(masked && { mask: v.mask! }),
      }),
    }))
    const expected = build([batch, out, rows, columns], (n, o, i, j) => {
      let sum = at(bias)(o!)
      for (let c = 0; c < channels / groups; c++) {
        const channel = Math.floor((o! * groups) / out) * (channels / groups) + c
        const part = Math.floor((channel * parts) / channels)
        for (let k = 0; k < 6; k++) {
          const shift = (axis: number) => at(offset)(n!, (part * 6 + k) * 2 + axis, i!, j!)
          const y = i! * stride - padding + Math.floor(k / 2) * dilation + shift(0)
          const u = j! * stride - padding + (k % 2) * dilation + shift(1)
          const factor = masked ? at(mask)(n!, part * 6 + k, i!, j!) : 1
          sum += at(weight)(o!, c, Math.floor(k / 2), k % 2) * factor * linear(x, n!, channel, y, u)
        }
      }
      return sum
    })
    assertNear(y!, expected, `${groups} ${parts} ${stride} ${dilation} ${padding}`)
  }
})

/** RoiAlign as torchvision has it: samples of a cell, each clamped to the image by up to one element. */
function aligned(
  x: Dense,
  rois: Dense,
  images: readonly number[],
  size: readonly [number, number],
  scale: number,
  samples: number,
  half: boolean,
): Dense {
  const [, channels, height, width] = x.shape as [number, number, number, number]
  return build([images.length, channels, ...size], (r, c, i, j) => {
    const edge = (k: number) => at(rois)(r!, k) * scale - (half ? 0.5 : 0)
    const length = (a: number, b: number) => (half ? b - a : Math.max(b - a, 1))
    const [h, w] = [length(edge(1), edge(3)) / size[0], length(edge(0), edge(2)) / size[1]]
    const [rows, columns] = [samples || Math.ceil(h), samples || Math.ceil(w)]
    let sum = 0
    for (let a = 0; a < rows; a++)
      for (let b = 0; b < columns; b++) {
        const y = edge(1) + i! * h + ((a + 0.5) * h) / rows
        const u = edge(0) + j! * w + ((b + 0.5) * w) / columns
        if (y < -1 || y > height || u < -1 || u > width) continue
        const within = (place: number, extent: number) => Math.min(Math.max(place, 0), extent - 1)
        sum += linear(x, images[r!]!, c!, within(y, height), within(u, width))
      }
    return sum / Math.max(rows * columns, 1)
  })
}

const regions = build(
  [6, 4],
  (r, k) =>
    [
      [0.3, 1.1, 6.2, 5.9],
      [-4, -3, 2.5, 3.1],
      [2.2, 2.4, 2.3, 2.6],
      [5, 4, 30, 20],
      [3, 3, 1, 2],
      [-1000000, -1000000, 1000000, 1000000],
    ][r!]![k!]!,
)

test('roiAlign averages samples of each cell, as many as asked or as the cell has elements', () => {
  const x = noise([3, 2, 6, 7], 1)
  const images = [0, 2, 1, 1, 0, 2]
  for (const samples of [0, 1, 3])
    for (const half of [true, false])
      for (const scale of [1, 0.5]) {
        const r = { shape: [images.length, 4], values: regions.values }
        const { y } = run({ x, r, 'i:i64': { shape: [images.length], values: images } }, (v) => ({
          y: roiAlign(v.x!, v.r!, v.i!, [2, 3], { scale, samples, aligned: half }),
        }))
        // Of the enormous region all samples but a few are far outside.
        const few = { ...y!, shape: [5, 2, 2, 3], values: y!.values.slice(0, 60) }
        assertNear(few, aligned(x, r, images.slice(0, 5), [2, 3], scale, samples, half), `${samples} ${half} ${scale}`)
        assert.ok(y!.values.slice(60).every((value) => Math.abs(value) < 1e-6))
      }
})

test('roiAlign and maxRoiPool survive any corners, and refuse an image that is not there', () => {
  const x = noise([1, 1, 3, 3], 1)
  const wild = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30, -1e30, 0, 1]
  const corners = wild.flatMap((a) => wild.map((b) => [a, b, b, a])).flat()
  const r = { shape: [corners.length / 4, 4], values: corners }
  const given = (image: number) => ({
    x,
    r,
    'i:i32': { shape: [r.shape[0]!], values: r.values.slice(0, r.shape[0]).map(() => image) },
  })
  const pools = (v: Record<string, Tensor<any, any>>) => ({
    a: roiAlign(v.x!, v.r!, v.i!, 2),
    b: roiAlign(v.x!, v.r!, v.i!, 2, { mode: 'max', samples: 2 }),
    c: maxRoiPool(v.x!, v.r!, v.i!, 2),
  })
  assert.is(run(given(0), pools, 'f32').a!.values.length, r.shape[0]! * 4)
  for (const image of [1, -1])
    assert.throws(
      () => run(given(image), pools),
      (error: unknown) => error instanceof EvaluationFault,
    )
})

test('maxRoiPool takes the largest of all elements of a cell', () => {
  const x = build([1, 1, 4, 4], (_, __, i, j) => 4 * i! + j!)
  const r = { shape: [2, 4], values: [0.4, 0.4, 2.6, 3.4, 9, 9, 12, 12] }
  const { y } = run({ x, r, 'i:i32': { shape: [2], values: [0, 0] } }, (v) => ({ y: maxRoiPool(v.x!, v.r!, v.i!, 2) }))
  assert.equal(y!.values, [5, 7, 13, 15, 0, 0, 0, 0])
})

test('maxUnpool puts elements at their places in the whole result', () => {
  const x = { shape: [1, 2, 1, 2], values: [1, 2, 3, 4] }
  for (const index of ['i32', 'i64'] as const) {
    const given = { x, [`i:${index}`]: { shape: x.shape, values: [1, 2, 7, 4] } }
    const { y } = run(given, (v) => ({ y: maxUnpool(v.x!, v.i!, [1, 2, 2, 2]) }))
    assert.equal(
      [y!.shape, y!.values],
      [
        [1, 2, 2, 2],
        [0, 1, 2, 0, 4, 0, 0, 3],
      ],
    )
  }
})

test('fold adds blocks up where they overlap', () => {
  for (const [size, block, stride, before, after, dilation] of [
    [[5], [3], [1], [0], [0], [1]],
    [
      [4, 5],
      [2, 3],
      [2, 1],
      [1, 0],
      [1, 1],
      [1, 2],
    ],
    [
      [3, 2, 4],
      [2, 1, 2],
      [1, 1, 2],
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 1],
    ],
  ] as const) {
    const counts = size.map(
      (extent, i) => Math.floor((extent + before[i]! + after[i]! - dilation[i]! * (block[i]! - 1) - 1) / stride[i]!) + 1,
    )
    const count = (list: readonly number[]) => list.reduce((a, b) => a * b, 1)
    const x = noise([2, 3 * count(block), count(counts)], 1)
    const { y } = run({ x }, (v) => ({
      y: fold(v.x!, size, block, { stride, dilation, padding: { before, after } }),
    }))
    const expected = build([2, 3, ...size], () => 0)
    const values = [...expected.values]
    const unpack = (index: number, list: readonly number[]) =>
      list.map((extent, i) => Math.floor(index / count(list.slice(i + 1))) % extent)
    for (let n = 0; n < 6; n++)
      for (let k = 0; k < count(block); k++)
        for (let l = 0; l < count(counts); l++) {
          const [element, start] = [unpack(k, block), unpack(l, counts)]
          const place = element.map((e, i) => start[i]! * stride[i]! + e * dilation[i]! - before[i]!)
          if (place.some((p, i) => p < 0 || p >= size[i]!)) continue
          values[place.reduce((index, p, i) => index * size[i]! + p, n)]! += at(x)(
            Math.floor(n / 3),
            (n % 3) * count(block) + k,
            l,
          )
        }
    assertNear(y!, { shape: expected.shape, values }, `${size}`)
  }
})

/** By the permutations of columns. */
function leibniz(matrix: readonly (readonly number[])[]): number {
  if (matrix.length === 0) return 1
  return matrix[0]!.reduce((sum, value, j) => {
    const minor = matrix.slice(1).map((row) => row.filter((_, k) => k !== j))
    return sum + (j % 2 === 0 ? 1 : -1) * value * leibniz(minor)
  }, 0)
}

test('determinants, of matrices that need their rows exchanged too', () => {
  for (const n of [1, 2, 3, 5, 7]) {
    const x = noise([3, n, n], n)
    const swapped = { ...x, values: x.values.map((value, i) => (i % (n * n) === 0 && n > 1 ? 0 : value)) }
    for (const given of [x, swapped]) {
      const { y } = run({ given }, (v) => ({ y: determinant(v.given!) }))
      const rows = (b: number) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (__, j) => at(given)(b, i, j)))
      assertNear(
        y!,
        build([3], (b) => leibniz(rows(b!))),
        `${n} rows`,
        1e-10,
      )
    }
  }
  const singular = { shape: [3, 3], values: [1, 2, 3, 2, 4, 6, 0, 1, 5] }
  const zeros = { shape: [3, 3], values: new Array(9).fill(0) }
  const { a, b } = run({ singular, zeros }, (v) => ({ a: determinant(v.singular!), b: determinant(v.zeros!) }))
  assert.equal([a!.values, b!.values], [[0], [0]])
})

test('channelShuffle deals channels out', () => {
  const x = build([1, 6, 2], (_, c, i) => 10 * c! + i!)
  const { y } = run({ x }, (v) => ({ y: channelShuffle(v.x!, 2) }))
  assert.equal(y!.values, [0, 1, 30, 31, 10, 11, 40, 41, 20, 21, 50, 51])
})

test('windows of signals and mel filters', () => {
  // numpy.hanning(5), numpy.hamming(5), numpy.blackman(5); scipy.signal.get_window('hann', 4).
  const ones = { shape: [5], values: [1, 1, 1, 1, 1] }
  const { hann, hamming, blackman, periodic } = run({ ones, four: { shape: [4], values: [1, 1, 1, 1] } }, (v) => ({
    hann: mul(v.ones!, hannWindow(5, { periodic: false, dtype: 'f64' })),
    hamming: mul(v.ones!, hammingWindow(5, { periodic: false, alpha: 0.54, dtype: 'f64' })),
    blackman: mul(v.ones!, blackmanWindow(5, { periodic: false, dtype: 'f64' })),
    periodic: mul(v.four!, hannWindow(4, { dtype: 'f64' })),
  }))
  assertNear(hann!, { shape: [5], values: [0, 0.5, 1, 0.5, 0] }, 'hann')
  assertNear(hamming!, { shape: [5], values: [0.08, 0.54, 1, 0.54, 0.08] }, 'hamming')
  assertNear(blackman!, { shape: [5], values: [0, 0.34, 1, 0.34, 0] }, 'blackman')
  assertNear(periodic!, { shape: [4], values: [0, 0.5, 1, 0.5] }, 'periodic')
  // onnx.reference: MelWeightMatrix of 8 bins, length 16, 8192 samples, 0 to 4096 Hz.
  const { mel } = run({ x: { shape: [9, 8], values: new Array(72).fill(1) } }, (v) => ({
    mel: mul(v.x!, melWeights({ bins: 8, length: 16, sampleRate: 8192, dtype: 'f64' })),
  }))
  const rows = [
    [1, 1, 0, 0, 0, 0, 0, 0],
    [0, 0, 1, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 0, 1],
    ...[0, 0, 0].map(() => new Array<number>(8).fill(0)),
  ]
  assertNear(mel!, { shape: [9, 8], values: rows.flat() }, 'mel')
})

test.run()

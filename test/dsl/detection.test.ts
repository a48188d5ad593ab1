import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { audioSpectrogram, collectProposals, decodeBoxes, detectBoxes, mfcc } from '../../dsl/index.ts'
import { assertNear, at, build, noise, run } from './run.ts'

test('decodeBoxes moves centres and stretches sizes', () => {
  const boxes = { shape: [2, 4], values: [0, 0, 10, 20, 5, 5, 8, 9] }
  const deltas = noise([2, 8], 3)
  const wide = { ...deltas, values: deltas.values.map((value, i) => (i === 2 ? 100 : value)) }
  for (const extra of [0, 1]) {
    const weights = [10, 5, 2, 1] as const
    const { y } = run({ boxes, wide }, (v) => ({ y: decodeBoxes(v.boxes!, v.wide!, { weights, inclusive: extra === 1 }) }))
    const expected = build([2, 8], (n, k) => {
      const [axis, side, c] = [k! % 2, Math.floor((k! % 4) / 2), Math.floor(k! / 4)]
      const delta = (i: number) => at(wide)(n!, 4 * c + i) / weights[i]!
      const size = at(boxes)(n!, axis + 2) - at(boxes)(n!, axis) + extra
      const centre = at(boxes)(n!, axis) + size / 2 + delta(axis) * size
      const half = (Math.exp(Math.min(delta(axis + 2), Math.log(1000 / 16))) * size) / 2
      return side === 0 ? centre - half : centre + half - extra
    })
    assertNear(y!, expected, `inclusive ${extra}`)
  }
})

test('collectProposals takes the best of all levels', () => {
  const level = (from: number, count: number) => build([count, 4], (n, k) => 10 * (from + n!) + k!)
  const given = {
    a: level(0, 3),
    b: level(3, 2),
    s: { shape: [3], values: [0.5, 0.1, 0.9] },
    t: { shape: [2, 1], values: [0.7, 0.2] },
  }
  const { boxes, scores } = run(given, (v) => ({ ...collectProposals([v.a!, v.b!], [v.s!, v.t!], 3) }))
  assert.equal(scores!.values, [0.9, 0.7, 0.5])
  assert.equal(boxes!.values, [20, 21, 22, 23, 30, 31, 32, 33, 0, 1, 2, 3])
})

test('detectBoxes decodes, chooses classes, and leaves out what overlaps', () => {
  const anchors = { shape: [4, 4], values: [5, 5, 10, 10, 5, 6, 10, 10, 25, 25, 10, 10, 40, 40, 10, 10] }
  const encodings = { shape: [1, 4, 4], values: [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, Math.log(2) * 5, 0, 0, 0, 0] }
  const scores = { shape: [1, 4, 3], values: [0.9, 0.6, 0.2, 0.9, 0.1, 0.5, 0.1, 0.3, 0.8, 0.9, 0.05, 0.01] }
  const y = run({ 'anchors:f32': anchors, 'encodings:f32': encodings, 'scores:f32': scores }, (v) => ({
    ...detectBoxes(v.encodings!, v.scores!, v.anchors!, { limit: 3, scales: [10, 10, 5, 5], scoreThreshold: 0.08 }),
  }))
  assert.equal(y.count!.values, [2])
  assert.equal(y.classes!.values, [1, 0, 0])
  assertNear(y.scores!, { shape: [1, 3], values: [0.8, 0.6, 0].map(Math.fround) }, 'scores')
  // The third anchor, moved by a tenth and two tenths of its size and twice as wide; the first; nothing.
  assertNear(y.boxes!, { shape: [1, 3, 4], values: [21, 17, 31, 37, 0, 0, 10, 10, 0, 0, 0, 0] }, 'boxes', 1e-5)
})

test('audioSpectrogram is the magnitude of each frame under a Hann window, to the next power of two', () => {
  const x = noise([50], 2)
  const { y, z } = run({ x }, (v) => ({
    y: audioSpectrogram(v.x!, { size: 12, step: 7, squared: true }),
    z: audioSpectrogram(v.x!, { size: 12, step: 7 }),
  }))
  const expected = build([6, 9], (frame, k) => {
    let [re, im] = [0, 0]
    for (let n = 0; n < 12; n++) {
      const value = x.values[frame! * 7 + n]! * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / 12))
      re += value * Math.cos((2 * Math.PI * n * k!) / 16)
      im += value * Math.sin((2 * Math.PI * n * k!) / 16)
    }
    return re * re + im * im
  })
  assertNear(y!, expected, 'squared')
  assertNear(z!, { ...expected, values: expected.values.map(Math.sqrt) }, 'magnitudes')
})

test('mfcc shares entries between mel filters, and transforms their logarithms', () => {
  const [entries, filters, coefficients, rate, lower, upper] = [33, 8, 5, 8000, 100, 3800]
  const x = build([2, entries], (n, i) => ((7 * n! + 3 * i!) % 11) + 0.5)
  const { y } = run({ x }, (v) => ({ y: mfcc(v.x!, { sampleRate: rate, lower, upper, filters, coefficients }) }))
  const mel = (hertz: number) => 1127 * Math.log(1 + hertz / 700)
  const centre = (i: number) => mel(lower) + ((mel(upper) - mel(lower)) * (i + 1)) / (filters + 1)
  const energies = build([2, filters], (n, c) => {
    let sum = 0
    for (let i = 0; i < entries; i++) {
      const hertz = (i * rate) / 2 / (entries - 1)
      if (i < Math.floor(1.5 + lower / (rate / 2 / (entries - 1))) || hertz > upper) continue
      const [place, before, own, behind] = [mel(hertz), c === 0 ? mel(lower) : centre(c! - 1), centre(c!), centre(c! + 1)]
      const rising = (place - before) / (own - before)
      const falling = (behind - place) / (behind - own)
      sum += Math.max(0, Math.min(rising, falling)) * Math.sqrt(at(x)(n!, i))
    }
    return Math.log(Math.max(sum, 1e-12))
  })
  const expected = build([2, coefficients], (n, i) => {
    let sum = 0
    for (let j = 0; j < filters; j++) sum += at(energies)(n!, j) * Math.cos((Math.PI / filters) * i! * (j + 0.5))
    return sum * Math.sqrt(2 / filters)
  })
  assertNear(y!, expected, 'coefficients')
})

test.run()

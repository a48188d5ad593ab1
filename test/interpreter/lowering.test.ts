// Composites against closed forms written here from the ops' own definitions, in f64, where bounds can be tight.
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { erf } from '../../targets/interpreter/math.ts'
import { assertClose } from '../support/compare.ts'
import { draw } from '../support/draw.ts'
import { apply, tensor } from './apply.ts'
import { positions, reader } from './naive.ts'

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
const fill = (shape: readonly number[], seed: number) =>
  Array.from({ length: product(shape) }, (_, i) => 3 * Math.sin(i * 12.9898 + seed))
const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0)
const f64 = (shape: readonly number[]) => ({ dtype: 'f64' as const, shape })
const tight = { rtol: 1e-12, atol: 1e-13 }
const shapes = (minimum: number, maximum: number, largest = 5) =>
  fc.array(fc.integer({ min: 1, max: largest }), { minLength: minimum, maxLength: maximum })

const samples = [-30, -6, -3.5, -3, -1, -0.4, -1e-3, 0, 1e-3, 0.4, 1, 3, 3.5, 6, 30]
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

/** Op, attributes, the function from its definition. */
const activations: readonly (readonly [string, Record<string, unknown>, (x: number) => number])[] = [
  ['relu', {}, (x) => (x > 0 ? x : 0)],
  ['leakyRelu', {}, (x) => (x > 0 ? x : 0.01 * x)],
  ['leakyRelu', { slope: 2 }, (x) => (x > 0 ? x : 2 * x)],
  ['elu', { alpha: 1.5 }, (x) => (x > 0 ? x : 1.5 * Math.expm1(x))],
  ['selu', {}, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))],
  ['softplus', {}, (x) => (x > 30 ? x : Math.log1p(Math.exp(x)))],
  ['softsign', {}, (x) => x / (1 + Math.abs(x))],
  ['silu', {}, (x) => x * sigmoid(x)],
  ['mish', {}, (x) => x * Math.tanh(Math.log1p(Math.exp(x)))],
  ['hardSigmoid', {}, (x) => Math.max(0, Math.min(1, x / 6 + 0.5))],
  ['hardSigmoid', { slope: 0.2, offset: 0.4 }, (x) => Math.max(0, Math.min(1, 0.2 * x + 0.4))],
  ['hardSwish', {}, (x) => (x <= -3 ? 0 : x >= 3 ? x : (x * (x + 3)) / 6)],
  ['gelu', {}, (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))],
  ['gelu', { approximate: 'tanh' }, (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
  ['clamp', { minimum: -1, maximum: 3 }, (x) => Math.max(-1, Math.min(3, x))],
  ['reciprocal', {}, (x) => 1 / x],
]

test('activations follow their definitions', () => {
  for (const [op, attributes, expected] of activations) {
    const x = tensor('f64', [samples.length], samples)
    assertClose(
      apply(op, [x], attributes).bytes,
      samples.map(expected),
      x.type,
      { rtol: 1e-12, atol: 1e-14 },
      `${op} ${JSON.stringify(attributes)}`,
    )
    // In the narrower floats the definition is met to two units in the last place of 1 or of the result, whichever is larger.
    for (const [dtype, unit] of [
      ['f32', 2 ** -22],
      ['f16', 2 ** -10],
      ['bf16', 2 ** -7],
    ] as const) {
      const narrow = tensor(dtype, [samples.length], samples)
      const given = apply('cast', [narrow], { dtype: 'f64' }).values as number[]
      assertClose(
        apply(op, [narrow], attributes).bytes,
        given.map(expected),
        narrow.type,
        { rtol: unit, atol: 2 * unit },
        `${dtype} ${op}`,
      )
    }
  }
})

test('published values of gelu, selu, mish, softplus', () => {
  // torch.nn.functional at 1 and −1.
  const at = (op: string, attributes = {}) => apply(op, [tensor('f64', [2], [1, -1])], attributes).bytes
  assertClose(at('gelu'), [0.841344746068543, -0.158655253931457], f64([2]), { atol: 1e-14 })
  assertClose(at('gelu', { approximate: 'tanh' }), [0.841191990608, -0.158808009392], f64([2]), { atol: 1e-12 })
  assertClose(at('selu'), [1.0507009873554805, -1.1113307378125625], f64([2]), { atol: 1e-14 })
  assertClose(at('mish'), [0.8650983882673103, -0.30340146137410895], f64([2]), { atol: 1e-14 })
  assertClose(at('softplus'), [1.3132616875182228, 0.31326168751822286], f64([2]), { atol: 1e-14 })
})

test('activations keep NaN and behave at the infinities', () => {
  const x = tensor('f64', [3], [nan, inf, -inf])
  const ends: Readonly<Record<string, readonly number[]>> = {
    relu: [nan, inf, 0],
    leakyRelu: [nan, inf, -inf],
    elu: [nan, inf, -1],
    softplus: [nan, inf, 0],
    clamp: [nan, inf, -inf],
    gelu: [nan, inf, nan],
    rsqrt: [nan, 0, nan],
  }
  for (const [op, expected] of Object.entries(ends)) assertClose(apply(op, [x]).bytes, expected, x.type, {}, op)
})

test('integer relu, clamp and comparisons', () => {
  const x = tensor('i8', [4], [-128, -1, 0, 127])
  assert.equal(apply('relu', [x]).values, [0, 0, 0, 127])
  assert.equal(apply('clamp', [x], { minimum: -1, maximum: 6 }).values, [-1, -1, 0, 6])
  assert.throws(() => apply('clamp', [x], { minimum: -1.5 }), /minimum -1.5 is not a value of i8/)
  assert.equal(apply('clamp', [tensor('u8', [2], [0, 200])], { minimum: -5, maximum: 100 }).values, [0, 100])
  const y = tensor('i8', [4], [-128, 0, -1, 126])
  assert.equal(apply('notEqual', [x, y]).values, [0, 1, 1, 1])
  assert.equal(apply('greater', [x, y]).values, [0, 0, 1, 1])
  assert.equal(apply('greaterOrEqual', [x, y]).values, [1, 0, 1, 1])
  assert.equal(apply('greater', [tensor('f32', [1], [nan]), tensor('f32', [1], [0])]).values, [0])
  assert.equal(apply('notEqual', [tensor('f32', [1], [nan]), tensor('f32', [1], [nan])]).values, [1])
})

test('prelu multiplies by a slope that broadcasts', () => {
  const x = tensor('f64', [1, 2, 2], [-1, 2, -3, -4])
  assert.equal(apply('prelu', [x, tensor('f64', [2, 1], [0.5, 10])]).values, [-0.5, 2, -30, -40])
})

/** Groups of values along `axes`, in the order of the reduced tensor. */
function groupsOf(shape: readonly number[], values: readonly number[], axes: readonly number[]): number[][] {
  const at = reader(shape, values)
  const inside = positions(shape.map((extent, axis) => (axes.includes(axis) ? extent : 1)))
  return positions(shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))).map((base) =>
    inside.map((offset) => at(base.map((b, i) => b + offset[i]!))!),
  )
}

test('softmax and logSoftmax: e^x over its sum, along any axis, without overflow', () => {
  const property = fc.property(shapes(1, 4), fc.nat(100), fc.nat(7), (shape, seed, pickAxis) => {
    const axis = pickAxis % shape.length
    const values = fill(shape, seed)
    const x = tensor('f64', shape, values)
    const inside = reader(shape, values)
    const expected = positions(shape).map((at) => {
      const line = Array.from({ length: shape[axis]! }, (_, i) => inside(at.with(axis, i))!)
      return Math.exp(inside(at)!) / sum(line.map(Math.exp))
    })
    const result = apply('softmax', [x], { axis: axis - shape.length })
    assertClose(result.bytes, expected, x.type, tight, 'softmax')
    assertClose(
      groupsOf(shape, result.values as number[], [axis]).map(sum),
      groupsOf(shape, values, [axis]).map(() => 1),
      f64([product(shape) / shape[axis]!]),
      tight,
      'sums',
    )
    assertClose(apply('logSoftmax', [x], { axis }).bytes, expected.map(Math.log), x.type, tight, 'logSoftmax')
  })
  fc.assert(property, draw(21, 60))
  assert.equal(apply('softmax', [tensor('f32', [3], [1000, 1000, -1000])]).values, [0.5, 0.5, 0])
  assert.equal(apply('softmax', [tensor('f32', [2], [-inf, 0])]).values, [0, 1])
  assert.equal(apply('logSoftmax', [tensor('f32', [2], [-1000, 0])]).values, [-1000, 0])
})

test('means, norms, log-sum-exp and variance over axes', () => {
  const property = fc.property(
    shapes(1, 4),
    fc.nat(100),
    fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    fc.boolean(),
    (shape, seed, chosen, keepDims) => {
      const axes = shape.flatMap((_, axis) => (chosen[axis] ? [axis] : []))
      const values = fill(shape, seed)
      const groups = groupsOf(shape, values, axes)
      const check = (op: string, expected: (list: number[]) => number, more = {}) => {
        const result = apply(op, [tensor('f64', shape, values)], {
          axes: axes.map((axis) => axis - shape.length),
          keepDims,
          ...more,
        })
        assertClose(result.bytes, groups.map(expected), result.type, tight, op)
      }
      const mean = (list: number[]) => sum(list) / list.length
      const spread = (list: number[]) => sum(list.map((x) => (x - mean(list)) ** 2))
      check('reduceMean', mean)
      check('reduceL1', (list) => sum(list.map(Math.abs)))
      check('reduceL2', (list) => Math.hypot(...list))
      check('reduceSumSquare', (list) => sum(list.map((x) => x * x)))
      check('reduceLogSumExp', (list) => Math.log(sum(list.map(Math.exp))))
      check('variance', (list) => spread(list) / list.length)
      if (groups[0]!.length > 1) check('variance', (list) => spread(list) / (list.length - 1), { correction: 1 })
    },
  )
  fc.assert(property, draw(22, 60))
})

test('variance does not cancel, log-sum-exp does not overflow', () => {
  // E[x²] − E[x]² in f32 would be 0 or worse here; the variance of k, k+1, k+2 is 2/3.
  const far = tensor('f32', [3], [4096, 4097, 4098])
  assertClose(
    apply('variance', [far], { axes: [0], keepDims: false }).bytes,
    [2 / 3],
    { dtype: 'f32', shape: [] },
    { rtol: 1e-6 },
  )
  const lse = (values: number[]) =>
    apply('reduceLogSumExp', [tensor('f64', [values.length], values)], { axes: [0], keepDims: false }).values[0]
  assert.is(lse([1000, -1000]), 1000)
  assert.is(lse([-inf, -inf]), -inf)
  assert.is(lse([inf, 0]), inf)
})

test('layer, group, RMS and batch normalisation', () => {
  const property = fc.property(
    shapes(1, 2, 3),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 3 }),
    shapes(1, 2, 4),
    fc.nat(100),
    fc.boolean(),
    (lead, groups, perGroup, spatial, seed, affine) => {
      const epsilon = 1e-3
      const batch = lead[0]!
      const channels = groups * perGroup
      const shape = [batch, channels, ...spatial]
      const values = fill(shape, seed)
      const x = tensor('f64', shape, values)
      const moments = (list: number[]) => {
        const mean = sum(list) / list.length
        return {
          mean,
          variance: sum(list.map((v) => (v - mean) ** 2)) / list.length,
          square: sum(list.map((v) => v * v)) / list.length,
        }
      }
      const at = reader(shape, values)
      const members = (same: (a: number[], b: number[]) => boolean) =>
        positions(shape).map((p) =>
          moments(
            positions(shape)
              .filter((q) => same(p, q))
              .map((q) => at(q)!),
          ),
        )

      const trailing = shape.slice(1)
      const [scale, shift] = [fill(trailing, seed + 1), fill(trailing, seed + 2)]
      const parameters = (names: number) =>
        affine ? [tensor('f64', trailing, scale), tensor('f64', trailing, shift)].slice(0, names) : []
      const perElement = (i: number) => (affine ? { a: scale[i % scale.length]!, b: shift[i % shift.length]! } : { a: 1, b: 0 })
      const layer = members((p, q) => p[0] === q[0])
      const layered = values.map(
        (v, i) => ((v - layer[i]!.mean) / Math.sqrt(layer[i]!.variance + epsilon)) * perElement(i).a + perElement(i).b,
      )
      assertClose(
        apply('layerNorm', [x, ...parameters(2)], { dims: trailing.length, epsilon }).bytes,
        layered,
        x.type,
        tight,
        'layerNorm',
      )
      const rms = values.map((v, i) => (v / Math.sqrt(layer[i]!.square + epsilon)) * perElement(i).a)
      assertClose(
        apply('rmsNorm', [x, ...parameters(1)], { dims: trailing.length, epsilon }).bytes,
        rms,
        x.type,
        tight,
        'rmsNorm',
      )

      const each = (offset: number) => fill([channels], seed + offset)
      const [c0, c1, c2, c3] = [each(3), each(4), each(5), each(6).map((v) => v * v)] as [number[], number[], number[], number[]]
      const channelOf = (i: number) => Math.floor(i / product(spatial)) % channels
      const inGroup = members((p, q) => p[0] === q[0] && Math.floor(p[1]! / perGroup) === Math.floor(q[1]! / perGroup))
      const grouped = values.map((v, i) => {
        const normal = (v - inGroup[i]!.mean) / Math.sqrt(inGroup[i]!.variance + epsilon)
        return affine ? normal * c0[channelOf(i)]! + c1[channelOf(i)]! : normal
      })
      const perChannel = [c0, c1, c2, c3].map((list) => tensor('f64', [channels], list))
      assertClose(
        apply('groupNorm', [x, ...(affine ? perChannel.slice(0, 2) : [])], { groups, epsilon }).bytes,
        grouped,
        x.type,
        tight,
        'groupNorm',
      )
      const batched = values.map(
        (v, i) => ((v - c2[channelOf(i)]!) / Math.sqrt(c3[channelOf(i)]! + epsilon)) * c0[channelOf(i)]! + c1[channelOf(i)]!,
      )
      assertClose(
        apply('batchNorm', [x, ...perChannel], { epsilon }).bytes,
        batched,
        x.type,
        { rtol: 1e-11, atol: 1e-11 },
        'batchNorm',
      )
    },
  )
  fc.assert(property, draw(23, 40))
})

test('linear is input times transposed weight plus bias, for vectors too', () => {
  const property = fc.property(
    shapes(0, 3, 3),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 5 }),
    fc.nat(100),
    fc.boolean(),
    (lead, inner, out, seed, withBias) => {
      const [x, w, b] = [fill([...lead, inner], seed), fill([out, inner], seed + 1), fill([out], seed + 2)]
      const operands = [
        tensor('f64', [...lead, inner], x),
        tensor('f64', [out, inner], w),
        ...(withBias ? [tensor('f64', [out], b)] : []),
      ]
      const expected = Array.from({ length: product(lead) }, (_, row) =>
        Array.from(
          { length: out },
          (_, o) =>
            sum(Array.from({ length: inner }, (_, k) => x[row * inner + k]! * w[o * inner + k]!)) + (withBias ? b[o]! : 0),
        ),
      ).flat()
      const result = apply('linear', operands)
      assert.equal(result.type.shape, [...lead, out])
      assertClose(result.bytes, expected, result.type, tight, 'linear')
    },
  )
  fc.assert(property, draw(24, 40))
})

test('adaptive pooling has the cells of PyTorch', () => {
  const property = fc.property(
    shapes(1, 3, 7),
    fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 3, maxLength: 3 }),
    fc.nat(100),
    (spatial, wanted, seed) => {
      const size = spatial.map((_, i) => wanted[i]!)
      const shape = [2, 2, ...spatial]
      const values = fill(shape, seed)
      const at = reader(shape, values)
      const cells = positions([2, 2, ...size]).map(([n, c, ...cell]) => {
        const ranges = cell.map((i, axis) => {
          const [extent, count] = [spatial[axis]!, size[axis]!]
          const start = Math.floor((i * extent) / count)
          return { start, length: Math.ceil(((i + 1) * extent) / count) - start }
        })
        return positions(ranges.map((range) => range.length)).map(
          (offset) => at([n!, c!, ...offset.map((o, axis) => ranges[axis]!.start + o)])!,
        )
      })
      const check = (op: string, expected: (list: number[]) => number) => {
        const result = apply(op, [tensor('f64', shape, values)], { size })
        assertClose(result.bytes, cells.map(expected), result.type, tight, `${op} ${size}`)
      }
      check('adaptiveAvgPool', (list) => sum(list) / list.length)
      check('adaptiveMaxPool', (list) => Math.max(...list))
    },
  )
  fc.assert(property, draw(25, 60))
})

test('resize: the examples of ONNX Resize', () => {
  const square = tensor('f32', [1, 1, 2, 2], [1, 2, 3, 4])
  const row = (list: number[], times: number) => new Array(times).fill(list).flat()
  assert.equal(apply('resize', [square], { size: [7, 8] }).values, [
    ...row([1, 1, 1, 1, 2, 2, 2, 2], 4),
    ...row([3, 3, 3, 3, 4, 4, 4, 4], 3),
  ])
  assert.equal(apply('resize', [tensor('f32', [1, 1, 2, 4], [1, 2, 3, 4, 5, 6, 7, 8])], { size: [1, 3] }).values, [1, 2, 4])
  assert.equal(
    apply('resize', [square], { size: [4, 4], mode: 'linear' }).values,
    [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4],
  )
  const aligned = [1, 4 / 3, 5 / 3, 2, 5 / 3, 2, 7 / 3, 8 / 3, 7 / 3, 8 / 3, 3, 10 / 3, 3, 10 / 3, 11 / 3, 4]
  assertClose(
    apply('resize', [square], { size: [4, 4], mode: 'linear', coordinates: 'alignCorners' }).bytes,
    aligned,
    { dtype: 'f32', shape: [1, 1, 4, 4] },
    { rtol: 3e-7 },
  )
  const four = tensor(
    'f32',
    [1, 1, 4, 4],
    Array.from({ length: 16 }, (_, i) => i + 1),
  )
  const cubic = apply('resize', [four], { size: [8, 8], mode: 'cubic' }).values as number[]
  const firstRows = [
    [0.47265625, 0.76953125, 1.24609375, 1.875, 2.28125, 2.91015625, 3.38671875, 3.68359375],
    [1.66015625, 1.95703125, 2.43359375, 3.0625, 3.46875, 4.09765625, 4.57421875, 4.87109375],
  ].flat()
  assertClose(cubic.slice(0, 16), firstRows, { dtype: 'f32', shape: [2, 8] }, { rtol: 1e-6 })
  const ceiled = apply('resize', [four], { size: [8, 8], rounding: 'ceil' }).values
  assert.equal(ceiled.slice(0, 8), [1, 2, 2, 3, 3, 4, 4, 4])
  const floored = apply('resize', [four], { size: [8, 8], rounding: 'floor', coordinates: 'alignCorners' }).values
  assert.equal(floored.slice(0, 8), [1, 1, 1, 2, 2, 3, 3, 4])
  const preferCeil = apply('resize', [four], { size: [8, 8], rounding: 'roundPreferCeil', coordinates: 'asymmetric' }).values
  assert.equal(preferCeil.slice(0, 8), [1, 2, 2, 3, 3, 4, 4, 4])
})

test('resize agrees with the formula at every point, for every mode and coordinate', () => {
  const modes = fc.constantFrom('nearest', 'linear', 'cubic')
  const coordinates = fc.constantFrom('halfPixel', 'alignCorners', 'asymmetric', 'pytorchHalfPixel')
  const roundings = fc.constantFrom('floor', 'ceil', 'roundPreferFloor', 'roundPreferCeil')
  const property = fc.property(
    shapes(1, 3, 4),
    fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 3, maxLength: 3 }),
    modes,
    coordinates,
    roundings,
    fc.constantFrom(-0.75, -0.5),
    (spatial, wanted, mode, how, rounding, a) => {
      const size = spatial.map((_, i) => wanted[i]!)
      const shape = [1, 2, ...spatial]
      const values = fill(shape, 1)
      const at = reader(shape, values)
      const coordinate = (i: number, extent: number, count: number) => {
        const half = ((2 * i + 1) * extent) / (2 * count) - 0.5
        if (how === 'halfPixel') return half
        if (how === 'asymmetric') return (i * extent) / count
        if (count === 1) return 0
        return how === 'alignCorners' ? (i * (extent - 1)) / (count - 1) : half
      }
      const nearest = {
        floor: Math.floor,
        ceil: Math.ceil,
        roundPreferFloor: (x: number) => Math.ceil(x - 0.5),
        roundPreferCeil: (x: number) => Math.floor(x + 0.5),
      }[rounding]
      // The kernel as a function of distance: a hat for linear, Keys' piecewise cubic for cubic.
      const kernel = (distance: number) => {
        const d = Math.abs(distance)
        if (mode === 'linear') return Math.max(0, 1 - d)
        if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
        return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0
      }
      const weights = (i: number, axis: number): Map<number, number> => {
        const [extent, x] = [spatial[axis]!, coordinate(i, spatial[axis]!, size[axis]!)]
        const clamp = (p: number) => Math.min(extent - 1, Math.max(0, p))
        const found = new Map<number, number>()
        if (mode === 'nearest') return found.set(clamp(nearest(x)), 1)
        for (let p = Math.floor(x) - 2; p <= Math.floor(x) + 3; p++)
          found.set(clamp(p), (found.get(clamp(p)) ?? 0) + kernel(x - p))
        return found
      }
      const expected = positions([1, 2, ...size]).map(([n, c, ...out]) => {
        const perAxis = out.map((i, axis) => weights(i, axis))
        return sum(
          positions(spatial).map((p) => p.reduce((w, at, axis) => w * (perAxis[axis]!.get(at) ?? 0), at([n!, c!, ...p])!)),
        )
      })
      const result = apply('resize', [tensor('f64', shape, values)], {
        size,
        mode,
        coordinates: how,
        rounding,
        cubicCoefficient: a,
      })
      assertClose(result.bytes, expected, result.type, tight, `${mode} ${how} ${rounding} ${size}`)
    },
  )
  fc.assert(property, draw(26, 200))
})

test('padding by reflection, edge and wrap as in NumPy', () => {
  const x = tensor('i32', [4], [1, 2, 3, 4])
  const pad = (mode: string, before: number, after: number) =>
    apply('padWith', [x], { before: [before], after: [after], mode }).values
  assert.equal(pad('reflect', 3, 2), [4, 3, 2, 1, 2, 3, 4, 3, 2])
  assert.equal(pad('edge', 2, 3), [1, 1, 1, 2, 3, 4, 4, 4, 4])
  assert.equal(pad('wrap', 3, 4), [2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
  const plane = apply('padWith', [tensor('i32', [2, 3], [1, 2, 3, 4, 5, 6])], { before: [1, 1], after: [0, 2], mode: 'reflect' })
  assert.equal(plane.values, [5, 4, 5, 6, 5, 4, 2, 1, 2, 3, 2, 1, 5, 4, 5, 6, 5, 4])
})

test('embedding picks rows', () => {
  const table = tensor('f32', [3, 2], [1, 2, 3, 4, 5, 6])
  const result = apply('embedding', [tensor('i64', [2, 2], [2, 0, -1, 1]), table])
  assert.equal(result.type.shape, [2, 2, 2])
  assert.equal(result.values, [5, 6, 1, 2, 5, 6, 3, 4])
  assert.throws(
    () => apply('embedding', [tensor('i64', [1], [3]), table]),
    /gather: index 3 is outside axis 0, which has 3 elements/,
  )
})

test.run()

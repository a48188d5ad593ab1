// Graphs with the structure of real networks, drawn from numbers: what random ops side by side seldom make.
import type { DType, Node, Shape } from '../../compiler/graph/index.ts'
import { judgements } from './judging.ts'
import { lookups } from './lookups.ts'
import { signals, warps } from './senses.ts'
import type { Recipe, Sketch } from './sketch.ts'
import { turns } from './turning.ts'

const floatOf = (s: Sketch): DType => s.pick(['f32', 'f32', 'f32', 'f32', 'f32', 'f64', 'f16', 'bf16'])
const rank = (node: Node): number => node.type.shape.length
const again = (s: Sketch, times: number, step: (node: Node, i: number) => Node, from: Node): Node => {
  let node = from
  for (let i = 0; i < times; i++) {
    if (s.chance(8)) s.keep(node)
    node = step(node, i)
  }
  return node
}

/** Tensors cut into parts, some of them computed with, and joined again along the same or another axis. */
const joins: Recipe = (s) => {
  const x = s.input([1 + s.below(3), 2 + s.below(5), 1 + s.below(6)], s.pick(['f32', 'f32', 'f32', 'f64', 'i32', 'u8']))
  const spice = (node: Node) =>
    s.chance(3) && node.type.dtype.startsWith('f') ? s.spice(node) : s.chance(4) ? s.add(node, node) : node
  const step = (node: Node): Node => {
    const axis = s.below(rank(node))
    const extent = node.type.shape[axis]!
    const sizes = s.cut(extent, Math.min(extent, 1 + s.below(4)))
    let from = 0
    const parts = sizes.map((size) => {
      const part = s.part(node, axis, from, size)
      from += size
      return spice(part)
    })
    if (s.chance(5)) s.keep(s.pick(parts))
    const list = s.chance(2) ? parts : s.shuffled([...parts, ...(s.chance(3) ? [s.pick(parts)] : [])])
    const equal = list.every((part) => part.type.shape.join() === list[0]!.type.shape.join())
    const joined = s.join(list, equal && s.chance(2) ? s.below(rank(node)) : axis)
    return s.chance(4) ? s.transpose(joined, s.shuffled([0, 1, 2])) : joined
  }
  const left = again(s, 1 + s.below(4), step, x)
  if (!s.chance(3)) return left
  const right = again(s, 1 + s.below(3), step, x)
  return left.type.shape.join() === right.type.shape.join() ? s.add(left, right) : [left, right]
}

/** One convolution with what stands around it in networks for images. */
function convolved(s: Sketch, x: Node, out: number): Node {
  const { dtype, shape } = x.type
  const [, channels, ...extents] = shape as [number, number, ...number[]]
  const groups = s.chance(4) ? s.pick([1, 2, channels].filter((n) => channels % n === 0 && out % n === 0)) : 1
  const kernel = extents.map((extent) => Math.min(extent, s.pick([1, 1, 2, 3, 3])))
  const dilation = kernel.map((k, i) => (k > 1 && 2 * (k - 1) < extents[i]! && s.chance(6) ? 2 : 1))
  const around = kernel.map((k) => (s.chance(2) ? Math.floor(k / 2) : 0))
  const padded = s.chance(4)
    ? s.op(
        'pad',
        { input: x },
        { before: [0, 0, ...kernel.map(() => s.below(2))], after: [0, 0, ...kernel.map(() => s.below(2))], value: 0 },
      )
    : x
  const weight = s.weight([out, channels / groups, ...kernel], dtype)
  const bias = s.chance(2) ? s.weight([out], dtype) : undefined
  const stride = kernel.map(() => (s.chance(5) ? 2 : 1))
  let y = s.op('conv', { input: padded, weight, bias }, { stride, before: around, after: around, dilation, groups })
  const perChannel = (): Node => s.weight([out, ...kernel.map(() => 1)], dtype)
  if (s.chance(4)) {
    const parameter = () => s.weight([out], dtype)
    y = s.op('batchNorm', {
      input: y,
      scale: parameter(),
      shift: parameter(),
      mean: parameter(),
      variance: s.weight([out], dtype, (r) => r + 0.1),
    })
  }
  if (s.chance(5)) y = s.mul(y, s.chance(2) ? perChannel() : s.scalar(s.pick([0.5, -1, 2]), y))
  if (s.chance(5)) y = s.add(perChannel(), y)
  return s.chance(3) ? y : activated(s, y)
}

/** Convolutions one after another with pools, branches, shortcuts, shuffled channels, sizes up and down. */
const convolutions: Recipe = (s) => {
  const flat = s.chance(4)
  const x = s.input(
    [1 + s.below(2), 1 + s.below(5), ...(flat ? [5 + s.below(12)] : [4 + s.below(6), 3 + s.below(7)])],
    floatOf(s),
  )
  const step = (node: Node): Node => {
    const { shape } = node.type
    const [batch, channels, ...extents] = shape as [number, number, ...number[]]
    const each = <T>(value: T) => extents.map(() => value)
    switch (s.below(9)) {
      case 0: {
        if (extents.some((extent) => extent < 3)) return node
        const window = {
          window: each(2),
          stride: each(s.pick([1, 2])),
          before: each(0),
          after: each(s.below(2)),
          dilation: each(1),
        }
        return s.chance(2)
          ? s.op('maxPool', { input: node }, window)
          : s.op('avgPool', { input: node }, { ...window, countPadding: s.chance(2) })
      }
      case 1: {
        const branches = Array.from({ length: 2 + s.below(2) }, () => convolved1(s, node, 1 + s.below(4)))
        return s.join(branches, 1)
      }
      case 2:
        return activated(s, s.add(convolved1(s, node, channels), node))
      case 3: {
        const groups = s.pick([1, 2, 3].filter((n) => channels % n === 0))
        const split = s.reshape(node, [batch, groups, channels / groups, ...extents])
        const order = [0, 2, 1, ...extents.map((_, i) => i + 3)]
        return s.reshape(s.transpose(split, order), shape)
      }
      case 4:
        return extents.every((extent) => extent < 8)
          ? s.op('resize', { input: node }, { size: extents.map((extent) => extent * 2), mode: s.pick(['nearest', 'linear']) })
          : node
      case 5: {
        const pooled = s.op('reduceMean', { input: node }, { axes: extents.map((_, i) => i + 2), keepDims: true })
        return s.mul(node, s.op('sigmoid', { input: convolved1(s, pooled, channels) }))
      }
      case 6: {
        const pieces = s.cut(channels, Math.min(channels, 2))
        if (pieces.length < 2) return node
        const [one, two] = [s.part(node, 1, 0, pieces[0]!), s.part(node, 1, pieces[0]!, pieces[1]!)]
        return s.join([activated(s, one), convolved1(s, two, 1 + s.below(3))], 1)
      }
      default:
        return convolved(s, node, 1 + s.below(6))
    }
  }
  const y = again(s, 2 + s.below(5), step, x)
  if (s.chance(2)) return y
  const { shape } = y.type
  const inner = shape.slice(1).reduce((a, b) => a * b, 1)
  const weight = s.weight([1 + s.below(5), inner], y.type.dtype)
  return s.op('linear', { input: s.reshape(y, [shape[0]!, inner]), weight }, {})
}

/** A convolution that keeps the extents. */
function convolved1(s: Sketch, x: Node, out: number): Node {
  const { dtype, shape } = x.type
  const one = shape.slice(2).map(() => 1)
  const k = s.pick([1, 3])
  const around = one.map(() => (k - 1) / 2)
  const weight = s.weight([out, shape[1]!, ...one.map(() => k)], dtype)
  const bias = s.chance(2) ? s.weight([out], dtype) : undefined
  return s.op('conv', { input: x, weight, bias }, { stride: one, before: around, after: around, dilation: one, groups: 1 })
}

/** An activation as a composite, or as exporters write it. */
export function activated(s: Sketch, x: Node): Node {
  const n = (value: number) => s.scalar(value, x)
  const unary = (op: 'exp' | 'log' | 'tanh' | 'sigmoid' | 'erf' | 'relu', input: Node) => s.op(op, { input })
  const div = (left: Node, right: Node) => s.op('div', { left, right })
  const minimum = (left: Node, right: Node) => s.op('minimum', { left, right })
  const maximum = (left: Node, right: Node) => s.op('maximum', { left, right })
  switch (s.below(14)) {
    case 0: {
      const inner = s.chance(2) ? div(x, n(Math.SQRT2)) : s.mul(x, n(Math.SQRT1_2))
      const phi = s.add(unary('erf', inner), n(1))
      return s.pick([
        () => s.mul(s.mul(x, phi), n(0.5)),
        () => s.mul(x, s.mul(n(0.5), phi)),
        () => s.mul(s.mul(n(0.5), x), phi),
      ])()
    }
    case 1: {
      const cube = s.chance(2) ? s.op('pow', { left: x, right: n(3) }) : s.mul(s.mul(x, x), x)
      const inner = s.mul(s.add(x, s.mul(cube, n(0.044715))), n(Math.sqrt(2 / Math.PI)))
      return s.mul(s.mul(n(0.5), x), s.add(n(1), unary('tanh', inner)))
    }
    case 2:
      return s.chance(2) ? s.mul(x, unary('sigmoid', x)) : s.mul(unary('sigmoid', x), x)
    case 3:
      return s.mul(x, s.op('clamp', { input: s.add(s.mul(x, n(1 / 6)), n(0.5)) }, { minimum: 0, maximum: 1 }))
    case 4:
      return div(s.mul(x, minimum(maximum(s.add(x, n(3)), n(0)), n(6))), n(6))
    case 5:
      return minimum(unary('relu', x), n(6))
    case 6: {
      const slope = n(s.pick([0.1, 0.01, 0.25]))
      return s.chance(2)
        ? maximum(x, s.mul(x, slope))
        : s.op('where', { condition: s.op('greater', { left: x, right: n(0) }), whenTrue: x, whenFalse: s.mul(slope, x) })
    }
    case 7: {
      const slope = rank(x) > 1 ? s.weight([x.type.shape[1]!, ...x.type.shape.slice(2).map(() => 1)], x.type.dtype) : n(0.3)
      return s.add(unary('relu', x), s.mul(slope, minimum(x, n(0))))
    }
    case 8:
      return s.mul(x, unary('tanh', unary('log', s.add(unary('exp', x), n(1)))))
    case 9:
      return s.op(s.pick(['gelu', 'silu', 'hardSwish', 'mish', 'hardSigmoid', 'elu', 'leakyRelu']), { input: x })
    case 10:
      return s.op('clamp', { input: x }, s.pick([{ minimum: 0, maximum: 6 }, { minimum: -1, maximum: 1 }, { maximum: 0.5 }]))
    default:
      return unary('relu', x)
  }
}

/** Integers that stand for numbers, from layer to layer; some are decoded on the way. */
const quantised: Recipe = (s) => {
  const scales = [0.5, 0.125, 0.1037, 0.0371, 0.25].map(Math.fround)
  const bytes = () => s.pick(['u8', 'i8'] as const)
  const parameters = (dtype: 'u8' | 'i8') => ({
    scale: [s.pick(scales)],
    zeroPoint: [s.pick(dtype === 'u8' ? [0, 5, 128] : [0, 0, -3, 12])],
  })
  const encoded = (node: Node) => {
    const dtype = bytes()
    return s.op('quantize', { input: node }, { dtype, ...parameters(dtype) })
  }
  const decoded = (node: Node) => {
    const { quantization } = node.type
    return s.op('dequantize', { input: node }, { scale: [...quantization!.scale], zeroPoint: [...quantization!.zeroPoint] })
  }
  const weightOf = (shape: Shape): Node => {
    const perChannel = s.chance(2)
    const count = perChannel ? shape[0]! : 1
    const zero = s.chance(3) ? s.pick([1, -2]) : 0
    return s.op(
      'dequantize',
      { input: s.weight(shape, 'i8', (r) => Math.floor(r * 255) - 127) },
      {
        scale: Array.from({ length: count }, () => s.pick([0.0371, 0.01, 0.02])),
        zeroPoint: Array.from({ length: count }, () => zero),
        ...(perChannel ? { axis: 0 } : {}),
      },
    )
  }
  const dtype = bytes()
  const image = s.chance(2)
  const shape = image ? [1, 1 + s.below(4), 4 + s.below(5), 4 + s.below(5)] : [1 + s.below(4), 2 + s.below(9)]
  const given = parameters(dtype)
  const first = s.chance(3) ? encoded(s.input(shape)) : s.input(shape, dtype, { quantization: given })
  const step = (q: Node): Node => {
    const x = decoded(q)
    const [, channels, ...extents] = x.type.shape as [number, number, ...number[]]
    switch (s.below(9)) {
      case 0:
        return encoded(activated(s, x))
      case 1:
        return encoded(s.add(x, s.chance(2) ? x : decoded(encoded(activated(s, x)))))
      case 2: {
        if (extents.length === 0) return encoded(s.op('softmax', { input: x }))
        return encoded(s.op('reduceMean', { input: x }, { axes: [2, 3], keepDims: true }))
      }
      case 3: {
        if (extents.some((extent) => extent < 2) || extents.length === 0) return q
        const window = { window: [2, 2], stride: [2, 2], before: [0, 0], after: [0, 0], dilation: [1, 1] }
        return s.chance(2)
          ? s.op('maxPool', { input: q }, window)
          : encoded(s.op('avgPool', { input: x }, { ...window, countPadding: true }))
      }
      case 4:
        return encoded(s.join([x, decoded(encoded(s.spice(x)))], 1))
      case 5:
        return encoded(s.reshape(s.op('relu', { input: x }), x.type.shape))
      default: {
        const out = 1 + s.below(6)
        if (extents.length === 0) {
          const bias = s.chance(2) ? s.weight([out]) : undefined
          if (s.chance(3)) return encoded(s.op('matmul', { left: x, right: s.transpose(weightOf([out, channels]), [1, 0]) }))
          return encoded(s.op('linear', { input: x, weight: weightOf([out, channels]), bias }))
        }
        const k = Math.min(s.pick([1, 3]), ...extents)
        const around = extents.map(() => Math.floor(k / 2))
        const bias = s.chance(2) ? s.weight([out]) : undefined
        const y = s.op(
          'conv',
          { input: x, weight: weightOf([out, channels, k, k]), bias },
          { stride: extents.map(() => s.pick([1, 1, 2])), before: around, after: around, dilation: [1, 1], groups: 1 },
        )
        return encoded(s.chance(2) ? s.op('relu', { input: y }) : y)
      }
    }
  }
  const last = again(s, 1 + s.below(5), (node) => (node.type.quantization ? step(node) : node), first)
  return s.chance(2) && last.type.quantization ? decoded(last) : last
}

/** Statistics over trailing dimensions, written out. */
export function normalised(s: Sketch, x: Node): Node {
  const { dtype, shape } = x.type
  const dims = Math.min(shape.length, s.pick([1, 1, 1, 2]))
  const axes = Array.from({ length: dims }, (_, i) => shape.length - dims + i)
  const mean = (input: Node) => s.op('reduceMean', { input }, { axes, keepDims: true })
  const square = (input: Node) => (s.chance(2) ? s.mul(input, input) : s.op('pow', { left: input, right: s.scalar(2, input) }))
  const parameter = () => s.weight(shape.slice(shape.length - dims), dtype)
  const centred = s.chance(3) ? x : s.op('sub', { left: x, right: mean(x) })
  const spread = s.add(mean(square(centred)), s.scalar(s.pick([1e-5, 1e-3]), x))
  let y: Node
  switch (s.below(4)) {
    case 0:
      y = s.op('div', { left: centred, right: s.op('sqrt', { input: spread }) })
      break
    case 1:
      y = s.mul(centred, s.op('rsqrt', { input: spread }))
      break
    case 2:
      y = s.mul(centred, s.op('reciprocal', { input: s.op('sqrt', { input: spread }) }))
      break
    default:
      y = s.chance(2) ? s.op('layerNorm', { input: x }, { dims }) : s.op('rmsNorm', { input: x }, { dims })
  }
  if (s.chance(2)) y = s.chance(2) ? s.mul(y, parameter()) : s.mul(parameter(), y)
  return s.chance(2) ? s.add(y, parameter()) : y
}

const normalisations: Recipe = (s) => {
  const x = s.input([1 + s.below(3), 1 + s.below(5), 2 + s.below(17)].slice(s.below(2)), floatOf(s))
  return again(s, 1 + s.below(3), (node) => (s.chance(3) ? activated(s, node) : normalised(s, node)), x)
}

const activations: Recipe = (s) => {
  const x = s.input([1 + s.below(3), 1 + s.below(6), 1 + s.below(9)].slice(s.below(3)), floatOf(s))
  return again(s, 1 + s.below(4), (node) => activated(s, node), x)
}

/** Shares along the last axis: as one op or written out. */
function shares(s: Sketch, x: Node): Node {
  if (s.chance(2)) return s.op('softmax', { input: x }, { axis: rank(x) - 1 })
  const along = { axes: [rank(x) - 1], keepDims: true }
  const shifted = s.chance(3) ? x : s.op('sub', { left: x, right: s.op('reduceMax', { input: x }, along) })
  const grown = s.op('exp', { input: shifted })
  return s.op('div', { left: grown, right: s.op('reduceSum', { input: grown }, along) })
}

/** Heads of attention as exporters write them, with or without mask, rotation, shared keys. */
const attentions: Recipe = (s) => {
  const dtype = s.chance(5) ? floatOf(s) : 'f32'
  const [batch, length, heads, size] = [1 + s.below(2), s.pick([1, 2, 3, 5, 7, 9]), s.pick([1, 2, 3]), s.pick([2, 4, 6, 8])]
  const width = heads * size
  const x = s.input([batch, length, width], dtype)
  const start = s.chance(2) ? normalised(s, x) : x
  const linear = (input: Node, out: number) => {
    const from = input.type.shape.at(-1)!
    const bias = s.chance(2) ? s.weight([out], dtype) : undefined
    if (s.chance(2)) return s.op('linear', { input, weight: s.weight([out, from], dtype), bias })
    const product = s.op('matmul', { left: input, right: s.weight([from, out], dtype) })
    return bias ? s.add(product, bias) : product
  }
  const apart = (node: Node) => s.transpose(s.reshape(node, [batch, length, heads, size]), [0, 2, 1, 3])
  const together = s.chance(3)
  let [q, k, v] = [0, 1, 2].map(() => start) as [Node, Node, Node]
  if (together) {
    const all = linear(start, 3 * width)
    ;[q, k, v] = [0, 1, 2].map((i) => s.part(all, 2, i * width, width)) as [Node, Node, Node]
  } else [q, k, v] = [linear(start, width), linear(start, width), linear(start, width)]
  ;[q, k, v] = [apart(q), apart(k), apart(v)]
  if (s.chance(3)) {
    const [cos, sin] = [s.weight([length, size], dtype), s.weight([length, size], dtype)]
    const half = (node: Node) =>
      s.join([s.op('negate', { input: s.part(node, 3, size / 2, size / 2) }), s.part(node, 3, 0, size / 2)], 3)
    const turned = (node: Node) => s.add(s.mul(node, cos), s.mul(half(node), sin))
    ;[q, k] = [turned(q), turned(k)]
  }
  const scale = s.scalar(1 / Math.sqrt(size), q)
  const place = s.below(3)
  if (place === 1) q = s.mul(q, scale)
  const product = s.op('matmul', { left: q, right: s.transpose(k, [0, 1, 3, 2]) })
  let scores =
    place === 0
      ? s.mul(product, scale)
      : place === 2
        ? s.op('div', { left: product, right: s.scalar(Math.sqrt(size), q) })
        : product
  switch (s.below(4)) {
    case 0:
      scores = s.add(
        scores,
        s.pick([
          () => s.weight([length, length], dtype),
          () => s.input([batch, 1, 1, length], dtype),
          () => s.input([batch, 1, length, length], dtype),
        ])(),
      )
      break
    case 1:
      scores = s.op('where', {
        condition: s.weight([1, 1, length, length], 'bool', (r) => (r < 0.7 ? 1 : 0)),
        whenTrue: scores,
        whenFalse: s.scalar(-1e4, scores),
      })
      break
    default:
  }
  if (s.chance(8)) s.keep(scores)
  const mixed = s.op('matmul', { left: shares(s, scores), right: v })
  const merged = s.reshape(s.transpose(mixed, [0, 2, 1, 3]), [batch, length, width])
  const y = s.add(x, linear(merged, width))
  return s.chance(2) ? y : s.add(y, linear(activated(s, linear(normalised(s, y), 1 + s.below(6))), width))
}

/** Shapes full of ones that meet in elementwise ops, expansions and reductions. */
const broadcasts: Recipe = (s) => {
  const extents = Array.from({ length: 1 + s.below(4) }, () => 1 + s.below(5))
  const dtype = s.chance(4) ? s.pick(['i32', 'f16', 'f64', 'u8'] as const) : 'f32'
  const shape = () => extents.map((extent) => (s.chance(3) ? 1 : extent)).slice(s.chance(4) ? s.below(extents.length + 1) : 0)
  const leaf = () => (s.chance(3) ? s.weight(shape(), dtype) : s.input(shape(), dtype))
  const pool: Node[] = [leaf(), leaf()]
  const recent = () => (s.chance(2) ? pool.at(-1)! : s.pick(pool))
  for (let i = 4 + s.below(10); i > 0; i--) {
    const x = recent()
    switch (s.below(7)) {
      case 0:
        pool.push(leaf())
        break
      case 1: {
        const axes = x.type.shape.flatMap((_, axis) => (s.chance(2) ? [axis] : []))
        pool.push(s.op(s.pick(['reduceSum', 'reduceMax', 'reduceMin']), { input: x }, { axes, keepDims: true }))
        break
      }
      case 2:
        if (rank(x) === extents.length) pool.push(s.op('expand', { input: x }, { shape: extents }))
        break
      case 3:
        pool.push(
          s.op('where', { condition: s.op('less', { left: x, right: recent() }), whenTrue: recent(), whenFalse: s.scalar(1, x) }),
        )
        break
      default:
        pool.push(
          s.op(
            s.pick(['add', 'mul', 'sub', 'minimum', 'maximum']),
            s.chance(2) ? { left: x, right: recent() } : { left: recent(), right: x },
          ),
        )
    }
  }
  return pool.slice(-1 - s.below(3))
}

/** Ops that move elements, one after another, with now and then one that computes. */
const mazes: Recipe = (s) => {
  const extents = Array.from({ length: 2 + s.below(3) }, () => 1 + s.below(5))
  const x = s.input(extents, s.pick(['f32', 'f32', 'f32', 'i64', 'u8', 'f16']))
  const step = (node: Node): Node => {
    const { shape } = node.type
    const axis = s.below(shape.length)
    const extent = shape[axis]!
    const large = shape.reduce((a, b) => a * b, 1) > 400
    switch (s.below(10)) {
      case 0:
      case 1:
        return s.transpose(node, s.shuffled(shape.map((_, i) => i)))
      case 2:
      case 3: {
        if (shape.length < 5 && s.chance(2)) {
          const factor = s.pick([1, 2, 3].filter((n) => extent % n === 0))
          return s.reshape(node, [...shape.slice(0, axis), factor, extent / factor, ...shape.slice(axis + 1)])
        }
        return shape.length > 1 && axis > 0
          ? s.reshape(node, [...shape.slice(0, axis - 1), shape[axis - 1]! * extent, ...shape.slice(axis + 1)])
          : s.reshape(node, shape)
      }
      case 4: {
        const start = s.below(extent)
        const step = s.pick([1, 1, 2, -1])
        const size = 1 + s.below(step < 0 ? start + 1 : Math.ceil((extent - start) / step))
        const entry = <T>(own: T, other: (i: number) => T) => shape.map((_, i) => (i === axis ? own : other(i)))
        return s.op(
          'slice',
          { input: node },
          { start: entry(start, () => 0), size: entry(size, (i) => shape[i]!), step: entry(step, () => 1) },
        )
      }
      case 5: {
        const amounts = () => shape.map(() => (large ? 0 : s.pick([0, 0, 0, 1])))
        return s.op('pad', { input: node }, { before: amounts(), after: amounts(), value: s.pick([0, 0, 1]) })
      }
      case 6:
        return large || shape.length > 4
          ? node
          : s.op('expand', { input: node }, { shape: [s.pick([1, 2]), ...shape.map((e) => (e === 1 ? s.pick([1, 3]) : e))] })
      case 7:
        return large ? node : s.join([node, s.chance(2) ? node : s.weight(shape, node.type.dtype, () => 1)], axis)
      case 8:
        return s.op('reduceSum', { input: node }, { axes: [axis], keepDims: s.chance(2) || shape.length === 1 })
      default:
        return s.op('negate', { input: node })
    }
  }
  return again(s, 3 + s.below(9), (node) => (rank(node) === 0 ? node : step(node)), x)
}

/** Sums, products and their constants in the orders that algebra knows. */
const algebra: Recipe = (s) => {
  const shape = [1 + s.below(3), 1 + s.below(8)]
  const dtype = s.pick(['f32', 'f32', 'f32', 'i32', 'f64', 'u8'] as const)
  const pool = [s.input(shape, dtype), s.input(shape.slice(s.below(2)), dtype)]
  const constant = () =>
    s.pick([
      () => s.scalar(s.pick([0, 1, 2, -1, 3].filter((n) => dtype !== 'u8' || n >= 0)), pool[0]!),
      () => s.weight([shape[1]!], dtype),
      () => s.weight(shape, dtype, () => 1),
    ])()
  for (let i = 4 + s.below(10); i > 0; i--) {
    const one = s.chance(2) ? pool.at(-1)! : s.pick(pool)
    const other = s.chance(2) ? constant() : s.pick(pool)
    const third = s.pick(pool)
    const binary = (op: 'add' | 'mul' | 'sub' | 'div' | 'maximum' | 'minimum', left: Node, right: Node) =>
      s.op(op, { left, right })
    pool.push(
      s.pick([
        () => binary('add', s.mul(one, third), s.mul(third, other)),
        () => binary(s.pick(['add', 'sub']), one, other),
        () => binary('sub', other, one),
        () => binary('mul', one, other),
        () => binary('div', one, s.scalar(s.pick([2, 1, 3]), one)),
        () => binary(s.pick(['maximum', 'minimum']), one, other),
        () => s.op('negate', { input: one }),
        () => s.op('relu', { input: one }),
        () => s.op('reduceSum', { input: one }, { axes: [0], keepDims: true }),
      ])(),
    )
  }
  return pool.slice(-1 - s.below(2))
}

/** Rows picked from tables, products of what they give, and shortcuts around. */
const tables: Recipe = (s) => {
  const [rows, width, count] = [2 + s.below(6), 2 + s.below(8), 1 + s.below(5)]
  const table = s.weight([rows, width])
  const picks = () => s.weight([count], s.pick(['i32', 'i64']), (r) => Math.floor(r * rows))
  const rowsOf = () =>
    s.chance(2)
      ? s.op('embedding', { indices: picks(), table })
      : s.op('gather', { input: s.chance(2) ? table : s.input([rows, width]), indices: picks() }, { axis: 0 })
  const x = s.add(rowsOf(), s.chance(2) ? s.input([count, width]) : rowsOf())
  const inner = again(s, s.below(3), (node) => (s.chance(2) ? normalised(s, node) : activated(s, node)), x)
  const scores = s.op('matmul', { left: inner, right: s.transpose(s.chance(2) ? table : s.weight([rows, width]), [1, 0]) })
  if (s.chance(3)) s.keep(s.op('argMax', { input: scores }, { axis: 1, keepDims: false }))
  return s.chance(2) ? s.op('logSoftmax', { input: scores }) : scores
}

/** Layers and tables of integers in blocks, as 4-bit networks have them, decoded in products, after picking rows, or by themselves. */
const packed: Recipe = (s) => {
  const rows = 1 + s.below(3)
  const blocks = (out: number, size: number): Node => {
    const bits = s.pick([4, 4, 2, 8] as const)
    const blockSize = s.pick([4, 8, 16, size])
    const count = Math.ceil(size / blockSize)
    const packed = s.weight([out, Math.ceil((size * bits) / 8)], 'u8', (r) => Math.floor(r * 256))
    const scale = s.weight([out, count])
    const zeroPoint = s.chance(3) ? s.weight([out, count], s.pick(['u8', 'i8', 'f32']), (r) => Math.floor(r * 6)) : undefined
    return s.op(
      'dequantizeBlocks',
      { packed, scale, zeroPoint },
      { bits, blockSize, size, signed: s.chance(2), zero: s.below(2) },
    )
  }
  const step = (node: Node): Node => {
    const size = node.type.shape[1]!
    const out = s.pick([1, 3, 8, 16, 33])
    const weight = blocks(out, size)
    const product = s.chance(2)
      ? s.op('linear', { input: node, weight })
      : s.op('matmul', { left: node, right: s.transpose(weight, [1, 0]) })
    if (s.chance(6)) s.keep(weight)
    return s.chance(2) ? s.add(product, s.weight([out])) : activated(s, product)
  }
  const table = () => blocks(2 + s.below(5), s.pick([5, 8, 32]))
  const picked = (node: Node) => {
    const indices = s.weight([rows], s.pick(['i32', 'i64']), (r) => Math.floor(r * node.type.shape[0]!))
    return s.chance(2) ? s.op('embedding', { indices, table: node }) : s.op('gather', { input: node, indices }, { axis: 0 })
  }
  return again(s, 1 + s.below(3), step, s.chance(2) ? picked(table()) : s.input([rows, s.pick([5, 8, 32])]))
}

/** By how often each is drawn. */
export const recipes: Readonly<Record<string, { readonly recipe: Recipe; readonly weight: number }>> = {
  joins: { recipe: joins, weight: 2 },
  convolutions: { recipe: convolutions, weight: 3 },
  quantised: { recipe: quantised, weight: 3 },
  normalisations: { recipe: normalisations, weight: 1 },
  activations: { recipe: activations, weight: 1 },
  attentions: { recipe: attentions, weight: 2 },
  broadcasts: { recipe: broadcasts, weight: 2 },
  mazes: { recipe: mazes, weight: 2 },
  algebra: { recipe: algebra, weight: 2 },
  tables: { recipe: tables, weight: 1 },
  packed: { recipe: packed, weight: 2 },
  signals: { recipe: signals, weight: 1 },
  warps: { recipe: warps, weight: 2 },
  judgements: { recipe: judgements, weight: 1 },
  turns: { recipe: turns, weight: 1 },
  lookups: { recipe: lookups, weight: 1 },
}

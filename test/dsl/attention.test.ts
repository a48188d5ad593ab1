import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attention, attentionScores, depthToSpace, localResponseNorm, rotaryEmbedding, spaceToDepth } from '../../dsl/index.ts'
import { assertNear, at, build, type Dense, noise, run } from './run.ts'

const sum = (count: number, term: (k: number) => number) =>
  Array.from({ length: count }, (_, k) => term(k)).reduce((a, b) => a + b, 0)

interface Setting {
  readonly mask?: (n: number, h: number, i: number, j: number) => boolean
  readonly bias?: (n: number, h: number, i: number, j: number) => number
  readonly scale?: number
  readonly softcap?: number
}
/** Weights and result of ONNX Attention 23 over `[batch, heads, length, size]`, by its formula. */
function naive(q: Dense, k: Dense, v: Dense, s: Setting = {}): { product: Dense; weights: Dense; result: Dense } {
  const [batch, heads, length, size] = q.shape as [number, number, number, number]
  const [, groups, keys] = k.shape as [number, number, number]
  const of = (h: number) => Math.floor(h / (heads / groups))
  const scale = s.scale ?? 1 / Math.sqrt(size)
  const shape = [batch, heads, length, keys]
  const product = build(shape, (n, h, i, j) => scale * sum(size, (d) => at(q)(n!, h!, i!, d) * at(k)(n!, of(h!), j!, d)))
  const score = (n: number, h: number, i: number, j: number) => {
    const x = at(product)(n, h, i, j)
    const capped = s.softcap ? s.softcap * Math.tanh(x / s.softcap) : x
    return s.mask && !s.mask(n, h, i, j) ? Number.NEGATIVE_INFINITY : capped + (s.bias?.(n, h, i, j) ?? 0)
  }
  const weights = build(shape, (n, h, i, j) => {
    const total = sum(keys, (m) => Math.exp(score(n!, h!, i!, m)))
    return total === 0 ? 0 : Math.exp(score(n!, h!, i!, j!)) / total
  })
  const result = build([batch, heads, length, v.shape[3]!], (n, h, i, d) =>
    sum(keys, (j) => at(weights)(n!, h!, i!, j) * at(v)(n!, of(h!), j, d!)),
  )
  return { product, weights, result }
}
const joined = (x: Dense): Dense => {
  const [batch, heads, length, size] = x.shape as [number, number, number, number]
  return build([batch, length, heads * size], (n, i, e) => at(x)(n!, Math.floor(e! / size), i!, e! % size))
}
const q = noise([2, 4, 3, 6], 1)
const k = noise([2, 4, 5, 6], 2)
const v = noise([2, 4, 5, 7], 3)

test('four and three dimensions, scale', () => {
  const plain = run({ q, k, v }, (x) => ({ y: attention(x.q!, x.k!, x.v!) }))
  assertNear(plain.y!, naive(q, k, v).result, 'plain')
  assert.equal(
    plain.nodes.map(({ op }) => op),
    ['attention'],
  )
  const flat = run({ q: joined(q), k: joined(k), v: joined(v) }, (x) => ({
    y: attention(x.q!, x.k!, x.v!, { heads: 4, scale: 0.3 }),
  }))
  assertNear(flat.y!, joined(naive(q, k, v, { scale: 0.3 }).result), 'flat')
})

test('fewer heads of keys than of queries', () => {
  const [key, value] = [noise([2, 2, 5, 6], 4), noise([2, 2, 5, 7], 5)]
  const bool: Dense = build([3, 5], (i, j) => Number((i! + j!) % 3 !== 0))
  const expected = naive(q, key, value, { mask: (_, __, i, j) => at(bool)(i, j) !== 0 })
  const found = run({ q, key, value, 'mask:bool': bool }, (x) => ({
    y: attention(x.q!, x.key!, x.value!, { mask: x.mask }),
    w: attentionScores(x.q!, x.key!, { mask: x.mask }),
  }))
  assertNear(found.y!, expected.result, 'result')
  assertNear(found.w!, expected.weights, 'weights')
  const flat = run({ q: joined(q), key: joined(key), value: joined(value), 'mask:bool': bool }, (x) => ({
    y: attention(x.q!, x.key!, x.value!, { heads: 4, keyHeads: 2, mask: x.mask }),
  }))
  assertNear(flat.y!, joined(expected.result), 'flat')
})

test('causal, after keys of the past, capped', () => {
  for (const past of [0, 1, 2, 4]) {
    const expected = naive(q, k, v, { mask: (_, __, i, j) => j <= i + past, softcap: 0.2 })
    const found = run({ q, k, v }, (x) => ({ y: attention(x.q!, x.k!, x.v!, { causal: true, past, softcap: 0.2 }) }))
    assertNear(found.y!, expected.result, `past ${past}`)
  }
})

test('masks: added, with −∞, bool; a query that may look nowhere gets zeros', () => {
  const bias = build([2, 1, 3, 5], (n, _, i, j) => (n === 1 && i === 2 ? Number.NEGATIVE_INFINITY : (n! + i! * j!) / 7))
  const found = run({ q, k, v, bias }, (x) => ({ y: attention(x.q!, x.k!, x.v!, { mask: x.bias, causal: true }) }))
  const expected = naive(q, k, v, { bias: (n, _, i, j) => at(bias)(n, 0, i, j), mask: (_, __, i, j) => j <= i })
  assertNear(found.y!, expected.result, 'added')
  assert.ok([0, 1, 2, 3, 4, 5, 6].every((d) => at(found.y!)(1, 0, 2, d) === 0))

  const open = build([2, 1, 1, 5], (n, _, __, j) => Number(n === 0 && j !== 3))
  const bool = run({ q, k, v, 'open:bool': open }, (x) => ({
    y: attention(x.q!, x.k!, x.v!, { mask: x.open, causal: true, past: 1 }),
  }))
  const wanted = naive(q, k, v, { mask: (n, _, i, j) => at(open)(n, 0, 0, j) !== 0 && j <= i + 1 })
  assertNear(bool.y!, wanted.result, 'bool')
})

test('stages of the scores', () => {
  const bias = noise([1, 4, 3, 5], 9)
  const found = run({ q, k, bias }, (x) => ({
    product: attentionScores(x.q!, x.k!, { stage: 'product', softcap: 2, mask: x.bias }),
    capped: attentionScores(x.q!, x.k!, { stage: 'capped', softcap: 2, mask: x.bias }),
    masked: attentionScores(x.q!, x.k!, { stage: 'masked', softcap: 2, mask: x.bias }),
    weights: attentionScores(x.q!, x.k!, { softcap: 2, mask: x.bias, precision: 'f32' }),
  }))
  const { product, weights } = naive(q, k, v, { softcap: 2, bias: (_, h, i, j) => at(bias)(0, h, i, j) })
  const capped = { ...product, values: product.values.map((x) => 2 * Math.tanh(x / 2)) }
  assertNear(found.product!, product, 'product')
  assertNear(found.capped!, capped, 'capped')
  assertNear(
    found.masked!,
    build(product.shape, (...p) => at(capped)(...p) + at(bias)(0, ...p.slice(1))),
    'masked',
  )
  assertNear(found.weights!, weights, 'weights in f32', 1e-6)
})

test('mistakes of attention', () => {
  const refused: [RegExp, (x: Record<string, any>) => unknown][] = [
    [/^attention: heads says how query \[2, 3, 24\] is divided/, (x) => attention(x.flat, x.flat, x.flat)],
    [
      /^attention: the 24 elements of query \[2, 3, 24\] do not divide into 5 heads/,
      (x) => attention(x.flat, x.flat, x.flat, { heads: 5 }),
    ],
    [/differ in batch or size of a head/, (x) => attention(x.q, x.v, x.v)],
    [/3 do not divide 4/, (x) => attention(x.q, x.three, x.three)],
    [/^attention: mask \[4\] does not broadcast to \[2, 4, 3, 5\]/, (x) => attention(x.q, x.k, x.v, { mask: x.four })],
    [/mask must be bool or f64 as the query, got i32/, (x) => attention(x.q, x.k, x.v, { mask: x.whole })],
    [/there is no option "head"/, (x) => attention(x.q, x.k, x.v, { head: 4 } as never)],
  ]
  const given = {
    q,
    k,
    v,
    flat: joined(q),
    three: noise([2, 3, 5, 6], 1),
    four: noise([4], 1),
    'whole:i32': { shape: [5], values: [0, 0, 0, 0, 0] },
  }
  for (const [message, body] of refused) assert.throws(() => run(given, (x) => ({ y: body(x) as never })), message)
})

/** ONNX RotaryEmbedding 23 for one element. */
function turned(x: Dense, cos: Dense, sin: Dense, dims: number, interleaved: boolean): Dense {
  return build(x.shape, (n, h, i, e) => {
    if (e! >= dims) return at(x)(n!, h!, i!, e!)
    const half = dims / 2
    const [pair, second] = interleaved ? [Math.floor(e! / 2), e! % 2 === 1] : [e! % half, e! >= half]
    const [a, b] = interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + half]
    const [c, s] = [at(cos)(n!, i!, pair), at(sin)(n!, i!, pair)]
    const [one, other] = [at(x)(n!, h!, i!, a), at(x)(n!, h!, i!, b)]
    return second ? one * s + other * c : one * c - other * s
  })
}

test('rotary embedding: halves and pairs, part of a head, positions', () => {
  const x = noise([2, 4, 3, 8], 1)
  for (const interleaved of [false, true]) {
    for (const dims of [8, 4]) {
      const [cos, sin] = [noise([2, 3, dims / 2], 2), noise([2, 3, dims / 2], 3)]
      const expected = turned(x, cos, sin, dims, interleaved)
      const options = { interleaved, ...(dims === 8 ? {} : { dims }) }
      assertNear(
        run({ x, cos, sin }, (v) => ({ y: rotaryEmbedding(v.x!, v.cos!, v.sin!, options) })).y!,
        expected,
        `${interleaved} ${dims}`,
      )
      // Tables with a dimension of heads.
      const apart = ({ shape, values }: Dense): Dense => ({ values, shape: [shape[0]!, 1, ...shape.slice(1)] })
      const [c, s] = [apart(cos), apart(sin)]
      const each = run({ x, c, s }, (v) => ({ y: rotaryEmbedding(v.x!, v.c!, v.s!, options) }))
      assertNear(each.y!, expected, `heads ${interleaved} ${dims}`)
      const [rows, other] = [noise([9, dims / 2], 4), noise([9, dims / 2], 5)]
      const positions = { shape: [2, 3], values: [0, 3, 8, 1, 1, 5] }
      const picked = (table: Dense) => build([2, 3, dims / 2], (n, i, e) => at(table)(at(positions)(n!, i!), e!))
      const flat = run({ x: joined(x), rows, other, 'positions:i64': positions }, (v) => ({
        y: rotaryEmbedding(v.x!, v.rows!, v.other!, { ...options, heads: 4, positions: v.positions }),
      }))
      assertNear(flat.y!, joined(turned(x, picked(rows), picked(other), dims, interleaved)), `positions ${interleaved} ${dims}`)
    }
  }
  const refused = (options: object, message: RegExp) =>
    assert.throws(
      () => run({ x, cos: noise([2, 3, 4], 1) }, (v) => ({ y: rotaryEmbedding(v.x!, v.cos!, v.cos!, options) })),
      message,
    )
  refused({ dims: 3 }, /dims must be even and at most the 8 elements/)
  refused({ dims: 4 }, /cos must give \[2, 3, 2\], got \[2, 3, 4\]/)
})

test('depthToSpace and spaceToDepth place every element', () => {
  const x = noise([2, 12, 3, 2], 1)
  const deep = (mode: 'DCR' | 'CRD') => run({ x }, (v) => ({ y: depthToSpace(v.x!, 2, { mode }) })).y!
  const channel = {
    DCR: (c: number, i: number, j: number) => (i * 2 + j) * 3 + c,
    CRD: (c: number, i: number, j: number) => c * 4 + i * 2 + j,
  }
  for (const mode of ['DCR', 'CRD'] as const) {
    const expected = build([2, 3, 6, 4], (n, c, i, j) =>
      at(x)(n!, channel[mode](c!, i! % 2, j! % 2), Math.floor(i! / 2), Math.floor(j! / 2)),
    )
    assertNear(deep(mode), expected, mode)
    assertNear(run({ x: expected }, (v) => ({ y: spaceToDepth(v.x!, 2, { mode }) })).y!, x, `back ${mode}`)
  }
  assert.throws(() => run({ x }, (v) => ({ y: depthToSpace(v.x!, 5) })), /12 channels do not divide by 5²/)
  assert.throws(() => run({ x }, (v) => ({ y: spaceToDepth(v.x!, 2) })), /does not divide into blocks of 2/)
})

test('localResponseNorm looks at the channels around', () => {
  const x = noise([2, 6, 3, 2], 1)
  for (const size of [1, 3, 4, 9]) {
    const found = run({ x }, (v) => ({ y: localResponseNorm(v.x!, { size, alpha: 0.5, beta: 0.6, bias: 1.5 }) })).y!
    const [before, behind] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)]
    const expected = build(x.shape, (n, c, i, j) => {
      let squares = 0
      for (let m = Math.max(0, c! - before); m <= Math.min(5, c! + behind); m++) squares += at(x)(n!, m, i!, j!) ** 2
      return at(x)(n!, c!, i!, j!) / (1.5 + (0.5 / size) * squares) ** 0.6
    })
    assertNear(found, expected, `size ${size}`)
  }
})

test.run()

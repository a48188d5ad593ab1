import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { gru, lstm, rnn } from '../../dsl/index.ts'
import { assertNear, at, build, type Dense, noise, run } from './run.ts'

/*
 * The formulas of ONNX LSTM, GRU and RNN 14, element by element, over plain numbers: no gate is computed with another.
 */
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const sum = (count: number, term: (k: number) => number) =>
  Array.from({ length: count }, (_, k) => term(k)).reduce((a, b) => a + b, 0)

interface Setting {
  readonly x: Dense // [length, batch, features]
  readonly w: Dense // [directions, gates · hidden, features]
  readonly r: Dense
  readonly b?: Dense
  readonly p?: Dense
  readonly h0?: Dense // [directions, batch, hidden]
  readonly c0?: Dense
  readonly lengths?: readonly number[]
  readonly reverse: readonly boolean[]
  readonly clip?: number
}
type Gates = (s: {
  /** W_k·x + b_Wk, R_k·v + b_Rk at element j */
  input: (gate: number, j: number) => number
  recurrent: (gate: number, j: number, v: readonly number[]) => number
  recurrentBias: (gate: number, j: number) => number
  peephole: (gate: number, j: number) => number
  limit: (x: number) => number
  h: readonly number[]
  c: readonly number[]
}) => { h: number[]; c: number[] }

function naive(s: Setting, gates: number, cell: Gates): { output: Dense; hidden: Dense; cell: Dense } {
  const [length, batch, features] = s.x.shape as [number, number, number]
  const hidden = s.r.shape[2]!
  const outputs = new Map<string, number[]>()
  const last: Record<'h' | 'c', number[][][]> = { h: [], c: [] }
  for (const [d, reverse] of s.reverse.entries()) {
    last.h.push([])
    last.c.push([])
    for (let n = 0; n < batch; n++) {
      const steps = s.lengths?.[n] ?? length
      let h = Array.from({ length: hidden }, (_, j) => (s.h0 ? at(s.h0)(d, n, j) : 0))
      let c = Array.from({ length: hidden }, (_, j) => (s.c0 ? at(s.c0)(d, n, j) : 0))
      for (let i = 0; i < steps; i++) {
        const t = reverse ? steps - 1 - i : i
        const bias = (row: number) => (s.b ? at(s.b)(d, row) : 0)
        const next = cell({
          input: (k, j) => sum(features, (f) => at(s.w)(d, k * hidden + j, f) * at(s.x)(t, n, f)) + bias(k * hidden + j),
          recurrent: (k, j, v) => sum(hidden, (m) => at(s.r)(d, k * hidden + j, m) * v[m]!) + bias((gates + k) * hidden + j),
          recurrentBias: (k, j) => bias((gates + k) * hidden + j),
          peephole: (k, j) => (s.p ? at(s.p)(d, k * hidden + j) : 0),
          limit: (x) => (s.clip ? Math.min(s.clip, Math.max(-s.clip, x)) : x),
          h,
          c,
        })
        ;({ h, c } = next)
        outputs.set(`${t},${d},${n}`, h)
      }
      last.h[d]!.push(h)
      last.c[d]!.push(c)
    }
  }
  const shape = [s.reverse.length, batch, hidden]
  return {
    output: build([length, ...shape], (t, d, n, j) => outputs.get(`${t},${d},${n}`)?.[j!] ?? 0),
    hidden: build(shape, (d, n, j) => last.h[d!]![n!]![j!]!),
    cell: build(shape, (d, n, j) => last.c[d!]![n!]![j!]!),
  }
}

type Function1 = (x: number) => number
const lstmCell =
  (f: Function1 = sigmoid, g: Function1 = Math.tanh, h: Function1 = Math.tanh, coupled = false): Gates =>
  (s) => {
    const each = (body: (j: number) => number) => s.h.map((_, j) => body(j))
    const i = each((j) => f(s.limit(s.input(0, j) + s.recurrent(0, j, s.h) + s.peephole(0, j) * s.c[j]!)))
    const forget = each((j) =>
      coupled ? 1 - i[j]! : f(s.limit(s.input(2, j) + s.recurrent(2, j, s.h) + s.peephole(2, j) * s.c[j]!)),
    )
    const c = each((j) => forget[j]! * s.c[j]! + i[j]! * g(s.limit(s.input(3, j) + s.recurrent(3, j, s.h))))
    const o = each((j) => f(s.limit(s.input(1, j) + s.recurrent(1, j, s.h) + s.peephole(1, j) * c[j]!)))
    return { h: each((j) => o[j]! * h(c[j]!)), c }
  }
const gruCell =
  (before: boolean, f: Function1 = sigmoid, g: Function1 = Math.tanh): Gates =>
  (s) => {
    const each = (body: (j: number) => number) => s.h.map((_, j) => body(j))
    const z = each((j) => f(s.limit(s.input(0, j) + s.recurrent(0, j, s.h))))
    const r = each((j) => f(s.limit(s.input(1, j) + s.recurrent(1, j, s.h))))
    const reset = r.map((value, j) => value * s.h[j]!)
    const n = each((j) => g(s.limit(s.input(2, j) + (before ? r[j]! * s.recurrent(2, j, s.h) : s.recurrent(2, j, reset)))))
    return { h: each((j) => (1 - z[j]!) * n[j]! + z[j]! * s.h[j]!), c: [...s.c] }
  }
const rnnCell =
  (f: Function1 = Math.tanh): Gates =>
  (s) => ({ h: s.h.map((_, j) => f(s.limit(s.input(0, j) + s.recurrent(0, j, s.h)))), c: [...s.c] })

const [length, batch, features, hidden] = [4, 3, 2, 5]
function drawSetting(gates: number, directions: number, seed: number): Required<Omit<Setting, 'lengths' | 'clip'>> {
  return {
    x: noise([length, batch, features], seed),
    w: noise([directions, gates * hidden, features], seed + 1),
    r: noise([directions, gates * hidden, hidden], seed + 2),
    b: noise([directions, 2 * gates * hidden], seed + 3),
    p: noise([directions, 3 * hidden], seed + 4),
    h0: noise([directions, batch, hidden], seed + 5),
    c0: noise([directions, batch, hidden], seed + 6),
    reverse: directions === 2 ? [false, true] : [false],
  }
}
const pick = <K extends string>(from: Readonly<Record<K, Dense>>, ...names: K[]) =>
  Object.fromEntries(names.map((name) => [name, from[name]])) as Record<K, Dense>
const swapped = (dense: Dense, order: readonly number[]): Dense => {
  const shape = order.map((axis) => dense.shape[axis]!)
  return build(shape, (...p) => at(dense)(...dense.shape.map((_, axis) => p[order.indexOf(axis)]!)))
}

test('lstm: forward, with and without bias and initial states', () => {
  const s = drawSetting(4, 1, 1)
  const full = run(pick(s, 'x', 'w', 'r', 'b', 'h0', 'c0'), (v) => ({
    ...lstm(v.x!, { input: v.w!, recurrent: v.r!, bias: v.b! }, { initialHidden: v.h0, initialCell: v.c0 }),
  }))
  const { p: _, ...plain } = s
  const expected = naive(plain, 4, lstmCell())
  for (const name of ['output', 'hidden', 'cell'] as const) assertNear(full[name]!, expected[name], name)
  const bare = run(pick(s, 'x', 'w', 'r'), (v) => ({ ...lstm(v.x!, { input: v.w!, recurrent: v.r! }) }))
  const zero = naive({ x: s.x, w: s.w, r: s.r, reverse: [false] }, 4, lstmCell())
  for (const name of ['output', 'hidden', 'cell'] as const) assertNear(bare[name]!, zero[name], `${name} from zeros`)
  assert.equal(
    full.nodes.filter(({ op }) => !['input', 'slice', 'reshape'].includes(op)).map(({ op }) => op),
    ['lstm'],
    'one op, whatever the number of steps',
  )
})

test('lstm: both directions, peepholes, clipping, lengths, batch first', () => {
  const s = { ...drawSetting(4, 2, 2), clip: 0.4, lengths: [4, 1, 3] }
  const expected = naive(s, 4, lstmCell())
  const given = {
    ...pick(s, 'w', 'r', 'b', 'p'),
    x: swapped(s.x, [1, 0, 2]),
    h0: swapped(s.h0, [1, 0, 2]),
    c0: swapped(s.c0, [1, 0, 2]),
    'lengths:i32': { shape: [3], values: s.lengths },
  }
  for (const constant of [true, false]) {
    const found = run(given, (v) => ({
      ...lstm(
        v.x!,
        { input: v.w!, recurrent: v.r!, bias: v.b!, peephole: v.p! },
        {
          direction: 'bidirectional',
          batchFirst: true,
          initialHidden: v.h0,
          initialCell: v.c0,
          clip: 0.4,
          lengths: constant ? s.lengths : v.lengths,
        },
      ),
      // An input that nothing takes would not be bound.
      used: v.lengths!,
    }))
    assertNear(found.output!, swapped(expected.output, [2, 0, 1, 3]), 'output')
    assertNear(found.hidden!, swapped(expected.hidden, [1, 0, 2]), 'hidden')
    assertNear(found.cell!, swapped(expected.cell, [1, 0, 2]), 'cell')
  }
})

test('lstm: activations of either direction, coupled gates, reverse', () => {
  const s = drawSetting(4, 2, 3)
  const { p: _, ...plain } = s
  const found = run(pick(s, 'x', 'w', 'r', 'b', 'h0', 'c0'), (v) => ({
    ...lstm(
      v.x!,
      { input: v.w!, recurrent: v.r!, bias: v.b! },
      {
        direction: 'bidirectional',
        initialHidden: v.h0,
        initialCell: v.c0,
        coupled: true,
        activations: [
          'hardSigmoid',
          { name: 'scaledTanh', alpha: 1.5, beta: 0.7 },
          'softsign',
          { name: 'affine', alpha: 0.5, beta: 0.1 },
          { name: 'elu', alpha: 2 },
          'relu',
        ],
      },
    ),
  }))
  const hard = (x: number) => Math.min(1, Math.max(0, 0.2 * x + 0.5))
  const one = naive(
    { ...plain, reverse: [false, false] },
    4,
    lstmCell(
      hard,
      (x) => 1.5 * Math.tanh(0.7 * x),
      (x) => x / (1 + Math.abs(x)),
      true,
    ),
  )
  const other = naive(
    { ...plain, reverse: [true, true] },
    4,
    lstmCell(
      (x) => 0.5 * x + 0.1,
      (x) => (x < 0 ? 2 * (Math.exp(x) - 1) : x),
      (x) => Math.max(0, x),
      true,
    ),
  )
  const expected = build([length, 2, batch, hidden], (t, d, n, j) => at((d === 0 ? one : other).output)(t!, d!, n!, j!))
  assertNear(found.output!, expected, 'output')
})

test('gru: reset before and after the product, lengths known or not', () => {
  for (const before of [false, true]) {
    const s = { ...drawSetting(3, 2, 4), lengths: [2, 4, 3] }
    const expected = naive(s, 3, gruCell(before))
    const found = run({ ...pick(s, 'x', 'w', 'r', 'b', 'h0'), 'lengths:i64': { shape: [3], values: s.lengths } }, (v) => ({
      ...gru(
        v.x!,
        { input: v.w!, recurrent: v.r!, bias: v.b! },
        { direction: 'bidirectional', initialHidden: v.h0, lengths: v.lengths, linearBeforeReset: before },
      ),
    }))
    assertNear(found.output!, expected.output, `output ${before}`)
    assertNear(found.hidden!, expected.hidden, `hidden ${before}`)
    const zero = naive({ x: s.x, w: s.w, r: s.r, b: s.b, reverse: [false, true], lengths: s.lengths }, 3, gruCell(before))
    const bare = run(pick(s, 'x', 'w', 'r', 'b'), (v) => ({
      ...gru(
        v.x!,
        { input: v.w!, recurrent: v.r!, bias: v.b! },
        { direction: 'bidirectional', lengths: s.lengths, linearBeforeReset: before },
      ),
    }))
    assertNear(bare.output!, zero.output, `output from zeros ${before}`)
  }
})

test('rnn: reverse, an activation with parameters, no steps at all', () => {
  const s = { ...drawSetting(1, 1, 5), reverse: [true] }
  const found = run(pick(s, 'x', 'w', 'r', 'b', 'h0'), (v) => ({
    ...rnn(
      v.x!,
      { input: v.w!, recurrent: v.r!, bias: v.b! },
      { direction: 'reverse', initialHidden: v.h0, activations: [{ name: 'thresholdedRelu', alpha: 0.2 }] },
    ),
  }))
  const expected = naive(
    s,
    1,
    rnnCell((x) => (x >= 0.2 ? x : 0)),
  )
  assertNear(found.output!, expected.output, 'output')
  assertNear(found.hidden!, expected.hidden, 'hidden')
  const none = run({ x: { shape: [0, batch, features], values: [] }, ...pick(s, 'w', 'r', 'h0') }, (v) => ({
    ...rnn(v.x!, { input: v.w!, recurrent: v.r! }, { initialHidden: v.h0 }),
    used: v.x!,
  }))
  assert.equal(none.output!.shape, [0, 1, batch, hidden])
  assert.equal(none.hidden!.values, s.h0.values)
})

test("PyTorch's order of gates, weights without directions, one bias for both", () => {
  const s = drawSetting(4, 1, 6)
  const rows = (dense: Dense, order: readonly number[]) => {
    const [, count, ...rest] = dense.shape as [number, number, ...number[]]
    return build([count, ...rest], (row, ...p) =>
      at(dense)(
        0,
        Math.floor(row! / hidden / order.length) * order.length * hidden +
          order[Math.floor(row! / hidden) % order.length]! * hidden +
          (row! % hidden),
        ...p,
      ),
    )
  }
  const order = [0, 2, 3, 1]
  const found = run({ x: s.x, w: rows(s.w, order), r: rows(s.r, order), b: rows(s.b, order) }, (v) => ({
    ...lstm(v.x!, { input: v.w!, recurrent: v.r!, bias: v.b! }, { gates: 'ifco' }),
  }))
  const expected = naive({ x: s.x, w: s.w, r: s.r, b: s.b, reverse: [false] }, 4, lstmCell())
  assertNear(found.output!, { ...expected.output, shape: [length, batch, hidden] }, 'output')
  assertNear(found.cell!, { ...expected.cell, shape: [batch, hidden] }, 'cell')

  const g = drawSetting(3, 1, 7)
  const summed = build([3 * hidden], (i) => at(g.b)(0, i!) + at(g.b)(0, i! + 3 * hidden))
  const merged = run(
    {
      x: g.x,
      w: rows(g.w, [1, 0, 2]),
      r: rows(g.r, [1, 0, 2]),
      b: rows({ shape: [1, 3 * hidden], values: summed.values }, [1, 0, 2]),
    },
    (v) => ({
      ...gru(v.x!, { input: v.w!, recurrent: v.r!, bias: v.b! }, { gates: 'rzh' }),
    }),
  )
  const same = naive({ x: g.x, w: g.w, r: g.r, b: g.b, reverse: [false] }, 3, gruCell(false))
  assertNear(merged.output!, { ...same.output, shape: [length, batch, hidden] }, 'gru output')
})

test('mistakes name the operand', () => {
  const attempt = (body: (v: Record<string, any>) => unknown) => () =>
    run(pick(drawSetting(4, 1, 8), 'x', 'w', 'r', 'b', 'h0'), (v) => body(v) as never)
  const refused: [RegExp, (v: Record<string, any>) => unknown][] = [
    [/^lstm: weights.input must be \[1, 20, 2\], got \[1, 20, 5\]/, (v) => lstm(v.x, { input: v.r, recurrent: v.r })],
    [/^lstm: weights.bias must be \[1, 40\] or \[1, 20\], got/, (v) => lstm(v.x, { input: v.w, recurrent: v.r, bias: v.h0 })],
    [/^gru: weights.recurrent must be \[1, 15, 5\], got \[1, 20, 5\]/, (v) => gru(v.x, { input: v.w, recurrent: v.r })],
    [/^lstm: initialCell must be \[1, 3, 5\]/, (v) => lstm(v.x, { input: v.w, recurrent: v.r }, { initialCell: v.x })],
    [
      /^lstm: weights.recurrent must be \[2, 20, 5\]/,
      (v) => lstm(v.x, { input: v.w, recurrent: v.r }, { direction: 'bidirectional' }),
    ],
    [/^lstm: activations needs 3 entries, got 1/, (v) => lstm(v.x, { input: v.w, recurrent: v.r }, { activations: ['tanh'] })],
    [/^lstm: lengths needs 3 entries/, (v) => lstm(v.x, { input: v.w, recurrent: v.r }, { lengths: [1] })],
    [/^lstm: a length of 9 is above the 4 steps/, (v) => lstm(v.x, { input: v.w, recurrent: v.r }, { lengths: [1, 9, 2] })],
    [/^lstm: clip must be above 0/, (v) => lstm(v.x, { input: v.w, recurrent: v.r }, { clip: 0 })],
    [
      /^lstm: weights: there is no option "biass"; did you mean 'bias'/,
      (v) => lstm(v.x, { input: v.w, recurrent: v.r, biass: v.b } as never),
    ],
    [/^rnn: input must be \[length, batch, features\], got \[1, 40\]/, (v) => rnn(v.b, { input: v.w, recurrent: v.r })],
  ]
  for (const [message, body] of refused) assert.throws(attempt(body), message)
})

test.run()

import { test } from 'uvu'
import type { DType, Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { passSuite } from './suite.ts'

/** A graph over x : dtype[3]. */
const of =
  (dtype: DType, build: (g: TestGraph, x: Node) => Node) =>
  (g: TestGraph): Node =>
    build(g, g.input('x', [3], dtype))

passSuite(passes.simplifyArithmetic, ({ rewrites, leaves }) => {
  rewrites(
    'OP-21 x + 0 → x',
    of('f32', (g, x) => g.op('add', { left: x, right: g.number(0) })),
    { into: 'x' },
  )
  rewrites(
    'OP-21 0 + x → x',
    of('f32', (g, x) => g.op('add', { left: g.number(0), right: x })),
    { into: 'x' },
  )
  rewrites(
    'OP-21 x − 0 → x',
    of('f32', (g, x) => g.op('sub', { left: x, right: g.number(0) })),
    { into: 'x' },
  )
  rewrites(
    'OP-21 x · 1 → x',
    of('f32', (g, x) => g.op('mul', { left: x, right: g.number(1) })),
    { into: 'x' },
  )
  rewrites(
    'OP-21 x / 1 → x',
    of('f32', (g, x) => g.op('div', { left: x, right: g.number(1) })),
    { into: 'x' },
  )
  rewrites(
    'x ^ 1 → x',
    of('f32', (g, x) => g.op('pow', { left: x, right: g.number(1) })),
    { into: 'x' },
  )
  rewrites(
    'x + 0 of a larger shape expands x',
    of('f32', (g, x) => g.op('add', { left: x, right: g.weight('z', [2, 3], () => 0) })),
    { into: 'expand(x)', prepares: 'the expansion, which costs nothing where it is read' },
  )
  leaves(
    'OP-21 x · 0 stays for floats',
    of('f32', (g, x) => g.op('mul', { left: x, right: g.number(0) })),
  )
  rewrites(
    'OP-21 x · 0 → 0 where floats are assumed finite',
    of('f32', (g, x) => g.op('mul', { left: x, right: g.number(0) })),
    { into: 'expand(0)', assumeFinite: true },
  )
  rewrites(
    'x · 0 → 0 of integers',
    of('i32', (g, x) => g.op('mul', { left: x, right: g.number(0, 'i32') })),
    { into: 'expand(0)' },
  )
  leaves(
    'OP-21 0 / x stays for floats',
    of('f32', (g, x) => g.op('div', { left: g.number(0), right: x })),
  )
  rewrites(
    '0 / x → 0 of integers, also where x is 0',
    of('i32', (g, x) => g.op('div', { left: g.number(0, 'i32'), right: x })),
    { into: 'expand(0)' },
  )
  rewrites(
    'x and true → x, x or true → true',
    of('bool', (g, x) => g.op('and', { left: g.op('or', { left: x, right: g.number(1, 'bool') }), right: g.number(1, 'bool') })),
    { into: 'expand(1)' },
  )
  rewrites(
    '−−x → x',
    of('f32', (g, x) => g.op('negate', { input: g.op('negate', { input: x }) })),
    { into: 'x' },
  )
  rewrites(
    'max(x, x) → x, ||x|| → |x|',
    of('f32', (g, x) => g.op('abs', { input: g.op('abs', { input: g.op('maximum', { left: x, right: x }) }) })),
    { into: 'abs(x)' },
  )
  rewrites(
    'OP-21 constants move to the right',
    of('f32', (g, x) => g.op('mul', { left: g.number(3), right: x })),
    { into: 'mul(x, 3)', prepares: 'rules that look for constants on the right' },
  )
  leaves(
    '3 − x keeps its order',
    of('f32', (g, x) => g.op('sub', { left: g.number(3), right: x })),
  )
  rewrites(
    'x − 3 → x + −3',
    of('f32', (g, x) => g.op('sub', { left: x, right: g.number(3) })),
    { into: 'add(x, negate(3))', prepares: 'chains of sums with constants' },
  )
  leaves(
    'integers keep x − 3',
    of('i32', (g, x) => g.op('sub', { left: x, right: g.number(3, 'i32') })),
  )
  rewrites(
    '(x · 3) · 5 → x · (3 · 5)',
    of('f32', (g, x) => g.op('mul', { left: g.op('mul', { left: x, right: g.number(3) }), right: g.number(5) })),
    { into: 'mul(x, mul(3, 5))', numeric: true },
  )
  leaves(
    '(x · 1e-20) · 1e-20 stays: the product vanishes',
    of('f32', (g, x) => g.op('mul', { left: g.op('mul', { left: x, right: g.number(1e-20) }), right: g.number(1e-20) })),
  )
  leaves(
    '(x · 1e30) · 1e30 stays: the product overflows',
    of('f32', (g, x) => g.op('mul', { left: g.op('mul', { left: x, right: g.number(1e30) }), right: g.number(1e30) })),
  )
  leaves(
    'chains that would grow stay',
    of('f32', (g, x) => g.op('add', { left: g.op('add', { left: x, right: g.weight('a', [4, 1]) }), right: g.weight('b', [3]) })),
  )
  rewrites(
    'x / 4 → x · 0.25',
    of('f32', (g, x) => g.op('div', { left: x, right: g.number(4) })),
    { into: 'mul(x, 0.25)', prepares: 'a multiplication, which is faster than a division' },
  )
  leaves(
    'x / 3 stays',
    of('f32', (g, x) => g.op('div', { left: x, right: g.number(3) })),
  )
  rewrites(
    'x ^ 2 → x · x',
    of('f32', (g, x) => g.op('pow', { left: x, right: g.number(2) })),
    { into: 'mul(x, x)', prepares: 'a multiplication, which is faster than a power' },
  )
  rewrites(
    'x ^ 3 → x · x · x',
    of('f32', (g, x) => g.op('pow', { left: x, right: g.number(3) })),
    { into: 'mul(mul(x, x), x)', numeric: true, prepares: 'multiplications, which are faster than a power' },
  )
  leaves(
    'x ^ 2.5 stays',
    of('f32', (g, x) => g.op('pow', { left: x, right: g.number(2.5) })),
  )
  rewrites(
    'x + −y → x − y, −y + x → x − y',
    of('f32', (g, x) => g.op('add', { left: g.op('negate', { input: g.input('y', [3]) }), right: x })),
    { into: 'sub(x, y)' },
  )
  rewrites(
    'x − −y → x + y',
    of('f32', (g, x) => g.op('sub', { left: x, right: g.op('negate', { input: g.input('y', [3]) }) })),
    { into: 'add(x, y)' },
  )
  rewrites(
    'x · −1 → −x',
    of('f32', (g, x) => g.op('mul', { left: x, right: g.number(-1) })),
    { into: 'negate(x)', prepares: 'the rules for negated terms' },
  )
})

passSuite(passes.factorProducts, ({ rewrites, leaves }) => {
  const products = (g: TestGraph, x: Node, b: Node, c: Node) =>
    g.op('add', { left: g.op('mul', { left: x, right: b }), right: g.op('mul', { left: c, right: x }) })
  rewrites('constants with a common factor', (g) => products(g, g.input('x', [3]), g.weight('b', [3]), g.weight('c', [3])), {
    numeric: true,
    into: 'mul(x, add(@b, @c))',
  })
  rewrites('integers with a common factor', (g) => {
    const [x, b, c] = ['x', 'b', 'c'].map((name) => g.input(name, [3], 'i32'))
    return products(g, x!, b!, c!)
  })
  leaves('floats that may meet in infinity', (g) => {
    const [x, b, c] = ['x', 'b', 'c'].map((name) => g.input(name, [3]))
    return products(g, x!, b!, c!)
  })
  rewrites(
    'floats that are assumed finite',
    (g) => {
      const [x, b, c] = ['x', 'b', 'c'].map((name) => g.input(name, [3]))
      return products(g, x!, b!, c!)
    },
    { numeric: true, assumeFinite: true },
  )
  leaves('products that somebody else needs', (g) => {
    const sum = products(g, g.input('x', [3]), g.weight('b', [3]), g.weight('c', [3]))
    return [sum, sum.operands[0]!]
  })
  const layer = (g: TestGraph, input: Node, weight: string, bias?: string) =>
    g.op('linear', { input, weight: g.weight(weight, [8, 16]), ...(bias && { bias: g.weight(bias, [8]) }) })
  rewrites(
    'layers over one input',
    (g) => {
      const x = g.input('x', [4, 16])
      return g.op('sub', { left: layer(g, x, 'v'), right: layer(g, x, 'w', 'b') })
    },
    { numeric: true, into: 'linear(x, sub(@v, @w), negate(@b))' },
  )
  const sameWeight = (g: TestGraph, rows: number, inner: number, out: number) => {
    const weight = g.weight('w', [out, inner])
    const layers = ['x', 'y'].map((name) => g.op('linear', { input: g.input(name, [rows, inner]), weight }))
    return g.op('add', { left: layers[0]!, right: layers[1]! })
  }
  rewrites('layers with one weight', (g) => sameWeight(g, 4, 16, 64), { numeric: true, into: 'linear(add(x, y), @w)' })
  leaves('layers with one weight of which adding the inputs would cost more', (g) => sameWeight(g, 64, 16, 1))
  leaves('layers over two inputs with two weights', (g) =>
    g.op('add', { left: layer(g, g.input('x', [4, 16]), 'v'), right: layer(g, g.input('y', [4, 16]), 'w') }),
  )
})

test.run()

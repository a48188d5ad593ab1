// Rotary embedding in the forms of exporters, and what only looks like it.
import { test } from 'uvu'
import type { Node } from '../../compiler/graph/index.ts'
import { passes } from '../../compiler/passes/index.ts'
import type { TestGraph } from '../support/expression.ts'
import { passSuite } from './suite.ts'

const [batch, heads, length, size] = [2, 3, 4, 8] as const
const pairs = size / 2

const add = (g: TestGraph, left: Node, right: Node) => g.op('add', { left, right })
const sub = (g: TestGraph, left: Node, right: Node) => g.op('sub', { left, right })
const mul = (g: TestGraph, left: Node, right: Node) => g.op('mul', { left, right })
const negate = (g: TestGraph, input: Node) => g.op('negate', { input })
const reshape = (g: TestGraph, input: Node, shape: readonly number[]) => g.op('reshape', { input }, { shape: [...shape] })
const concat = (g: TestGraph, inputs: Node[], axis = -1) => g.op('concat', { inputs }, { axis })
/** `count` elements of the last dimension. */
const part = (g: TestGraph, input: Node, first: number, count: number, step = 1) => {
  const { shape } = input.type
  const last = (value: number, others: (axis: number) => number) =>
    shape.map((_, axis) => (axis === shape.length - 1 ? value : others(axis)))
  const attributes = { start: last(first, () => 0), size: last(count, (axis) => shape[axis]!), step: last(step, () => 1) }
  return g.op('slice', { input }, attributes)
}
const apart = (g: TestGraph, input: Node) => reshape(g, input, [...input.type.shape, 1])

const input = (g: TestGraph, width: number = size) => g.input('x', [batch, heads, length, width])
const tables = (g: TestGraph, shape: number[] = [length, pairs]) => [g.input('cos', shape), g.input('sin', shape)] as const
/** a · cos − b · sin and a · sin + b · cos. */
const turned = (g: TestGraph, a: Node, b: Node, cos: Node, sin: Node): [Node, Node] => [
  sub(g, mul(g, a, cos), mul(g, b, sin)),
  add(g, mul(g, a, sin), mul(g, b, cos)),
]
const rotateHalf = (g: TestGraph, x: Node) => concat(g, [negate(g, part(g, x, pairs, pairs)), part(g, x, 0, pairs)])
const twice = (g: TestGraph, table: Node) => concat(g, [table, table])

passSuite(passes.raiseRotaryEmbedding, ({ rewrites, leaves }) => {
  const numeric = { numeric: true, attributes: true } as const
  rewrites(
    'halves, turned and joined again',
    (g) => {
      const x = input(g)
      return concat(g, turned(g, part(g, x, 0, pairs), part(g, x, pairs, pairs), ...tables(g)))
    },
    { ...numeric, into: 'rotaryEmbedding(x, cos, sin, interleaved: false)' },
  )
  rewrites(
    'factors and terms the other way, tables for each batch',
    (g) => {
      const x = input(g)
      const [a, b] = [part(g, x, 0, pairs), part(g, x, pairs, pairs)]
      const [cos, sin] = tables(g, [batch, 1, length, pairs])
      return concat(g, [add(g, negate(g, mul(g, sin, b)), mul(g, cos, a)), add(g, mul(g, cos, b), mul(g, sin, a))])
    },
    numeric,
  )
  rewrites(
    'neighbours, by every other element',
    (g) => {
      const x = input(g)
      const both = turned(g, part(g, x, 0, pairs, 2), part(g, x, 1, pairs, 2), ...tables(g))
      return reshape(
        g,
        concat(
          g,
          both.map((half) => apart(g, half)),
        ),
        x.type.shape,
      )
    },
    numeric,
  )
  rewrites(
    'neighbours, by a reshape to pairs and a stack',
    (g) => {
      const x = input(g)
      const paired = reshape(g, x, [batch, heads, length, pairs, 2])
      const element = (i: number) => reshape(g, part(g, paired, i, 1), [batch, heads, length, pairs])
      const both = turned(g, element(0), element(1), ...tables(g))
      return reshape(
        g,
        concat(
          g,
          both.map((half) => apart(g, half)),
        ),
        x.type.shape,
      )
    },
    numeric,
  )
  rewrites(
    'turned the other way',
    (g) => {
      const x = input(g)
      const [a, b] = [part(g, x, 0, pairs), part(g, x, pairs, pairs)]
      const [cos, sin] = tables(g)
      return concat(g, [add(g, mul(g, a, cos), mul(g, b, sin)), sub(g, mul(g, b, cos), mul(g, a, sin))])
    },
    numeric,
  )
  rewrites(
    'rotate_half with tables of angles that repeat',
    (g) => {
      const x = input(g)
      const angles = twice(g, g.input('angles', [length, pairs]))
      return add(g, mul(g, x, g.op('cos', { input: angles })), mul(g, rotateHalf(g, x), g.op('sin', { input: angles })))
    },
    numeric,
  )
  rewrites(
    'rotate_half with constant tables looked up by position, scaled, in another dimension',
    (g) => {
      const x = input(g)
      const indices = g.input('positions', [length], 'i64')
      const looked = (name: string, f: (angle: number) => number) => {
        const table = g.weight(name, [16, size], (i) => f(Math.floor(i / size) / 10 ** (i % pairs)))
        const rows = g.op('embedding', { indices, table })
        return reshape(g, mul(g, rows, g.number(1.25)), [1, 1, length, size])
      }
      return add(g, mul(g, looked('cos', Math.cos), x), mul(g, looked('sin', Math.sin), rotateHalf(g, x)))
    },
    { ...numeric, prepares: 'tables of half the width, which are folded' },
  )
  rewrites(
    'exchanged halves with the sign in a constant table',
    (g) => {
      const x = input(g)
      const cos = g.weight('cos', [length, size], (i) => Math.cos(Math.floor(i / size) + (i % pairs)))
      const sin = g.weight(
        'sin',
        [length, size],
        (i) => Math.sin(Math.floor(i / size) + (i % pairs)) * (i % size < pairs ? -1 : 1),
      )
      return add(g, mul(g, x, cos), mul(g, concat(g, [part(g, x, pairs, pairs), part(g, x, 0, pairs)]), sin))
    },
    numeric,
  )
  rewrites(
    'neighbours exchanged by a reversed dimension',
    (g) => {
      const paired = reshape(g, input(g), [batch, heads, length, pairs, 2])
      const indices = g.input('positions', [length], 'i64')
      const looked = (name: string, of: (angle: number, second: boolean) => number) =>
        g.op(
          'gather',
          {
            input: g.weight(name, [16, pairs, 2], (i) => of(Math.floor(i / size) / 10 ** ((i >> 1) % pairs), i % 2 === 1)),
            indices,
          },
          { axis: 0 },
        )
      const [cos, sin] = [looked('cos', Math.cos), looked('sin', (angle, second) => (second ? 1 : -1) * Math.sin(angle))]
      return reshape(g, add(g, mul(g, paired, cos), mul(g, part(g, paired, 1, 2, -1), sin)), [batch, heads, length, size])
    },
    { ...numeric, prepares: 'tables of half the width, which are folded' },
  )
  rewrites(
    'neighbours exchanged by a stack, tables repeated by expansion',
    (g) => {
      const x = input(g)
      const [cos, sin] = tables(g).map((table) =>
        reshape(g, g.op('expand', { input: apart(g, table) }, { shape: [length, pairs, 2] }), [length, size]),
      ) as [Node, Node]
      const columns = [negate(g, part(g, x, 1, pairs, 2)), part(g, x, 0, pairs, 2)].map((half) => apart(g, half))
      return add(g, mul(g, x, cos), mul(g, reshape(g, concat(g, columns), x.type.shape), sin))
    },
    numeric,
  )
  rewrites(
    'a part of each head, what is behind it joined as it is',
    (g) => {
      const x = input(g, size + 3)
      const both = turned(g, part(g, x, 0, pairs), part(g, x, pairs, pairs), ...tables(g))
      return concat(g, [...both, part(g, x, size, 3)])
    },
    { ...numeric, into: 'rotaryEmbedding(x, cos, sin, interleaved: false)' },
  )
  rewrites(
    'a part of each head by rotate_half',
    (g) => {
      const x = input(g, size + 3)
      const head = part(g, x, 0, size)
      const [cos, sin] = tables(g)
      const whole = concat(
        g,
        [part(g, x, pairs, pairs), part(g, x, 0, pairs)].map((half, i) => (i === 0 ? negate(g, half) : half)),
      )
      const rotated = add(g, mul(g, head, twice(g, cos)), mul(g, whole, twice(g, sin)))
      return concat(g, [rotated, part(g, x, size, 3)])
    },
    { ...numeric, into: 'rotaryEmbedding(x, cos, sin, interleaved: false)' },
  )
  rewrites(
    'halves of a part in the middle',
    (g) => {
      const x = input(g, 3 * size)
      return concat(g, turned(g, part(g, x, size, pairs), part(g, x, size + pairs, pairs), ...tables(g)))
    },
    numeric,
  )

  leaves('both halves with the same sign', (g) => {
    const x = input(g)
    const [a, b] = [part(g, x, 0, pairs), part(g, x, pairs, pairs)]
    const [cos, sin] = tables(g)
    return concat(g, [add(g, mul(g, a, cos), mul(g, b, sin)), add(g, mul(g, a, sin), mul(g, b, cos))])
  })
  leaves('another sine in the second half', (g) => {
    const x = input(g)
    const [a, b] = [part(g, x, 0, pairs), part(g, x, pairs, pairs)]
    const [cos, sin] = tables(g)
    return concat(g, [
      sub(g, mul(g, a, cos), mul(g, b, sin)),
      add(g, mul(g, a, g.input('other', [length, pairs])), mul(g, b, cos)),
    ])
  })
  leaves('halves that are joined as neighbours', (g) => {
    const x = input(g)
    const both = turned(g, part(g, x, 0, pairs), part(g, x, pairs, pairs), ...tables(g))
    return concat(
      g,
      both.map((half) => apart(g, half)),
    )
  })
  leaves('neighbours that are joined as halves', (g) => {
    const x = input(g)
    return concat(g, turned(g, part(g, x, 0, pairs, 2), part(g, x, 1, pairs, 2), ...tables(g)))
  })
  leaves('halves that are not next to each other', (g) => {
    const x = input(g, size + 1)
    return concat(g, turned(g, part(g, x, 0, pairs), part(g, x, pairs + 1, pairs), ...tables(g)))
  })
  leaves('halves of two values', (g) => {
    const [x, y] = [input(g), g.input('y', [batch, heads, length, size])]
    return concat(g, turned(g, part(g, x, 0, pairs), part(g, y, pairs, pairs), ...tables(g)))
  })
  leaves('halves joined along another dimension', (g) => {
    const x = input(g)
    return concat(g, turned(g, part(g, x, 0, pairs), part(g, x, pairs, pairs), ...tables(g)), 2)
  })
  leaves('a turned half that somebody else uses', (g) => {
    const x = input(g)
    const both = turned(g, part(g, x, 0, pairs), part(g, x, pairs, pairs), ...tables(g))
    return [concat(g, both), both[0]]
  })
  leaves('tables that do not repeat', (g) => {
    const x = input(g)
    const [cos, sin] = tables(g, [length, size])
    return add(g, mul(g, x, cos), mul(g, rotateHalf(g, x), sin))
  })
  leaves('constant tables that repeat almost', (g) => {
    const x = input(g)
    const table = (name: string) => g.weight(name, [length, size], (i) => (i === 5 ? 0.5 : 0.25))
    return add(g, mul(g, x, table('cos')), mul(g, rotateHalf(g, x), table('sin')))
  })
  leaves('rotate_half without its minus', (g) => {
    const x = input(g)
    const [cos, sin] = tables(g)
    return add(g, mul(g, x, twice(g, cos)), mul(g, concat(g, [part(g, x, pairs, pairs), part(g, x, 0, pairs)]), twice(g, sin)))
  })
  leaves('rotate_half of another value', (g) => {
    const [x, y] = [input(g), g.input('y', [batch, heads, length, size])]
    const [cos, sin] = tables(g)
    return add(g, mul(g, x, twice(g, cos)), mul(g, rotateHalf(g, y), twice(g, sin)))
  })
  leaves('rotate_half of a reversed value', (g) => {
    const x = g.input('x', [length, size])
    const half = (first: number) =>
      g.op('slice', { input: x }, { start: [length - 1, first], size: [length, pairs], step: [-1, 1] })
    const [cos, sin] = tables(g)
    return add(g, mul(g, x, twice(g, cos)), mul(g, concat(g, [negate(g, half(pairs)), half(0)]), twice(g, sin)))
  })
  leaves('integers', (g) => {
    const x = g.input('x', [length, size], 'i32')
    const [cos, sin] = [g.input('cos', [pairs], 'i32'), g.input('sin', [pairs], 'i32')]
    return concat(g, turned(g, part(g, x, 0, pairs), part(g, x, pairs, pairs), cos, sin))
  })
  leaves('what is behind the pairs of another value', (g) => {
    const [x, y] = [input(g), g.input('y', [batch, heads, length, size + 3])]
    const [cos, sin] = tables(g)
    return concat(g, [g.op('rotaryEmbedding', { input: x, cos, sin }), part(g, y, size, 3)])
  })
})

test.run()

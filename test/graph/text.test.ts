import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type ConstantData,
  constantsOf,
  createBuilder,
  type Graph,
  GraphTextError,
  parseGraph,
  printGraph,
  verifyGraph,
} from '../../compiler/graph/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph } from '../support/randomGraph.ts'

const data = (label: string, size: number): ConstantData => ({ label, read: () => new Uint8Array(size) })

test('a graph prints one line for each node, types and attributes complete', () => {
  const b = createBuilder()
  const x = b.input('x', { dtype: 'f32', shape: [2, 3] })
  const w = b.constant({ dtype: 'f32', shape: [64, 3] }, data('fc.weight', 768))
  const y = b.add('softmax', {
    input: b.add('mul', { left: b.add('linear', { input: x, weight: w }), right: b.scalar('f32', -0) }),
  })
  const graph = b.finish('two', [x], [{ name: 'y', value: y }])
  assert.is(
    printGraph(graph),
    `graph "two"(%0)
  %0 = input {name: "x"} : f32[2, 3]
  %1 = constant @"fc.weight" : f32[64, 3]
  %2 = linear(%0, %1) : f32[2, 64]
  %3 = constant @"0" [-0] : f32[]
  %4 = mul(%2, %3) : f32[2, 64]
  %5 = softmax(%4) {axis: -1} : f32[2, 64]
  return "y" = %5
`,
  )
})

test('labels are made unique, payloads keep their identity', () => {
  const b = createBuilder()
  const type = { dtype: 'f32', shape: [20] } as const
  const [one, two] = [data('w', 80), data('w', 80)]
  const sum = b.add('add', { left: b.constant(type, one), right: b.constant(type, two) })
  const again = b.add('add', {
    left: sum,
    right: b.add('reshape', { input: b.constant({ dtype: 'f32', shape: [4, 5] }, one) }, { shape: [20] }),
  })
  const graph = b.finish('g', [], [{ name: 'y', value: again }])
  const text = printGraph(graph)
  assert.match(text, '@"w" : f32[20]')
  assert.match(text, '@"w.2" : f32[20]')
  assert.match(text, '@"w" : f32[4, 5]')
  const back = parseGraph(text, constantsOf(graph))
  assert.is(printGraph(back), text)
  assert.is(back.nodes[0]!.data, one)
  assert.is(back.nodes[1]!.data, two)
})

test('inline values give back every bit', () => {
  const b = createBuilder()
  const literals = [
    b.literal(
      { dtype: 'f32', shape: [5] },
      new Uint8Array(new Float32Array([0.1, -0, 1e-45, 3.4e38, Number.NEGATIVE_INFINITY]).buffer),
    ),
    b.literal({ dtype: 'f32', shape: [1] }, new Uint8Array([1, 0, 0xc0, 0x7f])),
    b.literal({ dtype: 'i64', shape: [2] }, new Uint8Array(new BigInt64Array([2n ** 63n - 1n, -(2n ** 63n)]).buffer)),
    b.literal({ dtype: 'u64', shape: [] }, new Uint8Array(new BigUint64Array([2n ** 64n - 1n]).buffer)),
    b.literal({ dtype: 'bool', shape: [2] }, new Uint8Array([1, 7])),
    b.literal({ dtype: 'f8e4m3', shape: [3] }, new Uint8Array([0x7f, 0x01, 0xb7])),
  ]
  const graph = b.finish(
    'g',
    [],
    literals.map((value, i) => ({ name: `y${i}`, value })),
  )
  const text = printGraph(graph)
  assert.match(text, '[0.10000000149011612, -0, 1.401298464324817e-45, 3.3999999521443642e+38, -Infinity]')
  assert.match(text, 'bytes "0100c07f"')
  assert.match(text, '[9223372036854775807, -9223372036854775808]')
  const back = parseGraph(text)
  assert.is(printGraph(back), text)
  for (const [i, output] of back.outputs.entries()) assert.equal([...output.value.data!.read()], [...literals[i]!.data!.read()])
})

test('quantized types, infinities and awkward names survive', () => {
  const b = createBuilder()
  const x = b.input('a "quoted" // name\n', {
    dtype: 'i8',
    shape: [2],
    quantization: { scale: [0.1, 0.2], zeroPoint: [3, -4], axis: 0 },
  })
  const y = b.input('y', { dtype: 'u8', shape: [2], quantization: { scale: [0.5], zeroPoint: [128] } })
  const p = b.add('pad', { input: y }, { before: [1], after: [0], value: Number.NEGATIVE_INFINITY })
  const c = b.add('clamp', { input: b.add('cast', { input: p }, { dtype: 'f32' }) }, { minimum: 0 })
  const graph = b.finish('g', [y, x], [{ name: 'ä→b', value: c }])
  const text = printGraph(graph)
  assert.match(text, 'graph "g"(%1, %0)')
  assert.match(text, '{minimum: 0, maximum: Infinity}')
  assert.match(text, 'u8[3] quantized([0.5], [128])')
  assert.is(printGraph(parseGraph(text)), text)
})

test('locations are comments', () => {
  const b = createBuilder()
  const span = (line: number) => ({ file: 'a.model.ts', line, column: 3 })
  const x = b.input('x', { dtype: 'f32', shape: [] })
  const y = b.add('exp', { input: x }, {}, { kind: 'source', span: span(7), calls: [span(20)] })
  const graph = b.finish('g', [x], [{ name: 'y', value: y }])
  const text = printGraph(graph, { locations: true })
  assert.match(text, '%1 = exp(%0) : f32[]  // a.model.ts:7:3 < a.model.ts:20:3')
  assert.is(printGraph(parseGraph(text)), printGraph(graph))
})

const malformed: readonly (readonly [string, string, string, number])[] = [
  ['nothing', '', 'expected `graph "name"(inputs)`', 1],
  ['no return', 'graph "g"()\n', 'the graph has no return line', 2],
  ['an unknown op', 'graph "g"()\n%0 = frobnicate : f32[]', "unknown op 'frobnicate'", 2],
  ['an unknown operand', 'graph "g"()\n%0 = exp(%7) : f32[]', '%7 is not defined above', 2],
  ['an unknown output', 'graph "g"()\n%0 = constant @"c" [1] : f32[]\nreturn "y" = %1', '%1 is not defined', 3],
  [
    'a wrong type',
    'graph "g"(%0)\n%0 = input {name: "x"} : f32[2]\n%1 = exp(%0) : f32[3]',
    'exp gives f32[2], the text says f32[3]',
    3,
  ],
  [
    'a problem of shapes',
    'graph "g"(%0)\n%0 = input {name: "x"} : f32[2]\n%1 = reshape(%0) {shape: [3]} : f32[3]',
    'reshape: f32[2] has 2 elements, [3] has 3',
    3,
  ],
  ['two definitions', 'graph "g"()\n%0 = input {name: "x"} : f32[2]\n%0 = input {name: "y"} : f32[2]', '%0 is defined twice', 3],
  ['values that do not fit', 'graph "g"()\n%0 = constant @"c" [1, 2] : f32[]', 'the values do not fit f32[]', 2],
  ['rest of line', 'graph "g"()\n%0 = input {name: "x"} : f32[2] f', 'unexpected f', 2],
  ['an open string', 'graph "g', 'expected a quoted name, found "', 1],
  ['an open list', 'graph "g"()\n%0 = input {name: [[[ : f32[2]', 'expected a number, found :', 2],
  ['deep lists', `graph "g"()\n%0 = input {name: ${'['.repeat(1000)} : f32[2]`, 'lists are nested too deeply', 2],
  ['a negative shape', 'graph "g"()\n%0 = input {name: "x"} : f32[-1]', '[-1] is not a shape', 2],
]
for (const [name, text, message, line] of malformed) {
  test(`${name} is an error with its line`, () => {
    assert.throws(
      () => parseGraph(text),
      (e: GraphTextError) => e instanceof GraphTextError && e.message === `line ${line}: ${message}` && e.line === line,
    )
  })
}

test('damaged text never does worse than a GraphTextError', () => {
  const property = fc.property(
    arbitraryGraph({ maximumNodes: 4 }),
    fc.nat(),
    fc.nat(),
    fc.string({ maxLength: 3 }),
    (graph, at, cut, insert) => {
      const text = printGraph(graph)
      const start = at % text.length
      const damaged = text.slice(0, start) + insert + text.slice(start + (cut % 6))
      try {
        parseGraph(damaged)
      } catch (error) {
        assert.instance(error, GraphTextError, `${error}\n${damaged}`)
      }
    },
  )
  fc.assert(property, draw(20, 300))
})

test('IR-28 parse(print(g)) = g for random graphs', () => {
  const property = fc.property(arbitraryGraph(), (graph: Graph) => {
    verifyGraph(graph)
    const text = printGraph(graph)
    const back = parseGraph(text, constantsOf(graph))
    assert.is(printGraph(back), text)
    verifyGraph(back)
  })
  fc.assert(property, draw(21, 200))
})

test.run()

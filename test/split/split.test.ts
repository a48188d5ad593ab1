// SP-01 … SP-07: nodes computed in parts give what they give whole.
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Graph, type Node, type OpName, ops, printGraph, verifyGraph } from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import {
  bytesAtMost,
  type Cut,
  chooseCuts,
  findDivision,
  isRefusal,
  partOf,
  rangesOf,
  resolveCores,
  SplitError,
  splitGraph,
} from '../../compiler/split/index.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { createTestGraph, expression, type TestGraph } from '../support/expression.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { arbitraryGraph, graphWithOp, mulberry, randomInputs } from '../support/randomGraph.ts'
import { expectEqualGraphs, expectOutputs } from '../support/sensitivity.ts'

const pairs = (ranges: readonly { start: number; end: number }[]) => ranges.map(({ start, end }) => [start, end])

test('SP-01 every form of division covers the dimension', () => {
  assert.equal(pairs(rangesOf({ kind: 'count', count: 3 }, 10)), [
    [0, 3],
    [3, 7],
    [7, 10],
  ])
  assert.equal(pairs(rangesOf({ kind: 'count', count: 4 }, 3)), [
    [0, 1],
    [1, 2],
    [2, 3],
  ])
  assert.equal(pairs(rangesOf({ kind: 'count', count: 3 }, 10, 4)), [
    [0, 4],
    [4, 8],
    [8, 10],
  ])
  assert.equal(pairs(rangesOf({ kind: 'size', size: 4 }, 10)), [
    [0, 4],
    [4, 8],
    [8, 10],
  ])
  assert.equal(pairs(rangesOf({ kind: 'sizes', sizes: [2, 8] }, 10)), [
    [0, 2],
    [2, 10],
  ])
  assert.equal(pairs(rangesOf({ kind: 'weights', weights: [1, 3] }, 8)), [
    [0, 2],
    [2, 8],
  ])
  const overlapping = [
    { start: 0, end: 6 },
    { start: 4, end: 10 },
  ]
  assert.equal(rangesOf({ kind: 'ranges', ranges: overlapping }, 10), overlapping)
})

test('SP-01 divisions that do not cover the dimension are refused with the reason', () => {
  const refused = (body: () => unknown, reason: RegExp) =>
    assert.throws(body, (e: Error) => e instanceof RangeError && reason.test(e.message))
  refused(() => rangesOf({ kind: 'count', count: 0 }, 4), /count must be a positive whole number, got 0/)
  refused(() => rangesOf({ kind: 'sizes', sizes: [2, 3] }, 6), /sum to 5, the dimension has 6/)
  refused(() => rangesOf({ kind: 'sizes', sizes: [3, 3] }, 6, 2), /no multiples of 2/)
  refused(() => rangesOf({ kind: 'weights', weights: [1, -1] }, 6), /positive numbers/)
  refused(
    () =>
      rangesOf(
        {
          kind: 'ranges',
          ranges: [
            { start: 0, end: 2 },
            { start: 3, end: 6 },
          ],
        },
        6,
      ),
    /2 to 3 are in no range/,
  )
  refused(() => rangesOf({ kind: 'ranges', ranges: [{ start: 0, end: 5 }] }, 6), /5 to 6 are in no range/)
  refused(() => rangesOf({ kind: 'ranges', ranges: [{ start: 0, end: 7 }] }, 6), /no range of 6 positions/)
  refused(() => rangesOf({ kind: 'count', count: 2 }, 0), /0 positions/)
})

test('SP-01 counts and weights cover any dimension once, in order', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 500 }),
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 }),
    fc.integer({ min: 1, max: 16 }),
    (extent, weights, alignment) => {
      for (const division of [{ kind: 'count', count: weights.length } as const, { kind: 'weights', weights } as const]) {
        const ranges = rangesOf(division, extent, alignment)
        assert.is(ranges[0]!.start, 0)
        assert.is(ranges.at(-1)!.end, extent)
        for (const [i, { start, end }] of ranges.entries()) {
          assert.ok(start < end && start % alignment === 0)
          if (i > 0) assert.is(start, ranges[i - 1]!.end)
        }
      }
    },
  )
  fc.assert(property, draw(90, 300))
})

/** Every way to cut one node, with two parts that overlap where there is room. */
function cutsOf(node: Node, random: () => number): Cut[] {
  return node.type.shape.flatMap((extent, axis): Cut[] => {
    if (extent < 2) return []
    const middle = 1 + Math.floor(random() * (extent - 1))
    const overlap = random() < 0.5 ? Math.floor(random() * middle) : 0
    const ranges = [
      { start: 0, end: middle },
      { start: middle - overlap, end: extent },
    ]
    return ranges.every((range) => !isRefusal(partOf(node, axis, range))) ? [{ axis, ranges }] : []
  })
}

const kept = ['linear', 'softmax', 'logSoftmax', 'layerNorm', 'rmsNorm', 'embeddingBag', 'raggedEmbeddingBag'] as const
/** Each element of these follows from all before it; `resultOf` reads what a loop packed. */
const whole: readonly OpName[] = ['bagOffsets', 'truePositions', 'resultOf']
const keeps = new Set<any>(kept)
const divisible = (Object.keys(ops) as OpName[]).filter((name) => {
  const { kind, traits } = ops[name]
  return !whole.includes(name) && !(traits as readonly string[]).includes('storage') && (kind === 'primitive' || keeps.has(name))
})

for (const name of divisible) {
  test(`SP-01 ${name} in parts equals ${name} whole, along every dimension that can be divided`, () => {
    let cutCount = 0
    for (let seed = 1; seed <= 30 && cutCount < 12; seed++) {
      const drawn = graphWithOp(name as never, seed, { extents: [2, 3, 4, 5, 8], maximumElements: 2000 })
      if (!drawn) continue
      const graph = lowerGraph(drawn, keeps)
      for (const node of graph.nodes.filter((each) => each.op === name)) {
        for (const cut of cutsOf(node, mulberry(seed))) {
          cutCount++
          const { graph: split } = splitGraph(graph, new Map([[node, cut]]))
          verifyGraph(split)
          expectEqualGraphs(split, drawn, seed)
        }
      }
    }
    assert.ok(cutCount > 0, `no case of ${name} could be divided`)
  })
}

test('SP-04 random graphs with random cuts compute what they compute whole', () => {
  let cutCount = 0
  const property = fc.property(arbitraryGraph({ maximumNodes: 14 }), fc.nat(1000), (drawn, seed) => {
    const graph = lowerGraph(drawn, keeps)
    const random = mulberry(seed)
    const cuts = new Map(
      graph.nodes.flatMap((node) => {
        const possible = cutsOf(node, random)
        const cut = possible[Math.floor(random() * possible.length)]
        return cut && random() < 0.5 ? [[node, { ...cut, depth: 1 + Math.floor(random() * 4) }] as const] : []
      }),
    )
    cutCount += cuts.size
    const { graph: split } = splitGraph(graph, cuts)
    verifyGraph(split)
    expectEqualGraphs(split, drawn, seed)
    assert.equal(
      split.inputs.map(({ attributes }) => attributes.name),
      graph.inputs.map(({ attributes }) => attributes.name),
    )
  })
  fc.assert(property, draw(91, 120))
  assert.ok(cutCount > 100, `only ${cutCount} cuts`)
})

// ---------------------------------------------------------------- chains
function convolutions(g: TestGraph): { readonly graph: Graph; readonly last: Node } {
  const window = { stride: [1, 1], before: [1, 1], after: [1, 1], dilation: [1, 1] }
  let x = g.input('x', [1, 2, 16, 16])
  for (const name of ['a', 'b', 'c']) {
    x = g.op('conv', { input: x, weight: g.weight(name, [2, 2, 3, 3]) }, { ...window, groups: 1 })
    x = g.op('maximum', { left: x, right: g.number(0) })
  }
  const last = g.op('maxPool', { input: x }, { ...window, stride: [2, 2], window: [2, 2], before: [0, 0], after: [0, 0] })
  return { graph: g.graph(last), last }
}

test('SP-03 a chain is divided together, with a halo that grows by one row for each convolution', () => {
  const { graph, last } = convolutions(createTestGraph())
  const ranges = rangesOf({ kind: 'count', count: 2 }, 8)
  const { graph: split, parts } = splitGraph(graph, new Map([[last, { axis: 2, ranges, depth: 7 }]]))
  verifyGraph(split)
  expectEqualGraphs(split, graph, 1)
  assert.is(parts.get(last)!.length, 2)
  const rows = split.nodes.filter(({ op }) => op === 'conv').map(({ type }) => type.shape[2])
  // Eight rows of the pool's operand for each part, one more for each convolution behind.
  assert.equal(rows.toSorted(), [10, 10, 8, 8, 9, 9])
  const taken = split.nodes.filter(({ op }) => op === 'slice').map(({ type }) => type.shape[2])
  assert.equal(taken, [11, 11])
})

test('SP-03 what others read is computed once and whole', () => {
  const g = createTestGraph()
  const x = g.op('exp', { input: g.input('x', [4, 6]) })
  const y = g.op('tanh', { input: x })
  const graph = g.graph(y, x)
  const { graph: split } = splitGraph(
    graph,
    new Map([[y, { axis: 0, ranges: rangesOf({ kind: 'count', count: 2 }, 4), depth: 3 }]]),
  )
  assert.is(split.nodes.filter(({ op }) => op === 'exp').length, 1)
  assert.equal(
    split.outputs.map(({ value }) => expression(value)),
    ['concat(tanh(slice(exp(x))), tanh(slice(exp(x))))', 'exp(x)'],
  )
})

// ---------------------------------------------------------------- refusals
test('dimensions that an op combines, normalises or orders cannot be divided', () => {
  const g = createTestGraph()
  const x = g.input('x', [4, 6])
  const refused = (node: Node, axis: number) => {
    const part = partOf(node, axis, { start: 0, end: 1 })
    return isRefusal(part) ? part.refused : 'possible'
  }
  assert.is(refused(g.op('softmax', { input: x }, { axis: -1 }), 1), 'dimension 1 is normalised')
  assert.is(refused(g.op('softmax', { input: x }, { axis: -1 }), 0), 'possible')
  assert.is(refused(g.op('reduceSum', { input: x }, { axes: [0], keepDims: true }), 0), 'dimension 0 is combined')
  assert.is(refused(g.op('cumSum', { input: x }, { axis: 0 }), 0), 'the op looks along dimension 0')
  assert.is(
    refused(g.op('reshape', { input: x }, { shape: [3, 8] }), 0),
    'dimension 0 of the result is no dimension of the operand',
  )
  assert.is(refused(x, 0), 'it is stored, not computed')
  const grouped = g.op(
    'conv',
    { input: g.input('z', [1, 6, 5]), weight: g.weight('w', [6, 2, 3]) },
    { stride: [1], before: [0], after: [0], dilation: [1], groups: 3 },
  )
  assert.is(refused(grouped, 1), 'possible')
  const across = partOf(grouped, 1, { start: 1, end: 4 })
  assert.ok(isRefusal(across) && /inside a group of 2 channels/.test(across.refused))
  assert.throws(
    () =>
      splitGraph(
        g.graph(g.op('softmax', { input: x }, {})),
        new Map([[g.op('softmax', { input: x }, {}), { axis: 1, ranges: [{ start: 0, end: 6 }] }]]),
      ),
    (e: Error) =>
      e instanceof SplitError &&
      /softmax cannot be divided into 0 to 6 of dimension 1: dimension 1 is normalised/.test(e.message),
  )
})

// ---------------------------------------------------------------- search
test('SP-02 the fewest parts that meet the constraint are found, or it is said why there are none', () => {
  const g = createTestGraph()
  const node = g.op('linear', { input: g.input('x', [8, 64]), weight: g.weight('w', [256, 64]) })
  // Whole: 2,048 bytes of input, 65,536 of weights, 8,192 of result. Along the outputs: input + (65,536 + 8,192) / n.
  const found = findDivision(node, bytesAtMost(20_000))
  assert.ok(!isRefusal(found))
  assert.is(found.axis, 1)
  assert.is(found.ranges.length, Math.ceil((65_536 + 8_192) / (20_000 - 2_048)))
  const aligned = findDivision(node, bytesAtMost(20_000), { alignment: 32 })
  assert.ok(!isRefusal(aligned))
  assert.equal(
    aligned.ranges.map(({ start }) => start % 32),
    aligned.ranges.map(() => 0),
  )
  const none = findDivision(node, bytesAtMost(20_000), { axes: [0] })
  assert.ok(
    isRefusal(none) &&
      /linear has no division that meets the constraint; dimension 0: positions 0 to 1 do not meet it/.test(none.refused),
  )
  const softmax = findDivision(g.op('softmax', { input: g.input('y', [1, 99]) }), bytesAtMost(8))
  assert.ok(isRefusal(softmax) && /dimension 1: dimension 1 is normalised/.test(softmax.refused))
})

// ---------------------------------------------------------------- choice
test('SP-05 SP-06 wide products are divided by outputs, others by batch, and elementwise nodes follow', () => {
  const g = createTestGraph()
  const x = g.input('x', [256, 8])
  const wide = g.op('linear', { input: x, weight: g.weight('a', [512, 8]) })
  const active = g.op('maximum', { left: wide, right: g.number(0) })
  const narrow = g.op('linear', { input: active, weight: g.weight('b', [4, 512]) })
  const graph = g.graph(g.op('tanh', { input: narrow }))
  const cuts = chooseCuts(graph, { count: 2 })
  const axes = graph.nodes.flatMap((node) => (cuts.has(node) ? [`${node.op} ${cuts.get(node)!.axis}`] : []))
  assert.equal(axes, ['linear 1', 'maximum 1', 'linear 0', 'tanh 0'])
  const { graph: split } = splitGraph(graph, cuts)
  verifyGraph(split)
  expectEqualGraphs(split, graph, 5)
  // The parts of `wide` go to those of `maximum` as they are; only there somebody needs the whole.
  assert.equal(
    split.nodes.filter(({ op }) => op === 'concat').map(({ operands }) => operands[0]!.op),
    ['maximum', 'tanh'],
  )
  assert.is(chooseCuts(graph, { count: 2, minimumOutputs: 513, minimumBatch: 257 }).size, 0)
  assert.is(chooseCuts(graph, { count: 1 }).size, 0)
  assert.equal(
    cuts.size > 0 &&
      chooseCuts(graph, { count: 3, alignment: 100 })
        .get(narrow)
        ?.ranges.map(({ start }) => start),
    [0, 100, 200],
  )
})

test('SP-06 models are divided and keep their values', () => {
  const property = fc.property(
    arbitraryGraph({ maximumNodes: 12, extents: [4, 5, 6, 8] }),
    fc.integer({ min: 2, max: 4 }),
    fc.nat(1000),
    (drawn, count, seed) => {
      const graph = lowerGraph(drawn, keeps)
      const { graph: split } = splitGraph(graph, chooseCuts(graph, { count, minimumBatch: 2, minimumOutputs: 4 }))
      verifyGraph(split)
      expectEqualGraphs(split, drawn, seed)
      assert.is(
        printGraph(split),
        printGraph(splitGraph(graph, chooseCuts(graph, { count, minimumBatch: 2, minimumOutputs: 4 })).graph),
      )
    },
  )
  fc.assert(property, draw(92, 80))
})

test('SP-05 the pipeline computes large nodes in parts where it is asked to', () => {
  const g = createTestGraph()
  const hidden = g.op('relu', { input: g.op('matmul', { left: g.input('x', [3, 8]), right: g.weight('a', [8, 512]) }) })
  const graph = g.graph(g.op('matmul', { left: hidden, right: g.weight('b', [512, 4]) }))
  const target = targetWith()
  const whole = compileGraph(graph, { target, evaluate })
  const split = compileGraph(graph, { target, evaluate, split: { count: 2 } })
  const products = ({ lowered }: typeof whole) => lowered.nodes.filter(({ op }) => op === 'matmul').map(({ type }) => type.shape)
  assert.equal(products(whole), [
    [3, 512],
    [3, 4],
  ])
  assert.equal(products(split), [
    [3, 256],
    [3, 256],
    [3, 4],
  ])
  assert.equal(
    split.log.filter(({ pass }) => pass === 'split').map(({ changed }) => changed),
    [true],
  )
  const inputs = randomInputs(graph, 4)
  const { fault, outputs } = runOnMemory(split.program, inputs)
  assert.is(fault, 0)
  expectOutputs(outputs, graph, inputs)
})

// ---------------------------------------------------------------- cores
test('SP-07 hints are checked against the graph', () => {
  const g = createTestGraph()
  const y = g.op('exp', { input: g.input('x', [4]) })
  const { graph, parts } = splitGraph(g.graph(y), new Map([[y, { axis: 0, ranges: rangesOf({ kind: 'count', count: 2 }, 4) }]]))
  const [first, second] = parts.get(y)! as [Node, Node]
  const both = parts.get(y)!
  const resolved = resolveCores(graph, { cores: new Map([[both, [1, 0]]]), order: [{ before: second, after: first }] }, 2)
  assert.equal([resolved.get(first), resolved.get(second)], [1, 0])
  const refused = (hints: Parameters<typeof resolveCores>[1], reason: RegExp) =>
    assert.throws(
      () => resolveCores(graph, hints, 2),
      (e: Error) => e instanceof SplitError && reason.test(e.message),
    )
  refused({ cores: new Map([[both, [0]]]), order: [] }, /1 cores are given for 2 parts/)
  refused({ cores: new Map([[both, [0, 2]]]), order: [] }, /core 2 is none of the 2/)
  refused({ cores: new Map([[[y], [0]]]), order: [] }, /a exp that the graph does not have/)
  refused(
    {
      cores: new Map(),
      order: [
        { before: first, after: second },
        { before: second, after: first },
      ],
    },
    /circle/,
  )
  refused({ cores: new Map(), order: [{ before: graph.outputs[0]!.value, after: first }] }, /circle/)
})

test.run()

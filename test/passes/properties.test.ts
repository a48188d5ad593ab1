import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { constantsOf, type Graph, parseGraph, printGraph, verifyGraph } from '../../compiler/graph/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { type Pass, passes } from '../../compiler/passes/index.ts'
import { optimise, optimiseLowered, type PassList, runPasses } from '../../compiler/pipeline.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, type RandomGraphOptions } from '../support/randomGraph.ts'
import { expectEqualGraphs } from '../support/sensitivity.ts'

const context = { evaluate, assumeFinite: false, apply: () => true }

const optimised = (graph: Graph, list: PassList, phase: string): Graph =>
  runPasses(graph, list, {
    phase,
    evaluate,
    verify: true,
    assumeFinite: false,
    budget: { applications: Number.POSITIVE_INFINITY },
    // A loop that ends at its limit has rules that undo each other.
    after: ({ pass, round, changed }) => {
      assert.ok(round < 12 || !changed, `${pass} still finds something in round ${round}`)
      return false
    },
  }).graph

/** Ops among which a pass finds most to do; the rest of the vocabulary is tried by the tests of whole pipelines. */
const vocabulary: Partial<Record<keyof typeof passes, NonNullable<RandomGraphOptions['ops']>>> = {
  factorProducts: ['mul', 'add', 'sub', 'linear', 'add'],
  foldAffine: ['conv', 'linear', 'mul', 'add', 'div'],
  foldBatchNorm: ['conv', 'linear', 'batchNorm', 'relu'],
  fuseQuantized: [
    'dequantize',
    'dequantize',
    'quantize',
    'reshape',
    'transpose',
    'relu',
    'sigmoid',
    'maxPool',
    'reduceMean',
    'matmul',
  ],
  mergeProducts: ['linear', 'conv', 'linear', 'add'],
  narrowIndices: ['gather', 'embedding', 'gatherElements', 'cast', 'gatherNd'],
  raiseClamp: ['minimum', 'maximum', 'relu'],
  raiseActivation: ['sigmoid', 'mul', 'maximum', 'relu', 'clamp', 'add', 'where', 'less', 'div', 'exp', 'negate'],
  raiseLinear: ['matmul', 'add', 'reshape'],
  raiseNormalization: ['layerNorm', 'rmsNorm', 'mul', 'add', 'mul', 'reduceMean', 'rsqrt'],
  raiseSoftmax: ['exp', 'reduceSum', 'div', 'log', 'sub', 'softmax', 'reduceMax'],
  simplifyArithmetic: ['add', 'sub', 'mul', 'div', 'pow', 'negate', 'maximum', 'abs', 'and', 'or', 'not', 'bitwiseOr'],
  simplifyCast: ['cast', 'cast', 'negate'],
  simplifyClamp: ['relu', 'clamp', 'minimum', 'maximum', 'sigmoid', 'slice'],
  simplifyConcat: ['concat', 'slice'],
  simplifyConv: ['conv', 'pad', 'conv', 'reshape'],
  simplifyExpand: ['expand', 'add', 'where', 'prelu'],
  simplifyGather: ['gather', 'embedding'],
  simplifyMatmul: ['matmul', 'expand', 'reshape'],
  simplifyPad: ['pad', 'conv', 'avgPool', 'maxPool'],
  simplifyReshape: ['reshape', 'exp'],
  simplifySlice: ['slice', 'concat', 'pad'],
  simplifyTranspose: ['transpose', 'exp'],
  sinkReshape: ['reshape', 'add', 'relu', 'where'],
  sinkTranspose: ['transpose', 'add', 'concat', 'pad', 'slice', 'softmax', 'reduceSum', 'reduceMax', 'variance', 'where'],
}

for (const [key, pass] of Object.entries(passes) as [keyof typeof passes, Pass][]) {
  test(`${pass.name} keeps values, types and names on random graphs, and finds nothing left when run to rest`, () => {
    const ops = vocabulary[key]
    let changes = 0
    const property = fc.property(
      arbitraryGraph(ops ? { ops, dtypes: ['f32', 'f32', 'f32', 'i32', 'bool', 'u8'] } : {}),
      fc.nat(1000),
      (graph, seed) => {
        let current = graph
        let runs = 0
        for (; runs < 20; runs++) {
          const next = pass.run(current, context)
          if (next === current) break
          verifyGraph(next)
          current = next
        }
        assert.ok(runs < 20, 'does not come to rest')
        if (current === graph) return
        changes++
        expectEqualGraphs(current, graph, seed)
      },
    )
    fc.assert(property, draw(30, 150))
    // The builder makes neither dead nodes nor equal constants; patterns of many ops, and layers that share
    // constants, do not arise by chance: `recognition.test.ts` and `layers.test.ts` draw them.
    const idle = [
      passes.eliminateDeadCode,
      passes.mergeEqualConstants,
      passes.mergeProducts,
      passes.factorProducts,
      passes.raiseActivation,
      passes.raiseAttention,
      passes.raiseDilation,
      passes.raiseEmbeddingBag,
      passes.raiseNormalization,
      passes.raiseRotaryEmbedding,
      passes.raiseSoftmax,
    ].includes(pass)
    assert.ok(idle || changes >= 5, `only ${changes} of 150 graphs changed`)
  })
}

test('TO-19 optimise(G) = G, and optimising again changes nothing', () => {
  const property = fc.property(arbitraryGraph({ maximumNodes: 16 }), fc.nat(1000), (graph, seed) => {
    const result = optimised(graph, optimise, 'optimise')
    expectEqualGraphs(result, graph, seed)
    assert.is(printGraph(optimised(result, optimise, 'optimise')), printGraph(result))
    const text = printGraph(result)
    assert.is(printGraph(parseGraph(text, constantsOf(result))), text)
  })
  fc.assert(property, draw(31, 150))
})

test('TO-19 optimise(lower(optimise(G))) = G', () => {
  const property = fc.property(arbitraryGraph({ maximumNodes: 16 }), fc.nat(1000), (graph, seed) => {
    const lowered = lowerGraph(optimised(graph, optimise, 'optimise'), new Set())
    verifyGraph(lowered)
    const result = optimised(lowered, optimiseLowered, 'optimise-lowered')
    expectEqualGraphs(result, graph, seed)
    assert.is(printGraph(optimised(result, optimiseLowered, 'optimise-lowered')), printGraph(result))
  })
  fc.assert(property, draw(32, 150))
})

test.run()

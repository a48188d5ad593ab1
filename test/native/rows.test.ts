import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Builder, createBuilder, type Graph, inputName, type Node } from '../../compiler/graph/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { executeGraphs, targetOf } from '../support/executable.ts'
import { conv, f32, weights } from '../support/graphs.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { randomInputs } from '../support/randomGraph.ts'
import { expectOutputs } from '../support/sensitivity.ts'

/** Two parts for a join along an axis that is not the outermost, by kernels that store rows. */
type Case = { readonly axis: number; readonly parts: (b: Builder) => readonly Node[] }

const image = (b: Builder, name: string, channels = 6) => b.input(name, f32(2, channels, 9, 20))
const rows = (b: Builder, name: string) => b.input(name, f32(3, 5, 40))

const pool = (b: Builder, op: 'maxPool' | 'avgPool', input: Node, more = {}) =>
  b.add(op, { input }, { window: [3, 3], stride: [1, 1], before: [1, 1], after: [1, 1], dilation: [1, 1], ...more } as never)

const cases: Readonly<Record<string, Case>> = {
  'convolutions with windows': {
    axis: 1,
    parts: (b) => [conv(b, image(b, 'a'), 20, 3, 'a'), b.add('tanh', { input: conv(b, image(b, 'b'), 7, 3, 'b') })],
  },
  'convolutions of single elements': {
    axis: 1,
    parts: (b) => [conv(b, image(b, 'a'), 9, 1, 'a'), b.add('sigmoid', { input: conv(b, image(b, 'b'), 17, 1, 'b') })],
  },
  'products along their columns': {
    axis: 2,
    parts: (b) =>
      [19, 33, 4].map((columns, i) => b.add('matmul', { left: rows(b, `a${i}`), right: weights(b, `w${i}`, 40, columns) })),
  },
  'products along their rows': {
    axis: 1,
    parts: (b) =>
      [8, 5].map((count, i) =>
        b.add('matmul', { left: b.input(`a${i}`, f32(3, count, 40)), right: weights(b, `w${i}`, 40, 24) }),
      ),
  },
  'linear layers with work behind them': {
    axis: 2,
    parts: (b) =>
      [32, 18].map((features, i) =>
        b.add('tanh', {
          input: b.add('linear', {
            input: rows(b, `a${i}`),
            weight: weights(b, `w${i}`, features, 40),
            bias: weights(b, `b${i}`, features),
          }),
        }),
      ),
  },
  'elementwise kernels, whose dimensions had become one': {
    axis: 1,
    parts: (b) => [
      b.add('exp', { input: b.input('a', f32(7, 40)) }),
      b.add('mul', { left: b.input('b', f32(7, 33)), right: b.input('c', f32(33)) }),
    ],
  },
  movements: {
    axis: 2,
    parts: (b) => [
      b.add('transpose', { input: b.input('a', f32(3, 24, 5)) }, { order: [0, 2, 1] }),
      b.add('slice', { input: rows(b, 'b') }, { start: [0, 0, 3], size: [3, 5, 32], step: [1, 1, 1] }),
    ],
  },
  pools: {
    axis: 1,
    parts: (b) => [pool(b, 'maxPool', image(b, 'a')), pool(b, 'avgPool', image(b, 'b', 4), { countPadding: false })],
  },
  'reductions of the last dimension and of one before': {
    axis: 1,
    parts: (b) => [
      b.add('reduceSum', { input: b.input('a', f32(4, 20, 30)) }, { axes: [2], keepDims: false }),
      b.add('reduceMax', { input: b.input('b', f32(4, 6, 25)) }, { axes: [1], keepDims: false }),
    ],
  },
  'softmax and layer norm': {
    axis: 2,
    parts: (b) => [
      b.add('softmax', { input: rows(b, 'a') }, { axis: -1 }),
      b.add('softmax', { input: rows(b, 'b') }, { axis: 1 }),
      b.add('layerNorm', { input: rows(b, 'c') }),
    ],
  },
}

function graphOf(name: string): Graph {
  const b = createBuilder()
  const { axis, parts } = cases[name]!
  const joined = b.add('concat', { inputs: [...parts(b)] }, { axis })
  const outputs = [{ name: 'y', value: joined }]
  const inputs = b.finish('all', [], outputs).nodes.filter((node) => node.op === 'input')
  return b.finish(
    'rows',
    inputs.sort((x, y) => inputName(x).localeCompare(inputName(y))),
    outputs,
  )
}

const compiler = 'gcc'
for (const level of levelsHere('kernels that store rows')) {
  for (const name of Object.keys(cases)) {
    if (!installed(compiler)) {
      skip(`kernels that store rows at ${level.name}`, compiler)
      continue
    }
    test(`LL-07: ${name} store their parts of a join in place at ${level.name}`, async () => {
      const graph = graphOf(name)
      const inputs = randomInputs(graph, 7)
      const { program } = compileGraph(graph, { target: targetOf(level.level), evaluate })
      assert.is(program.instructions.filter((instruction) => instruction.kind === 'copy').length, 0)
      assert.ok(
        program.instructions.some(
          (instruction) => instruction.kind === 'call' && instruction.kernel.results.some((result) => result.rows),
        ),
      )
      await executeGraphs(machineOf(compiler, level, []), {
        graph,
        inputs,
        check: (outputs) => expectOutputs(outputs, graph, inputs),
      })
    })
  }
}

test.run()

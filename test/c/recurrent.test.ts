// Recurrent layers in whole models: kernels and code do not grow with the number of steps, and threads change no bit.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, type Node } from '../../compiler/graph/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { x86v4 } from '../../targets/c/level.ts'
import { programText } from '../../targets/c/program.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { bytesOf } from '../support/compare.ts'
import { executeSuite, type Machine } from '../support/executable.ts'
import { together } from '../support/kernelProgram.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

/** Two bidirectional layers, the second over what the first gives, with all their states as outputs. */
function stacked(kind: 'lstm' | 'gru', length: number): Graph {
  const builder = createBuilder()
  const [gates, hidden, batch] = [kind === 'lstm' ? 4 : 3, 8, 2]
  let seed = 1
  const weight = (...shape: number[]): Node => {
    const type = { dtype: 'f32' as const, shape }
    const count = shape.reduce((a, b) => a * b, 1)
    const values = Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + seed))
    seed++
    return builder.literal(type, bytesOf(type, values), `w${seed}`)
  }
  const layer = (input: Node): Node => {
    const features = input.type.shape[2]!
    const operands = {
      input,
      weight: weight(2, gates * hidden, features),
      recurrent: weight(2, gates * hidden, hidden),
      bias: weight(2, 2 * gates * hidden),
      hidden: weight(2, batch, hidden),
    }
    const direction = 'bidirectional' as const
    const [usual, more] = [['sigmoid', 'tanh'] as const, kind === 'lstm' ? (['tanh'] as const) : []]
    const activations = [...usual, ...more, ...usual, ...more]
    return kind === 'lstm'
      ? builder.add('lstm', { ...operands, cell: weight(2, batch, hidden) }, { direction, activations })
      : builder.add('gru', operands, { direction, activations, linearBeforeReset: true })
  }
  const states = kind === 'lstm' ? 2 : 1
  const rows = (value: Node, from: number, count: number) =>
    builder.add('slice', { input: value }, { start: [from, 0, 0, 0], size: [count, 2, batch, hidden], step: [1, 1, 1, 1] })
  const x = builder.input('x', { dtype: 'f32', shape: [length, batch, 5] })
  const first = layer(x)
  const turned = builder.add('transpose', { input: rows(first, states, length) }, { order: [0, 2, 1, 3] })
  const second = layer(builder.add('reshape', { input: turned }, { shape: [length, batch, 2 * hidden] }))
  return builder.finish(
    kind,
    [x],
    [
      { name: 'y', value: rows(second, states, length) },
      { name: 'states', value: rows(second, 0, states) },
    ],
  )
}

for (const kind of ['lstm', 'gru'] as const)
  test(`${kind}: kernels, calls and code are the same for any number of steps`, () => {
    const measured = [40, 400].map((length) => {
      const { kernels, program } = compileGraph(stacked(kind, length), { target: wasm, evaluate })
      const calls = kernels.steps.filter((step) => step.kind === 'call')
      const entry = { entry: 'main', export: 'main', program }
      const text = programText(kind, [entry], { ...x86v4, exact: true }, { attributes: () => '' })
      return {
        ops: calls.map((step) => step.kind === 'call' && step.kernel.anchor?.op),
        lines: text.split('\n').length,
      }
    })
    assert.equal(measured[0], measured[1])
    assert.is(measured[0]!.ops.filter((op) => op === 'recurrence').length, 2)
    assert.is(measured[0]!.ops.filter((op) => op === 'linear').length, 2, 'one product for the input of all steps and directions')
  })

const level = levelsHere('recurrent layers by teams')[0]
if (!installed('gcc')) skip('recurrent layers by teams', 'gcc')
else if (level) {
  const plain = machineOf('gcc', level, ['-O1'])
  const machine = (parts: number): Machine => ({ ...plain, level: { ...plain.level, teams: true, leastDivided: 0 }, parts })
  const cases = (seed: number, share: number) =>
    together(
      'recurrent layers',
      anchoredSuites(seed, share).filter(({ name }) => name.startsWith('recurrent')),
    )
  test('the same bits come of any number of threads', async () => {
    const suite = cases(131, 0.5)
    let first: readonly Uint8Array[] | undefined
    const check = (outputs: readonly Uint8Array[]) => {
      suite.check(outputs)
      first ??= outputs
      for (const [k, output] of outputs.entries()) assert.ok(Buffer.from(output).equals(first[k]!), `output ${k} is different`)
    }
    for (const parts of [1, 2, 3]) await executeSuite(machine(parts), { ...suite, check })
  })
  test('no thread reads a state before it is there', () => {
    const watched = [...plain.compiler, '-O0', '-g', '-fsanitize=thread', '-Wno-psabi']
    return executeSuite({ ...machine(3), compiler: watched }, cases(132, 0.2))
  })
}

test.run()

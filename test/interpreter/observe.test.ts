import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compileGraph } from '../../compiler/pipeline.ts'
import {
  evaluate,
  interpreter,
  type Observation,
  type Observer,
  printObservation,
  runProgram,
} from '../../targets/interpreter/index.ts'
import { f32, graphOf, weights } from '../support/graphs.ts'

const { program } = compileGraph(
  graphOf((b) => {
    const x = b.input('x', f32(2, 2))
    return { y: b.add('matmul', { left: b.add('matmul', { left: x, right: x }), right: weights(b, 'w', 2, 2) }), x }
  }),
  { target: interpreter, evaluate },
)

function run(observer?: Observer): Uint8Array {
  const { constants, mutable, activations } = program.regions
  const memory = new Uint8Array(constants + mutable + activations)
  for (const buffer of program.buffers.values()) {
    if (buffer.kind === 'constant') memory.set(buffer.data.read(), program.offsets.get(buffer.id)!)
    if (buffer.kind === 'input')
      memory.set(new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer), constants + program.offsets.get(buffer.id)!)
  }
  assert.is(runProgram(program, memory, 0, constants, constants + mutable, observer), 0)
  return memory
}

const floats = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)]

test('LL-12: an observer sees what every instruction reads and writes, before and after it', () => {
  const seen: { readonly when: string; readonly observation: Observation; readonly result: readonly number[] }[] = []
  const see = (when: string) => (observation: Observation) =>
    void seen.push({ when, observation, result: floats(observation.operands.at(-1)!.bytes) })
  run({ before: see('before'), after: see('after') })

  const steps = program.instructions.flatMap(({ kind }, index) => (kind === 'call' || kind === 'copy' ? [index] : []))
  assert.equal(
    seen.map(({ when, observation }) => [when, observation.index]),
    steps.flatMap((index) => [
      ['before', index],
      ['after', index],
    ]),
  )
  for (const { observation } of seen) assert.is(observation.instruction, program.instructions[observation.index])
  const calls = seen.filter(({ observation }) => observation.instruction.kind === 'call')
  assert.equal(
    calls[0]!.observation.operands.map(({ qualifier, buffer }) => [qualifier, buffer.kind === 'input']),
    [
      ['in', true],
      ['in', true],
      ['out', false],
    ],
  )
  assert.equal(
    calls.slice(0, 2).map(({ result }) => result),
    [
      [0, 0, 0, 0],
      [7, 10, 15, 22],
    ],
  )
  assert.match(
    printObservation(calls[1]!.observation),
    /^\d+: call matmul_2x2 .*\n {2}@in %\d+ f32\[2, 2\]: 1 2 3 4\n(.*\n){1} {2}@out %\d+ f32\[2, 2\]: 7 10 15 22$/,
  )
})

test('LL-12: observed or not, a program computes the same; what an observer writes is what instructions read', () => {
  const plain = run()
  assert.equal(run({}), plain)
  assert.equal(run({ before: () => undefined, after: () => undefined }), plain)
  const changed = run({ before: ({ operands }) => void operands[0]!.bytes.fill(0) })
  assert.not.equal(changed, plain)
})

test.run()

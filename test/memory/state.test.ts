import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, InvariantError, type ModelState, parseGraph } from '../../compiler/graph/index.ts'
import type { BufferId, InstructionList } from '../../compiler/instructions/index.ts'
import { verifyInstructions } from '../../compiler/instructions/index.ts'
import { faultsKeepingState, faultsOf, layOutStates, printProgram, verifyProgram } from '../../compiler/memory/index.ts'
import { describeRenewal } from '../../compiler/memory/renewal.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { simd128 } from '../../targets/c/level.ts'
import { answersAt } from '../../targets/c/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { runOnMemory, targetWith } from '../support/program.ts'
import { arbitraryGraph } from '../support/randomGraph.ts'
import { firstStates, runCarrying, runSession, sessionOnMemory, withStates } from '../support/stateful.ts'

const target = targetWith()

/** Ops that leave a value's shape as it is, so that states have what to become, and those by which values get entangled. */
const recurrent = arbitraryGraph({
  ops: [
    'add',
    'mul',
    'where',
    'maximum',
    'scatterNd',
    'scatterNd',
    'cumSum',
    'concat',
    'slice',
    'reshape',
    'transpose',
    'gather',
    'softmax',
    'exp',
    'reduceSum',
  ],
  dtypes: ['f32', 'f32', 'i32', 'i32', 'bool'],
  maximumNodes: 24,
  maximumElements: 150,
})

test('a session of a program computes step by step what the graph without memory does, bit for bit', () => {
  fc.assert(
    fc.property(recurrent, fc.nat(100_000), (graph, seed) => {
      const stateful = withStates(graph, seed)
      const { program: stateless } = compileGraph(stateful.graph, { target, evaluate })
      const expected = runCarrying(stateful, seed, 3, (inputs) => {
        const { fault, outputs } = runOnMemory(stateless, inputs)
        return fault === 0 ? outputs : undefined
      })
      const { program } = compileGraph(stateful.graph, { target, evaluate, states: stateful.states })
      const session = sessionOnMemory(program, stateful.states, firstStates(stateful, seed))
      assert.equal(runSession(stateful, seed, 3, session), expected)
    }),
    draw(20261123, 120),
  )
})

/** A graph as text whose inputs and outputs of one name are states, compiled: what becomes of each of them. */
function compiled(text: string, names: readonly string[], of = target) {
  const graph = parseGraph(text)
  const states = names.map((name): ModelState => {
    const { type } =
      graph.nodes.find((node) => node.attributes.name === name) ?? graph.outputs.find((output) => output.name === name)!.value
    return { name, input: name, output: name, type }
  })
  const { program } = compileGraph(graph, { target: of, evaluate, states })
  const renewals = Object.fromEntries(
    [...(program.states ?? [])].map(([name, { buffer }]) => [name, describeRenewal(program, buffer).replaceAll(/\d+/g, '#')]),
  )
  return { program, renewals }
}

test('LL-07 a state is renewed where it lies when all reads of it come before', () => {
  const { program, renewals } = compiled(
    `graph "m"(%0, %1, %2)
  %0 = input {name: "x"} : f32[4]
  %1 = input {name: "h"} : f32[4]
  %2 = input {name: "unused"} : f32[4]
  %3 = mul(%1, %0) : f32[4]
  %4 = exp(%3) : f32[4]
  return "y" = %4, "h" = %3
`,
    ['h', 'unused'],
  )
  assert.equal(renewals, { h: 'renewed in place at #', unused: 'read, stays as it was' })
  assert.is(program.regions.activations, 0)
  assert.is(program.regions.state, 128)
  assert.match(printProgram(program), /state: 128 bytes\n +0 +16 +%0 state "h" {2}renewed in place at 0\n/)
})

test('LL-09 a cache that is updated in several steps is updated in its own storage in each, on every target', () => {
  const text = `graph "m"(%0, %1, %2)
  %0 = input {name: "k"} : f32[1, 4]
  %1 = input {name: "at"} : i64[1, 1]
  %2 = input {name: "cache"} : f32[64, 4]
  %3 = scatterNd(%2, %1, %0) {reduction: "none"} : f32[64, 4]
  %4 = exp(%0) : f32[1, 4]
  %5 = constant @"one" [1] : i64[]
  %6 = add(%1, %5) : i64[1, 1]
  %7 = scatterNd(%3, %6, %4) {reduction: "none"} : f32[64, 4]
  %8 = reduceSum(%7) {axes: [0], keepDims: false} : f32[4]
  return "y" = %8, "cache" = %7
`
  for (const of of [target, { ...target, ...answersAt(simd128) }]) {
    const { program, renewals } = compiled(text, ['cache'], of)
    assert.equal(renewals, { cache: 'renewed in place at # and #' })
    assert.ok(program.regions.activations < 64 * 4 * 4)
    // The first of the two writes nothing where it fails.
    assert.equal([faultsOf(program).length, faultsKeepingState(program)], [2, 1])
  }
})

test('states that become what others were change in turn, and in a circle by way of one copy', () => {
  const delay = compiled(
    `graph "m"(%0, %1, %2, %3)
  %0 = input {name: "x"} : f32[4]
  %1 = input {name: "a"} : f32[4]
  %2 = input {name: "b"} : f32[4]
  %3 = input {name: "c"} : f32[4]
  %4 = add(%2, %3) : f32[4]
  %5 = exp(%0) : f32[4]
  return "y" = %4, "a" = %5, "b" = %1, "c" = %2
`,
    ['a', 'b', 'c'],
  )
  assert.equal(delay.renewals, { a: 'renewed in place at #', b: 'renewed by copies at #', c: 'renewed by copies at #' })
  assert.is(delay.program.regions.activations, 0)
  const circle = compiled(
    `graph "m"(%0, %1, %2)
  %0 = input {name: "a"} : f32[4]
  %1 = input {name: "b"} : f32[4]
  %2 = input {name: "c"} : f32[4]
  return "a" = %1, "b" = %2, "c" = %0
`,
    ['a', 'b', 'c'],
  )
  assert.is(circle.program.instructions.filter(({ kind }) => kind === 'copy').length, 4)
  const session = sessionOnMemory(
    circle.program,
    ['a', 'b', 'c'].map((name): ModelState => ({ name, input: name, output: name, type: { dtype: 'f32', shape: [4] } })),
    Object.fromEntries(['a', 'b', 'c'].map((name, i) => [name, new Uint8Array(16).fill(i + 1)])),
  )
  session.run({})
  assert.equal(
    ['a', 'b', 'c'].map((name) => session.read(name)[0]),
    [2, 3, 1],
  )
})

test('a state that is read again after its new value is made is renewed by a copy', () => {
  const { renewals } = compiled(
    `graph "m"(%0, %1)
  %0 = input {name: "x"} : f32[8]
  %1 = input {name: "h"} : f32[8]
  %2 = softmax(%1) {axis: 0} : f32[8]
  %3 = reduceMax(%2) {axes: [0], keepDims: true} : f32[1]
  %4 = add(%3, %1) : f32[8]
  %5 = mul(%4, %0) : f32[8]
  %6 = gather(%1, %7) {axis: 0} : f32[8]
  return "y" = %5, "h" = %2
`.replace('  %6 = gather(%1, %7) {axis: 0} : f32[8]\n', ''),
    ['h'],
  )
  assert.equal(renewals, { h: 'renewed by copies at #' })
})

test('states are laid out one after another at multiples of 64, whatever they are', () => {
  const builder = createBuilder()
  const states = [3, 0, 65, 1].map((count, i): ModelState => {
    const { type } = builder.input(`s${i}`, { dtype: 'u8', shape: [count] })
    return { name: `s${i}`, input: `s${i}`, output: `t${i}`, type }
  })
  const { offsets, bytes } = layOutStates(states)
  assert.equal([[...offsets.values()], bytes], [[0, 64, 64, 192], 256])
  assert.equal([layOutStates([]).bytes, layOutStates([states[1]!]).bytes], [0, 64])
})

/** A program with one state, its instructions changed. */
function broken(change: (list: InstructionList) => InstructionList): void {
  const { program } = compiled(
    `graph "m"(%0, %1)
  %0 = input {name: "x"} : f32[4]
  %1 = input {name: "h"} : f32[4]
  %2 = exp(%0) : f32[4]
  %3 = mul(%1, %0) : f32[4]
  return "y" = %3, "h" = %2
`,
    ['h'],
    // Each op a kernel of its own.
    targetWith({ maximumSteps: 3, runsTogether: () => false }),
  )
  verifyProgram(program)
  verifyInstructions(change(program))
}

test('the verifier refuses programs that mix up what a state was and what it becomes', () => {
  const refused = (change: (list: InstructionList) => InstructionList, message: RegExp) =>
    assert.throws(
      () => broken(change),
      (error: Error) => error instanceof InvariantError && message.test(error.message),
    )
  broken((list) => list)
  refused((list) => ({ ...list, instructions: list.instructions.toReversed() }), /reads state \d+ after it was renewed/)
  refused((list) => ({ ...list, instructions: list.instructions.slice(0, 1) }), /state h is not wholly renewed/)
  refused((list) => {
    const states = new Map([...list.states!].map(([name, state]) => [name, { ...state, renews: false }]))
    return { ...list, states }
  }, /state h is renewed and should stay/)
  refused((list) => ({ ...list, states: new Map() }), /state h is not listed/)
  refused((list) => {
    const buffers = new Map(
      [...list.buffers].map(([id, buffer]): [BufferId, typeof buffer] => {
        if (buffer.kind !== 'view' || !buffer.renewed) return [id, buffer]
        const { renewed: _, ...view } = buffer
        return [id, view]
      }),
    )
    return { ...list, buffers }
  }, /writes state \d+/)
})

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate, interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { runOnMemory } from '../support/program.ts'
import { integerInputs, manyLayers } from '../support/quantizedGraph.ts'
import { emit, load } from './harness.ts'

test('quantised networks give, as wasm and as a program of the interpreter, every bit of the same graph', async () => {
  const graph = manyLayers(60, 72)
  const { program, optimised } = compileGraph(graph, { target: wasm, evaluate, verify: true })
  const interpreted = compileGraph(graph, { target: interpreter, evaluate, verify: true }).program
  const module = await load(program, (await emit(program)).bytes)
  const nameOf = (id: BufferId) => program.buffers.get(id)!.name
  for (const seed of [1, 2, 3]) {
    const inputs = integerInputs(graph, seed)
    const expected = runGraph(optimised, inputs)
    for (const id of program.inputs) module.write(id, inputs[nameOf(id)]!)
    assert.is(module.run(), 0)
    const other = runOnMemory(interpreted, inputs)
    for (const id of program.outputs) {
      const name = nameOf(id)
      assert.equal([...module.read(id, program.buffers.get(id)!.bytes)], [...expected[name]!], `${name}, inputs ${seed}`)
      assert.equal([...other.outputs[name]!], [...expected[name]!], `${name}, inputs ${seed}, interpreted`)
    }
  }
})

test.run()

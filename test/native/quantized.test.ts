import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate, runGraph } from '../../targets/interpreter/index.ts'
import { nativeTargets } from '../../targets/native/index.ts'
import { integerInputs, manyLayers } from '../support/quantizedGraph.ts'
import { compileProgram, compilerCalled, levels, load, needsCompiler, writeFile } from './harness.ts'

await needsCompiler('quantised networks as native code')
const targets = await nativeTargets()

for (const [i, level] of levels().entries()) {
  const command = ['gcc', 'clang'][i % 2]!
  const compiler = (await compilerCalled(command)) ?? (await compilerCalled('cc'))!
  test(`quantised networks give at ${level.name} every bit that the interpreter makes of the same graph`, async () => {
    const graph = manyLayers(50 + i, 72)
    const { program, optimised } = compileGraph(graph, { target: targets[i]!, evaluate, verify: true })
    const { bytes, warnings } = await compileProgram(program, level, compiler)
    assert.is(warnings, '')
    const loaded = load(program, writeFile(bytes, 'node'))
    const nameOf = (id: BufferId) => program.buffers.get(id)!.name
    for (const seed of [1, 2, 3]) {
      const inputs = integerInputs(graph, seed)
      const expected = runGraph(optimised, inputs)
      for (const id of program.inputs) loaded.write(id, inputs[nameOf(id)]!)
      assert.is(loaded.run(), 0)
      for (const id of program.outputs) {
        const found = loaded.read(id, program.buffers.get(id)!.bytes)
        assert.equal([...found], [...expected[nameOf(id)]!], `${nameOf(id)}, inputs ${seed}`)
      }
    }
    loaded.addon.close(loaded.instance)
  })
}

test.run()

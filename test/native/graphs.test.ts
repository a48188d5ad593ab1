import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { nativeTargets } from '../../targets/native/index.ts'
import { draw } from '../support/draw.ts'
import { graphSuite } from '../support/graphSuite.ts'
import { compileProgram, compilerCalled, levels, load, needsCompiler, writeFile } from './harness.ts'

await needsCompiler('random graphs as native code')
const targets = await nativeTargets()

for (const [i, level] of levels().entries()) {
  for (const command of ['gcc', 'clang']) {
    const compiler = await compilerCalled(command)
    if (!compiler) {
      console.log(`skipped: random graphs by ${command} needs ${command}`)
      continue
    }
    test(`random graphs give at ${level.name}, by ${command}, what the interpreter makes of them`, async () => {
      const { graph, inputs, check } = graphSuite(draw(40 + i, 10))
      const { program } = compileGraph(graph, { target: targets[i]!, evaluate, verify: true })
      const { bytes, warnings } = await compileProgram(program, level, compiler)
      assert.is(warnings, '')
      const loaded = load(program, writeFile(bytes, 'node'))
      const nameOf = (id: BufferId) => program.buffers.get(id)!.name
      for (const id of program.inputs) loaded.write(id, inputs[nameOf(id)]!)
      assert.is(loaded.run(), 0)
      check(Object.fromEntries(program.outputs.map((id) => [nameOf(id), loaded.read(id, program.buffers.get(id)!.bytes)])))
      loaded.addon.close(loaded.instance)
    })
  }
}

test.run()

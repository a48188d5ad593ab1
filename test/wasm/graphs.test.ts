import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { draw } from '../support/draw.ts'
import { graphSuite } from '../support/graphSuite.ts'
import { emit, load } from './harness.ts'

for (const seed of [1, 2, 3]) {
  test(`random graphs give on wasm what the interpreter makes of them (${seed})`, async () => {
    const { graph, inputs, check } = graphSuite(draw(seed, 30))
    const { program } = compileGraph(graph, { target: wasm, evaluate, verify: true })
    const code = await emit(program)
    const module = await load(program, code.bytes)
    const nameOf = (id: BufferId) => program.buffers.get(id)!.name
    for (const id of program.inputs) module.write(id, inputs[nameOf(id)]!)
    assert.is(module.run(), 0)
    check(Object.fromEntries(program.outputs.map((id) => [nameOf(id), module.read(id, program.buffers.get(id)!.bytes)])))
  })
}

test.run()

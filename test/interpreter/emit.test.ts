// What `emit` ships, on programs from random graphs: the code must return exactly the bytes that the graph evaluates to.
import { runInThisContext } from 'node:vm'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph } from '../../compiler/fuse/index.ts'
import { elementsOf, isFloat, type TensorType } from '../../compiler/graph/index.ts'
import { elideCopies, selectInstructions, shareInPlace } from '../../compiler/instructions/index.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { allocateMemory } from '../../compiler/memory/index.ts'
import { EvaluationFault, interpreter, runGraph } from '../../targets/interpreter/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, randomInputs } from '../support/randomGraph.ts'

test('the emitted code computes what the graph computes', async () => {
  const property = fc.asyncProperty(arbitraryGraph(), fc.nat(1000), async (graph, seed) => {
    const inputs = randomInputs(graph, seed)
    const expected = attempt(() => runGraph(graph, inputs))
    const kernels = fuseGraph(lowerGraph(graph, new Set()), interpreter)
    const program = allocateMemory(
      shareInPlace(elideCopies(selectInstructions(kernels, interpreter)), interpreter),
      interpreter.alignment,
    )
    const { bytes } = await interpreter.emit('drawn', [{ entry: 'main', export: 'entry', program }])
    const instantiate = runInThisContext(new TextDecoder().decode(bytes))

    // Regions lie in another order than their numbers, apart from each other, and hold rubbish at first.
    const { regions, offsets, buffers } = program
    const activations = 64
    const constants = activations + regions.activations + 64
    const mutable = constants + regions.constants + 64
    const memory = new Uint8Array(mutable + regions.mutable).fill(0xa5)
    for (const buffer of buffers.values())
      if (buffer.kind === 'constant') memory.set(buffer.data.read(), constants + offsets.get(buffer.id)!)
    for (const id of program.inputs) memory.set(inputs[buffers.get(id)!.name]!, mutable + offsets.get(id)!)
    const code = instantiate(memory).entry(constants, mutable, activations)
    assert.is(code > 0, expected === undefined)
    for (const id of expected ? program.outputs : []) {
      const { name, bytes, type } = buffers.get(id)! as { name: string; bytes: number; type: TensorType }
      const from = mutable + offsets.get(id)!
      assert.equal(valuesOf(type, memory.slice(from, from + bytes)), valuesOf(type, expected![name]!), name)
    }
  })
  await fc.assert(property, draw(31, 60))
})

/** Bytes of the elements; which of its bits a NaN has is nobody's promise. */
function valuesOf({ dtype }: TensorType, bytes: Uint8Array): string {
  const elements = elementsOf(dtype, bytes)
  for (let i = 0; isFloat(dtype) && i < elements.length; i++) if (Number.isNaN(elements.get(i))) elements.set(i, Number.NaN)
  return Buffer.from(bytes).toString('hex')
}

/** Undefined where a checked op refuses a value: the program must then return a fault. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (problem) {
    if (problem instanceof EvaluationFault) return undefined
    throw problem
  }
}

test.run()

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseGraph, printGraph, verifyGraph } from '../../compiler/graph/index.ts'
import { shareConstants } from '../../compiler/memory/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { EvaluationFault, evaluate, interpreter, runGraph, runProgram } from '../../targets/interpreter/index.ts'
import { loopGraph, randomLoop, unrolledGraph } from '../support/controlGraph.ts'
import { draw } from '../support/draw.ts'
import { randomInputs } from '../support/randomGraph.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const turnsOf = (count: number): Uint8Array => new Uint8Array(BigInt64Array.of(BigInt(count)).buffer)

function runCompiled(graph: ReturnType<typeof loopGraph>, inputs: Record<string, Uint8Array>) {
  const { program } = compileGraph(graph, { target: interpreter, evaluate, verify: true })
  const {
    programs: [placed],
    bytes,
  } = shareConstants([program])
  const { regions, offsets, buffers } = placed!
  const memory = new Uint8Array(regions.constants + regions.mutable + regions.activations).fill(0xa5)
  memory.set(bytes)
  const mutable = regions.constants
  for (const id of placed!.inputs) memory.set(inputs[buffers.get(id)!.name]!, mutable + offsets.get(id)!)
  const fault = runProgram(placed!, memory, 0, mutable, mutable + regions.mutable)
  const outputs = Object.fromEntries(
    placed!.outputs.map((id) => [
      buffers.get(id)!.name,
      memory.slice(mutable + offsets.get(id)!, mutable + offsets.get(id)! + buffers.get(id)!.bytes),
    ]),
  )
  return { fault, outputs }
}

const attempt = <T>(run: () => T): T | undefined => {
  try {
    return run()
  } catch (error) {
    if (error instanceof EvaluationFault) return undefined
    throw error
  }
}

test('a loop computes what its turns one after the other compute, as a graph and compiled', () => {
  const { seed, numRuns } = draw(3, 32)
  for (let i = 0; i < numRuns; i++) {
    const [limit, last, count] = [1 + (i % 4), (i >> 2) % 5, (i >> 1) % 6]
    const loop = randomLoop(seed * 1000 + i, limit, last)
    const graph = loopGraph(loop)
    verifyGraph(graph)
    assert.is(printGraph(parseGraph(printGraph(graph))), printGraph(graph))
    const inputs = { ...randomInputs(graph, i), count: turnsOf(count) }
    const turns = Math.min(count, last + 1)
    const compiled = runCompiled(graph, inputs)
    const found = attempt(() => runGraph(graph, inputs))
    assert.is(compiled.fault === 0, found !== undefined, printGraph(graph))
    if (turns > limit) {
      assert.is(compiled.fault, 1)
      continue
    }
    const unrolled = unrolledGraph(loop, turns)
    const expected = attempt(() => runGraph(unrolled, inputs))
    if (!expected) {
      assert.is(found, undefined)
      continue
    }
    for (const [name, bytes] of Object.entries(expected)) {
      assert.is(hex(found![name]!), hex(bytes), `${name} of\n${printGraph(graph)}`)
      assert.is(hex(compiled.outputs[name]!), hex(bytes), `${name} compiled of\n${printGraph(graph)}`)
    }
  }
})

test.run()

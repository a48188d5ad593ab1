import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph, inputName, type Node, type Output } from '../../compiler/graph/index.ts'
import { copyNode } from '../../compiler/graph/rebuild.ts'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { wasm } from '../../targets/wasm/index.ts'
import { draw } from '../support/draw.ts'
import { arbitraryGraph, randomInputs } from '../support/randomGraph.ts'
import { expectOutputs } from '../support/sensitivity.ts'
import { load } from './harness.ts'

/** Graphs side by side in one, so that one run of clang serves all of them; names are prefixed with the graph's number. */
function union(graphs: readonly Graph[]): Graph {
  const builder = createBuilder()
  const inputs: Node[] = []
  const outputs: Output[] = []
  for (const [i, graph] of graphs.entries()) {
    const copies = new Map<Node, Node>()
    for (const node of graph.nodes) {
      const isInput = graph.inputs.includes(node)
      const copy = isInput
        ? builder.input(`${i} ${inputName(node)}`, node.type)
        : copyNode(
            node,
            builder,
            node.operands.map((operand) => copies.get(operand)!),
          )
      copies.set(node, copy)
      if (isInput) inputs.push(copy)
    }
    outputs.push(...graph.outputs.map(({ name, value }) => ({ name: `${i} ${name}`, value: copies.get(value)! })))
  }
  return builder.finish('union', inputs, outputs)
}

/** Compiles and runs a graph through the whole pipeline. */
async function runOnWasm(graph: Graph, inputs: Readonly<Record<string, Uint8Array>>): Promise<Record<string, Uint8Array>> {
  const { program } = compileGraph(graph, { target: wasm, evaluate, verify: true })
  const code = await wasm.emit(program)
  const module = await load(program, code.bytes)
  const nameOf = (id: BufferId) => program.buffers.get(id)!.name
  for (const buffer of program.buffers.values()) {
    if (buffer.kind !== 'constant') continue
    const dense = buffer.data.read()
    module.write(buffer.id, buffer.packing ? buffer.packing.pack(dense) : dense)
  }
  for (const id of program.inputs) module.write(id, inputs[nameOf(id)]!)
  assert.is(module.run(), 0)
  return Object.fromEntries(program.outputs.map((id) => [nameOf(id), module.read(id, program.buffers.get(id)!.bytes)]))
}

for (const seed of [1, 2, 3]) {
  test(`random graphs give on wasm what the interpreter makes of them (${seed})`, async () => {
    const graphs = fc.sample(arbitraryGraph({ maximumNodes: 14 }), draw(seed, 30))
    const given = graphs.map((graph, i) => randomInputs(graph, seed * 1000 + i))
    const inputs = Object.fromEntries(
      given.flatMap((list, i) => Object.entries(list).map(([name, bytes]) => [`${i} ${name}`, bytes])),
    )
    const outputs = await runOnWasm(union(graphs), inputs)
    for (const [i, graph] of graphs.entries()) {
      const own = Object.fromEntries(graph.outputs.map(({ name }) => [name, outputs[`${i} ${name}`]!]))
      expectOutputs(own, graph, given[i]!)
    }
  })
}

test.run()

// What code of each target makes of states, against the graphs without memory on the interpreter: bit for bit.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { byteSize, callersEnds, dtypeFacts, inputName, verifyStates } from '../../compiler/graph/index.ts'
import { writeBundle } from '../../plugin/bundle/index.ts'
import { compile } from '../../plugin/compile.ts'
import { EvaluationFault, runGraph } from '../../targets/interpreter/index.ts'
import { nativeAvailable } from '../../targets/native/index.ts'
import { openSessions } from '../../targets/runtime/index.ts'
import { arrayOf } from '../../targets/runtime/tensor.ts'
import { draw } from '../support/draw.ts'
import { mulberry, randomInputs } from '../support/randomGraph.ts'
import { statefulModel } from '../support/stateful.ts'

type Bytes = Record<string, Uint8Array>

const native = (await nativeAvailable()).ok
const { seed, numRuns } = draw(8, 2)
const hex = (values: Bytes) =>
  Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]))
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Uint8Array(buffer, byteOffset, byteLength)

for (let run = 0; run < numRuns; run++) {
  const model = statefulModel(seed + 1000 * run, 6)
  const targets = ['interpreter', 'wasm', ...(native ? ['native'] : [])]
  for (const target of targets)
    test(`sessions on ${target} give what the graphs without memory give on the interpreter (${run})`, async () => {
      verifyStates(model)
      const folder = mkdtempSync(join(tmpdir(), 'glowplug-states-'))
      await writeBundle(await compile(model, { target }), folder)
      const net = openSessions(folder) as any
      try {
        const first = () =>
          Object.fromEntries(
            model.states.map(({ name, type, initial }) => [name, initial?.read() ?? new Uint8Array(byteSize(type))]),
          )
        const sessions = [net.session(), net.session()]
        const held: Bytes[] = [first(), first()]
        const random = mulberry(seed)
        const lost = [false, false]
        for (let step = 0; step < 40; step++) {
          const which = Math.floor(random() * 2)
          if (lost[which] || random() < 0.05) {
            sessions[which].reset()
            held[which] = first()
            lost[which] = false
          }
          const { name, graph } = model.entries[Math.floor(random() * model.entries.length)]!
          const { inputs, outputs } = callersEnds(graph, model.states)
          const given = randomInputs(graph, step)
          const carried = Object.fromEntries(model.states.map((state) => [state.input, held[which]![state.name]!]))
          const arrays = Object.fromEntries(
            inputs.map((node) => {
              const bytes = given[inputName(node)]!
              const { dtype } = node.type
              return [inputName(node), new (arrayOf(dtype))(bytes.slice().buffer, 0, bytes.length / dtypeFacts[dtype].bytes)]
            }),
          )
          let expected: Bytes | undefined
          try {
            expected = runGraph(graph, { ...given, ...carried })
          } catch (error) {
            if (!(error instanceof EvaluationFault)) throw error
          }
          if (!expected) {
            assert.throws(
              () => sessions[which].entries[name].runSync(arrays),
              (error: any) => error.code === 'run-fault',
            )
            lost[which] = true
            continue
          }
          const found = sessions[which].entries[name].runSync(arrays)
          const seen = Object.fromEntries(outputs.map((output) => [output.name, bytesOf(found[output.name].data)]))
          assert.equal(
            hex(seen),
            hex(Object.fromEntries(outputs.map((output) => [output.name, expected![output.name]!]))),
            `${name}, step ${step}`,
          )
          for (const state of model.states) held[which]![state.name] = expected[state.output] ?? held[which]![state.name]!
        }
      } finally {
        await net.close()
        rmSync(folder, { recursive: true, force: true })
      }
    })
}

test.run()

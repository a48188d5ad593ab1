// Recorded cases of fixtures on programs of their own.
import * as assert from 'uvu/assert'
import { byteSize, type DType, elementCount, type TensorType } from '../../compiler/graph/index.ts'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { compileCode, extract } from '../../plugin/compile.ts'
import { casesOfModel, type Elements, modelPath, type Runnable, runCase } from '../fixtures/cases.ts'
import { bytesOf } from './compare.ts'
import { compileExecutable, type Executable, type Machine, targetOf } from './executable.ts'

type Given = Readonly<Record<string, Elements>>

/** Runs every recorded case of a model file on a machine, and returns how many there are. */
export async function runRecorded(machine: Machine, fixture: string, file: string): Promise<number> {
  const { models, diagnostics } = await extract(modelPath(fixture, file))
  assert.equal(diagnostics, [])
  const { entries } = await compileCode(models[0]!.model, { target: targetOf(machine.level) })
  const executables: Executable[] = []
  try {
    const runnable: Record<string, Runnable['entries'][string]> = {}
    for (const { entry, program } of entries) {
      const executable = await compileExecutable(machine, program)
      executables.push(executable)
      runnable[entry] = runnableOf(program, executable)
    }
    const cases = casesOfModel(fixture, file)
    for (const recorded of cases) await runCase({ entries: runnable }, recorded, { slow: true })
    return cases.length
  } finally {
    for (const executable of executables) executable.close()
  }
}

function runnableOf(program: Program, executable: Executable): Runnable['entries'][string] {
  const described = (id: BufferId): { readonly name: string; readonly type: TensorType } => {
    const buffer = program.buffers.get(id)!
    assert.ok(buffer.kind === 'input' || buffer.kind === 'output')
    return buffer as { name: string; type: TensorType }
  }
  const run = async (given: Given) => {
    const inputs = program.inputs.map((id): [BufferId, Uint8Array] => {
      const { name, type } = described(id)
      return [id, convert(given[name]!, type)]
    })
    const { fault, read } = await executable.run(new Map(inputs))
    assert.is(fault, 0)
    return Object.fromEntries(
      program.outputs.map((id) => {
        const { name, type } = described(id)
        assert.ok((['f32', 'u8'] as DType[]).includes(type.dtype))
        const bytes = read(id)
        return [name, { data: type.dtype === 'f32' ? new Float32Array(bytes.buffer) : bytes, shape: type.shape }]
      }),
    )
  }
  return {
    info: { inputs: program.inputs.map((id) => ({ name: described(id).name, shape: described(id).type.shape })) },
    run,
    runSync() {
      throw new Error('programs of their own run in their own time')
    },
  }
}

/** The loader takes integers of any width; here they become those of the type. */
function convert(given: Elements, type: TensorType): Uint8Array {
  assert.is(given.length, elementCount(type.shape))
  if (given.byteLength === byteSize(type)) return new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
  return bytesOf(type, Array.from(given as ArrayLike<number | bigint>, Number))
}

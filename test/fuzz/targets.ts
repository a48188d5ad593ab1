// Many graphs as the entries of one module, so that the compiler of C runs once for all of them.
import { printGraph } from '../../compiler/graph/index.ts'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { type Program, shareConstants } from '../../compiler/memory/index.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import type { EntryProgram, Target } from '../../compiler/target.ts'
import { simd128 } from '../../targets/c/level.ts'
import { programText } from '../../targets/c/program.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import { findCompiler, nativeAvailable, nativeTargets, nativeText } from '../../targets/native/index.ts'
import { compileAddon } from '../../targets/native/toolchain.ts'
import { wasm, wasmText } from '../../targets/wasm/index.ts'
import { compileToWasm } from '../../targets/wasm/toolchain.ts'
import { loadAddon, platform, regionOf, writeFile } from '../native/harness.ts'
import { levelsHere } from '../support/machines.ts'
import { type Case, pipelinePasses } from './checks.ts'

/** A target whose code runs here. */
export interface Engine {
  /** What `--target` and `--only` call it. */
  readonly name: string
  readonly target: Target
  /** Compiles entries that share their constants, and says how to run one: inputs and outputs lie in `mutable`. */
  readonly load: (entries: readonly EntryProgram[], constants: Uint8Array) => Promise<Loaded>
}

interface Loaded {
  readonly run: (entry: number, mutable: Uint8Array) => number
  readonly close: () => void
}

declare const WebAssembly: { instantiate(bytes: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }> }

const align = (offset: number) => Math.ceil(offset / 64) * 64

function failOnWarnings(warnings: string): void {
  if (warnings !== '') throw new Error(`the C compiler warns:\n${warnings}`)
}

const wasmEngine: Engine = {
  name: 'wasm',
  target: wasm,
  async load(entries, constants) {
    const { bytes, warnings } = await compileToWasm(programText('fuzz', entries, simd128, wasmText))
    failOnWarnings(warnings)
    const { instance } = await WebAssembly.instantiate(bytes)
    const exports = instance.exports as Readonly<Record<string, unknown>>
    const memory = exports.memory as { readonly buffer: ArrayBuffer; grow(pages: number): number }
    const base = align((exports.__heap_base as { readonly value: number }).value)
    const places = entries.map(({ program }) => ({
      mutable: align(base + constants.length),
      activations: align(align(base + constants.length) + program.regions.mutable),
      end: align(align(base + constants.length) + program.regions.mutable) + program.regions.activations,
    }))
    const missing = Math.ceil((Math.max(...places.map(({ end }) => end)) - memory.buffer.byteLength) / 65536)
    if (missing > 0) memory.grow(missing)
    return {
      run(entry, mutable) {
        const { mutable: at, activations } = places[entry]!
        const all = new Uint8Array(memory.buffer)
        all.fill(0xa5, base)
        all.set(constants, base)
        all.set(mutable, at)
        const call = exports[entries[entry]!.export] as (...regions: number[]) => number
        const fault = call(base, at, activations)
        mutable.set(all.subarray(at, at + mutable.length))
        return fault
      },
      close: () => undefined,
    }
  },
}

/** What runs here: wasm, and native code at each level that this processor has. */
export async function enginesHere(): Promise<readonly Engine[]> {
  if (!(await nativeAvailable()).ok) return [wasmEngine]
  const compiler = await findCompiler(platform)
  const targets = await nativeTargets()
  const native = levelsHere('fuzzing').map(
    (level): Engine => ({
      name: level.name,
      target: targets.find((target) => target.level === level.name)!,
      async load(entries, constants) {
        const { bytes, warnings } = await compileAddon(nativeText('fuzz', entries, level), level, compiler)
        failOnWarnings(warnings)
        const addon = loadAddon(writeFile(bytes, 'node'))
        const file = new Uint8Array(4096 + constants.length)
        file.set(constants, 4096)
        const activations = Math.max(0, ...entries.map(({ program }) => program.regions.activations))
        const instance = addon.open(writeFile(file, 'bin'), file.length, 4096, constants.length, activations)
        return {
          run(entry, mutable) {
            const { region, start } = regionOf(addon, mutable.length)
            new Uint8Array(region).set(mutable, start)
            const fault = addon.run(instance, entry, region, start)
            mutable.set(new Uint8Array(region, start, mutable.length))
            return fault
          },
          close: () => addon.close(instance),
        }
      },
    }),
  )
  return [wasmEngine, ...native]
}

/** Undefined where all is well, else what is wrong. */
export type Outcome = Error | undefined

/**
 * Compiles all cases for an engine and runs them; an outcome for each. `before` is told of each case before its code runs, which may end
 * this process.
 */
export async function runOn(
  engine: Engine,
  cases: readonly Case[],
  before: (index: number) => void,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = cases.map(() => undefined)
  const compiled: { readonly index: number; readonly given: Case; readonly program: Program; readonly text: () => string }[] = []
  for (const [index, given] of cases.entries()) {
    try {
      const { program, lowered, log } = compileGraph(given.graph, {
        target: engine.target,
        evaluate,
        verify: true,
        maximumApplications: given.maximumApplications,
        passes: pipelinePasses(given),
      })
      given.applications.push(...log.flatMap(({ pass, applications }) => applications.map((one) => ({ ...one, pass }))))
      compiled.push({ index, given, program, text: () => printGraph(lowered) })
    } catch (error) {
      outcomes[index] = error as Error
    }
  }
  const run = async (part: typeof compiled): Promise<void> => {
    if (part.length === 0) return
    let loaded: Loaded
    const { programs, bytes } = shareConstants(part.map(({ program }) => program))
    try {
      const entries = programs.map((program, i) => ({ entry: `g${i}`, export: `entry${i}`, program }))
      loaded = await engine.load(entries, bytes)
    } catch (error) {
      // Which of them it is shows when they are compiled apart.
      if (part.length === 1) outcomes[part[0]!.index] = error as Error
      else {
        const half = Math.ceil(part.length / 2)
        await run(part.slice(0, half))
        await run(part.slice(half))
      }
      return
    }
    for (const [i, { index, given, text }] of part.entries()) {
      before(index)
      try {
        const program = programs[i]!
        const mutable = new Uint8Array(program.regions.mutable).fill(0xa5)
        const nameOf = (id: BufferId) => program.buffers.get(id)!.name
        for (const id of program.inputs) mutable.set(given.inputs[nameOf(id)]!, program.offsets.get(id)!)
        const fault = loaded.run(i, mutable)
        if (fault !== 0) throw new Error(`the code ends with fault ${fault}`)
        for (const id of program.inputs) {
          const from = program.offsets.get(id)!
          const after = Buffer.from(mutable.buffer, from, given.inputs[nameOf(id)]!.length)
          if (!after.equals(given.inputs[nameOf(id)]!)) throw new Error(`the code writes over input ${nameOf(id)}`)
        }
        const outputs = program.outputs.map((id) => {
          const from = program.offsets.get(id)!
          return [nameOf(id), mutable.slice(from, from + program.buffers.get(id)!.bytes)] as const
        })
        given.expect(Object.fromEntries(outputs), text)
      } catch (error) {
        outcomes[index] = error as Error
      }
    }
    loaded.close()
  }
  await run(compiled)
  return outcomes
}

import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import type { Code } from '../../compiler/target.ts'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { programText } from '../../targets/c/program.ts'
import { wasm, wasmText } from '../../targets/wasm/index.ts'
import { compileToWasm } from '../../targets/wasm/toolchain.ts'
import { type Case, inputsOf, type KernelSuite, outputsOf, programOf } from '../support/kernelProgram.ts'

declare const WebAssembly: { instantiate(bytes: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }> }

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  readonly __heap_base: { readonly value: number }
  readonly entry: (constants: number, mutable: number, activations: number) => number
}

const align = (offset: number) => Math.ceil(offset / 64) * 64

/** The program's code as C with the exported function `entry`. */
export const textOf = (program: Program, level: Level): string =>
  programText(program.name, [{ entry: 'main', export: 'entry', program }], level, wasmText)

/** The program as a module with the exported function `entry`. */
export const emit = (program: Program): Promise<Code> => wasm.emit(program.name, [{ entry: 'main', export: 'entry', program }])

/** Compiles all cases as one module and runs them in order, the memory around them filled with a pattern that nobody may rely on. */
export async function runCases(
  cases: readonly Case[],
  level: Level = simd128,
): Promise<{ readonly outputs: readonly Uint8Array[]; readonly fault: number }> {
  const program = programOf(cases, level)
  const code = await compileToWasm(textOf(program, level))
  // -Wall -Wextra
  if (code.warnings !== '') throw new Error(`clang warns about the generated C:\n${code.warnings}`)
  const module = await load(program, code.bytes)
  for (const [buffer, bytes] of inputsOf(program, cases)) module.write(buffer, bytes)
  const fault = module.run()
  return { outputs: outputsOf(program).map((id) => module.read(id, program.buffers.get(id)!.bytes)), fault }
}

/** Runs all cases of a suite and checks their outputs. */
export async function runSuite({ cases, check }: KernelSuite, level: Level = simd128): Promise<void> {
  const { outputs, fault } = await runCases(cases, level)
  assert.is(fault, 0)
  check(outputs)
}

export interface Loaded {
  write(buffer: BufferId, bytes: Uint8Array): void
  read(buffer: BufferId, bytes: number): Uint8Array
  run(): number
}

/** Instantiates a program's module with its three regions one after another; the program's constants stand in theirs. */
export async function load(program: Program, bytes: Uint8Array): Promise<Loaded> {
  const { instance } = await WebAssembly.instantiate(bytes)
  const { memory, __heap_base: base, entry } = instance.exports as Exports
  const constants = align(base.value)
  const mutable = align(constants + program.regions.constants)
  const activations = align(mutable + program.regions.mutable)
  const end = activations + program.regions.activations
  const missing = Math.ceil((end - memory.buffer.byteLength) / 65536)
  if (missing > 0) memory.grow(missing)
  new Uint8Array(memory.buffer, constants).fill(0xa5)
  const addressOf = (buffer: BufferId) => {
    const { kind } = program.buffers.get(buffer)!
    return (
      (kind === 'constant' ? constants : kind === 'input' || kind === 'output' ? mutable : activations) +
      program.offsets.get(buffer)!
    )
  }
  const write: Loaded['write'] = (buffer, source) => new Uint8Array(memory.buffer).set(source, addressOf(buffer))
  for (const buffer of program.buffers.values()) {
    if (buffer.kind !== 'constant') continue
    const dense = buffer.data.read()
    write(buffer.id, buffer.packing ? buffer.packing.pack(dense) : dense)
  }
  return {
    write,
    read: (buffer, length) => new Uint8Array(memory.buffer).slice(addressOf(buffer), addressOf(buffer) + length),
    run: () => entry(constants, mutable, activations),
  }
}

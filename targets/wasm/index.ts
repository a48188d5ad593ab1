import { reject } from '../../compiler/graph/problem.ts'
import { byteSize, printType } from '../../compiler/graph/type.ts'
import type { Code, EntryProgram, Target, WayChoice } from '../../compiler/target.ts'
import { waysOfKernel } from '../c/function.ts'
import { type Level, levelWith, sectionOf, simd128, type TargetOptions } from '../c/level.ts'
import { type ProgramTextOptions, programText } from '../c/program.ts'
import { answersAt, hasKernel } from '../c/target.ts'
import { compileToWasm, prepareCompiler, toolchainVersion } from './toolchain.ts'

/** 32-bit addresses: all regions, the module's own data and its stack share 4 GiB; offsets within a tensor are signed. */
const addressLimit = 2 ** 32 - 2 ** 20
const tensorLimit = 2 ** 31 - 1

/** How the functions of entries leave the module. */
export const wasmText: ProgramTextOptions = { attributes: (exported) => `__attribute__((export_name("${exported}"))) ` }

/** WebAssembly with 128-bit vectors, one thread, compiled by the LLVM that npm ships. */
export const wasmTarget = (options: TargetOptions = {}): Target => targetAt(levelWith(simd128, { ...options, trace: false }))

const targetAt = (level: Level): Target => ({
  name: 'wasm',
  level: level.name,
  ...answersAt(level),
  unsupported(node) {
    if (!node.bodies && !hasKernel(node.op)) return `wasm has no kernel for ${node.op}`
    for (const { type } of [node, ...node.operands]) {
      if (byteSize(type) > tensorLimit)
        return `${printType(type)} is ${byteSize(type)} bytes; wasm kernels address at most ${tensorLimit} in one tensor`
    }
    return undefined
  },
  prepare: prepareCompiler,
  tuning: {
    section: sectionOf(level),
    lacks: () => [],
    ways: (kernel) => waysOfKernel(kernel, level),
    choosing: (chosen) => targetAt({ ...level, chosen }),
    emit: (name, entries) =>
      emitAt(
        level,
        name,
        entries,
        entries.map(({ ways }) => ways),
      ),
  },
  emit: (name, entries) => emitAt(level, name, entries),
})

async function emitAt(level: Level, name: string, entries: readonly EntryProgram[], ways?: readonly WayChoice[]): Promise<Code> {
  for (const { entry, program } of entries) {
    const { constants, mutable, activations, state = 0 } = program.regions
    const total = constants + mutable + activations + state
    if (total > addressLimit) {
      reject(
        'too-large',
        `${name}${entries.length > 1 ? `, entry '${entry}',` : ''} needs ${constants} bytes of constants, ${mutable} of inputs and outputs${state > 0 ? `, ${state} of state` : ''} and ${activations} of activations; wasm addresses ${addressLimit} in all`,
      )
    }
  }
  const source = programText(name, entries, level, { ...wasmText, ...(ways && { ways }) })
  const { bytes } = await compileToWasm(source)
  return {
    kind: 'wasm',
    level: level.name,
    extension: 'wasm',
    bytes,
    source,
    toolchain: { '@yowasp/clang': await toolchainVersion() },
  }
}

export const wasm: Target = wasmTarget()

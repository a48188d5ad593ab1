import { dtypeFacts } from '../../compiler/graph/dtype.ts'
import { type CompositeName, definitionOf } from '../../compiler/graph/ops/index.ts'
import { reject } from '../../compiler/graph/problem.ts'
import { byteSize, printType } from '../../compiler/graph/type.ts'
import type { Target } from '../../compiler/target.ts'
import { mayShare, packingOf, scratchBytes } from '../c/function.ts'
import { simd128 } from '../c/level.ts'
import { programText } from '../c/program.ts'
import { rows } from '../c/rows.ts'
import { compileToWasm, prepareCompiler, toolchainVersion } from './toolchain.ts'

/** 32-bit addresses: all three regions, the module's own data and its stack share 4 GiB; offsets within a tensor are signed. */
const addressLimit = 2 ** 32 - 2 ** 20
const tensorLimit = 2 ** 31 - 1

/** The exported function of a program. */
export const wasmEntry = { name: 'entry', attributes: '__attribute__((export_name("entry"))) ' } as const

/** WebAssembly with 128-bit vectors, one thread, compiled by the LLVM that npm ships. */
export const wasm: Target = {
  name: 'wasm',
  keeps: new Set(
    (Object.keys(rows) as (keyof typeof rows)[]).filter(
      (op): op is keyof typeof rows & CompositeName => definitionOf(op).kind === 'composite',
    ),
  ),
  unsupported(node) {
    if (!Object.hasOwn(rows, node.op)) return `wasm has no kernel for ${node.op}`
    for (const { type } of [node, ...node.operands]) {
      if (byteSize(type) > tensorLimit)
        return `${printType(type)} is ${byteSize(type)} bytes; wasm kernels address at most ${tensorLimit} in one tensor`
    }
    return undefined
  },
  // What checks its operands stops the call before anything is written; it stays alone, and the work after it is vectorised as its own kernel.
  fusesAfter: (anchor) => !definitionOf(anchor.op).traits.includes('checked'),
  fusesBefore: (anchor) => dtypeFacts[anchor.type.dtype].kind !== 'bool',
  maximumSteps: 48,
  inPlace: (kernel, index) => mayShare(kernel, index, simd128),
  scratch: (kernel) => scratchBytes(kernel, simd128),
  pack: (kernel, index) => packingOf(kernel, index, simd128),
  alignment: 64,
  prepare: prepareCompiler,
  async emit(program) {
    const { constants, mutable, activations } = program.regions
    const total = constants + mutable + activations
    if (total > addressLimit) {
      reject(
        'too-large',
        `${program.name} needs ${constants} bytes of constants, ${mutable} of inputs and outputs and ${activations} of activations; wasm addresses ${addressLimit} in all`,
      )
    }
    const source = programText(program, simd128, wasmEntry)
    const { bytes } = await compileToWasm(source)
    return {
      kind: 'wasm',
      level: 'simd128',
      extension: 'wasm',
      bytes,
      source,
      toolchain: { '@yowasp/clang': await toolchainVersion() },
    }
  },
}

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { InvariantError } from '../../compiler/graph/problem.ts'
import childSource from './child.ts?source'

/**
 * -O1: the kernels are explicit vectors in small loops, which higher levels only make larger and, beyond recognition, slower to compile.
 * No libm and no libc; `-mbulk-memory` turns the memory copies the compiler makes into instructions.
 */
const compilerFlags = [
  '--target=wasm32',
  '-O1',
  '-std=gnu11',
  '-ffp-contract=on',
  '-fno-math-errno',
  '-fno-strict-aliasing',
  '-ffreestanding',
  '-nostdlib',
  '-msimd128',
  '-mbulk-memory',
  '-mnontrapping-fptoint',
  '-Wall',
  '-Wextra',
  '-Wno-unused-function',
]

/** Bytes of stack: kernels keep tiles in registers and everything larger in scratch. */
const stackBytes = 65536
const memoryLimit = 2 ** 32

const linkerFlags = [
  '--no-entry',
  '--export-memory',
  '--export=__heap_base',
  `--max-memory=${memoryLimit}`,
  '-z',
  `stack-size=${stackBytes}`,
  '--strip-all',
]

export interface Compiled {
  readonly bytes: Uint8Array
  /** What the compiler said; empty when there was nothing to say. */
  readonly warnings: string
}

/**
 * Compiles one C file to a wasm module with the LLVM that npm ships. LLVM is itself a wasm module of 100 MB: it runs in a process of its
 * own, which gives its memory back, and there without V8's optimising compiler, which would take several times longer to optimise LLVM
 * than LLVM takes for the kernels.
 */
export async function compileToWasm(source: string): Promise<Compiled> {
  const job = JSON.stringify({ clang: import.meta.resolve('@yowasp/clang'), source, compilerFlags, linkerFlags })
  let result = await runNode(['--liftoff-only'], job)
  // Node refuses flags that it does not know with this status.
  if (result.status === 9) result = await runNode([], job)
  if (result.status !== 0) throw new InvariantError(`clang rejects the generated C (status ${result.status}):\n${result.said}`)
  return { bytes: result.output, warnings: result.said }
}

interface Finished {
  readonly status: number | null
  readonly output: Uint8Array
  readonly said: string
}

function runNode(flags: readonly string[], input: string): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', childSource], {
      stdio: 'pipe',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const output: Uint8Array[] = []
    const said: Uint8Array[] = []
    child.stdout.on('data', (chunk: Uint8Array) => output.push(chunk))
    child.stderr.on('data', (chunk: Uint8Array) => said.push(chunk))
    child.on('error', reject)
    // A child that dies early says why on standard error; that its input was not read to the end adds nothing.
    child.stdin.on('error', () => undefined)
    child.on('close', (status) =>
      resolve({ status, output: new Uint8Array(Buffer.concat(output)), said: Buffer.concat(said).toString() }),
    )
    child.stdin.end(input)
  })
}

/** The version of the package that holds clang and the linker. */
export async function toolchainVersion(): Promise<string> {
  // The package exports nothing but its module, which lies one folder below its package.json.
  const url = new URL('../package.json', import.meta.resolve('@yowasp/clang'))
  return (JSON.parse(await readFile(url, 'utf8')) as { version: string }).version
}

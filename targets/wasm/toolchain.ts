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
  // A model may well compare a value with itself.
  '-Wno-tautological-compare',
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

interface Compiler {
  /** Hands over the job; resolves when the process has ended. */
  finish(job: string): Promise<Finished>
  stop(): void
}

interface Finished {
  readonly status: number | null
  readonly output: Uint8Array
  readonly said: string
}

/** Milliseconds that a compiler waits for its job before its memory is given back. */
const patience = 20_000

let prepared: Compiler | undefined

/**
 * Starts a compiler process, which loads LLVM while the caller has other work; the next compilation takes it. Keeps nothing alive: it
 * ends with this process, or when no job comes.
 */
export function prepareCompiler(): void {
  if (prepared) return
  const compiler = startCompiler(['--liftoff-only'])
  prepared = compiler
  setTimeout(() => {
    if (prepared !== compiler) return
    prepared = undefined
    compiler.stop()
  }, patience).unref()
}

/**
 * Compiles one C file to a wasm module with the LLVM that npm ships. LLVM is itself a wasm module of 100 MB: it runs in a process of its
 * own, which gives its memory back, and there without V8's optimising compiler, which would take several times longer to optimise LLVM
 * than LLVM takes for the kernels.
 */
export async function compileToWasm(source: string): Promise<Compiled> {
  const job = JSON.stringify({ source, compilerFlags, linkerFlags })
  prepareCompiler()
  const compiler = prepared!
  prepared = undefined
  let result = await compiler.finish(job)
  // Node refuses flags that it does not know with this status.
  if (result.status === 9) result = await startCompiler([]).finish(job)
  if (result.status !== 0) throw new InvariantError(`clang rejects the generated C (status ${result.status}):\n${result.said}`)
  return { bytes: result.output, warnings: result.said }
}

function startCompiler(flags: readonly string[]): Compiler {
  const child = spawn(
    process.execPath,
    [...flags, '--input-type=module', '--eval', childSource, import.meta.resolve('@yowasp/clang')],
    {
      stdio: 'pipe',
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  )
  const output: Uint8Array[] = []
  const said: Uint8Array[] = []
  child.stdout.on('data', (chunk: Uint8Array) => output.push(chunk))
  child.stderr.on('data', (chunk: Uint8Array) => said.push(chunk))
  // A child that dies early says why on standard error; that its input was not read to the end adds nothing.
  child.stdin.on('error', () => undefined)
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) =>
      resolve({ status, output: new Uint8Array(Buffer.concat(output)), said: Buffer.concat(said).toString() }),
    )
  })
  // Whoever hands over a job learns of the failure; one that is stopped before has nobody to tell.
  finished.catch(() => undefined)
  const handles = [child, child.stdin, child.stdout, child.stderr] as unknown as { ref(): void; unref(): void }[]
  for (const handle of handles) handle.unref()
  return {
    finish(job) {
      for (const handle of handles) handle.ref()
      child.stdin.end(job)
      return finished
    },
    stop: () => void child.kill(),
  }
}

/** The version of the package that holds clang and the linker. */
export async function toolchainVersion(): Promise<string> {
  // The package exports nothing but its module, which lies one folder below its package.json.
  const url = new URL('../package.json', import.meta.resolve('@yowasp/clang'))
  return (JSON.parse(await readFile(url, 'utf8')) as { version: string }).version
}

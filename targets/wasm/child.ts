// Runs in a process of its own: C on standard input, a wasm module on standard output, complaints on standard error.
import type { Command } from '@yowasp/clang'

interface Job {
  /** URL of the package with clang. */
  readonly clang: string
  readonly source: string
  readonly compilerFlags: readonly string[]
  readonly linkerFlags: readonly string[]
}

const chunks: Uint8Array[] = []
for await (const chunk of process.stdin) chunks.push(chunk)
const job = JSON.parse(Buffer.concat(chunks).toString()) as Job
const { runLLVM } = (await import(job.clang)) as { runLLVM: Command }

async function run(argv: readonly string[], input: string, bytes: string | Uint8Array, output: string): Promise<Uint8Array> {
  const report = (text: Uint8Array | null) => void (text && process.stderr.write(text))
  const files = await runLLVM(
    [...argv, '-o', output, input],
    { [input]: bytes },
    { stdout: report, stderr: report, fetchProgress: () => undefined },
  )
  return files![output] as Uint8Array
}

try {
  const object = await run(['clang', ...job.compilerFlags, '-c'], 'kernels.c', job.source, 'kernels.o')
  const module = await run(['wasm-ld', ...job.linkerFlags], 'kernels.o', object, 'kernels.wasm')
  process.stdout.write(module, () => process.exit(0))
} catch (error) {
  // A tool that refuses its input has said why and leaves with a status; anything else is told here.
  if (!(error instanceof Error && 'code' in error)) process.stderr.write(`${error}\n`)
  process.exitCode = 1
}

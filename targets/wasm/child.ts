// Runs in a process of its own: C on standard input, a wasm module on standard output, complaints on standard error.
import type { Command } from '@yowasp/clang'

interface Job {
  readonly source: string
  readonly compilerFlags: readonly string[]
  readonly linkerFlags: readonly string[]
}

// The address of the package with clang is the only argument.
const { runLLVM } = (await import(process.argv[1]!)) as { runLLVM: Command }

async function run(argv: readonly string[], input: string, bytes: string | Uint8Array, output: string): Promise<Uint8Array> {
  const report = (text: Uint8Array | null) => void (text && process.stderr.write(text))
  const files = await runLLVM(
    [...argv, '-o', output, input],
    { [input]: bytes },
    { stdout: report, stderr: report, fetchProgress: () => undefined },
  )
  return files![output] as Uint8Array
}

/** Exercises what every job needs: vectors, loops, loads and stores. */
const sample = `typedef float v __attribute__((vector_size(16)));
int f(const float *x, float *y, int n) {
  v s = {0, 0, 0, 0};
  for (int i = 0; i < n; i += 4) {
    s += *(const v *)(x + i) * x[i];
    for (int j = 0; j < 4; j++) y[i + j] = s[j] > 0 ? s[j] : x[j];
  }
  return n;
}`

// LLVM is compiled function by function when first called. While the job is still being made, a sample takes that upon itself.
await run(['clang', '--target=wasm32', '-O1', '-msimd128', '-c'], 'sample.c', sample, 'sample.o')
const chunks: Uint8Array[] = []
for await (const chunk of process.stdin) chunks.push(chunk)
// Whoever asked has gone.
if (chunks.length === 0) process.exit(0)
const job = JSON.parse(Buffer.concat(chunks).toString()) as Job

try {
  const object = await run(['clang', ...job.compilerFlags, '-c'], 'kernels.c', job.source, 'kernels.o')
  const module = await run(['wasm-ld', ...job.linkerFlags], 'kernels.o', object, 'kernels.wasm')
  process.stdout.write(module, () => process.exit(0))
} catch (error) {
  // A tool that refuses its input has said why and leaves with a status; anything else is told here.
  if (!(error instanceof Error && 'code' in error)) process.stderr.write(`${error}\n`)
  process.exitCode = 1
}

// Models for tests of serving: real code that can be told to fault, crash or hang, and small graphs compiled for native and wasm.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBuilder, type Graph, type ModelGraph } from '../../compiler/graph/index.ts'
import { checksumOf } from '../../plugin/bundle/checksum.ts'
import { compile } from '../../plugin/compile.ts'
import { teamHeader } from '../../targets/c/team.ts'
import { findCompiler, nativeAvailable, nativeTargets } from '../../targets/native/index.ts'
import { codeHeader } from '../../targets/native/sources.ts'
import { compileAddon } from '../../targets/native/toolchain.ts'
import type { Bundle, Manifest } from '../../targets/runtime/index.ts'
import { manifestFormat } from '../../targets/runtime/manifest.ts'
import { levels, platform } from '../native/harness.ts'
import { sampleWasm } from '../runtime/sample.ts'

const available = await nativeAvailable()
/** Why this machine makes no native code; undefined where it does. */
export const unavailable = available.ok ? undefined : available.reason
/** What models are compiled for here, the first that serving takes. */
export const kinds: readonly ('native' | 'wasm')[] = unavailable ? ['wasm'] : ['native', 'wasm']

const root = mkdtempSync(join(tmpdir(), 'glowplug-serve-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
let folders = 0

/** An empty folder that is removed when the process ends. */
export function newFolder(): string {
  const folder = join(root, String(folders++))
  mkdirSync(folder)
  return folder
}

/** Writes files to a folder of their own. What is mapped is never overwritten. */
export function writeFiles(files: ReadonlyMap<string, Uint8Array>): string {
  const folder = newFolder()
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes)
  return folder
}

export const digestOf = (bytes: Uint8Array): string => `sha256-${createHash('sha256').update(bytes).digest('hex')}`

/**
 * What the input `mode` of the unruly model brings about: `sum` adds, `fault` is refused by the model, `crash` is a SIGSEGV where the code
 * is native and a trap in WebAssembly, `hang` takes weeks in native code and a second in WebAssembly. Native code alone knows `exit`, which
 * ends the process with status 3, and `eat`, which takes memory until there is none; from 100 on, modes are milliseconds before it adds.
 */
export const modes = { sum: 0, fault: 1, crash: 2, exit: 3, eat: 4, hang: 2 ** 31 - 1 } as const

/**
 * y: f32[4] = x: f32[4] + c with `mode`: i32[1]; see `modes`. Entries `main` and `again` are the same. Where c begins with a negative number, every run hangs.
 */
const unrulySource = `${teamHeader}
long syscall(long number, ...);
void *malloc(unsigned long);
static double now(void) {
  long time[2];
  syscall(${process.arch === 'x64' ? 228 : 113}, 1L, time);
  return (double)time[0] * 1e3 + (double)time[1] * 1e-6;
}
static int entry(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  (void)activations; (void)team;
  const int mode = *(const float *)constants < 0 ? ${modes.hang} : *(const int *)(mutable + 64);
  if (mode == 1) return 1;
  if (mode == 2) *(volatile int *)0 = 1;
  if (mode == 3) syscall(${process.arch === 'x64' ? 231 : 94}, 3L);
  if (mode == 4) for (;;) {
    volatile char *const page = malloc(1 << 24);
    for (long i = 0; page && i < 1 << 24; i += 4096) page[i] = 1;
    if (!page) syscall(${process.arch === 'x64' ? 231 : 94}, 4L);
  }
  if (mode >= 100) for (const double end = now() + mode; now() < end;) {}
  for (int i = 0; i < 4; i++) ((float *)(mutable + 128))[i] = ((const float *)mutable)[i] + ((const float *)constants)[i];
  return 0;
}
${codeHeader}
const struct glowplug_entry glowplug_entries[] = {{entry, 16, 192, 0, 0, 0, 0, 0}, {entry, 16, 192, 0, 0, 0, 0, 0}};
const unsigned glowplug_entry_count = 2;
const char glowplug_needs[] = "";
`

let unrulyAddon: Promise<Uint8Array> | undefined
/** Compiled once. */
function addonOfUnruly(): Promise<Uint8Array> {
  unrulyAddon ??= makeAddon()
  return unrulyAddon
}
async function makeAddon(): Promise<Uint8Array> {
  const compiler = await findCompiler(platform)
  const { bytes } = await compileAddon(unrulySource, { ...levels().at(-1)!, flags: [] }, compiler)
  return bytes
}

/** `y = x + c` in native code, where there is a compiler, and in WebAssembly; `mode` makes it unruly. */
export async function unrulyBundle({
  name = 'unruly',
  c = [10, 20, 30, 40],
  kinds: wanted = kinds,
}: {
  readonly name?: string
  readonly c?: readonly number[]
  readonly kinds?: readonly ('native' | 'wasm')[]
} = {}): Promise<Bundle> {
  const constants = new Uint8Array(new Float32Array(c).buffer)
  const weights = new Uint8Array(4096 + 16)
  weights.set(constants, 4096)
  const files = new Map<string, Uint8Array>()
  const put = (bytes: Uint8Array, extension: string) => {
    const digest = digestOf(bytes)
    const file = `${name}-${digest.slice(7, 15)}.${extension}`
    files.set(file, bytes)
    return { file, bytes: bytes.length, digest }
  }
  const entries = ['main', 'again'].map((entry) => ({
    name: entry,
    export: 'entry',
    regions: { constants: 16, mutable: 192, activations: 0, lowerBound: 0 },
    inputs: [0, 64],
    outputs: [128],
    faults: ['the mode is one'],
  }))
  const shared = {
    weights: { offset: 4096, bytes: 16, digest: digestOf(constants), checksum: checksumOf(constants) },
    entries,
  }
  const [os, arch] = platform.split('-')
  const codes: Manifest['codes'] = await Promise.all(
    wanted.map(async (kind) =>
      kind === 'native'
        ? {
            ...put(await addonOfUnruly(), 'node'),
            ...{ target: 'native', kind: 'addon' as const, level: 'any', platform: { os: os!, arch: arch!, libc: 'glibc' } },
            ...shared,
          }
        : { ...put(sampleWasm(), 'wasm'), target: 'wasm', kind: 'wasm' as const, level: 'any', ...shared },
    ),
  )
  const signature = {
    inputs: [
      { name: 'x', dtype: 'f32', shape: [2, 2] },
      { name: 'mode', dtype: 'i32', shape: [1] },
    ],
    outputs: [{ name: 'y', dtype: 'f32', shape: [2, 2] }],
  }
  const manifest: Manifest = {
    format: manifestFormat,
    glowplug: '0.0.0',
    model: name,
    toolchain: { node: '20' },
    entries: entries.map((entry) => ({ name: entry.name, ...signature })),
    weights: put(weights, 'weights'),
    codes,
  }
  put(new TextEncoder().encode(JSON.stringify(manifest)), 'manifest.json')
  return { name, manifest, files }
}

/** A folder with the unruly model for one kind of code. */
export const unruly = async (kind: 'native' | 'wasm', name = 'unruly'): Promise<string> =>
  writeFiles((await unrulyBundle({ name, kinds: [kind] })).files)

export const xs = new Float32Array([1, 2, 3, 4])
export const sums = new Float32Array([11, 22, 33, 44])
/** Inputs of the unruly model. */
export const unrulyInputs = (mode: number, x: ArrayLike<number> = xs) => ({ x: Float32Array.from(x), mode: [mode] })

const floats = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer)

/** y = x · [1, 2, 3, …] for x: f32[16]: tensors of 64 bytes. */
export function tinyGraph(name = 'tiny'): Graph {
  const builder = createBuilder()
  const x = builder.input('x', { dtype: 'f32', shape: [16] })
  const factors = builder.literal({ dtype: 'f32', shape: [16] }, floats(Array.from({ length: 16 }, (_, i) => i + 1)))
  return builder.finish(name, [x], [{ name: 'y', value: builder.addFlat('mul', [x, factors], {}) }])
}

const compiled = new Map<string, Promise<Bundle>>()
/** Compiles a graph or a model for a kind of code, native code at the level that most machines run; models of one name once. */
export function compileFor(model: Graph | ModelGraph, kind: 'native' | 'wasm'): Promise<Bundle> {
  const key = `${kind} ${model.name}`
  const targets = async () => (kind === 'native' ? [(await nativeTargets()).at(-1)!] : [kind])
  const known = compiled.get(key) ?? targets().then((target) => compile(model, { target }))
  compiled.set(key, known)
  return known
}

/** A folder with a bundle. */
export const folderOf = ({ files }: Bundle): string => writeFiles(files)

/** Runs `body`, which must fail with a GlowplugError, and returns its code. */
export async function codeOf(body: () => unknown): Promise<string> {
  try {
    await body()
  } catch (error: any) {
    if (error?.name !== 'GlowplugError') throw error
    return error.code
  }
  throw new Error('it did not fail')
}

/** Until `holds` does; fails after many turns of waiting. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 1500; turn++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`it never happened that ${what}`)
}

/** Numbers of the processes that this one has started and that stand. */
export function childrenOf(parent = process.pid): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      // The name, in parentheses, may hold anything.
      const [state, of] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      return Number(of) === parent && state !== 'Z' ? [Number(name)] : []
    } catch {
      // It ended meanwhile.
      return []
    }
  })
}

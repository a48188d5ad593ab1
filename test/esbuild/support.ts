import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type BuildOptions, type BuildResult, build } from 'esbuild'
import glowplug, { type ModelSummary, type Options, type Summary } from 'glowplug/esbuild'

export const repository = process.env.GLOWPLUG_ROOT!
const workplace = mkdtempSync(join(tmpdir(), 'glowplug-esbuild-'))
/** Compiled models that the tests of one file share where they are not about the cache. */
export const sharedCache = join(workplace, 'cache')
export const cleanUp = () => rmSync(workplace, { recursive: true, force: true })
export const emptyFolder = () => mkdtempSync(join(workplace, 'folder-'))

export type Files = Readonly<Record<string, string | Uint8Array>>

export function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
}

/** A folder as a user has it: a package.json, glowplug and esbuild among the packages, and the given files. */
export function createProject(files: Files): string {
  const folder = mkdtempSync(join(workplace, 'project-'))
  writeFiles(folder, { 'package.json': '{ "type": "module" }', ...files })
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(repository, join(folder, 'node_modules', 'glowplug'))
  symlinkSync(join(repository, 'node_modules', 'esbuild'), join(folder, 'node_modules', 'esbuild'))
  return folder
}

export interface Built {
  readonly result: BuildResult<{ metafile: true }>
  readonly models: readonly ModelSummary[]
}

export async function bundle(project: string, buildOptions: BuildOptions, options: Options = {}): Promise<Built> {
  let models: readonly ModelSummary[] = []
  const report = (summary: Summary) => {
    models = summary.models
  }
  const plugin = glowplug({ targets: ['wasm'], cache: sharedCache, report, ...options })
  const result = await build({
    absWorkingDir: project,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
    ...(buildOptions.outfile ? {} : { outdir: 'out' }),
    ...buildOptions,
    metafile: true,
    plugins: [plugin, ...(buildOptions.plugins ?? [])],
  })
  return { result, models }
}

/** Copies a folder, and nothing else, to an empty place and runs a file of it with Node; returns what it prints. */
export function runAlone(folder: string, file: string, args: readonly string[] = []): string {
  const place = emptyFolder()
  cpSync(folder, place, { recursive: true })
  return execFileSync(process.execPath, [join(place, file), ...args], {
    cwd: emptyFolder(),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** A safetensors file of f32 tensors. */
export function safetensors(
  tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly values: readonly number[] }>>,
): Uint8Array {
  let end = 0
  const header = Object.entries(tensors).map(([name, { shape, values }]) => {
    const start = end
    end += values.length * 4
    return [name, { dtype: 'F32', shape, data_offsets: [start, end] }]
  })
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([
    length,
    text,
    ...Object.values(tensors).map(({ values }) => Buffer.from(Float32Array.from(values).buffer)),
  ])
}

export const scaleWeights = (scale: readonly [number, number]) => safetensors({ scale: { shape: [2], values: scale } })

/** A model `name` with an input `x` and an output `y = x · scale`, both `[2]`, where scale comes from `<name>.safetensors`. */
export const scaleModel = (name: string) => `
import { model, mul, tensor, weights } from 'glowplug'

const w = weights(new URL('./${name}.safetensors', import.meta.url))

export const labels: readonly string[] = ['first', 'second']

export default model({
  name: '${name}',
  inputs: { x: tensor('f32', [2]) },
  forward({ x }) {
    return { y: mul(x, w.get('scale', 'f32', [2])) }
  },
})
`

/** A program that runs models with x = (1, 2) and prints one line for each. */
export const program = (...models: readonly (readonly [variable: string, path: string])[]) => `
${models.map(([variable, path]) => `import ${variable} from '${path}'`).join('\n')}
for (const m of [${models.map(([variable]) => variable).join(', ')}]) {
  const { y } = await m.run({ x: [1, 2] })
  console.log(m.name, m.info.target, ...y.data)
  await m.close()
}
`

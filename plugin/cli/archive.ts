import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { writeArchive } from '../inspect/archive.ts'
import { formatBytes } from '../report.ts'
import { findLevel, type InputOptions, prepareInputs, readRequest, type SourceOptions, type TargetOptions } from './source.ts'
import { Failure, printJson, UsageError, withProgress } from './terminal.ts'

export interface ArchiveOptions extends SourceOptions, InputOptions, TargetOptions {
  readonly out?: unknown
  readonly force?: boolean
  readonly json?: boolean
}

/** `glowplug archive`: a model and one request in one file. */
export async function archive(file: string, options: ArchiveOptions): Promise<void> {
  if (options.out === undefined) throw new UsageError("'archive' needs --out <file>", "see 'glowplug archive --help'")
  const out = resolve(String(options.out))
  const shown = relative(process.cwd(), out) || out
  if (!/\.safetensors$/i.test(out))
    throw new UsageError(`--out '${options.out}' must end in .safetensors`, `write --out ${options.out}.safetensors`)
  if (!options.force && existsSync(out)) throw new Failure(`${shown} exists; --force overwrites it`)
  const target = options.target === undefined ? undefined : await findLevel('archive', options, { file })
  const { source, origin, bytes } = await withProgress(`reading ${file}`, async (update) => {
    const source = await readRequest(file, options)
    // Given inputs are kept as they are: that the model refuses them may be what is to be shown.
    const { given } = source
    const { inputs, origin } = given
      ? { inputs: given, origin: 'inputs from files' }
      : await prepareInputs(source, { ...options, atol: 0 }, update)
    await mkdir(dirname(out), { recursive: true })
    update(`writing ${shown}`)
    const about = target ? { target: target.name, level: target.level } : {}
    const bytes = await writeArchive(out, { graph: source.graph, inputs, record: { kind: 'request', ...about } })
    return { source, origin, bytes }
  })
  if (options.json) return printJson({ file: shown, bytes, model: source.graph.name, entry: source.entry, inputs: origin })
  process.stdout.write(`${shown}  ${formatBytes(bytes)}, with weights and ${origin}\n'glowplug reproduce ${shown}' runs it\n`)
}

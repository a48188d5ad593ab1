import { readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import colors from 'picocolors'
import { type Diagnostic, DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { CompileError, nearestName } from '../../compiler/pipeline.ts'
import { archiveOfFailure, writeArchive } from '../inspect/archive.ts'

/** The command line was wrong; nothing was done. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly hint: string
  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

/** Something that the user can put right, said in one sentence. */
export class Failure extends Error {
  override readonly name = 'Failure'
}

/** `, did you mean 'build'?`, or nothing. */
export function nearest(name: string, names: readonly string[]): string {
  const found = nearestName(name, names)
  return found === undefined ? '' : `, did you mean '${found}'?`
}

/** Throws Failure where `file` is nothing that can be read. */
export function checkFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) throw new Failure(`there is no file ${file}`)
  if (found.isDirectory()) throw new Failure(`${file} is a folder`)
}

/** What the system refused, in words: reading or writing of what. */
function describeRefusal({ code, path = '', dest, syscall, message }: NodeJS.ErrnoException & { dest?: string }): string {
  // Files are written under a temporary name, which nobody knows.
  const temporary = /\.\d+-[0-9a-f]{8}\.tmp$/
  const writes = temporary.test(path) || syscall === 'mkdir'
  const file = dest ?? path.replace(temporary, '')
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: `there is no folder ${dirname(file)}`,
    ENOTDIR: `${dirname(file)} is no folder`,
    EEXIST: 'there is a file of this name',
    EISDIR: 'it is a folder',
    ENOTEMPTY: 'it is a folder',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'nothing can be written there',
    ENOSPC: 'no space is left',
  }
  if (file === '') return message
  if (!writes && code === 'ENOENT') return `there is no file ${file}`
  if (!writes && code === 'EISDIR') return `${file} is a folder`
  return `cannot ${writes ? 'write' : 'read'} ${file}: ${reasons[code ?? ''] ?? message}`
}

const say = (text: string) => process.stderr.write(`${text}\n`)

/** Draws diagnostics on standard error. Their files are relative to the folder that the command was started in. */
export async function report(diagnostics: readonly Diagnostic[]): Promise<void> {
  if (diagnostics.length === 0) return
  const { renderDiagnostics } = await import('../../compiler/diagnostics/render.ts')
  const read = (file: string): string | undefined => {
    try {
      return readFileSync(resolve(file), 'utf8')
    } catch {
      return undefined
    }
  }
  process.stderr.write(renderDiagnostics(diagnostics, read, { color: colors.isColorSupported && process.stderr.isTTY === true }))
}

/** Cells as lines: columns under each other, those in `numbers` to the right. */
export function formatTable(rows: readonly (readonly string[])[], numbers: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => (numbers.includes(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd()
  return rows.map((row) => `${line(row)}\n`).join('')
}

/** A result as JSON on standard output. */
export const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)

/** Errors that say all there is to say in their message. */
const plainErrors = [
  'TargetUnavailable',
  'ArchiveError',
  'EvaluationFault',
  'RunRefused',
  'PartitionError',
  'PlanError',
  'PlatformError',
]

/** Says what went wrong and returns the exit status. */
export async function explain(error: any): Promise<number> {
  const label = colors.red('error')
  if (error instanceof UsageError || error?.name === 'CACError') {
    say(`${label}: ${error.message}\n${error.hint ?? "see 'glowplug --help'"}`)
    return 2
  }
  if (error instanceof DiagnosticError) await report(error.diagnostics)
  else if (error instanceof CompileError) {
    say(`${label}: the compiler failed, which is its own mistake and not the model's: ${error.message}`)
    const file = join(tmpdir(), `glowplug-reproducer-${process.pid}.safetensors`)
    await writeArchive(file, archiveOfFailure(error))
    say(
      `What it was working on, weights included, is in ${file}; please attach it to a report.\n'glowplug reproduce ${file}' runs it again.`,
    )
  } else if (error?.name === 'GlowplugError') say(`${label}: ${error.code}: ${error.message}`)
  else if (error instanceof Failure || error instanceof RangeError || plainErrors.includes(error?.name))
    say(`${label}: ${error.message}`)
  else if (typeof error?.syscall === 'string') say(`${label}: ${describeRefusal(error)}`)
  else say(`${label}: ${error?.stack ?? error}`)
  return 1
}

/** Runs `work`; on a terminal, shows on standard error what it is doing once it takes long. `update` changes the text. */
export async function withProgress<T>(what: string, work: (update: (what: string) => void) => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work(() => {})
  const started = performance.now()
  let text = what
  const clear = '\r\u001b[2K'
  const draw = () => {
    const seconds = (performance.now() - started) / 1000
    if (seconds > 0.3) process.stderr.write(`${clear}${colors.dim(`${text} … ${seconds.toFixed(1)} s`)}`)
  }
  const timer = setInterval(draw, 100)
  try {
    return await work((next) => {
      text = next
      draw()
    })
  } finally {
    clearInterval(timer)
    process.stderr.write(clear)
  }
}

import { readFile, stat } from 'node:fs/promises'
import { findOverlap, fitMemory, liveBound } from '../../compiler/allocation/index.ts'
import { maximumCharacters, printTable, readTable } from '../../compiler/allocation/table.ts'
import { InvariantError } from '../../compiler/graph/index.ts'
import { writeWhole } from '../bundle/write.ts'
import { checkFile, Failure, UsageError } from './terminal.ts'

export interface AllocateOptions {
  readonly capacity?: unknown
  readonly out?: unknown
}

/** `glowplug allocate`: an offset for each buffer of a CSV file, so that all end within the capacity. */
export async function allocate(file: string, { capacity: given, out }: AllocateOptions): Promise<number> {
  if (given === undefined) throw new UsageError("'allocate' needs --capacity <bytes>", "see 'glowplug allocate --help'")
  const capacity = Number(given)
  if (!Number.isSafeInteger(capacity) || capacity < 0)
    throw new UsageError(`--capacity '${given}' is not a number of bytes`, 'write --capacity 1048576')
  checkFile(file)
  // Four bytes per character at most: what is longer is not even read.
  if ((await stat(file)).size > 4 * maximumCharacters) throw new Failure(`${file} is longer than ${4 * maximumCharacters} bytes`)
  const read = readTable(await readFile(file, 'utf8'))
  if ('errors' in read) throw new Failure(read.errors.map(({ line, message }) => `${file}:${line}: ${message}`).join('\n'))
  const { table } = read
  const bound = liveBound(table.problem)
  if (bound > capacity) throw new Failure(`${bound} bytes are live at one time; they do not fit into ${capacity}`)
  const result = fitMemory(table.problem, capacity)
  if (result.kind === 'impossible')
    throw new Failure(`no placement fits into ${capacity} bytes, although no more than ${bound} are live at one time`)
  if (result.kind === 'unknown')
    throw new Failure(
      `no placement into ${capacity} bytes was found; ${bound} bytes are live at one time, so that there may be one`,
    )
  const wrong = findOverlap(table.problem, result.offsets, 1, capacity)
  if (wrong !== undefined) throw new InvariantError(`allocate: ${wrong}`)
  const text = printTable(table, result.offsets)
  if (out === undefined) process.stdout.write(text)
  else {
    await writeWhole(String(out), text)
    const peak = table.problem.reduce((most, { bytes }, i) => Math.max(most, result.offsets[i]! + bytes), 0)
    process.stdout.write(`${out}  ${table.ids.length} buffers in ${peak} of ${capacity} bytes, ${bound} live at one time\n`)
  }
  return 0
}

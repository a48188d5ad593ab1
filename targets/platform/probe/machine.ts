// What the processors of this machine do at most, by a small C program.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import source from './probe.c?text'

const execute = promisify(execFile)

export interface CacheLevel {
  readonly name: string
  readonly bytes: number
}

export interface MachineRates {
  /** Operations a second of one thread. */
  readonly f32: number
  /** 0 where there are no such instructions. */
  readonly int8: number
  /** Bytes a second that one thread reads; the fastest level first, main memory last. */
  readonly memory: readonly (CacheLevel & { readonly bytesPerSecond: number })[]
  /** Bytes a second of rows that one thread picks here and there of weights that are larger than every cache. */
  readonly rows: number
  /** Parts of the rates that each of several threads keeps while all work. */
  readonly together: { readonly arithmetic: number; readonly memory: number }
}

const readText = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}

const units: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** Caches of the first processor that hold data, as Linux tells; where it does not, those of an ordinary core. */
export function cachesHere(folder = '/sys/devices/system/cpu/cpu0/cache'): readonly CacheLevel[] {
  const found: CacheLevel[] = []
  for (let index = 0; index < 8; index++) {
    const [type, level, size] = ['type', 'level', 'size'].map((name) => readText(join(folder, `index${index}`, name)))
    const [, digits, unit] = /^(\d+)([KMG])$/.exec(size ?? '') ?? []
    if (type === 'Instruction' || !level || !digits || !unit) continue
    found.push({ name: `L${level}`, bytes: Number(digits) * units[unit]! })
  }
  return found.length > 0
    ? found
    : [
        { name: 'L1', bytes: 2 ** 15 },
        { name: 'L2', bytes: 2 ** 20 },
      ]
}

/** Beyond every cache, and still quick to fill. */
const beyond = 2 ** 28

/** Bytes of tables of which rows are picked: the more, the slower, since the processor has to look for more pages. */
const tables = 2 ** 29
const timesOfTables = 3

/**
 * Measures one thread, and `threads` at once. `compiler` makes a program of the C file whose path it is given, at the other. Throws what the
 * compiler or the program throws.
 */
export async function measureMachine({
  folder,
  threads,
  compile,
  update,
}: {
  readonly folder: string
  readonly threads: number
  readonly compile: (source: string, program: string) => Promise<void>
  readonly update: (what: string) => void
}): Promise<MachineRates> {
  const program = join(folder, 'probe')
  await writeFile(`${program}.c`, source)
  await compile(`${program}.c`, program)
  /** Of each of so many at once, on average. */
  const rate = async (count: number, ...what: readonly string[]): Promise<number> => {
    const runs = await Promise.all(Array.from({ length: count }, () => execute(program, what, { timeout: 60_000 })))
    return runs.reduce((sum, { stdout }) => sum + Number(stdout), 0) / count
  }
  update('arithmetic')
  const f32 = await rate(1, 'f32')
  const int8 = await rate(1, 'int8')
  update('memory')
  const caches = cachesHere()
  const memory: { name: string; bytes: number; bytesPerSecond: number }[] = []
  for (const { name, bytes } of caches)
    memory.push({ name, bytes, bytesPerSecond: await rate(1, 'read', String(Math.max(2 ** 12, Math.floor(bytes / 2)))) })
  const main = await rate(1, 'read', String(beyond))
  memory.push({ name: 'memory', bytes: totalmem(), bytesPerSecond: main })
  // A level that measures faster than the one before it is no slower than that one: rates fall.
  for (let i = memory.length - 2; i >= 0; i--)
    memory[i]!.bytesPerSecond = Math.max(memory[i]!.bytesPerSecond, memory[i + 1]!.bytesPerSecond)
  update('look-ups')
  const rowRates: number[] = []
  // Where the system puts a file's pages differs from time to time.
  for (let time = 0; time < timesOfTables; time++) {
    const file = join(folder, 'rows')
    rowRates.push(await rate(1, 'rows', String(tables), file))
    await rm(file)
  }
  const rows = rowRates.sort((a, b) => a - b)[timesOfTables >> 1]!
  update(`${threads} at once`)
  const share = (all: number, alone: number) => Math.min(1, all / alone)
  const together =
    threads > 1
      ? {
          arithmetic: share(await rate(threads, 'f32'), f32),
          memory: share(await rate(threads, 'read', String(beyond)), main),
        }
      : { arithmetic: 1, memory: 1 }
  return { f32, int8, memory, rows, together }
}

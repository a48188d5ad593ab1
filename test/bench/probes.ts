// What this machine can do at most, measured with small C programs.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CompilerMissing, findCompiler } from '../../targets/native/compiler.ts'
import { platforms } from '../../targets/native/levels.ts'

const execute = promisify(execFile)

export type Peak = 'f32' | 'int8' | 'bf16' | 'bandwidth'

/** Operations (bytes for `bandwidth`) per second by number of threads. */
export type Peaks = Readonly<Partial<Record<Peak, ReadonlyMap<number, number>>>>

const programs: Readonly<Record<Peak, readonly string[]>> = {
  f32: ['peak.c', '-DF32'],
  int8: ['peak.c', '-DINT8'],
  bf16: ['peak.c', '-DBF16'],
  bandwidth: ['bandwidth.c'],
}

/** Runs a program so many times at once; the sum of what they print. */
async function together(program: string, count: number): Promise<number> {
  const runs = await Promise.all(Array.from({ length: count }, () => execute(program, { timeout: 60_000 })))
  return runs.reduce((sum, { stdout }) => sum + Number(stdout), 0)
}

/** Measures the peaks for the level whose code is measured, or the best one; or says in a line why not. */
export async function measurePeaks(
  home: string,
  folder: string,
  level: string | undefined,
  threads: readonly number[],
  wanted: readonly Peak[],
): Promise<{ readonly peaks: Peaks; readonly without?: string }> {
  const platform = Object.values(platforms).find(({ name }) => name === `${process.platform}-${process.arch}`)
  if (!platform) return { peaks: {}, without: `no probes for ${process.platform}-${process.arch}` }
  try {
    const { command } = await findCompiler(platform.name)
    const { flags } = platform.levels.find(({ name }) => name === level) ?? platform.levels[0]!
    const [compiler, ...given] = command
    const peaks: Partial<Record<Peak, Map<number, number>>> = {}
    for (const peak of wanted) {
      const [source, ...definitions] = programs[peak]
      const program = join(folder, `probe-${peak}`)
      const sources = [...definitions, join(home, 'probes', source!), '-o', program]
      await execute(compiler!, [...given, '-O2', '-std=gnu11', '-ffp-contract=fast', ...flags, ...sources])
      const rates = new Map<number, number>()
      for (const count of threads) rates.set(count, await together(program, count))
      // 0: the processor has nothing of that kind.
      if ([...rates.values()].every((rate) => rate > 0)) peaks[peak] = rates
    }
    return { peaks }
  } catch (error) {
    if (error instanceof CompilerMissing) return { peaks: {}, without: 'no C compiler for the probes' }
    return { peaks: {}, without: `the probes failed: ${(error as Error).message.split('\n')[0]}` }
  }
}

const units: Readonly<Record<Peak, string>> = { f32: 'GFLOP/s', int8: 'GOP/s', bf16: 'GFLOP/s', bandwidth: 'GB/s' }

/** `f32 110 GFLOP/s (1 thread), 220 (2); …` */
export const describePeaks = (peaks: Peaks): string =>
  Object.entries(peaks)
    .map(([peak, rates]) => {
      const list = [...rates].map(([count, rate]) => `${Math.round(rate / 1e9)} on ${count}`)
      return `${peak} ${list.join(', ')} ${units[peak as Peak]}`
    })
    .join('; ')

import { readFile } from 'node:fs/promises'
import { compareTraces, type TraceDifference, type TraceTotal } from '../inspect/traces.ts'
import { checkFile, Failure, formatTable, printJson, UsageError } from './terminal.ts'

async function read(path: string): Promise<{ path: string; content: unknown }> {
  checkFile(path)
  try {
    return { path, content: JSON.parse(await readFile(path, 'utf8')) }
  } catch (error) {
    throw new Failure(`${path} is no trace: ${(error as Error).message}`)
  }
}

const mean = ({ count, total }: TraceTotal): string => (count === 0 ? '' : (total / count).toFixed(2))

function rowOf({ category, name, at, before, after, change }: TraceDifference): string[] {
  const share = change === undefined || before.total === 0 ? '' : `${((100 * change * before.count) / before.total).toFixed(1)} %`
  const sign = change === undefined ? '' : `${change > 0 ? '+' : ''}${change.toFixed(2)}`
  return [category, name, at, String(before.count), String(after.count), mean(before), mean(after), sign, share]
}

/** `glowplug trace compare`: the difference of two traces, operator by operator. */
export async function trace(action: string, before: string, after: string, options: { readonly json?: boolean }): Promise<void> {
  if (action !== 'compare')
    throw new UsageError(`there is no 'trace ${action}'`, 'write: glowplug trace compare before.json after.json')
  const [first, second] = [await read(before), await read(after)]
  let differences: readonly TraceDifference[]
  try {
    differences = compareTraces(first, second)
  } catch (error) {
    if ((error as Error).name === 'TraceError') throw new Failure((error as Error).message)
    throw error
  }
  if (options.json) return printJson({ before, after, differences })
  const head = ['kind', 'name', 'line', 'before', 'after', 'µs before', 'µs after', 'change', '']
  process.stdout.write(`${formatTable([head, ...differences.map(rowOf)], [3, 4, 5, 6, 7, 8])}\n`)
}

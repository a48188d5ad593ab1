import { parseArgs } from 'node:util'

export interface Options {
  /** Rows to measure; all where there are none. */
  readonly only: readonly string[]
  /** Numbers of threads, one after the other. */
  readonly threads: readonly number[]
  /** Time that the pairs of one row and one number of threads may take, preparation not counted. */
  readonly seconds: number
  /** Level of native code; the best that this processor has, unless given. */
  readonly level?: string
  /** C compiler of native code; the one that builds take, unless given. */
  readonly compiler?: string
  readonly json?: string
  readonly markdown?: string
  /** Where bundles and ONNX files are made and left; a folder that is removed unless given. */
  readonly keep?: string
  readonly list: boolean
  readonly help: boolean
}

/** What was asked for makes no sense; the message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const usage = `npm run bench -- [options]

  --only ROW[,ROW]  rows to measure, by name or part of one; --list says the names
  --threads N[,N]   default 1,2
  --seconds S       for the pairs of a row, default 15
  --level NAME      of native code, such as x86-64-v3; default the best that this processor has
  --compiler PATH   C compiler of native code, as $CC
  --json FILE       all numbers, and \`failed\`: what misses its must
  --markdown FILE   the table
  --keep FOLDER     bundles and ONNX files are made there, and left
  --list            the rows, and what they must reach
  --help`

function wholeNumbers(name: string, text: string, most: number): readonly number[] {
  const numbers = text.split(',').map(Number)
  for (const number of numbers)
    if (!(Number.isInteger(number) && number >= 1 && number <= most))
      throw new UsageError(`--${name} ${text}: expected whole numbers from 1 to ${most}, such as --${name} 1,2`)
  return [...new Set(numbers)]
}

/** Which rows a list of names, or parts of names, means: a whole name means itself alone. */
export function chooseRows(only: readonly string[], rows: readonly string[]): readonly string[] {
  if (only.length === 0) return rows
  const chosen = new Set<string>()
  for (const wanted of only) {
    const found = rows.includes(wanted) ? [wanted] : rows.filter((row) => row.includes(wanted))
    if (found.length === 0) throw new UsageError(`--only ${wanted}: there is no such row; rows are ${rows.join(', ')}`)
    for (const row of found) chosen.add(row)
  }
  return rows.filter((row) => chosen.has(row))
}

/** Throws UsageError. */
export function readOptions(argv: readonly string[]): Options {
  const texts = ['threads', 'seconds', 'level', 'compiler', 'json', 'markdown', 'keep'] as const
  const parse = () =>
    parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string', multiple: true },
        ...(Object.fromEntries(texts.map((name) => [name, { type: 'string' }])) as Record<
          (typeof texts)[number],
          { type: 'string' }
        >),
        list: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    })
  let values: ReturnType<typeof parse>['values']
  try {
    values = parse().values
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; see --help`)
  }
  const seconds = Number(values.seconds ?? 15)
  if (!(seconds > 0 && seconds <= 3600))
    throw new UsageError(`--seconds ${values.seconds}: expected a number above 0 and up to 3600`)
  const { level, compiler, json, markdown, keep } = values
  return {
    only: (values.only ?? []).flatMap((list) => list.split(',')).filter((name) => name !== ''),
    threads: wholeNumbers('threads', values.threads ?? '1,2', 256),
    seconds,
    ...(level !== undefined && { level }),
    ...(compiler !== undefined && { compiler }),
    ...(json !== undefined && { json }),
    ...(markdown !== undefined && { markdown }),
    ...(keep !== undefined && { keep }),
    list: values.list ?? false,
    help: values.help ?? false,
  }
}
